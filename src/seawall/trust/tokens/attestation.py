"""A YubiKey's word that a key was made on it and cannot leave it.

The device signs, with a key of its own (slot F9) whose certificate Yubico's authority signed, a
certificate for the key in a slot. It carries the firmware, the serial number and the policies for
PIN and touch (https://docs.yubico.com/hardware/oid/oid-piv-arc.html). No authority is built in: the
operator brings the root. Checks, in order:

 1. size and count     PEM certificates only, few and small
 2. leaf               one certificate with the policies in it: the attested key, on P-256
 3. issuers            each certificate is signed by the next one, up to one of the roots
 4. authority          every issuer is an authority; a device certificate that says nothing of it,
                       as old devices have, counts only directly under a root
 5. time               every certificate is valid now
 6. extensions         exact lengths, known values; what is not known is refused
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from seawall.core.errors import DeniedError, InvalidInputError
from seawall.trust.keys import PublicKey
from seawall.trust.model import Hardware
from seawall.trust.tokens.cryptoki import PinPolicy, Touch
from seawall.trust.tokens.key import parse_certificate

DEVICE: Final = "YubiKey PIV"
MAX_BYTES: Final = 64 * 1024
MAX_CERTIFICATES: Final = 8

_ARC: Final = "1.3.6.1.4.1.41482.3"
FIRMWARE: Final = x509.ObjectIdentifier(f"{_ARC}.3")
SERIAL: Final = x509.ObjectIdentifier(f"{_ARC}.7")
POLICY: Final = x509.ObjectIdentifier(f"{_ARC}.8")
FORM: Final = x509.ObjectIdentifier(f"{_ARC}.9")

_PIN: Final = {1: PinPolicy.NEVER, 2: PinPolicy.ONCE, 3: PinPolicy.ALWAYS}
_TOUCH: Final = {1: Touch.NEVER, 2: Touch.ALWAYS, 3: Touch.CACHED}
_FORMS: Final = {
    1: "USB-A keychain",
    2: "USB-A nano",
    3: "USB-C keychain",
    4: "USB-C nano",
    5: "USB-C and Lightning",
    6: "USB-A biometric",
    7: "USB-C biometric",
}
_FORM_NUMBER: Final = 0x0F  # the upper bits say FIPS and security key
_SUBJECT: Final = "YubiKey PIV Attestation "


class AttestationError(DeniedError):
    """The attestation does not prove that the key is on a device of these roots."""

    code = "attestation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A proven attestation: this key is on this device."""

    public: PublicKey
    hardware: Hardware
    chain: bytes
    """The certificates from the attested key up to the root, in PEM: the evidence."""


def verify(certificates: bytes, roots: bytes, *, now: dt.datetime) -> Attestation:
    """Prove an attestation. `certificates` and `roots` are PEM; the order does not matter.

    Raises InvalidInputError for what does not parse, AttestationError for what proves nothing.
    """
    return prove(_parse(certificates, "attestation"), parse_roots(roots), now=now)


