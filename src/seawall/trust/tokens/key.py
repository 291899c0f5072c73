"""Keys on tokens that sign: found by URI, opened with one login, checked at every signature.

The PIN is asked for once per token, only after the token was found, and never stored; a session
keeps it in memory only for keys that want it with every signature. What the token signs is verified
under the public key before anybody sees it: a broken or lying token is found out here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from seawall.core.errors import IntegrityError, InvalidInputError
from seawall.core.secret import Secret
from seawall.trust import keys, signing
from seawall.trust.errors import KeyFormatError
from seawall.trust.keys import PublicKey
from seawall.trust.tokens.cryptoki import (
    P256_PARAMETERS,
    Module,
    ObjectKind,
    PinState,
    Role,
    Session,
    Token,
    TokenObject,
    Touch,
)
from seawall.trust.tokens.errors import (
    NoKeyError,
    NoTokenError,
    PinError,
    SeveralKeysError,
    TokenFailedError,
)
from seawall.trust.tokens.modules import Modules
from seawall.trust.tokens.uri import TokenUri

AskPin: TypeAlias = Callable[[Token], Secret | None]
"""Called with the token whose PIN is wanted; None for one that has a keypad of its own."""


class TokenKey:
    """A P-256 key on a token, in an open session. It is a `signing.Signer`."""

    __slots__ = ("_object", "_session", "public", "token", "touch", "uri")

    def __init__(
        self, session: Session, token: Token, found: TokenObject, public: PublicKey, touch: Touch
    ) -> None:
        self._session = session
        self._object = found
        self.token = token
        self.public = public
        self.touch = touch
        self.uri = uri_of(token, found)

    def sign(self, message: bytes) -> bytes:
        """Return the ECDSA signature over SHA-256 of `message`, as ASN.1 DER.

        Raises TokenRemovedError, TokenFailedError, and IntegrityError when what the token returned
        is not a signature by this key.
        """
        raw = self._session.sign(self._object, hashlib.sha256(message).digest())
        try:
            signature = signing.der_of(raw)
        except InvalidInputError as error:
            raise TokenFailedError(f"{self.token.title} returned no signature") from error
        if not self.public.has_signed(signature, message):
            raise IntegrityError(
                f"what {self.token.title} returned is not a signature by this key",
                remedy="do not use this token: it is broken, or not what it says",
            )
        return signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A key that a token shows. `public` is None for kinds of keys that Seawall does not use."""

    key_id: bytes
    label: str
    public: PublicKey | None
    uri: TokenUri


