"""Signatures as cosign stores them in a registry, both ways; pure: what to push, what was found.

 Old: an image manifest behind the tag `sha256-<hex>.sig`, one layer for each signature. Every
      signer reads, extends and writes back the one tag: the layers of others are kept as they are.
 New: one artifact manifest for each signature, whose `subject` is the image (OCI 1.1 referrers).

cosign 2.5 reads only the old way, cosign 3 the new way first; `plan` publishes both. Signing again
what one has signed already changes nothing.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from seawall.core import clock, limits, strictjson
from seawall.core.errors import ConflictError, InvalidInputError, SeawallError
from seawall.core.strictjson import Json
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Manifest
from seawall.oci.names import Reference, Tag
from seawall.trust import bundle, payloads, simple_signing
from seawall.trust.keys import PublicKey
from seawall.trust.model import Claims, NamedImage, SignatureFormat, UnverifiedSignature
from seawall.trust.signing import Signer

SIGNATURE_ANNOTATION: Final = "dev.cosignproject.cosign/signature"
CERTIFICATE_ANNOTATION: Final = "dev.sigstore.cosign/certificate"
LOG_ANNOTATION: Final = "dev.sigstore.cosign/bundle"
PREDICATE_ANNOTATION: Final = "dev.sigstore.bundle.predicateType"
MAX_LAYERS: Final = 64
"""Signatures behind one tag, and referrers of one image, that are looked at."""

_EMPTY: Final = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobUpload:
    """A blob to push."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> Digest:
        return Digest.of(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestUpload:
    """A manifest to push, under `tag` or, without one, under its digest.

    With a `subject` it must be found as a referrer; where the registry does not say that it listed
    it, the pusher lists it under the fallback tag (distribution-spec, "Referrers Tag Schema").
    """

    content: bytes
    media_type: str
    tag: Tag | None = None
    subject: Digest | None = None
    artifact_type: str = ""
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> Digest:
        return Digest.of(self.content)


Upload: TypeAlias = "BlobUpload | ManifestUpload"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagLayer:
    """A signature behind the `.sig` tag: fetch the blob to have its payload."""

    digest: Digest
    size: int  # bytes
    signature: str  # base64, unverified
    certificate: str = ""  # PEM, unverified
    log_promise: str = ""  # JSON, unverified

    def artifact(self, content: bytes, source: str) -> UnverifiedSignature:
        """Return the signature, with the payload that was fetched."""
        return UnverifiedSignature(
            format=SignatureFormat.COSIGN_TAG,
            content=content,
            signature=self.signature,
            certificate=self.certificate,
            log_promise=self.log_promise,
            source=source,
        )


def plan(
    image: Descriptor,
    reference: Reference,
    key: Signer,
    now: dt.datetime,
    *,
    existing: Sequence[UnverifiedSignature] = (),
    tag_manifest: bytes | None = None,
    log: bundle.Log | None = None,
) -> tuple[Upload, ...]:
    """Return what to push, in this order, so that `key` vouches for `image` in both formats.

    `reference` names the image with host and, if it has one, tag: both are bound by the signature.
    `existing` are the signatures that are there; `tag_manifest` is what now stands behind the
    `.sig` tag. The result is empty when this key has signed this already. With a `log`, a new
    bundle is entered there and holds the proof, and one without a proof does not count as signed.
    Raises InvalidInputError when the image cannot be signed, ConflictError when the `.sig` tag
    holds something else, and what `log` raises.
    """
    signature_tag(image.digest)  # refuses what the format cannot name
    uploads: list[Upload] = []
    if not is_signed(existing, SignatureFormat.COSIGN_TAG, image.digest, reference, key.public):
        uploads += _plan_tag(image.digest, reference, key, now, tag_manifest)
    counting = existing if log is None else [one for one in existing if is_logged(one)]
    if not is_signed(
        counting, SignatureFormat.SIGSTORE_BUNDLE, image.digest, reference, key.public
    ):
        uploads += _plan_bundle(image, reference, key, now, log)
    return tuple(uploads)


def tag_uploads(
    digest: Digest, payload: bytes, signature: str, tag_manifest: bytes | None
) -> list[Upload]:
    """Return what to push so that a signature (base64, of `payload`) stands behind the `.sig` tag,
    beside those that are in `tag_manifest`. Raises ConflictError."""
    layer: dict[str, Json] = {
        "mediaType": simple_signing.MEDIA_TYPE,
        "size": len(payload),
        "digest": str(Digest.of(payload)),
        "annotations": {SIGNATURE_ANNOTATION: signature},
    }
    document, layers = _existing_layers(tag_manifest)
    layers = [*layers, layer]
    config = strictjson.encode(
        {
            "architecture": "",
            "os": "",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [_layer_digest(item) for item in layers]},
        }
    )
    document |= {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": _descriptor(config, media.OCI_CONFIG),
        "layers": layers,
    }
    return [
        BlobUpload(content=payload, media_type=simple_signing.MEDIA_TYPE),
        BlobUpload(content=config, media_type=media.OCI_CONFIG),
        ManifestUpload(
            content=strictjson.encode(document),
            media_type=media.OCI_MANIFEST,
            tag=signature_tag(digest),
        ),
    ]


