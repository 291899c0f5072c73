"""Our own certificate authorities and the certificate of our servers.

Two authorities, so that a client's certificate never passes for a server's or the other way round.
Their keys stay in the state directory, readable by their owner alone; each makes only leaves, and
each leaf is good for one purpose. P-256 throughout.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from seawall.core import files
from seawall.core.clock import Clock
from seawall.core.errors import IntegrityError, InvalidInputError

AUTHORITY_LIFETIME: Final = dt.timedelta(days=3650)
SERVER_LIFETIME: Final = dt.timedelta(days=90)
RENEW_BEFORE_END: Final = dt.timedelta(days=30)
CLOCK_SKEW: Final = dt.timedelta(minutes=5)
"""Certificates begin that long before now, for machines whose clocks run late."""

PrivateKey = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: PrivateKey

    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFiles:
    """Where the certificate of our servers lies."""

    pair: Path
    """Key and certificate in one PEM file, so that the two never disagree. 0600."""
    authority: Path
    """What clients must trust. Public."""


class Authority:
    """One certificate authority."""

    def __init__(self, pair: KeyPair, clock: Clock) -> None:
        self._pair = pair
        self._clock = clock

    @classmethod
    def open(cls, path: Path, *, name: str, clock: Clock) -> Authority:
        """Read the authority whose key and certificate lie at `path`; create it when missing."""
        content = files.read_or_create_private(
            path, lambda: _join(_make_authority(name, clock.now()))
        )
        return cls(parse_pair(content), clock)

    @property
    def certificate(self) -> x509.Certificate:
        return self._pair.certificate

    def certificate_pem(self) -> bytes:
        return self._pair.certificate_pem()

    def issue_for_client(self, name: str, lifetime: dt.timedelta) -> KeyPair:
        """Return a new certificate with the common name `name`, good for client authentication."""
        return self._issue(name, lifetime, ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def issue_for_server(self, names: Collection[str], lifetime: dt.timedelta) -> KeyPair:
        """Return a new certificate for the host names and addresses in `names`."""
        alternatives = _alternatives(names)
        return self._issue(
            "Seawall server", lifetime, ExtendedKeyUsageOID.SERVER_AUTH, alternatives
        )

    def is_issuer_of(self, certificate: x509.Certificate) -> bool:
        """Tell whether `certificate` bears this authority's name and signature."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    def _issue(
        self,
        name: str,
        lifetime: dt.timedelta,
        purpose: x509.ObjectIdentifier,
        alternatives: Collection[x509.GeneralName],
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock.now()
        # A leaf must not outlive its issuer.
        end = min(now + lifetime, self.certificate.not_valid_after_utc)
        builder = (
            _builder(_name(name), self.certificate.subject, key, now - CLOCK_SKEW, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(is_authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._pair.key.public_key()),
                critical=False,
            )
        )
        if alternatives:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(alternatives), critical=False
            )
        return KeyPair(certificate=builder.sign(self._pair.key, hashes.SHA256()), key=key)


def server_certificate(
    authority: Authority, folder: Path, names: Collection[str], clock: Clock
) -> ServerFiles:
    """Return the files of a certificate for `names`, made anew only when it has to be.

    That is: when there is none, the names changed, its end is near, or the authority is another.
    Raises InvalidInputError for something that is neither a host name nor an IP address.
    """
    found = ServerFiles(pair=folder / "server.pem", authority=folder / "server-ca.pem")
    files.write_public(found.authority, authority.certificate_pem())
    if not _is_still_good(found.pair, authority, names, clock.now()):
        files.write_private(found.pair, _join(authority.issue_for_server(names, SERVER_LIFETIME)))
    return found


def parse_pair(content: bytes) -> KeyPair:
    """Parse a key and a certificate in one PEM text. Raises IntegrityError."""
    try:
        key = serialization.load_pem_private_key(content, password=None)
        certificate = x509.load_pem_x509_certificate(content)
    except (ValueError, TypeError) as error:
        raise IntegrityError("a file of key and certificate does not parse") from error
    if not isinstance(key, PrivateKey) or certificate.public_key() != key.public_key():
        raise IntegrityError("a certificate and its key do not belong together")
    return KeyPair(certificate=certificate, key=key)


def _is_still_good(
    path: Path, authority: Authority, names: Collection[str], now: dt.datetime
) -> bool:
    if not path.exists():
        return False
    try:
        certificate = parse_pair(files.read_private(path)).certificate
        present = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (IntegrityError, x509.ExtensionNotFound):
        return False
    return (
        set(present.value) == set(_alternatives(names))
        and certificate.not_valid_before_utc <= now
        and now < certificate.not_valid_after_utc - RENEW_BEFORE_END
        and authority.is_issuer_of(certificate)
    )


def _make_authority(name: str, now: dt.datetime) -> KeyPair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = (
        _builder(subject, subject, key, now - CLOCK_SKEW, now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(is_authority=True), critical=True)
    )
    return KeyPair(certificate=builder.sign(key, hashes.SHA256()), key=key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, start: dt.datetime, end: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Seawall"),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )


def _alternatives(names: Iterable[str]) -> list[x509.GeneralName]:
    result: list[x509.GeneralName] = []
    for name in sorted(set(names)):
        try:
            result.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            result.append(_dns_name(name))
    if not result:
        raise InvalidInputError("a server's certificate needs at least one name")
    return result


def _dns_name(name: str) -> x509.DNSName:
    labels = name.split(".")
    is_valid = len(name) <= 253 and all(
        0 < len(label) <= 63
        and label.replace("-", "a").isalnum()
        and label.isascii()
        and not label.startswith("-")
        and not label.endswith("-")
        for label in labels
    )
    if not is_valid:
        raise InvalidInputError(
            f"{name[:100]!r} is neither a host name nor an IP address",
            remedy="write international names in their ASCII form (xn--…)",
        )
    return x509.DNSName(name.lower())


def _join(pair: KeyPair) -> bytes:
    return pair.key_pem() + pair.certificate_pem()
