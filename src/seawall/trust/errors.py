"""What the trust room raises on purpose.

InvalidInputError
├── KeyFormatError      a key is not in a form, or of a kind, that we use
├── ForeignNameError    a collection's host is none of this registry's
└── UpdateRefusedError  an upload to a tree breaks a rule; nothing of it was stored
DeniedError
└── PassphraseError     the passphrase does not open the key
"""

from __future__ import annotations

from seawall.core.errors import DeniedError, InvalidInputError


class KeyFormatError(InvalidInputError):
    """A key is not in a form, or of a kind, that Seawall uses."""

    code = "key-format"


class PassphraseError(DeniedError):
    """The passphrase does not open the key."""

    code = "wrong-passphrase"


class UpdateRefusedError(InvalidInputError):
    """An upload to a tree breaks a rule; nothing of it was stored.

    `fault` is a value of `tuf.rules.Fault`; `missing` names a role that should be there.
    """

    code = "update-refused"

    def __init__(self, message: str, *, fault: str, missing: str | None = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.missing = missing


class ForeignNameError(InvalidInputError):
    """A collection's host is none under which this registry is reached."""

    code = "foreign-name"
