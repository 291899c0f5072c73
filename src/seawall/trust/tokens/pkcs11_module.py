"""A PKCS#11 library, through python-pkcs11. The native code is loaded here and nowhere else.

Importing this module loads python-pkcs11; a library of a vendor is loaded by `Pkcs11Module` only.
Every exception of PKCS#11 becomes one of `tokens.errors`, without the values that led to it.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, TokenFlag
from pkcs11.attributes import AttributeMapper, handle_ulong
from pkcs11.types import SignMixin

from seawall.core.errors import SeawallError
from seawall.core.secret import Secret
from seawall.trust.tokens.cryptoki import (
    P256_PARAMETERS,
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
from seawall.trust.tokens.errors import (
    NoModuleError,
    PinError,
    TokenFailedError,
    TokenRemovedError,
)

MAX_OBJECTS: Final = 1000

# Attributes of Yubico's module (ykcs11 2.3 and newer): CKA_VENDOR_DEFINED + 0x59554200 + 1, 2.
_TOUCH: Final = cast(Attribute, 0x80000000 + 0x59554200 + 1)
_PIN: Final = cast(Attribute, 0x80000000 + 0x59554200 + 2)
_TOUCH_NUMBERS: Final = {Touch.NEVER: 1, Touch.ALWAYS: 2, Touch.CACHED: 3}
_PIN_NUMBERS: Final = {PinPolicy.NEVER: 1, PinPolicy.ONCE: 2, PinPolicy.ALWAYS: 3}

_CLASSES: Final = {
    ObjectClass.PRIVATE_KEY: ObjectKind.PRIVATE,
    ObjectClass.PUBLIC_KEY: ObjectKind.PUBLIC,
    ObjectClass.CERTIFICATE: ObjectKind.CERTIFICATE,
}
_GONE: Final = (
    pkcs11.DeviceRemoved,
    pkcs11.TokenNotPresent,
    pkcs11.SessionHandleInvalid,
    pkcs11.SessionClosed,
    pkcs11.SlotIDInvalid,
)
_NOT_TOLD: Final = (
    pkcs11.AttributeTypeInvalid,
    pkcs11.AttributeSensitive,
    pkcs11.FunctionFailed,
    NotImplementedError,
)


class Pkcs11Module:
    """A library of a vendor, loaded into this process."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            self._library = pkcs11.lib(str(path))
        except (pkcs11.PKCS11Error, RuntimeError) as error:
            raise NoModuleError(
                f"{path} is no PKCS#11 module that loads here",
                remedy="name another one: ?module-path=/path, or SEAWALL_PKCS11_MODULE",
            ) from error
        finally:
            _forget_errors()

    def tokens(self) -> tuple[Token, ...]:
        try:
            slots = self._library.get_slots(token_present=True)
        except pkcs11.PKCS11Error as error:
            raise TokenFailedError(
                f"the module {self.name} does not answer ({type(error).__name__})",
                remedy="for a card or a YubiKey the service pcscd has to run",
            ) from error
        finally:
            _forget_errors()
        found = []
        for slot in slots:
            with contextlib.suppress(pkcs11.PKCS11Error):  # pulled out at this moment, or not ours
                found.append(_describe(slot.get_token()))
        return tuple(token for token in found if token is not None)

    def open(self, token: Token, role: Role, pin: Secret | None, *, is_writing: bool) -> Session:
        with _translated(token.title):
            opened = self._present(token).open(
                rw=is_writing, attribute_mapper=_mapper(), **_login(token, role, pin)
            )
        return _Session(opened, token.title, pin if role is Role.USER else None)

    def close(self) -> None:
        if self._library.initialized:
            self._library.finalize()
            _forget_errors()

    def _present(self, wanted: Token) -> pkcs11.Token:
        """The token as it is now; another one in the same slot is not the one that was chosen."""
        for slot in self._library.get_slots(token_present=True):
            if slot.slot_id == wanted.slot:
                token = slot.get_token()
                found = _describe(token)
                if found is not None and found.serial == wanted.serial:
                    return _with_good_pin(token, found)
        raise pkcs11.TokenNotPresent