def bundle_uploads(
    image: Descriptor, content: bytes, predicate_type: str, now: dt.datetime
) -> list[Upload]:
    """Return what to push so that the bundle `content` is found as a referrer of `image`."""
    annotations = {
        "dev.sigstore.bundle.content": "dsse-envelope",
        PREDICATE_ANNOTATION: predicate_type,
        "org.opencontainers.image.created": clock.to_text(now),
    }
    manifest = strictjson.encode(
        {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "artifactType": bundle.MEDIA_TYPE,
            "config": _descriptor(_EMPTY, media.OCI_EMPTY),
            "layers": [_descriptor(content, bundle.MEDIA_TYPE)],
            "subject": {
                "mediaType": image.media_type,
                "size": image.size,
                "digest": str(image.digest),
            },
            "annotations": annotations,
        }
    )
    return [
        BlobUpload(content=_EMPTY, media_type=media.OCI_EMPTY),
        BlobUpload(content=content, media_type=bundle.MEDIA_TYPE),
        ManifestUpload(
            content=manifest,
            media_type=media.OCI_MANIFEST,
            subject=image.digest,
            artifact_type=bundle.MEDIA_TYPE,
            annotations=tuple(annotations.items()),
        ),
    ]


def is_signed(
    existing: Sequence[UnverifiedSignature],
    kind: SignatureFormat,
    digest: Digest,
    reference: Reference,
    key: PublicKey,
) -> bool:
    """Tell whether `key` has signed this already, under this name and in this format."""
    wanted = NamedImage.parse(simple_signing.name_of(reference))
    found = (_claims(artifact, key) for artifact in existing if artifact.format is kind)
    return any(c is not None and c.digest == digest and c.image == wanted for c in found)


def is_logged(artifact: UnverifiedSignature) -> bool:
    """Tell a bundle that holds a log's proof. Whether it holds is for the verifier to find out."""
    try:
        return bool(bundle.log_entries(artifact.content))
    except SeawallError:
        return False


def signature_tag(digest: Digest) -> Tag:
    """Return the tag behind which cosign keeps the signatures of `digest` (old format)."""
    if digest.algorithm != "sha256":
        raise InvalidInputError(
            f"cosign's formats name an image by sha256, this one is {digest.algorithm}",
            remedy="push the image with a sha256 digest",
        )
    return Tag(f"sha256-{digest.hex}.sig")


def fallback_tag(digest: Digest) -> Tag:
    """Return the tag of the index that lists referrers where there is no API for them."""
    return Tag(f"{digest.algorithm}-{digest.hex}"[:128])


def tag_layers(tag_manifest: bytes) -> tuple[TagLayer, ...]:
    """Return the signatures behind a `.sig` tag. Raises InvalidInputError or LimitError."""
    parsed = manifests.parse(tag_manifest)
    if not isinstance(parsed, Manifest):
        raise InvalidInputError("the signature tag holds an index")
    layers = [layer for layer in parsed.layers if layer.media_type == simple_signing.MEDIA_TYPE]
    return tuple(
        TagLayer(
            digest=layer.digest,
            size=layer.size,
            signature=layer.annotations.get(SIGNATURE_ANNOTATION, ""),
            certificate=layer.annotations.get(CERTIFICATE_ANNOTATION, ""),
            log_promise=layer.annotations.get(LOG_ANNOTATION, ""),
        )
        for layer in layers
    )


