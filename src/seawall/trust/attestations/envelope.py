"""How a statement is wrapped: a DSSE envelope alone (old form), or in a Sigstore bundle.

Taking it apart and reading it are two steps: nothing in the payload is looked at before the
signature over it was verified.
"""

from __future__ import annotations

import base64
import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from seawall.core import limits, strictjson
from seawall.core.strictjson import Json
from seawall.trust import bundle
from seawall.trust.attestations.statement import STATEMENT_MAX_BYTES
from seawall.trust.bundle import Envelope
from seawall.trust.keys import PublicKey

DSSE_MEDIA_TYPE: Final = "application/vnd.dsse.envelope.v1+json"
MAX_BYTES: Final = STATEMENT_MAX_BYTES * 4 // 3 + 256 * limits.KIB
"""Of a stored attestation: a statement in base64, with certificates and log entries beside it."""


class AttestationFormat(enum.StrEnum):
    COSIGN_TAG = "cosign-att-tag"  # a layer behind the tag sha256-<hex>.att
    SIGSTORE_BUNDLE = "sigstore-bundle"  # a bundle v0.3, stored as a referrer


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedAttestation:
    """Bytes that claim to be an attestation. Nothing about them has been checked."""

    format: AttestationFormat
    content: bytes = field(repr=False)
    """The DSSE envelope (COSIGN_TAG) or the whole bundle (SIGSTORE_BUNDLE)."""
    source: str = ""
    """Where it was found, for people."""


def open_artifact(artifact: UnverifiedAttestation) -> Envelope:
    """Take `artifact` apart without reading its payload. Raises InvalidInputError, LimitError."""
    match artifact.format:
        case AttestationFormat.COSIGN_TAG:
            return parse(artifact.content)
        case AttestationFormat.SIGSTORE_BUNDLE:
            return bundle.parse(artifact.content, max_bytes=MAX_BYTES)


def parse(content: bytes) -> Envelope:
    """Parse a DSSE envelope with one signature strictly. Raises InvalidInputError, LimitError."""
    document = strictjson.decode_object(content, max_bytes=MAX_BYTES, max_depth=bundle.MAX_DEPTH)
    return bundle.parse_envelope(document)


def build(payload: bytes, signature: bytes) -> bytes:
    """Return the envelope; `signature` (DER) is over the payload's PAE."""
    signed: dict[str, Json] = {"keyid": "", "sig": _b64(signature)}
    return strictjson.encode(
        {
            "payload": _b64(payload),
            "payloadType": bundle.PAYLOAD_TYPE,
            "signatures": [signed],
        }
    )


def to_json(payload: bytes, signature: bytes) -> dict[str, Json]:
    """Return the envelope as it stands in a bundle, and as a log hashes it."""
    return {
        "payload": _b64(payload),
        "payloadType": bundle.PAYLOAD_TYPE,
        "signatures": [{"sig": _b64(signature)}],
    }


def build_bundle(
    payload: bytes, signature: bytes, key: PublicKey, log_entries: Sequence[Json] = ()
) -> bytes:
    """Return the bundle around the same signature; `log_entries` are its `tlogEntries`."""
    material: dict[str, Json] = {"publicKey": {"hint": bundle.hint(key)}}
    if log_entries:
        material["tlogEntries"] = list(log_entries)
    return strictjson.encode(
        {
            "mediaType": bundle.MEDIA_TYPE,
            "verificationMaterial": material,
            "dsseEnvelope": to_json(payload, signature),
        }
    )


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
