"""Authorities for tests, and the certificates that they issue: right ones, and wrong ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from seawall.trust import certificates
from seawall.trust.certificates import Certificate
from seawall.trust.notation import leaf

PrivateKeyOfAnyKind = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
DAY: Final = dt.timedelta(days=1)
_BITS: Final = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a certificate is to say; the defaults are those of a good leaf."""

    subject: str
    is_authority: bool | None = False  # None: no basic constraints
    path_length: int | None = None
    usages: frozenset[str] = frozenset({"digital_signature"})
    is_usage_critical: bool = True
    extended: tuple[x509.ObjectIdentifier, ...] = ()
    more: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    starts: dt.timedelta = -DAY
    ends: dt.timedelta = 365 * DAY


@dataclass(frozen=True, slots=True)
class Authority:
    """A key with a certificate; `chain` is from it to the root."""

    key: PrivateKeyOfAnyKind = field(repr=False)
    chain: tuple[Certificate, ...]

    @property
    def pem(self) -> bytes:
        return certificates.to_pem(self.chain[-1])

    def issue(
        self, key: PrivateKeyOfAnyKind, wanted: Wanted, now: dt.datetime
    ) -> tuple[Certificate, ...]:
        """Return a chain for `key`, leaf first."""
        issuer = self.chain[0].parsed.subject
        return (certify(key, wanted, issuer_key=self.key, issuer=issuer, now=now), *self.chain)

    def below(self, subject: str, now: dt.datetime, path_length: int | None = None) -> Authority:
        """Return an authority that this one certifies."""
        key = new_key()
        return Authority(key, self.issue(key, _authority(subject, path_length), now))


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def new_authority(
    now: dt.datetime,
    subject: str = "C=US, ST=WA, O=acme, CN=root",
    path_length: int | None = None,
) -> Authority:
    """Return a root."""
    key = new_key()
    wanted = _authority(subject, path_length)
    return Authority(key, (self_signed(key, wanted, now),))


def self_signed(key: PrivateKeyOfAnyKind, wanted: Wanted, now: dt.datetime) -> Certificate:
    issuer = leaf.subject_of(wanted.subject)
    return certify(key, wanted, issuer_key=key, issuer=issuer, now=now)


def certify(
    key: PrivateKeyOfAnyKind,
    wanted: Wanted,
    *,
    issuer_key: PrivateKeyOfAnyKind,
    issuer: x509.Name,
    now: dt.datetime,
    subject: x509.Name | None = None,
) -> Certificate:
    """Return one certificate, exactly as wanted; `subject` is for names that nobody should have."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject or leaf.subject_of(wanted.subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + wanted.starts)
        .not_valid_after(now + wanted.ends)
    )
    for extension, is_critical in _extensions(wanted):
        builder = builder.add_extension(extension, critical=is_critical)
    made = builder.sign(issuer_key, hashes.SHA256())
    return certificates.parse(made.public_bytes(serialization.Encoding.DER))


def _authority(subject: str, path_length: int | None) -> Wanted:
    return Wanted(
        subject=subject,
        is_authority=True,
        path_length=path_length,
        usages=frozenset({"key_cert_sign", "crl_sign"}),
    )


def _extensions(wanted: Wanted) -> Sequence[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if wanted.is_authority is not None:
        constraints = x509.BasicConstraints(wanted.is_authority, wanted.path_length)
        found.append((constraints, True))
    if wanted.usages:
        bits = {bit: bit in wanted.usages for bit in _BITS}
        found.append((x509.KeyUsage(**bits), wanted.is_usage_critical))
    if wanted.extended:
        found.append((x509.ExtendedKeyUsage(wanted.extended), False))
    return [*found, *wanted.more]
