"""The little of PKCS#11 that Seawall uses, as values and two Protocols.

`Module` and `Session` have a real implementation (`pkcs11_module`) and a fake one for tests, held
to one contract suite. Errors are those of `tokens.errors`; a PIN stands in none of them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Final, Protocol

from seawall.core.secret import Secret

P256_PARAMETERS: Final = bytes.fromhex("06082a8648ce3d030107")
"""CKA_EC_PARAMS of P-256: its object identifier in DER."""


class ObjectKind(enum.StrEnum):
    PRIVATE = "private"
    PUBLIC = "public"
    CERTIFICATE = "certificate"


class Touch(enum.StrEnum):
    """Whether somebody has to touch the token for a signature."""

    NEVER = "never"
    ALWAYS = "always"
    CACHED = "cached"  # one touch is enough for 15 seconds
    UNKNOWN = "unknown"


class PinPolicy(enum.StrEnum):
    """How often the token wants its PIN."""

    NEVER = "never"
    ONCE = "once"
    ALWAYS = "always"
    UNKNOWN = "unknown"


class PinState(enum.StrEnum):
    """What a token says of its PIN; the exact number of tries left is not told."""

    FINE = "fine"
    FEW_TRIES = "few-tries"
    LAST_TRY = "last-try"
    LOCKED = "locked"
    UNSET = "unset"


class Role(enum.StrEnum):
    """As whom a session is opened; a PIV card makes keys only for the manager."""

    NOBODY = "nobody"
    USER = "user"
    MANAGER = "manager"  # CKU_SO


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token, as it describes itself."""

    label: str
    manufacturer: str
    model: str
    serial: str
    slot: int
    pin: PinState
    has_keypad: bool = False
    """The PIN is typed on the token itself."""

    @property
    def is_yubikey(self) -> bool:
        return self.manufacturer.startswith("Yubico")

    @property
    def title(self) -> str:
        """How people tell it from others."""
        return f"{self.label or self.model} ({self.serial or f'slot {self.slot}'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenObject:
    """A key or a certificate on a token. What a token does not say is empty."""

    kind: ObjectKind
    key_id: bytes
    label: str
    curve: bytes = b""  # CKA_EC_PARAMS
    point: bytes = b""  # CKA_EC_POINT
    certificate: bytes = b""  # DER
    is_extractable: bool = False
    wants_pin_each_time: bool = False
    touch: Touch = Touch.UNKNOWN
    handle: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What a new key on a token is called, and what it asks of people."""

    key_id: bytes
    label: str
    touch: Touch = Touch.UNKNOWN  # UNKNOWN: as the token likes
    pin: PinPolicy = PinPolicy.UNKNOWN


class Session(Protocol):
    """An open session. Every call may raise TokenRemovedError or TokenFailedError."""

    def objects(self) -> tuple[TokenObject, ...]:
        """Return the keys and certificates that this session sees."""
        ...

    def sign(self, key: TokenObject, digest: bytes) -> bytes:
        """Return the ECDSA signature of a SHA-256 digest, as r‖s."""
        ...

    def generate(self, new: NewKey) -> None:
        """Make a P-256 key pair on the token: sensitive, never extractable."""
        ...

    def store_private(self, new: NewKey, scalar: bytes, point: bytes) -> None:
        """Bring a P-256 key to the token, as sensitive and not extractable.

        `point` is the uncompressed public point of 65 bytes.
        """
        ...

    def store_certificate(self, new: NewKey, certificate: bytes) -> None:
        """Put a certificate in DER beside its key."""
        ...

    def close(self) -> None: ...


class Module(Protocol):
    """One PKCS#11 library."""

    @property
    def name(self) -> str: ...

    def tokens(self) -> tuple[Token, ...]:
        """Return the tokens that are present and initialised."""
        ...

    def open(self, token: Token, role: Role, pin: Secret | None, *, is_writing: bool) -> Session:
        """Open a session. Raises PinError."""
        ...

    def close(self) -> None: ...
