"""What all formats have in common: bytes to check a signature over, then claims to read.

The two steps are apart on purpose: `read` is for payloads whose signature was verified.
"""

from __future__ import annotations

from dataclasses import dataclass

from seawall.core.errors import LimitError
from seawall.trust import bundle, simple_signing
from seawall.trust.model import Claims, SignatureFormat, UnverifiedSignature
from seawall.trust.notation import envelopes, payload
from seawall.trust.notation.envelope import Envelope
from seawall.trust.sigstore import material
from seawall.trust.sigstore.material import Material


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A signature taken apart. Nothing in it has been verified."""

    payload: bytes
    signed_bytes: bytes
    signature: bytes  # ASN.1 DER, or what the envelope's algorithm says
    envelope: Envelope | None = None  # of notation
    material: Material | None = None  # of Sigstore, for a signer with a certificate


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
                material=material.of_annotations(artifact.certificate, artifact.log_promise),
            )
        case SignatureFormat.SIGSTORE_BUNDLE:
            found = bundle.parse(artifact.content)
            return Opened(
                payload=found.payload,
                signed_bytes=found.signed_bytes,
                signature=found.signature,
                material=material.parse(artifact.content),
            )
        case SignatureFormat.NOTATION_JWS | SignatureFormat.NOTATION_COSE:
            return _open_envelope(artifact)


def read(kind: SignatureFormat, content: bytes) -> Claims:
    """Read a verified payload. Raises InvalidInputError or LimitError."""
    match kind:
        case SignatureFormat.COSIGN_TAG:
            return simple_signing.parse(content)
        case SignatureFormat.SIGSTORE_BUNDLE:
            return bundle.parse_statement(content)
        case SignatureFormat.NOTATION_JWS | SignatureFormat.NOTATION_COSE:
            return payload.parse(content)


def _open_envelope(artifact: UnverifiedSignature) -> Opened:
    found = envelopes.parse(artifact.format, artifact.content)
    return Opened(
        payload=found.payload,
        signed_bytes=found.signed_bytes,
        signature=found.signature,
        envelope=found,
    )
