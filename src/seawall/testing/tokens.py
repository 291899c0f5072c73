"""Tokens for tests: a fake PKCS#11 module in memory, and real SoftHSM tokens in a directory.

The fake is held to SoftHSM by `tests/contract/test_tokens.py`. It can do what SoftHSM cannot: be
pulled out, lie, lock itself after three tries, want a management key like a PIV card.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from seawall.core.secret import Secret
from seawall.trust import keys, signing
from seawall.trust.keys import PrivateKey
from seawall.trust.tokens.cryptoki import (
    P256_PARAMETERS,
    Module,
    NewKey,
    ObjectKind,
    PinPolicy,
    PinState,
    Role,
    Session,
    Token,
    TokenObject,
    Touch,
)
from seawall.trust.tokens.errors import PinError, TokenFailedError, TokenRemovedError
from seawall.trust.tokens.uri import TokenUri

PIN: Final = "123456"
MANAGEMENT_KEY: Final = "010203040506070801020304050607080102030405060708"
TRIES: Final = 3
SOFTHSM_MODULES: Final = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/softhsm/libsofthsm2.so"),
)


@dataclass(slots=True, kw_only=True)
class FakeToken:
    """A token in memory. Its fields are there to be changed by tests."""

    label: str = "yubi"
    serial: str = "0001"
    slot: int = 0
    manufacturer: str = "SoftHSM project"
    model: str = "fake"
    pin: str = PIN
    tries: int = TRIES
    is_present: bool = True
    is_lying: bool = False
    """It signs something else than it was given."""
    knows_policies: bool = True
    objects: list[TokenObject] = field(default_factory=list)
    logins: int = 0
    signatures: int = 0
    _secrets: dict[int, PrivateKey] = field(default_factory=dict)

    @property
    def is_piv(self) -> bool:
        return self.manufacturer.startswith("Yubico")

    def add(self, key: PrivateKey, new: NewKey, *, curve: bytes = P256_PARAMETERS) -> None:
        """Put a key on the token, as its maker would."""
        private = TokenObject(
            kind=ObjectKind.PRIVATE,
            key_id=new.key_id,
            label=new.label,
            curve=curve,
            wants_pin_each_time=new.pin is PinPolicy.ALWAYS,
            touch=new.touch,
            handle=len(self._secrets),
        )
        self._secrets[len(self._secrets)] = key
        public = TokenObject(
            kind=ObjectKind.PUBLIC,
            key_id=new.key_id,
            label=new.label,
            curve=curve,
            point=b"\x04\x41" + key.public.point,
        )
        self.objects += [private, public]

    def describe(self) -> Token:
        states = {0: PinState.LOCKED, 1: PinState.LAST_TRY, TRIES: PinState.FINE}
        return Token(
            label=self.label,
            manufacturer=self.manufacturer,
            model=self.model,
            serial=self.serial,
            slot=self.slot,
            pin=states.get(self.tries, PinState.FEW_TRIES),
        )

    def log_in(self, pin: Secret | None) -> None:
        if self.tries == 0:
            raise PinError("the PIN is locked")
        if pin is None or pin.reveal() != self.pin:
            self.tries -= 1
            raise PinError("the PIN does not open it")
        self.tries = TRIES
        self.logins += 1

    def sign(self, handle: object, digest: bytes) -> bytes:
        assert isinstance(handle, int)
        if self.is_lying:
            digest = hashlib.sha256(digest).digest()
        key = keys_scalar(self._secrets[handle])
        self.signatures += 1
        return signing.raw_of(key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))


class FakeModule:
    """A PKCS#11 module that sees the tokens that it is given."""

    name = "fake"

    def __init__(self, *tokens: FakeToken) -> None:
        self.fakes = list(tokens)
        self.is_silent = False
        """It answers nothing, as one whose service does not run."""
        self.sessions: list[FakeSession] = []

    def tokens(self) -> tuple[Token, ...]:
        if self.is_silent:
            raise TokenFailedError("the module fake does not answer")
        return tuple(fake.describe() for fake in self.fakes if fake.is_present)

    def open(self, token: Token, role: Role, pin: Secret | None, *, is_writing: bool) -> Session:
        fake = next(
            (one for one in self.fakes if one.is_present and one.serial == token.serial), None
        )
        if fake is None:
            raise TokenRemovedError(f"the token {token.title} is gone")
        if role is not Role.NOBODY and any(s.is_logged_in_to(fake) for s in self.sessions):
            raise TokenFailedError(f"{token.title} has a login already")
        if role is Role.USER:
            fake.log_in(pin)
        if role is Role.MANAGER and (pin is None or pin.reveal() != MANAGEMENT_KEY):
            raise PinError("the management key does not fit")
        session = FakeSession(fake, role, is_writing)
        self.sessions.append(session)
        return session

    def close(self) -> None:
        for session in self.sessions:
            session.close()