class _Session:
    def __init__(self, session: pkcs11.Session, title: str, pin: Secret | None) -> None:
        self._session = session
        self._title = title
        self._pin = pin  # for keys that want it with every signature

    def objects(self) -> tuple[TokenObject, ...]:
        found: list[TokenObject] = []
        with _translated(self._title):
            for kind in _CLASSES:
                for item in self._session.get_objects({Attribute.CLASS: kind}):
                    found.append(_object(item, _CLASSES[kind]))
                    if len(found) > MAX_OBJECTS:
                        raise TokenFailedError(f"{self._title} has more than {MAX_OBJECTS} objects")
        return tuple(found)

    def sign(self, key: TokenObject, digest: bytes) -> bytes:
        more: dict[str, Any] = {"mechanism": Mechanism.ECDSA}
        if key.wants_pin_each_time and self._pin is not None:
            more["pin"] = self._pin.reveal()
        with _translated(self._title):
            signature = cast(SignMixin, key.handle).sign(digest, **more)
        return bytes(signature)

    def generate(self, new: NewKey) -> None:
        with _translated(self._title):
            parameters = self._session.create_domain_parameters(
                KeyType.EC, {Attribute.EC_PARAMS: P256_PARAMETERS}, local=True
            )
            parameters.generate_keypair(
                id=new.key_id,
                label=new.label,
                store=True,
                mechanism=Mechanism.EC_KEY_PAIR_GEN,
                capabilities=pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY,
                private_template={
                    Attribute.SENSITIVE: True,
                    Attribute.EXTRACTABLE: False,
                    **_policies(new),
                },
            )

    def store_private(self, new: NewKey, scalar: bytes, point: bytes) -> None:
        common = {
            Attribute.KEY_TYPE: KeyType.EC,
            Attribute.TOKEN: True,
            Attribute.ID: new.key_id,
            Attribute.LABEL: new.label,
            Attribute.EC_PARAMS: P256_PARAMETERS,
        }
        private = {
            Attribute.CLASS: ObjectClass.PRIVATE_KEY,
            Attribute.PRIVATE: True,
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.SIGN: True,
            Attribute.VALUE: scalar,
            **_policies(new),
        }
        public = {
            Attribute.CLASS: ObjectClass.PUBLIC_KEY,
            Attribute.VERIFY: True,
            Attribute.EC_POINT: bytes([0x04, len(point)]) + point,
        }
        with _translated(self._title):
            self._session.create_object(common | private)
            if not self._is_piv():  # a PIV card shows the public key out of the certificate
                self._session.create_object(common | public)

    def store_certificate(self, new: NewKey, certificate: bytes) -> None:
        with _translated(self._title):
            self._session.create_object(
                {
                    Attribute.CLASS: ObjectClass.CERTIFICATE,
                    Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                    Attribute.TOKEN: True,
                    Attribute.PRIVATE: False,
                    Attribute.ID: new.key_id,
                    Attribute.LABEL: new.label,
                    Attribute.SUBJECT: _subject(certificate),
                    Attribute.VALUE: certificate,
                }
            )

    def close(self) -> None:
        with contextlib.suppress(pkcs11.PKCS11Error):
            self._session.close()

    def _is_piv(self) -> bool:
        token = _describe(self._session.token)
        return token is not None and token.is_yubikey


@contextlib.contextmanager
def _translated(title: str) -> Iterator[None]:
    """Turn what python-pkcs11 raises into our errors; the texts of both hold no PIN."""
    try:
        yield
    except SeawallError:
        raise
    except pkcs11.PinLocked:
        raise _locked(title) from None
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange):
        raise PinError(
            f"the PIN does not open {title}",
            remedy="type the PIN of this token; after a few wrong ones it locks itself",
        ) from None
    except _GONE as error:
        raise TokenRemovedError(
            f"the token {title} is gone", remedy="plug it in and start again"
        ) from error
    except pkcs11.UserNotLoggedIn as error:
        raise PinError(
            f"{title} wants its PIN, or the management key, for this",
            remedy="give the PIN; to make keys on a YubiKey: --management-key-file FILE",
        ) from error
    except pkcs11.PKCS11Error as error:
        raise TokenFailedError(
            f"{title} did not do it ({type(error).__name__})",
            remedy="if it blinks, touch it within 15 seconds; else look at it with "
            "pkcs11-tool --list-slots",
        ) from error
    finally:
        _forget_errors()