class Tokens:
    """The tokens of this machine. One login each, however many keys and signatures follow."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._sessions: dict[tuple[str, int, str], Session] = {}

    def open_key(
        self,
        uri: TokenUri,
        *,
        ask_pin: AskPin,
        expected: PublicKey | None = None,
        module: Module | None = None,
    ) -> TokenKey:
        """Log in and return the one key that `uri` names.

        `expected` is the key that must be found there; `module` the one to ask, where it is known.
        Raises an error of `tokens.errors`,
        KeyFormatError for a key that is not P-256, IntegrityError for another than expected.
        """
        module, token = self.find_token(uri, module)
        session = self._session(module, token, ask_pin)
        objects = session.objects()
        found = _one_key(uri, token, objects)
        public = public_of(found, objects)
        if expected is not None and public.key_id != expected.key_id:
            raise IntegrityError(
                f"the key on {token.title} is {public.key_id[:12]}, not {expected.key_id[:12]}",
                remedy="plug in the token that the key file was made for",
            )
        return TokenKey(session, token, found, public, _touch_of(token, found))

    def find_token(self, uri: TokenUri, known: Module | None = None) -> tuple[Module, Token]:
        """Return the one token that fits. Raises NoTokenError, SeveralKeysError, NoModuleError."""
        modules = [known] if known else self._modules.for_uri(uri)
        silent: list[TokenFailedError] = []
        for module in modules:
            fitting = [token for token in _seen(module, silent) if _fits(uri, token)]
            if len(fitting) > 1:
                named = ", ".join(token.title for token in fitting)
                raise SeveralKeysError(
                    f"{len(fitting)} tokens fit: {named}", remedy="add ;serial=… to the URI"
                )
            if fitting:
                return module, fitting[0]
        if silent and len(silent) == len(modules):
            raise silent[0]
        raise NoTokenError(
            f"no token fits {uri.without_access()}{_and_who_is_silent(silent)}",
            remedy="plug it in; what is there is shown by: seawall key list --token",
        )

    def list(self, uri: TokenUri) -> list[tuple[Token, Sequence[Listed]]]:
        """Return the tokens that fit, with the keys that they show without a PIN."""
        found: dict[tuple[str, str], tuple[Token, Sequence[Listed]]] = {}
        modules, silent = self._modules.for_uri(uri), list[TokenFailedError]()
        for module in modules:
            for token in _seen(module, silent):
                name = (token.manufacturer, token.serial or str(token.slot))
                if _fits(uri, token) and name not in found:  # two modules may show one token
                    found[name] = token, _listed(module, token)
        if silent and len(silent) == len(modules):
            raise silent[0]
        return list(found.values())

    def certificates(self, uri: TokenUri) -> tuple[bytes, ...]:
        """Return all certificates of the token in DER; they are shown without a PIN."""
        module, token = self.find_token(uri)
        session = module.open(token, Role.NOBODY, None, is_writing=False)
        try:
            return tuple(item.certificate for item in session.objects() if item.certificate)
        finally:
            session.close()

    def close(self) -> None:
        """Log out of every token."""
        while self._sessions:
            self._sessions.popitem()[1].close()

    def _session(self, module: Module, token: Token, ask_pin: AskPin) -> Session:
        name = (module.name, token.slot, token.serial)
        if name not in self._sessions:
            self._sessions[name] = log_in(module, token, ask_pin, is_writing=False)
        return self._sessions[name]


def log_in(module: Module, token: Token, ask_pin: AskPin, *, is_writing: bool) -> Session:
    """Ask for the PIN and open a session. Raises PinError, which tells what the token tells."""
    if token.pin is PinState.UNSET:
        raise PinError(f"{token.title} has no PIN yet", remedy="set one with its vendor's program")
    pin = ask_pin(token)
    try:
        return module.open(token, Role.USER, pin, is_writing=is_writing)
    except PinError as error:
        raise _with_tries(error, module, token) from None


def public_of(key: TokenObject, objects: Sequence[TokenObject]) -> PublicKey:
    """Return the public half of a private key: of its public object, or of its certificate.

    Raises KeyFormatError when it is not P-256, NoKeyError when the token does not show it.
    """
    if key.curve and key.curve != P256_PARAMETERS:
        raise _wrong_kind(key)
    beside = [item for item in objects if item.key_id == key.key_id]
    for item in beside:
        if item.kind is ObjectKind.PUBLIC and item.curve and item.curve != P256_PARAMETERS:
            raise _wrong_kind(key)
        if item.kind is ObjectKind.PUBLIC and item.point:
            return parse_point(item.point)
    for item in beside:
        if item.kind is ObjectKind.CERTIFICATE:
            return parse_certificate(item.certificate)
    raise NoKeyError(
        f"the token does not show the public half of the key {key.label!r}",
        remedy="store its certificate on the token",
    )


def parse_point(point: bytes) -> PublicKey:
    """Read CKA_EC_POINT: an OCTET STRING around the uncompressed point, which some leave out."""
    if len(point) == 67 and point[:2] == b"\x04\x41":
        point = point[2:]
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise KeyFormatError("the token's public key is not a point of P-256") from error
    return _public(key)


def parse_certificate(certificate: bytes) -> PublicKey:
    """Return the key of a certificate in DER. Raises KeyFormatError unless it is P-256."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise KeyFormatError("the token's certificate does not parse") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyFormatError("the token's key is not an ECDSA P-256 key")
    return _public(key)