def may_be_bundle(referrer: Descriptor) -> bool:
    """Tell whether a listed referrer is worth fetching.

    cosign 3 lists its bundles as `…oci.empty…` in fallback indexes, so that type is let through;
    `bundle_layer` decides.
    """
    return referrer.artifact_type in (bundle.MEDIA_TYPE, media.OCI_EMPTY, "")


def bundle_layer(referrer: bytes, subject: Digest) -> Descriptor | None:
    """Return the signature bundle that a referrer's manifest holds; None for something else.

    A manifest whose own subject is another image is None too, wherever it was listed, and so is one
    that claims to be an attestation: those are many and large, and a wrong claim can only hide a
    signature. Raises InvalidInputError or LimitError.
    """
    parsed = _bundle_manifest(referrer, subject)
    if parsed is None:
        return None
    claimed = parsed.annotations.get(PREDICATE_ANNOTATION, bundle.SIGN_PREDICATE)
    return parsed.layers[0] if claimed == bundle.SIGN_PREDICATE else None


def attestation_layer(
    referrer: bytes, subject: Digest, predicate_type: str | None
) -> Descriptor | None:
    """Return the bundle of a referrer that may be an attestation; None for something else.

    It may be one when its annotations do not say otherwise: they claim `predicate_type`, any type
    but a signature's when that is None, or nothing.
    """
    parsed = _bundle_manifest(referrer, subject)
    if parsed is None or not may_attest(parsed.annotations, predicate_type):
        return None
    return parsed.layers[0]


def may_attest(annotations: Mapping[str, str], predicate_type: str | None) -> bool:
    """Tell by the claims beside a bundle whether it may be an attestation of this type."""
    claimed = annotations.get(PREDICATE_ANNOTATION)
    if claimed is None:
        return True
    if predicate_type is None:
        return claimed != bundle.SIGN_PREDICATE
    return claimed == predicate_type


def _plan_tag(
    digest: Digest,
    reference: Reference,
    key: Signer,
    now: dt.datetime,
    tag_manifest: bytes | None,
) -> list[Upload]:
    payload = simple_signing.build(digest, reference, now)
    signature = base64.b64encode(key.sign(payload)).decode("ascii")
    return tag_uploads(digest, payload, signature, tag_manifest)


def _existing_layers(tag_manifest: bytes | None) -> tuple[dict[str, Json], list[Json]]:
    if tag_manifest is None:
        return {}, []
    try:
        if not isinstance(manifests.parse(tag_manifest), Manifest):
            raise InvalidInputError("an index")
        document = strictjson.decode_object(tag_manifest, max_bytes=limits.MANIFEST_MAX_BYTES)
    except SeawallError as error:
        raise ConflictError(
            f"the tag for signatures holds something else: {error.message}",
            remedy="look at what is there, and delete the tag if it is not needed",
        ) from error
    layers = document.get("layers") or []
    if not isinstance(layers, list) or len(layers) >= MAX_LAYERS:
        raise ConflictError(
            f"the tag holds {MAX_LAYERS} signatures already",
            remedy="delete those that nobody needs",
        )
    return document, layers


def _plan_bundle(
    image: Descriptor,
    reference: Reference,
    key: Signer,
    now: dt.datetime,
    log: bundle.Log | None,
) -> list[Upload]:
    content = bundle.build(bundle.build_statement(image.digest, reference, now), key, log)
    return bundle_uploads(image, content, bundle.SIGN_PREDICATE, now)


def _bundle_manifest(referrer: bytes, subject: Digest) -> Manifest | None:
    parsed = manifests.parse(referrer)
    if not isinstance(parsed, Manifest) or parsed.artifact_type != bundle.MEDIA_TYPE:
        return None
    if parsed.subject is None or parsed.subject.digest != subject or len(parsed.layers) != 1:
        return None
    return parsed if parsed.layers[0].media_type == bundle.MEDIA_TYPE else None


def _claims(artifact: UnverifiedSignature, key: PublicKey) -> Claims | None:
    try:
        opened = payloads.open_artifact(artifact)
        if not key.has_signed(opened.signature, opened.signed_bytes):
            return None
        return payloads.read(artifact.format, opened.payload)
    except SeawallError:
        return None  # somebody else's broken signature is no reason not to sign


def _layer_digest(layer: Json) -> str:
    assert isinstance(layer, dict)
    return str(layer["digest"])


def _descriptor(content: bytes, media_type: str) -> dict[str, Json]:
    return {"mediaType": media_type, "size": len(content), "digest": str(Digest.of(content))}