def _forget_errors() -> None:
    """Empty this thread's queue of OpenSSL errors, which `ssl` does when it makes a connection.

    A module that uses the machine's OpenSSL, as SoftHSM does, shares the queue with `ssl`, and what
    it left there (an engine that it looked for in vain) would be taken for the failure of the next
    read of a connection that stands.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())


def _describe(token: pkcs11.Token) -> Token | None:
    if not token.flags & TokenFlag.TOKEN_INITIALIZED:
        return None
    return Token(
        label=_printable(token.label),
        manufacturer=_printable(token.manufacturer_id),
        model=_printable(token.model),
        serial=_printable(token.serial.decode("utf-8", "replace")),
        slot=token.slot.slot_id,
        pin=_pin_state(token.flags),
        has_keypad=bool(token.flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH),
    )


def _pin_state(flags: TokenFlag) -> PinState:
    if flags & TokenFlag.USER_PIN_LOCKED:
        return PinState.LOCKED
    if not flags & TokenFlag.USER_PIN_INITIALIZED:
        return PinState.UNSET
    if flags & TokenFlag.USER_PIN_FINAL_TRY:
        return PinState.LAST_TRY
    return PinState.FEW_TRIES if flags & TokenFlag.USER_PIN_COUNT_LOW else PinState.FINE


def _with_good_pin(token: pkcs11.Token, described: Token) -> pkcs11.Token:
    if described.pin is PinState.LOCKED:
        raise _locked(described.title)
    return token


def _locked(title: str) -> PinError:
    return PinError(
        f"the PIN of {title} is locked after too many wrong ones",
        remedy="unlock it with its PUK, or the PIN of its security officer: "
        "yubico-piv-tool -a unblock-pin, or pkcs11-tool --init-pin --login --login-type so",
    )


def _login(token: Token, role: Role, pin: Secret | None) -> dict[str, Any]:
    if role is Role.NOBODY:
        return {}
    name = "user_pin" if role is Role.USER else "so_pin"
    if token.has_keypad and pin is None:
        return {name: pkcs11.PROTECTED_AUTH}
    return {name: pin.reveal() if pin is not None else ""}


def _mapper() -> AttributeMapper:
    mapper = AttributeMapper()
    mapper.register_handler(_TOUCH, *handle_ulong)
    mapper.register_handler(_PIN, *handle_ulong)
    return mapper


def _object(item: pkcs11.Object, kind: ObjectKind) -> TokenObject:
    touch_of = {number: touch for touch, number in _TOUCH_NUMBERS.items()}
    is_certificate = kind is ObjectKind.CERTIFICATE
    is_private = kind is ObjectKind.PRIVATE
    return TokenObject(
        kind=kind,
        key_id=_value(item, Attribute.ID, b""),
        label=_printable(_value(item, Attribute.LABEL, "")),
        curve=b"" if is_certificate else _value(item, Attribute.EC_PARAMS, b""),
        point=_value(item, Attribute.EC_POINT, b"") if kind is ObjectKind.PUBLIC else b"",
        certificate=_value(item, Attribute.VALUE, b"") if is_certificate else b"",
        is_extractable=is_private and _value(item, Attribute.EXTRACTABLE, False),
        wants_pin_each_time=is_private and _value(item, Attribute.ALWAYS_AUTHENTICATE, False),
        touch=touch_of.get(_value(item, _TOUCH, 0), Touch.UNKNOWN) if is_private else Touch.UNKNOWN,
        handle=item,
    )


def _value(item: pkcs11.Object, attribute: Attribute, absent: Any) -> Any:
    try:
        return item[attribute]
    except _NOT_TOLD:
        return absent
    except UnicodeDecodeError:
        return absent


def _policies(new: NewKey) -> dict[Attribute, Any]:
    found: dict[Attribute, Any] = {}
    if new.touch in _TOUCH_NUMBERS:
        found[_TOUCH] = _TOUCH_NUMBERS[new.touch]
    if new.pin in _PIN_NUMBERS:
        found[_PIN] = _PIN_NUMBERS[new.pin]
    return found


def _subject(certificate: bytes) -> bytes:
    from cryptography import x509

    return x509.load_der_x509_certificate(certificate).subject.public_bytes()


def _printable(text: str) -> str:
    return "".join(character for character in text.strip() if character.isprintable())[:64]