def uri_of(token: Token, key: TokenObject) -> TokenUri:
    """Return the URI that names this key, wherever the token is plugged in."""
    return TokenUri(
        token=token.label or None,
        serial=token.serial or None,
        object=key.label or None if not key.key_id else None,
        id=key.key_id or None,
    )


def _public(key: ec.EllipticCurvePublicKey) -> PublicKey:
    return keys.parse_public(
        key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _seen(module: Module, silent: list[TokenFailedError]) -> tuple[Token, ...]:
    """Return the tokens of a module; one that does not answer must not hide those of others."""
    try:
        return module.tokens()
    except TokenFailedError as error:
        silent.append(error)
        return ()


def _and_who_is_silent(silent: Sequence[TokenFailedError]) -> str:
    return "".join(f"; {error.message}" for error in silent)


def _fits(uri: TokenUri, token: Token) -> bool:
    wanted = (
        (uri.token, token.label),
        (uri.manufacturer, token.manufacturer),
        (uri.model, token.model),
        (uri.serial, token.serial),
        (uri.slot, token.slot),
    )
    return all(value is None or value == has for value, has in wanted)


def _one_key(uri: TokenUri, token: Token, objects: Sequence[TokenObject]) -> TokenObject:
    found = [
        item
        for item in objects
        if item.kind is ObjectKind.PRIVATE
        and (uri.id is None or uri.id == item.key_id)
        and (uri.object is None or uri.object == item.label)
    ]
    if not found:
        raise NoKeyError(
            f"{token.title} has no such key",
            remedy="see: seawall key list --token; or make one: seawall key generate --token URI",
        )
    if len(found) > 1:
        names = ", ".join(sorted(f"id=%{item.key_id.hex()} {item.label!r}" for item in found))
        raise SeveralKeysError(
            f"{token.title} has {len(found)} keys that fit: {names}",
            remedy="name one: ;id=%02 or ;object=LABEL",
        )
    return found[0]


def _touch_of(token: Token, key: TokenObject) -> Touch:
    if key.touch is not Touch.UNKNOWN or token.is_yubikey:
        return key.touch
    return Touch.NEVER


def _listed(module: Module, token: Token) -> Sequence[Listed]:
    session = module.open(token, Role.NOBODY, None, is_writing=False)
    try:
        objects = session.objects()
    finally:
        session.close()
    found: dict[tuple[bytes, str], Listed] = {}
    for item in objects:
        name = (item.key_id, "" if item.key_id else item.label)
        if name not in found:
            found[name] = Listed(
                key_id=item.key_id,
                label=item.label,
                public=_public_or_none(item, objects),
                uri=uri_of(token, item),
            )
    return list(found.values())


def _public_or_none(item: TokenObject, objects: Sequence[TokenObject]) -> PublicKey | None:
    try:
        return public_of(item, objects)
    except (KeyFormatError, NoKeyError):
        return None


def _with_tries(error: PinError, module: Module, token: Token) -> PinError:
    """Add how many tries are left, as far as the token tells."""
    now = next((one for one in module.tokens() if one.serial == token.serial), token)
    told = {
        PinState.FEW_TRIES: "few tries are left",
        PinState.LAST_TRY: "one try is left, then it locks itself",
        PinState.LOCKED: "it is locked now",
    }
    if now.pin not in told or "locked" in error.message:
        return error
    return PinError(f"{error.message}; {told[now.pin]}", remedy=error.remedy)


def _wrong_kind(key: TokenObject) -> KeyFormatError:
    return KeyFormatError(
        f"the key {key.label!r} on the token is not an ECDSA P-256 key",
        remedy="make one with: seawall key generate --token URI",
    )
