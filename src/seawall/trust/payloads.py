"""What both formats have in common: bytes to check a signature over, then claims to read.

The two steps are apart on purpose: `read` is for payloads whose signature was verified.
"""

from __future__ import annotations

from dataclasses import dataclass

from seawall.core.errors import LimitError
from seawall.trust import bundle, simple_signing
from seawall.trust.model import Claims, SignatureFormat, UnverifiedSignature


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A signature taken apart. Nothing in it has been verified."""

    payload: bytes
    signed_bytes: bytes
    signature: bytes


def open_artifact(artifact: UnverifiedSignature) -> Opened:
    """Take `artifact` apart without reading its payload. Raises InvalidInputError, LimitError."""
    match artifact.format:
        case SignatureFormat.COSIGN_TAG:
            if len(artifact.content) > simple_signing.MAX_BYTES:
                raise LimitError(f"a payload of more than {simple_signing.MAX_BYTES} bytes")
            return Opened(
                payload=artifact.content,
                signed_bytes=artifact.content,
                signature=bundle.decode_base64(artifact.signature, "the signature"),
            )
        case SignatureFormat.SIGSTORE_BUNDLE:
            envelope = bundle.parse(artifact.content)
            return Opened(
                payload=envelope.payload,
                signed_bytes=envelope.signed_bytes,
                signature=envelope.signature,
            )


def read(kind: SignatureFormat, payload: bytes) -> Claims:
    """Read a verified payload. Raises InvalidInputError or LimitError."""
    match kind:
        case SignatureFormat.COSIGN_TAG:
            return simple_signing.parse(payload)
        case SignatureFormat.SIGSTORE_BUNDLE:
            return bundle.parse_statement(payload)