def parse_roots(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of makers of devices. Raises InvalidInputError."""
    return _parse(pem, "roots")


def prove(
    given: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], *, now: dt.datetime
) -> Attestation:
    """Like `verify`, for certificates that are parsed already."""
    leaf = _leaf(given)
    chain = _chain(leaf, given, roots)
    for certificate in chain:
        _check_time(certificate, now)
    return Attestation(
        public=parse_certificate(leaf.public_bytes(serialization.Encoding.DER)),
        hardware=_hardware(leaf),
        chain=b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain),
    )


def for_key(certificates: Sequence[bytes], public: PublicKey) -> list[x509.Certificate]:
    """Pick, out of all certificates of a token, the attestation of a key and possible issuers."""
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    found = []
    for content in certificates:
        try:
            certificate = x509.load_der_x509_certificate(content)
            key = certificate.public_key().public_bytes(serialization.Encoding.DER, spki)
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
            continue  # a card holds certificates for many purposes
        is_attestation = _extension(certificate, POLICY) is not None
        if not is_attestation or key == public.der:
            found.append(certificate)
    return found


def _parse(pem: bytes, name: str) -> list[x509.Certificate]:
    if len(pem) > MAX_BYTES:
        raise InvalidInputError(f"the {name} are larger than {MAX_BYTES} bytes")
    try:
        found = x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion) as error:
        raise InvalidInputError(f"the {name} are not certificates in PEM") from error
    if len(found) > MAX_CERTIFICATES:
        raise InvalidInputError(f"more than {MAX_CERTIFICATES} certificates in the {name}")
    return found


def _leaf(given: Sequence[x509.Certificate]) -> x509.Certificate:
    leaves = [one for one in given if _extension(one, POLICY) is not None]
    if len(leaves) != 1:
        raise AttestationError(
            f"{len(leaves)} certificates attest a key, where one is expected",
            remedy="give the output of: yubico-piv-tool -a attest -s 9c, with the device's own "
            "certificate: yubico-piv-tool -a read-certificate -s f9",
        )
    return leaves[0]


def _chain(
    leaf: x509.Certificate,
    given: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
) -> list[x509.Certificate]:
    chain = [leaf]
    while True:
        root = next((one for one in roots if _has_issued(one, chain[-1])), None)
        if root is not None:
            break
        issuer = next(
            (one for one in given if one not in chain and _has_issued(one, chain[-1])), None
        )
        if issuer is None or len(chain) > MAX_CERTIFICATES:
            raise AttestationError(
                f"nobody among the roots vouches for {_name(chain[-1])!r}",
                remedy="give the vendor's root, and the certificates between, as --root FILE",
            )
        chain.append(issuer)
    if len(chain) == 1:
        raise AttestationError("the root itself attests the key; a device has to")
    for place, issuer in enumerate(chain[1:], 1):
        _check_authority(issuer, is_under_root=place == len(chain) - 1)
    return [*chain, root]


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _check_authority(issuer: x509.Certificate, *, is_under_root: bool) -> None:
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        is_authority = constraints.ca
    except x509.ExtensionNotFound:
        is_authority = is_under_root and _extension(issuer, SERIAL) is None
    except (x509.DuplicateExtension, ValueError):
        is_authority = False
    if not is_authority:
        raise AttestationError(f"{_name(issuer)!r} may not vouch for keys")


def _check_time(certificate: x509.Certificate, now: dt.datetime) -> None:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise AttestationError(f"the certificate {_name(certificate)!r} is not valid now")


def _hardware(leaf: x509.Certificate) -> Hardware:
    firmware, policy = _exact(leaf, FIRMWARE, 3), _exact(leaf, POLICY, 2)
    pin, touch = _PIN.get(policy[0]), _TOUCH.get(policy[1])
    if pin is None or touch is None:
        raise AttestationError(f"the policies {policy.hex()} are not known")
    form = _extension(leaf, FORM) or b"\0"
    return Hardware(
        device=DEVICE,
        serial=_serial(leaf),
        firmware=".".join(str(number) for number in firmware),
        slot=_slot(leaf),
        form=_FORMS.get(form[0] & _FORM_NUMBER, "") if len(form) == 1 else "",
        pin=pin.value,
        touch=touch.value,
    )


def _exact(certificate: x509.Certificate, name: x509.ObjectIdentifier, length: int) -> bytes:
    value = _extension(certificate, name)
    if value is None or len(value) != length:
        raise AttestationError(f"the extension {name.dotted_string} has not {length} bytes")
    return value


def _serial(leaf: x509.Certificate) -> str:
    value = _extension(leaf, SERIAL)
    if value is None:
        return ""  # switched off on some devices
    if not 3 <= len(value) <= 10 or value[0] != 0x02 or value[1] != len(value) - 2:
        raise AttestationError("the serial number is not an INTEGER")
    return str(int.from_bytes(value[2:], "big"))


def _slot(leaf: x509.Certificate) -> str:
    name = _name(leaf)
    slot = name.removeprefix(_SUBJECT)
    is_slot = len(slot) == 2 and all(digit in "0123456789abcdef" for digit in slot.lower())
    if slot == name or not is_slot:
        raise AttestationError(f"the attested certificate is called {name!r}")
    return slot.lower()


def _extension(certificate: x509.Certificate, name: x509.ObjectIdentifier) -> bytes | None:
    try:
        value = certificate.extensions.get_extension_for_oid(name).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None
    return value.value if isinstance(value, x509.UnrecognizedExtension) else None


def _name(certificate: x509.Certificate) -> str:
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return ""
    text = str(names[0].value) if names else ""
    return "".join(character for character in text if character.isprintable())[:80]
