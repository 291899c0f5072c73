"""Sigstore bundle v0.3 with a plain key: DSSE envelope over an in-toto statement.

The format binds a digest and nothing else. Seawall's own statements name the image too, as
annotations of the subject: cosign accepts them, our verifier insists on them where they stand.

An attestation (a scan, an SBOM) has the same envelope but another predicate type. It says something
*about* an image and never counts as a signature *for* it.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from seawall.core import clock, limits, strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.trust import simple_signing
from seawall.trust.keys import PublicKey
from seawall.trust.model import Claims, NamedImage
from seawall.trust.signing import Signer

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
SIGN_PREDICATE: Final = "https://sigstore.dev/cosign/sign/v1"

NAME_ANNOTATION: Final = "dev.seawall.docker-reference"
TIME_ANNOTATION: Final = "dev.seawall.signed-at"

MAX_BYTES: Final = 256 * limits.KIB
MAX_DEPTH: Final = 16
MAX_LOG_ENTRIES: Final = 8

Log: TypeAlias = "Callable[[dict[str, Json], PublicKey], Sequence[Json]]"
"""Enters a signed envelope into a log and returns the items of `tlogEntries` that prove it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What a bundle holds. Unverified: `payload` must not be looked at before the signature is."""

    payload: bytes
    signature: bytes

    @property
    def signed_bytes(self) -> bytes:
        return pre_authentication_encoding(PAYLOAD_TYPE, self.payload)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's PAE: what is really signed (DSSE protocol.md, "Signature Definition")."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def build_statement(digest: Digest, image: Reference, now: dt.datetime) -> bytes:
    """Return the in-toto statement that says "this digest is this image"."""
    annotations = {
        NAME_ANNOTATION: simple_signing.name_of(image),
        TIME_ANNOTATION: clock.to_text(now),
    }
    return strictjson.encode(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"digest": {digest.algorithm: digest.hex}, "annotations": annotations}],
            "predicateType": SIGN_PREDICATE,
            "predicate": {},
        }
    )


def build(statement: bytes, signer: Signer, log: Log | None = None) -> bytes:
    """Return the bundle: the statement, signed; with the proofs that `log` gives for it."""
    envelope = sign(statement, signer)
    proofs = () if log is None else log(envelope, signer.public)
    return assemble(envelope, signer.public, proofs)


def sign(statement: bytes, signer: Signer) -> dict[str, Json]:
    """Return the DSSE envelope of `statement`, signed."""
    signature = signer.sign(pre_authentication_encoding(PAYLOAD_TYPE, statement))
    return {
        "payload": encode_base64(statement),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": encode_base64(signature)}],
    }


def assemble(
    envelope: dict[str, Json], public: PublicKey, log_entries: Sequence[Json] = ()
) -> bytes:
    """Return the bundle of a signed envelope; `log_entries` are items of `tlogEntries`."""
    material: dict[str, Json] = {"publicKey": {"hint": hint(public)}}
    if log_entries:
        material["tlogEntries"] = list(log_entries)
    return strictjson.encode(
        {"mediaType": MEDIA_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope}
    )


def entered(content: bytes, public: PublicKey, log: Log) -> bytes:
    """Enter the envelope of a bundle into `log`; return the bundle that holds the proofs too.

    Raises InvalidInputError, LimitError, and what `log` raises.
    """
    document = strictjson.decode_object(content, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    envelope = document.get("dsseEnvelope")
    if not isinstance(envelope, dict):
        raise InvalidInputError("the bundle holds no DSSE envelope")
    return assemble(envelope, public, log(envelope, public))


def log_entries(content: bytes) -> tuple[Json, ...]:
    """Return the items of `tlogEntries` of a bundle, unverified. Raises InvalidInputError."""
    document = strictjson.decode_object(content, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    material = document.get("verificationMaterial")
    items = material.get("tlogEntries", []) if isinstance(material, dict) else []
    if not isinstance(items, list) or len(items) > MAX_LOG_ENTRIES:
        raise InvalidInputError(f"tlogEntries must be a list of at most {MAX_LOG_ENTRIES}")
    return tuple(items)


def hint(key: PublicKey) -> str:
    """Return the base64 of the key's id: an unauthenticated hint for verifiers."""
    return encode_base64(bytes.fromhex(key.key_id))


def parse(content: bytes, *, max_bytes: int = MAX_BYTES) -> Envelope:
    """Parse a bundle strictly, without looking into its payload.

    Raises InvalidInputError or LimitError; one DSSE signature exactly (bundle spec v0.3).
    """
    document = strictjson.decode_object(content, max_bytes=max_bytes, max_depth=MAX_DEPTH)
    if document.get("mediaType") != MEDIA_TYPE:
        raise InvalidInputError(f"not a {MEDIA_TYPE}")
    envelope = document.get("dsseEnvelope")
    if not isinstance(envelope, dict):
        raise InvalidInputError("the bundle holds no DSSE envelope")
    return parse_envelope(envelope)


def parse_envelope(envelope: dict[str, Json]) -> Envelope:
    """Read a DSSE envelope with exactly one signature. Raises InvalidInputError."""
    if envelope.get("payloadType") != PAYLOAD_TYPE:
        raise InvalidInputError("the envelope's payload is not an in-toto statement")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise InvalidInputError("the envelope must hold exactly one signature")
    signature = signatures[0]
    if not isinstance(signature, dict):
        raise InvalidInputError("the envelope's signature must be an object")
    return Envelope(
        payload=decode_base64(envelope.get("payload"), "payload"),
        signature=decode_base64(signature.get("sig"), "sig"),
    )


def parse_statement(payload: bytes) -> Claims:
    """Parse a statement strictly. Raises InvalidInputError or LimitError.

    Exactly one subject with exactly one digest: more could be read in two ways.
    """
    document = strictjson.decode_object(payload, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    if document.get("_type") != STATEMENT_TYPE:
        raise InvalidInputError("the payload is not an in-toto statement v1")
    if document.get("predicateType") != SIGN_PREDICATE:
        raise InvalidInputError("the statement is an attestation about an image, not a signature")
    subjects = document.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1 or not isinstance(subjects[0], dict):
        raise InvalidInputError("the statement must have exactly one subject")
    annotations = _annotations(subjects[0].get("annotations"))
    named = annotations.get(NAME_ANNOTATION)
    return Claims(
        digest=_digest(subjects[0].get("digest")),
        image=None if named is None else NamedImage.parse(_text(named)),
        signed_at=_moment(annotations.get(TIME_ANNOTATION)),
    )


def decode_base64(value: Json, where: str) -> bytes:
    """Decode standard base64 strictly. Raises InvalidInputError."""
    if not isinstance(value, str) or not value:
        raise InvalidInputError(f"{where} must be base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError(f"{where} is not base64") from error


def encode_base64(content: bytes) -> str:
    """Return standard base64."""
    return base64.b64encode(content).decode("ascii")


def _digest(value: Json) -> Digest:
    if not isinstance(value, dict) or len(value) != 1:
        raise InvalidInputError("the statement's subject must have exactly one digest")
    algorithm, digits = next(iter(value.items()))
    return Digest.parse(f"{algorithm}:{_text(digits)}")


def _moment(value: Json) -> dt.datetime | None:
    if value is None:
        return None
    try:
        return clock.from_text(_text(value))
    except ValueError as error:
        raise InvalidInputError("the statement's time of signing does not parse") from error


def _annotations(value: Json) -> dict[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInputError("the subject's annotations must be an object")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise InvalidInputError("the statement: a text is expected")
    return value
