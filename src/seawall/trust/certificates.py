"""X.509 certificates as signatures show them: parsed within bounds, and checked as a chain.

What every format asks is here: each certificate is issued by the next one, by hashes that hold
(no SHA-1, no MD5), authorities may issue, path lengths hold, times hold. What a format asks beyond
stands with it (`trust.notation.profile`, `trust.sigstore.identity`). No list of revoked
certificates is asked for: verification has no I/O.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from seawall.core import limits
from seawall.core.errors import InvalidInputError, LimitError
from seawall.trust import keys
from seawall.trust.keys import KeyId, PublicKey

MAX_CHAIN: Final = 8
CACHED: Final = 256
"""Certificates that stay parsed, by their bytes."""
MAX_CERTIFICATE_BYTES: Final = 16 * limits.KIB

_HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
# What the library raises for certificates that do not parse, wherever it notices.
_UNPARSABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
)
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that parses. Nothing of it is verified."""

    parsed: x509.Certificate = field(repr=False)
    der: bytes = field(repr=False)

    @property
    def subject(self) -> str:
        """The subject, most specific part first (RFC 4514)."""
        return self.parsed.subject.rfc4514_string()

    @property
    def thumbprint(self) -> str:
        """SHA-256 of the DER form, hex."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def key_der(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return self.parsed.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def key_id(self) -> KeyId:
        return KeyId(hashlib.sha256(self.key_der).hexdigest())

    @property
    def p256_key(self) -> PublicKey | None:
        """The key when it is of the kind that Seawall trusts by itself."""
        key = self.parsed.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            return keys.public_of_der(self.key_der)
        return None

    def extension(self, kind: type[_Extension]) -> tuple[_Extension, bool] | None:
        """Return the extension and whether it is critical; None when there is none."""
        try:
            found = self.parsed.extensions.get_extension_for_class(kind)
        except x509.ExtensionNotFound:
            return None
        return found.value, found.critical


def parse(der: bytes) -> Certificate:
    """Parse one certificate, its names, extensions and key. Raises InvalidInputError, LimitError.

    All of it is read here, so that nothing turns out not to parse later.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise LimitError(f"a certificate of more than {MAX_CERTIFICATE_BYTES} bytes")
    return _parse(der)


@functools.lru_cache(CACHED)
def _parse(der: bytes) -> Certificate:
    try:
        found = x509.load_der_x509_certificate(der)
        certificate = Certificate(found, der)
        if found.public_bytes(serialization.Encoding.DER) != der:
            raise InvalidInputError("bytes follow the certificate")
        _ = (found.extensions, found.subject.rfc4514_string(), found.issuer, certificate.key_id)
        _ = (found.signature_hash_algorithm, found.not_valid_before_utc, found.not_valid_after_utc)
    except _UNPARSABLE as error:
        raise InvalidInputError("a certificate does not parse") from error
    return certificate


def parse_chain(chain: Sequence[bytes]) -> tuple[Certificate, ...]:
    """Parse a chain, leaf first. Raises InvalidInputError or LimitError."""
    if not chain:
        raise InvalidInputError("it shows no certificate")
    if len(chain) > MAX_CHAIN:
        raise LimitError(f"a chain of more than {MAX_CHAIN} certificates")
    return tuple(parse(der) for der in chain)


def parse_pem(pem: bytes) -> tuple[Certificate, ...]:
    """Parse one or more certificates in PEM. Raises InvalidInputError or LimitError."""
    if len(pem) > MAX_CHAIN * 2 * MAX_CERTIFICATE_BYTES:
        raise LimitError("more certificates than are looked at")
    try:
        found = x509.load_pem_x509_certificates(pem)
    except _UNPARSABLE as error:
        raise InvalidInputError(
            "no certificates in PEM form", remedy="give a file with BEGIN CERTIFICATE blocks"
        ) from error
    return tuple(parse(one.public_bytes(serialization.Encoding.DER)) for one in found)


def to_pem(certificate: Certificate) -> bytes:
    """Return the certificate in PEM form."""
    return certificate.parsed.public_bytes(serialization.Encoding.PEM)


def check_issued(chain: Sequence[Certificate]) -> None:
    """Check that each certificate of the chain was issued by the next one, to the last.

    Raises InvalidInputError. Times are `check_valid`'s.
    """
    for certificate in chain:
        _check_hash(certificate)
    for depth, (certificate, issuer) in enumerate(itertools.pairwise(chain)):
        _check_authority(issuer, below=depth)
        _check_signature(certificate, issuer)


def check_self_signed(certificate: Certificate) -> None:
    """Raises InvalidInputError unless the certificate is signed by its own key."""
    _check_signature(certificate, certificate)


def check_valid(chain: Sequence[Certificate], moment: dt.datetime, what: str) -> None:
    """Raises InvalidInputError unless every certificate is valid at `moment`, called `what`."""
    for certificate in chain:
        first, last = (
            certificate.parsed.not_valid_before_utc,
            certificate.parsed.not_valid_after_utc,
        )
        if not first <= moment <= last:
            raise InvalidInputError(
                f"the certificate of {certificate.subject} is valid from {first:%FT%TZ} to"
                f" {last:%FT%TZ}, not at {what}, {moment:%FT%TZ}"
            )


def _check_hash(certificate: Certificate) -> None:
    if not isinstance(certificate.parsed.signature_hash_algorithm, _HASHES):
        raise InvalidInputError(
            f"the certificate of {certificate.subject} is signed with a hash that does not hold"
        )


def _check_authority(issuer: Certificate, *, below: int) -> None:
    constraints = issuer.extension(x509.BasicConstraints)
    if constraints is None or not constraints[0].ca:
        raise InvalidInputError(f"{issuer.subject} issued a certificate but is no authority")
    length = constraints[0].path_length
    if length is not None and below > length:
        raise InvalidInputError(f"{issuer.subject} may not issue a chain as long as this")
    usage = issuer.extension(x509.KeyUsage)
    if usage is None or not usage[0].key_cert_sign:
        raise InvalidInputError(f"the key of {issuer.subject} may not sign certificates")


def _check_signature(certificate: Certificate, issuer: Certificate) -> None:
    try:
        certificate.parsed.verify_directly_issued_by(issuer.parsed)
    except (*_UNPARSABLE, InvalidSignature) as error:
        raise InvalidInputError(
            f"the certificate of {certificate.subject} was not issued by {issuer.subject}"
        ) from error
