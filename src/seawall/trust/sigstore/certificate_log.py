"""Proof that a certificate was shown to a log of certificates (RFC 6962, 3.2): its embedded stamps.

Each stamp is over the certificate without its stamps, and over the key of its issuer. One by a
trusted log is enough.
"""

from __future__ import annotations

import calendar
import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.x509.certificate_transparency import (
    LogEntryType,
    SignedCertificateTimestamp,
)

from seawall.core.errors import InvalidInputError
from seawall.trust.certificates import Certificate
from seawall.trust.sigstore.trusted_root import CertificateLog

MAX_STAMPS: Final = 8


def check(certificate: Certificate, issuer: Certificate, logs: Sequence[CertificateLog]) -> None:
    """Raises InvalidInputError unless one of `logs` was shown the certificate."""
    found = certificate.extension(x509.PrecertificateSignedCertificateTimestamps)
    stamps = [] if found is None else list(found[0])
    if not any(
        _is_by(one, log, certificate, issuer) for one in stamps[:MAX_STAMPS] for log in logs
    ):
        raise InvalidInputError("no trusted log was shown the certificate")


def signed_bytes(certificate: bytes, issuer: Certificate, milliseconds: int) -> bytes:
    """Return what a stamp is over; `certificate` is the part to be signed, without stamps."""
    return b"".join(
        (
            b"\0\0",  # version 1, certificate timestamp
            milliseconds.to_bytes(8, "big"),
            b"\0\1",  # a certificate before its stamps
            hashlib.sha256(issuer.key_der).digest(),
            len(certificate).to_bytes(3, "big"),
            certificate,
            b"\0\0",  # no extensions
        )
    )


def _is_by(
    stamp: SignedCertificateTimestamp,
    log: CertificateLog,
    certificate: Certificate,
    issuer: Certificate,
) -> bool:
    if stamp.log_id != log.log_id or stamp.extension_bytes:
        return False
    if stamp.entry_type is not LogEntryType.PRE_CERTIFICATE:
        return False
    moment = stamp.timestamp.replace(tzinfo=dt.UTC)
    if not log.period.holds(moment):
        return False
    milliseconds = calendar.timegm(moment.utctimetuple()) * 1000 + moment.microsecond // 1000
    shown = certificate.parsed.tbs_precertificate_bytes
    return log.key.has_signed(stamp.signature, signed_bytes(shown, issuer, milliseconds))