class FakeSession:
    def __init__(self, fake: FakeToken, role: Role, is_writing: bool) -> None:
        self._fake = fake
        self._role = role
        self._is_writing = is_writing
        self.is_open = True

    def is_logged_in_to(self, fake: FakeToken) -> bool:
        return self.is_open and self._fake is fake and self._role is not Role.NOBODY

    def objects(self) -> tuple[TokenObject, ...]:
        self._check()
        sees_all = self._role is not Role.NOBODY
        return tuple(
            item for item in self._fake.objects if sees_all or item.kind is not ObjectKind.PRIVATE
        )

    def sign(self, key: TokenObject, digest: bytes) -> bytes:
        self._check()
        if self._role is not Role.USER:
            raise PinError("it wants its PIN for this")
        return self._fake.sign(key.handle, digest)

    def generate(self, new: NewKey) -> None:
        self.store(new, PrivateKey(ec.generate_private_key(ec.SECP256R1())))

    def store_private(self, new: NewKey, scalar: bytes, point: bytes) -> None:
        key = keys.from_scalar(scalar)
        if key.public.point != point:
            raise TokenFailedError("the halves of the key do not fit")
        self.store(new, key)

    def store(self, new: NewKey, key: PrivateKey) -> None:
        self._check_writing()
        has_policy = new.touch is not Touch.UNKNOWN or new.pin is not PinPolicy.UNKNOWN
        if has_policy and not (self._fake.is_piv and self._fake.knows_policies):
            raise TokenFailedError("it did not do it (AttributeTypeInvalid)")
        self._fake.add(key, new)

    def store_certificate(self, new: NewKey, certificate: bytes) -> None:
        self._check_writing()
        self._fake.objects.append(
            TokenObject(
                kind=ObjectKind.CERTIFICATE,
                key_id=new.key_id,
                label=new.label,
                certificate=certificate,
            )
        )

    def close(self) -> None:
        self.is_open = False

    def _check(self) -> None:
        if not self._fake.is_present or not self.is_open:
            raise TokenRemovedError(f"the token {self._fake.label} is gone")

    def _check_writing(self) -> None:
        self._check()
        wanted = Role.MANAGER if self._fake.is_piv else Role.USER
        if not self._is_writing or self._role is not wanted:
            raise PinError("it wants another login for this")


@dataclass(frozen=True, slots=True)
class FixedModules:
    """Modules that a test has at hand."""

    modules: Sequence[Module]

    def for_uri(self, uri: TokenUri) -> Sequence[Module]:
        return self.modules


def keys_scalar(key: PrivateKey) -> ec.EllipticCurvePrivateKey:
    """Return the key as the library has it."""
    return ec.derive_private_key(int.from_bytes(key.reveal_scalar(), "big"), ec.SECP256R1())


def why_no_softhsm() -> str:
    """Return why SoftHSM cannot be used here, empty when it can."""
    if shutil.which("softhsm2-util") is None or softhsm_module() is None:
        return "needs SoftHSM (package softhsm2), and it is not installed"
    return ""


def softhsm_module() -> Path | None:
    return next((path for path in SOFTHSM_MODULES if path.exists()), None)


@contextlib.contextmanager
def softhsm(home: Path, *labels: str) -> Iterator[Path]:
    """Make a token for each label, and let this process and its children see them.

    Gives the module. One at a time: SoftHSM reads its place from the environment.
    """
    module = softhsm_module()
    assert module is not None
    (home / "tokens").mkdir(parents=True)
    configuration = home / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {home}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    try:
        for label in labels:
            _initialise(label)
        yield module
    finally:
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before


def _initialise(label: str) -> None:
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN,
         "--so-pin", MANAGEMENT_KEY],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
