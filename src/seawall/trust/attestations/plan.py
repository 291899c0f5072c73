"""What to push so that a statement stands beside an image, in both of cosign's forms; pure.

 Old: one layer for each attestation behind the tag `sha256-<hex>.att`; others' layers are kept.
 New: one artifact manifest for each attestation, whose `subject` is the image (OCI 1.1 referrers).

The same signature stands in both, so a token is touched once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from seawall.core import limits, strictjson
from seawall.core.errors import ConflictError, InvalidInputError, SeawallError
from seawall.core.strictjson import Json
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Manifest
from seawall.oci.names import Tag
from seawall.trust import bundle, cosign
from seawall.trust.attestations import envelope
from seawall.trust.cosign import BlobUpload, ManifestUpload, Upload
from seawall.trust.keys import PublicKey
from seawall.trust.signing import Signer

MAX_ATTESTATIONS: Final = 64
"""Attestations of one image, in each form, that are looked at."""

TYPE_ANNOTATION: Final = "predicateType"

_EMPTY: Final = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedStatement:
    """A statement with one signature over it."""

    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)  # ASN.1 DER, over the payload's PAE
    key: PublicKey
    predicate_type: str


def sign(payload: bytes, predicate_type: str, signer: Signer) -> SignedStatement:
    """Sign a statement: the one place where the key is used."""
    signature = signer.sign(bundle.pre_authentication_encoding(bundle.PAYLOAD_TYPE, payload))
    return SignedStatement(
        payload=payload, signature=signature, key=signer.public, predicate_type=predicate_type
    )


def attestation_tag(digest: Digest) -> Tag:
    """Return the tag behind which cosign keeps attestations of `digest` (old form)."""
    return Tag(cosign.signature_tag(digest).removesuffix(".sig") + ".att")


def for_tag(digest: Digest, signed: SignedStatement, tag_manifest: bytes | None) -> list[Upload]:
    """Return what to push in the old form; `tag_manifest` is what stands behind the tag now.

    Raises ConflictError when that is something else, or full.
    """
    content = envelope.build(signed.payload, signed.signature)
    layer = _descriptor(content, envelope.DSSE_MEDIA_TYPE)
    layer["annotations"] = {
        cosign.SIGNATURE_ANNOTATION: "",
        TYPE_ANNOTATION: signed.predicate_type,
    }
    document, layers = _existing_layers(tag_manifest)
    layers = [*layers, layer]
    config = strictjson.encode(
        {
            "architecture": "",
            "os": "",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [_digest_of(one) for one in layers]},
        }
    )
    document |= {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": _descriptor(config, media.OCI_CONFIG),
        "layers": layers,
    }
    return [
        BlobUpload(content=content, media_type=envelope.DSSE_MEDIA_TYPE),
        BlobUpload(content=config, media_type=media.OCI_CONFIG),
        ManifestUpload(
            content=strictjson.encode(document),
            media_type=media.OCI_MANIFEST,
            tag=attestation_tag(digest),
        ),
    ]


def for_bundle(
    image: Descriptor, signed: SignedStatement, now: dt.datetime, log_entries: Sequence[Json] = ()
) -> list[Upload]:
    """Return what to push in the new form."""
    content = envelope.build_bundle(signed.payload, signed.signature, signed.key, log_entries)
    return cosign.bundle_uploads(image, content, signed.predicate_type, now)


def tag_layers(tag_manifest: bytes, predicate_type: str | None = None) -> tuple[Descriptor, ...]:
    """Return the attestations behind an `.att` tag that do not claim to be of another type.

    Raises InvalidInputError or LimitError.
    """
    parsed = manifests.parse(tag_manifest)
    if not isinstance(parsed, Manifest):
        raise InvalidInputError("the attestation tag holds an index")
    return tuple(
        one
        for one in parsed.layers
        if one.media_type == envelope.DSSE_MEDIA_TYPE
        and predicate_type in (None, one.annotations.get(TYPE_ANNOTATION, predicate_type))
    )


def _existing_layers(tag_manifest: bytes | None) -> tuple[dict[str, Json], list[Json]]:
    if tag_manifest is None:
        return {}, []
    try:
        tag_layers(tag_manifest)
        document = strictjson.decode_object(tag_manifest, max_bytes=limits.MANIFEST_MAX_BYTES)
    except SeawallError as error:
        raise ConflictError(
            f"the tag for attestations holds something else: {error.message}",
            remedy="look at what is there, and delete the tag if it is not needed",
        ) from error
    layers = document.get("layers") or []
    if not isinstance(layers, list) or len(layers) >= MAX_ATTESTATIONS:
        raise ConflictError(
            f"the tag holds {MAX_ATTESTATIONS} attestations already",
            remedy="delete those that nobody needs",
        )
    return document, layers


def _digest_of(layer: Json) -> str:
    assert isinstance(layer, dict)
    return str(layer["digest"])


def _descriptor(content: bytes, media_type: str) -> dict[str, Json]:
    return {"mediaType": media_type, "size": len(content), "digest": str(Digest.of(content))}
