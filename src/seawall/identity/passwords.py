"""Passwords: argon2id (RFC 9106), bounded, and equally slow for those who do not exist.

Hashing costs 64 MiB and a tenth of a second, so that a stolen database is hard to search. That
cost is also a weapon against us; therefore at most `MAX_HASHING` run at once in this process, a few
wait, and the rest is refused at once: waiting callers hold threads that others need.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import string
import threading
import unicodedata
from collections.abc import Iterator
from typing import Final

import argon2

from seawall.core.errors import InvalidInputError, UnavailableError

MIN_CHARACTERS: Final = 12
MAX_BYTES: Final = 512
MAX_HASHING: Final = 2
MAX_WAITING: Final = 6
HASHING_WAIT_SECONDS: Final = 10.0
GENERATED_CHARACTERS: Final = 24  # of 62 kinds: 142 random bits
_ALPHABET: Final = string.ascii_letters + string.digits

STRONG: Final = argon2.PasswordHasher(time_cost=2, memory_cost=64 * 1024, parallelism=1)


class Passwords:
    """Hashes and checks passwords. Thread-safe; both block."""

    def __init__(self, hasher: argon2.PasswordHasher = STRONG) -> None:
        self._hasher = hasher
        self._slots = threading.BoundedSemaphore(MAX_HASHING)
        self._places = threading.BoundedSemaphore(MAX_HASHING + MAX_WAITING)
        self._dummy = _nobodys_hash(hasher)

    def hash(self, password: str) -> str:
        """Return the PHC string of `password`."""
        with self._slot():
            return self._hasher.hash(_normal(password))

    def is_right(self, password: str, password_hash: str | None) -> bool:
        """Tell whether `password` fits. None stands for a user who does not exist: the same work
        is done, and the answer is no."""
        if len(password) > MAX_BYTES:
            return False
        with self._slot():
            try:
                self._hasher.verify(password_hash or self._dummy, _normal(password))
            except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
                return False
        return password_hash is not None

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise _too_busy()
        try:
            if not self._slots.acquire(timeout=HASHING_WAIT_SECONDS):
                raise _too_busy()
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._places.release()


def check_new(password: str, *, name: str) -> None:
    """Raises InvalidInputError unless `password` may become the password of `name`.

    Length is what counts (NIST SP 800-63B-4, 3.1.1.2: no rules about kinds of characters).
    """
    if len(password) < MIN_CHARACTERS:
        raise InvalidInputError(
            f"the password has fewer than {MIN_CHARACTERS} characters", remedy="take a longer one"
        )
    if len(_normal(password)) > MAX_BYTES or "\0" in password:
        raise InvalidInputError(f"the password is longer than {MAX_BYTES} bytes, or holds a NUL")
    if name in password.lower() and len(password) < len(name) + MIN_CHARACTERS:
        raise InvalidInputError("the password is little more than the user's name")
    if len(set(password)) < 4:
        raise InvalidInputError("the password repeats fewer than 4 different characters")


def generate() -> str:
    """Return a random password of letters and digits: nothing that a shell or an option minds."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(GENERATED_CHARACTERS))


def _nobodys_hash(hasher: argon2.PasswordHasher) -> str:
    """Return the PHC string of a password that nobody has: as slow to check, free to make."""
    salt, tag = secrets.token_bytes(hasher.salt_len), secrets.token_bytes(hasher.hash_len)
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${_unpadded(salt)}${_unpadded(tag)}"


def _unpadded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii").rstrip("=")


def _normal(password: str) -> bytes:
    # The same key on two keyboards may give composed or decomposed characters.
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _too_busy() -> UnavailableError:
    return UnavailableError(
        "too many passwords are being checked", remedy="try again in a few seconds"
    )
