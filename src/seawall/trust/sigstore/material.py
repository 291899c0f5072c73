"""What a signature shows of a signer that has a certificate. Unverified.

bundle v0.3   `verificationMaterial.certificate`, and entries of a log with their proofs
old format    annotations of the layer: the certificate in PEM, and the log's promise alone
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seawall.core import limits, strictjson
from seawall.core.errors import InvalidInputError, LimitError
from seawall.core.strictjson import Json
from seawall.trust import bundle, certificates

MAX_ANNOTATION_BYTES: Final = 64 * limits.KIB
MAX_SECONDS: Final = 2**33


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a log signed when it took an entry (`SignedEntryTimestamp`)."""

    body: bytes
    integrated_at: int  # Unix seconds
    index: int
    log_id: str  # hex
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A certificate in DER; the items of `tlogEntries`, or a promise."""

    certificate: bytes
    log_entries: tuple[Json, ...] = ()
    promise: Promise | None = None


def parse(content: bytes) -> Material | None:
    """Return the certificate that a bundle shows; None when it names a key.

    Raises InvalidInputError or LimitError, also for a bundle that shows both: it could be read as
    signed by either.
    """
    document = strictjson.decode_object(
        content, max_bytes=bundle.MAX_BYTES, max_depth=bundle.MAX_DEPTH
    )
    material = document.get("verificationMaterial")
    shown = material.get("certificate") if isinstance(material, dict) else None
    if shown is None:
        return None
    if not isinstance(shown, dict) or (isinstance(material, dict) and "publicKey" in material):
        raise InvalidInputError("the bundle shows a certificate and something else beside it")
    return Material(
        certificate=bundle.decode_base64(shown.get("rawBytes"), "rawBytes"),
        log_entries=bundle.log_entries(content),
    )


def of_annotations(certificate: str, log: str) -> Material | None:
    """Return what annotations of the old format show; None when there is no certificate.

    Raises InvalidInputError or LimitError.
    """
    if not certificate:
        return None
    if max(len(certificate), len(log)) > MAX_ANNOTATION_BYTES:
        raise LimitError(f"an annotation of more than {MAX_ANNOTATION_BYTES} bytes")
    shown = certificates.parse_pem(certificate.encode())
    if len(shown) != 1:
        raise InvalidInputError("the signature must show exactly one certificate")
    return Material(certificate=shown[0].der, promise=_promise(log) if log else None)


def _promise(log: str) -> Promise:
    document = strictjson.decode_object(log.encode(), max_bytes=MAX_ANNOTATION_BYTES, max_depth=4)
    payload = document.get("Payload")
    if not isinstance(payload, dict):
        raise InvalidInputError("the log's promise has no Payload")
    log_id = payload.get("logID")
    if not isinstance(log_id, str):
        raise InvalidInputError("the log's promise names no log")
    return Promise(
        body=bundle.decode_base64(payload.get("body"), "body"),
        integrated_at=_number(payload.get("integratedTime"), MAX_SECONDS),
        index=_number(payload.get("logIndex"), strictjson.INT64_MAX),
        log_id=log_id,
        signature=bundle.decode_base64(
            document.get("SignedEntryTimestamp"), "SignedEntryTimestamp"
        ),
    )


def _number(value: Json, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise InvalidInputError("a number in the log's promise is out of range")
    return value
