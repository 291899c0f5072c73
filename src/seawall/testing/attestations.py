"""Attestations as a YubiKey makes them, under an authority of our own.

Made after Yubico's description of the PIV attestation; a real device was not at hand.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from seawall.trust.keys import PublicKey
from seawall.trust.tokens import attestation

START: Final = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
END: Final = dt.datetime(2050, 1, 1, tzinfo=dt.UTC)
POLICY: Final = b"\x02\x03"  # PIN once, touch cached
EXTENSIONS: Final = {
    attestation.FIRMWARE: b"\x05\x04\x03",
    attestation.SERIAL: b"\x02\x03\x12\xd6\x87",
    attestation.POLICY: POLICY,
    attestation.FORM: b"\x03",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


def root(name: str = "PIV Root") -> Issuer:
    """Make a vendor's root."""
    return issue(name, None, is_authority=True)


def device(issuer: Issuer, *, is_authority: bool | None = True) -> Issuer:
    """Make the certificate of slot F9; None leaves the basic constraints out, as old devices do."""
    return issue("Yubico PIV Attestation", issuer, is_authority=is_authority)


def attest(
    public: PublicKey,
    issuer: Issuer,
    *,
    slot: str = "9c",
    extensions: Mapping[x509.ObjectIdentifier, bytes | None] | None = None,
    end: dt.datetime = END,
) -> Issuer:
    """Make the attestation of a key. `extensions` replace the usual ones; None leaves one out.

    The key of the result signs nothing: it is there to have one type for all.
    """
    key = serialization.load_der_public_key(public.der)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return issue(
        f"YubiKey PIV Attestation {slot}",
        issuer,
        public=key,
        is_authority=None,
        extensions={**EXTENSIONS, **(extensions or {})},
        end=end,
    )


def issue(
    name: str,
    issuer: Issuer | None,
    *,
    public: ec.EllipticCurvePublicKey | None = None,
    key: ec.EllipticCurvePrivateKey | None = None,
    is_authority: bool | None,
    extensions: Mapping[x509.ObjectIdentifier, bytes | None] | None = None,
    end: dt.datetime = END,
) -> Issuer:
    """Make any certificate."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(public or key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(end)
    )
    if is_authority is not None:
        constraints = x509.BasicConstraints(is_authority, None)
        builder = builder.add_extension(constraints, critical=True)
    for identifier, value in (extensions or {}).items():
        if value is not None:
            extension = x509.UnrecognizedExtension(identifier, value)
            builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Issuer(certificate=certificate, key=key)
