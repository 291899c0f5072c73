"""Notation's signatures as they stand in a registry: each a referrer of its own. Pure.

`plan` says what to push, and nothing when this certificate has signed this already; `layer` finds
the envelope in a referrer's manifest.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, SeawallError
from seawall.core.strictjson import Json
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Manifest
from seawall.oci.names import Reference
from seawall.trust import algorithms, certificates, simple_signing
from seawall.trust.certificates import Certificate
from seawall.trust.cosign import BlobUpload, ManifestUpload, Upload
from seawall.trust.model import NamedImage, SignatureFormat, UnverifiedSignature
from seawall.trust.notation import cose, envelope, envelopes, jws, payload
from seawall.trust.notation.envelope import EnvelopeType
from seawall.trust.signing import Signer

THUMBPRINTS: Final = "io.cncf.notary.x509chain.thumbprint#S256"
CREATED: Final = "org.opencontainers.image.created"
_EMPTY: Final = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How notation is shown a signer: the chain, leaf first, in this envelope."""

    chain: tuple[Certificate, ...]
    kind: EnvelopeType


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who signs: a key, and the chain for it that notation is shown."""

    signer: Signer
    chain: tuple[Certificate, ...]
    kind: EnvelopeType = EnvelopeType.JWS
    lifetime: dt.timedelta | None = None
    """After it notation no longer accepts the signature; None: only the certificate ends."""

    @property
    def shown(self) -> Shown:
        return Shown(chain=self.chain, kind=self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The envelope that a referrer holds: fetch the blob."""

    format: SignatureFormat
    descriptor: Descriptor


def plan(
    image: Descriptor,
    reference: Reference,
    identity: Identity,
    now: dt.datetime,
    *,
    existing: Sequence[UnverifiedSignature] = (),
) -> tuple[Upload, ...]:
    """Return what to push, in this order, so that `identity` vouches for `image` in notation.

    `reference` names the image with host and, if it has one, tag. The result is empty when
    `existing` holds that signature. Raises InvalidInputError when the certificate is not valid.
    """
    _check_valid(identity, now)
    if is_signed(existing, image, reference, identity.shown, now):
        return ()
    return uploads(image, sign(image, reference, identity, now), identity.shown, now)


def sign(image: Descriptor, reference: Reference, identity: Identity, now: dt.datetime) -> bytes:
    """Return the envelope. Raises InvalidInputError when the certificate is not valid."""
    _check_valid(identity, now)
    chain = [certificate.der for certificate in identity.chain]
    build = jws.build if identity.kind is EnvelopeType.JWS else cose.build
    expires_at = None if identity.lifetime is None else now + identity.lifetime
    return build(payload.build(image, reference), chain, identity.signer, now, expires_at)


def uploads(
    image: Descriptor, content: bytes, shown: Shown, now: dt.datetime
) -> tuple[Upload, ...]:
    """Return what to push so that the envelope `content` is found as a referrer of `image`."""
    annotations = {
        THUMBPRINTS: json.dumps([certificate.thumbprint for certificate in shown.chain]),
        CREATED: now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return (
        BlobUpload(content=_EMPTY, media_type=envelope.SIGNATURE_TYPE),
        BlobUpload(content=content, media_type=shown.kind.value),
        ManifestUpload(
            content=_manifest(image, content, shown.kind, annotations),
            media_type=media.OCI_MANIFEST,
            subject=image.digest,
            artifact_type=envelope.SIGNATURE_TYPE,
            annotations=tuple(annotations.items()),
        ),
    )


def is_signed(
    existing: Sequence[UnverifiedSignature],
    image: Descriptor,
    reference: Reference,
    shown: Shown,
    now: dt.datetime,
) -> bool:
    """Tell whether this very chain has signed this, in this envelope, and it still holds."""
    return any(_is_ours(found, image, reference, shown, now) for found in existing)


def may_be_signature(referrer: Descriptor) -> bool:
    """Tell whether a listed referrer is worth fetching."""
    return referrer.artifact_type == envelope.SIGNATURE_TYPE


def layer(referrer: bytes, subject: Digest) -> Layer | None:
    """Return the envelope that a referrer's manifest holds; None when it is something else.

    A manifest whose own subject is another image is None too, wherever it was listed. Raises
    InvalidInputError or LimitError.
    """
    parsed = manifests.parse(referrer)
    if not isinstance(parsed, Manifest):
        return None
    if envelope.SIGNATURE_TYPE not in (parsed.artifact_type, parsed.config.media_type):
        return None
    if parsed.subject is None or parsed.subject.digest != subject or len(parsed.layers) != 1:
        return None
    kinds = {kind.value: form for kind, form in envelopes.FORMATS.items()}
    form = kinds.get(parsed.layers[0].media_type)
    return None if form is None else Layer(format=form, descriptor=parsed.layers[0])


def _check_valid(identity: Identity, now: dt.datetime) -> None:
    try:
        certificates.check_valid(identity.chain, now.replace(microsecond=0), "this moment")
    except InvalidInputError as error:
        raise InvalidInputError(
            error.message,
            remedy="move the old certificate away and make one: seawall key certificate",
        ) from error


def _manifest(
    image: Descriptor, content: bytes, kind: EnvelopeType, annotations: dict[str, str]
) -> bytes:
    document: dict[str, Json] = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        # As notation itself writes it: registries that know no artifactType list it by this.
        "config": _descriptor(_EMPTY, envelope.SIGNATURE_TYPE),
        "layers": [_descriptor(content, kind.value)],
        "subject": {
            "mediaType": image.media_type,
            "digest": str(image.digest),
            "size": image.size,
        },
        "annotations": dict(annotations),
    }
    return strictjson.encode(document)


def _is_ours(
    found: UnverifiedSignature,
    image: Descriptor,
    reference: Reference,
    shown: Shown,
    now: dt.datetime,
) -> bool:
    if found.format is not envelopes.FORMATS[shown.kind]:
        return False
    try:
        opened = envelopes.parse(found.format, found.content)
        if opened.chain != tuple(certificate.der for certificate in shown.chain):
            return False
        if not algorithms.has_signed(shown.chain[0], opened.signature, opened.signed_bytes):
            return False
        claims = payload.parse(opened.payload)
    except SeawallError:
        return False  # somebody else's broken signature is no reason not to sign
    expires_at = opened.attributes.expires_at
    wanted = NamedImage.parse(simple_signing.name_of(reference))
    is_fresh = expires_at is None or now < expires_at
    return is_fresh and claims.digest == image.digest and claims.image == wanted


def _descriptor(content: bytes, media_type: str) -> dict[str, Json]:
    return {"mediaType": media_type, "size": len(content), "digest": str(Digest.of(content))}
