"""The one tree of errors.

    SeawallError            code, message (what happened), remedy (what to do next)
    ├── InvalidInputError   what came from outside does not parse or breaks a rule
    ├── NotFoundError       the named thing does not exist, or the caller may not know
    ├── ConflictError       the state of things does not allow it now
    ├── DeniedError         the caller lacks the right
    ├── LimitError          a bound on size, count, depth or time was reached
    ├── IntegrityError      bytes are not what their digest or seal says
    └── UnavailableError    something outside (engine, feed, disk) does not answer

A room that needs finer kinds derives them in its own `errors.py`. A *refusal by policy* is a value
with reasons, never an exception.
"""

from __future__ import annotations


class SeawallError(Exception):
    """The base of all errors that Seawall raises on purpose.

    `code` is stable and machine-readable; `message` says what happened, with the value; `remedy`
    says what to do next. Neither may hold a secret or a path of the server's file system when the
    error can reach a remote caller.
    """

    code = "error"

    def __init__(self, message: str, *, remedy: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class InvalidInputError(SeawallError):
    """What came from outside does not parse, or breaks a rule of its format."""

    code = "invalid-input"


class NotFoundError(SeawallError):
    """The named thing does not exist, or the caller may not know that it does."""

    code = "not-found"


class ConflictError(SeawallError):
    """The state of things does not allow the change now."""

    code = "conflict"


class DeniedError(SeawallError):
    """The caller is known (or anonymous) and lacks the right."""

    code = "denied"


class LimitError(SeawallError):
    """A bound on size, count, depth or time was reached."""

    code = "limit"


class IntegrityError(SeawallError):
    """Bytes are not what their digest, signature or seal says."""

    code = "integrity"


class UnavailableError(SeawallError):
    """Something outside — an engine, a feed, the disk — does not answer."""

    code = "unavailable"
