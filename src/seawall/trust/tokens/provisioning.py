"""Keys made on a token, or brought there.

A key is made on the token and marked as never extractable; a certificate, signed on the token
itself, is stored beside it, since PIV programs know a key only by its certificate. A key is brought
to a token only together with a backup, which the caller has written before: a key that exists once
is lost with its token.

On a PIV card (YubiKey) making and storing is the right of whoever has the management key, and
signing that of whoever has the PIN; other tokens know the PIN alone. A place that holds a key
already is never overwritten.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from seawall.core.errors import ConflictError, IntegrityError, InvalidInputError
from seawall.core.secret import Secret
from seawall.trust import signing
from seawall.trust.keys import PrivateKey
from seawall.trust.tokens import key as token_key
from seawall.trust.tokens.cryptoki import (
    Module,
    NewKey,
    ObjectKind,
    PinPolicy,
    Role,
    Session,
    Token,
    Touch,
)
from seawall.trust.tokens.errors import TokenFailedError, TokenUriError
from seawall.trust.tokens.key import AskPin, TokenKey, Tokens
from seawall.trust.tokens.uri import TokenUri

CERTIFICATE_LIFETIME: Final = dt.timedelta(days=3650)
DEFAULT_LABEL: Final = "seawall"
LABEL_MAX_CHARACTERS: Final = 64
YUBIKEY_PLACES: Final = {b"\x01": "9a", b"\x02": "9c", b"\x03": "9d", b"\x04": "9e"}
"""CKA_ID of Yubico's module, and the slot of the PIV card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may write to the token."""

    ask_pin: AskPin
    management_key: Secret | None = None
    """Of a PIV card; None for tokens where the PIN is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What the new key asks of people with each signature. UNKNOWN: as the token likes."""

    touch: Touch = Touch.UNKNOWN
    pin: PinPolicy = PinPolicy.UNKNOWN


def generate(
    tokens: Tokens, uri: TokenUri, access: Access, policies: Policies, *, now: dt.datetime
) -> TokenKey:
    """Make a key on the token and return it, ready to sign.

    Raises ConflictError when the place that the URI names holds a key, TokenFailedError with the
    vendor's command when the module cannot set the policies, and the errors of `tokens.errors`.
    """
    module, token = tokens.find_token(uri)
    new = _new_key(uri, token, policies)
    writer = _Writer(tokens, module, token, access)
    return writer.provision(new, lambda session: session.generate(new), now)


def bring(
    tokens: Tokens,
    uri: TokenUri,
    key: PrivateKey,
    access: Access,
    policies: Policies,
    *,
    now: dt.datetime,
) -> TokenKey:
    """Bring a software key to the token and return it as it is there.

    The caller has made a backup before, or was told in so many words not to. Raises like
    `generate`.
    """
    module, token = tokens.find_token(uri)
    new = _new_key(uri, token, policies)
    writer = _Writer(tokens, module, token, access)
    scalar, point = key.reveal_scalar(), key.public.point
    found = writer.provision(new, lambda session: session.store_private(new, scalar, point), now)
    if found.public.key_id != key.public.key_id:
        raise IntegrityError(f"{token.title} holds another key than the one that was sent")
    return found


def vendor_command(token: Token, new: NewKey) -> str:
    """Return the commands of the vendor that make such a key; empty when none is known."""
    if not token.is_yubikey or new.key_id not in YUBIKEY_PLACES:
        return ""
    place = YUBIKEY_PLACES[new.key_id]
    touch = "" if new.touch is Touch.UNKNOWN else f" --touch-policy={new.touch.value}"
    pin = "" if new.pin is PinPolicy.UNKNOWN else f" --pin-policy={new.pin.value}"
    subject = shlex.quote(f"/CN={new.label}/")
    return (
        f"yubico-piv-tool -k -a generate -s {place} -A ECCP256{touch}{pin} -o public.pem && "
        f"yubico-piv-tool -a verify-pin -a selfsign-certificate -s {place} "
        f"-S {subject} -i public.pem -o certificate.pem && "
        f"yubico-piv-tool -k -a import-certificate -s {place} -i certificate.pem"
    )


class _Writer:
    """Puts one key on one token, in the order that also a PIV card allows."""

    def __init__(self, tokens: Tokens, module: Module, token: Token, access: Access) -> None:
        self._tokens = tokens
        self._module = module
        self._token = token
        self._manager = access.management_key
        self._pin = access.ask_pin(token)

    def provision(self, new: NewKey, act: Callable[[Session], None], now: dt.datetime) -> TokenKey:
        """Write the key, let it sign its certificate, store that, open the key for use."""
        place = TokenUri(serial=self._token.serial, slot=self._token.slot, id=new.key_id)
        with self._writing() as session:
            _refuse_taken(session, self._token, new)
            try:
                act(session)
            except TokenFailedError as error:
                raise self._with_vendor_command(error, new) from error
        key = self._open(place)
        certificate = _self_signed(key, new.label, now)
        with self._writing() as session:
            session.store_certificate(new, certificate)
        return self._open(place)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Session]:
        self._tokens.close()  # a token knows one login at a time
        if self._manager is None:
            session = token_key.log_in(
                self._module, self._token, lambda _: self._pin, is_writing=True
            )
        else:
            session = self._module.open(self._token, Role.MANAGER, self._manager, is_writing=True)
        try:
            yield session
        finally:
            session.close()

    def _open(self, place: TokenUri) -> TokenKey:
        return self._tokens.open_key(place, ask_pin=lambda _: self._pin, module=self._module)

    def _with_vendor_command(self, error: TokenFailedError, new: NewKey) -> TokenFailedError:
        command = vendor_command(self._token, new)
        if not command:
            return error
        return TokenFailedError(
            error.message,
            remedy=f"let the vendor's program make it: {command}; then: seawall key link URI",
        )


def _new_key(uri: TokenUri, token: Token, policies: Policies) -> NewKey:
    if uri.object is not None and not 1 <= len(uri.object) <= LABEL_MAX_CHARACTERS:
        raise TokenUriError(f"the name of a key has 1 to {LABEL_MAX_CHARACTERS} characters")
    if token.is_yubikey and uri.id not in YUBIKEY_PLACES:
        raise TokenUriError(
            "a YubiKey has fixed places for keys",
            remedy="name one: id=%02 is slot 9c (signatures); %01 9a, %03 9d, %04 9e",
        )
    is_plain = policies.touch is Touch.UNKNOWN and policies.pin is PinPolicy.UNKNOWN
    if not token.is_yubikey and not is_plain:
        raise InvalidInputError(
            f"{token.title} knows no policies for touch and PIN",
            remedy="leave --touch and --pin-policy out: only a YubiKey has them",
        )
    return NewKey(
        key_id=uri.id or secrets.token_bytes(8),
        label=uri.object or DEFAULT_LABEL,
        touch=policies.touch,
        pin=policies.pin,
    )


def _refuse_taken(session: Session, token: Token, new: NewKey) -> None:
    for item in session.objects():
        has_name = item.kind is ObjectKind.PRIVATE and item.label == new.label
        if item.key_id == new.key_id or (has_name and not token.is_yubikey):
            raise ConflictError(
                f"{token.title} holds a key there already: {item.label!r}, id {item.key_id.hex()}",
                remedy="choose another place: a key on a token is never overwritten",
            )


def _self_signed(key: TokenKey, label: str, now: dt.datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, label)])
    profile = signing.Profile(lifetime=CERTIFICATE_LIFETIME)
    return signing.certify(key.public, name, issuer=key, issuer_name=name, profile=profile, now=now)
