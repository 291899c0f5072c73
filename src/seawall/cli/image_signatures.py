"""Signatures of an image in a registry: find them, add ours.

The I/O that stands around `trust.cosign`, over one `RegistryClient`. They are judged in
`image_judging`.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from seawall.cli._beside import Beside
from seawall.cli.registry_client import Fetched, RegistryClient
from seawall.core import limits, strictjson
from seawall.core.errors import (
    ConflictError,
    InvalidInputError,
    LimitError,
    SeawallError,
    UnavailableError,
)
from seawall.core.strictjson import Json
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Index
from seawall.oci.names import Reference, RepositoryName
from seawall.trust import bundle, cosign, referrers, simple_signing
from seawall.trust.cosign import BlobUpload, ManifestUpload, Upload
from seawall.trust.model import MAX_SIGNATURES, SignatureFormat, UnverifiedSignature
from seawall.trust.signing import Signer

MAX_PLATFORMS: Final = 256
MAX_ATTEMPTS: Final = 4
"""Rounds of pushing and looking before signing gives up."""

AT_ONCE: Final = 2
"""Blobs that are pushed at the same time: signing has as many connections open by then."""

_ATTESTATION_PLATFORM: Final = "unknown"  # how buildkit lists what is no image


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was found beside an image. Nothing of it is verified."""

    artifacts: tuple[UnverifiedSignature, ...]
    tag_manifest: bytes | None  # behind the `.sig` tag


class Planner(Protocol):
    """Says what else to push for an image, given what is there; nothing when it is there."""

    def __call__(
        self, image: Descriptor, reference: Reference, existing: Sequence[UnverifiedSignature]
    ) -> Sequence[Upload]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """One manifest that was signed; `is_new` is False when this key had signed it before."""

    digest: Digest
    platform: str
    is_new: bool


def sign_image(
    client: RegistryClient,
    reference: Reference,
    image: Fetched,
    key: Signer,
    now: dt.datetime,
    *,
    log: bundle.Log | None = None,
    planners: Sequence[Planner] = (),
    found: Collected | None = None,
) -> tuple[Signed, ...]:
    """Sign the image that `reference` names; of an index, it and the manifest of each platform.

    cosign's formats are always made; `planners` add others. With a `log`, each new bundle is
    entered there and holds the proof. `found` is what was collected a moment ago of `image` itself.

    What was pushed before is not undone when a later push fails; signing again goes on. Raises
    ConflictError when the registry does not keep what was pushed.
    """
    return tuple(
        Signed(
            digest=target.digest,
            platform=str(target.platform) if target.platform else "",
            is_new=_sign(
                client,
                reference,
                target,
                key,
                now,
                log=log,
                planners=planners,
                found=found if target.digest == image.digest else None,
            ),
        )
        for target in (image.descriptor, *platforms(image))
    )


def collect(client: RegistryClient, repository: RepositoryName, subject: Digest) -> Collected:
    """Fetch all that claims to be a signature of `subject`, in all formats.

    One that cannot be had is kept as an empty one, so that the proof shows it as failed.
    """
    tag = cosign.signature_tag(subject)
    behind_tag = client.find_manifest(repository, tag)
    artifacts: list[UnverifiedSignature] = []
    if behind_tag is not None:
        artifacts += _tag_artifacts(client, repository, behind_tag.content)
    artifacts += _referring_artifacts(client, repository, subject)
    return Collected(
        artifacts=tuple(artifacts), tag_manifest=behind_tag.content if behind_tag else None
    )


def push(client: RegistryClient, repository: RepositoryName, uploads: Sequence[Upload]) -> None:
    """Push the blobs, some at once, then the manifests in their order.

    Referrers are listed where the registry does not do it by itself.
    """
    blobs = [upload.content for upload in uploads if isinstance(upload, BlobUpload)]
    for start in range(0, len(blobs), AT_ONCE):
        first, *others = blobs[start : start + AT_ONCE]
        beside = [Beside(functools.partial(client.put_blob, repository, one)) for one in others]
        client.put_blob(repository, first)
        for other in beside:
            other.wait()
    for upload in uploads:
        if isinstance(upload, ManifestUpload):
            _push_manifest(client, repository, upload)


def push_until_seen(
    client: RegistryClient,
    repository: RepositoryName,
    subject: Digest,
    plan: Callable[[Collected], Sequence[Upload]],
    *,
    found: Collected | None = None,
) -> bool:
    """Push what `plan` says until it says nothing; tell whether there was anything to do.

    `found` is what was collected a moment ago, if it was.

    All formats may be lists behind a tag that somebody else may be writing at the same moment (the
    protocol has no compare-and-swap), so what was pushed is looked up again. Raises ConflictError.
    """
    for attempt in range(MAX_ATTEMPTS):
        uploads = plan(found or collect(client, repository, subject))
        if not uploads:
            return attempt > 0
        push(client, repository, uploads)
        found = None
    raise ConflictError(
        f"the registry does not keep the signature of {subject}",
        remedy="somebody else may be signing at this moment: try again",
    )


def platforms(image: Fetched) -> list[Descriptor]:
    """Return the images of an index; none of anything else. Raises LimitError."""
    parsed = manifests.parse(image.content, image.media_type)
    if not isinstance(parsed, Index):
        return []
    found = [
        entry
        for entry in parsed.manifests
        if entry.media_type in media.MANIFESTS
        and not (entry.platform and entry.platform.os == _ATTESTATION_PLATFORM)
    ]
    if len(found) > MAX_PLATFORMS:
        raise LimitError(f"an index of {len(found)} images, more than {MAX_PLATFORMS}")
    return found


def referring(
    client: RegistryClient, repository: RepositoryName, subject: Digest
) -> tuple[Descriptor, ...]:
    """List what refers to `subject`, by the API or under the fallback tag. Nothing is verified."""
    found = client.find_referrers(repository, subject)
    if found is not None:
        return found
    index = client.find_manifest(repository, cosign.fallback_tag(subject))
    if index is None:
        return ()
    parsed = manifests.parse(index.content, index.media_type)
    return parsed.manifests if isinstance(parsed, Index) else ()


def _sign(
    client: RegistryClient,
    reference: Reference,
    target: Descriptor,
    key: Signer,
    now: dt.datetime,
    *,
    log: bundle.Log | None,
    planners: Sequence[Planner],
    found: Collected | None,
) -> bool:
    def plan(found: Collected) -> Sequence[Upload]:
        uploads = [
            *cosign.plan(
                target,
                reference,
                key,
                now,
                existing=found.artifacts,
                tag_manifest=found.tag_manifest,
                log=log,
            )
        ]
        for more in planners:
            uploads += more(target, reference, found.artifacts)
        return uploads

    return push_until_seen(client, reference.repository, target.digest, plan, found=found)


def _push_manifest(
    client: RegistryClient, repository: RepositoryName, upload: ManifestUpload
) -> None:
    target = upload.tag or upload.digest
    is_listed = client.put_manifest(repository, target, upload.content, upload.media_type)
    if upload.subject is not None and not is_listed:
        _list_under_fallback_tag(client, repository, upload.subject, upload)


def _tag_artifacts(
    client: RegistryClient, repository: RepositoryName, tag_manifest: bytes
) -> list[UnverifiedSignature]:
    kind, source = SignatureFormat.COSIGN_TAG, "tag .sig"
    try:
        layers = cosign.tag_layers(tag_manifest)
    except SeawallError as error:
        return [_broken(kind, source, error)]
    artifacts = []
    for layer in layers[: MAX_SIGNATURES + 1]:
        try:
            content = client.get_blob(repository, layer.digest, max_bytes=simple_signing.MAX_BYTES)
        except UnavailableError:
            raise
        except SeawallError as error:
            artifacts.append(_broken(kind, source, error))
            continue
        artifacts.append(layer.artifact(content, source))
    return artifacts


def _referring_artifacts(
    client: RegistryClient, repository: RepositoryName, subject: Digest
) -> list[UnverifiedSignature]:
    artifacts = []
    listed = [entry for entry in referring(client, repository, subject) if _is_wanted(entry)]
    for entry in listed[: MAX_SIGNATURES + 1]:
        source = f"referrer {entry.digest.short}"
        try:
            manifest = client.get_manifest(repository, entry.digest)
            layer = referrers.layer(manifest.content, subject)
            if layer is None:
                continue
            blob = layer.descriptor.digest
            content = client.get_blob(repository, blob, max_bytes=referrers.MAX_BYTES)
        except UnavailableError:
            raise
        except SeawallError as error:
            artifacts.append(_broken(SignatureFormat.SIGSTORE_BUNDLE, source, error))
            continue
        artifacts.append(UnverifiedSignature(format=layer.format, content=content, source=source))
    return artifacts


def _is_wanted(entry: Descriptor) -> bool:
    return entry.media_type == media.OCI_MANIFEST and referrers.may_be_signature(entry)


def _list_under_fallback_tag(
    client: RegistryClient,
    repository: RepositoryName,
    subject: Digest,
    upload: ManifestUpload,
) -> None:
    """Add the referrer to the index behind `sha256-<hex>`: read, extend, write back (a race)."""
    tag = cosign.fallback_tag(subject)
    found = client.find_manifest(repository, tag)
    document: dict[str, Json] = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": []}
    if found is not None:
        if not isinstance(manifests.parse(found.content, found.media_type), Index):
            raise InvalidInputError(f"the tag {tag} holds something else than a list of referrers")
        document = strictjson.decode_object(found.content, max_bytes=limits.MANIFEST_MAX_BYTES)
    entries = document.get("manifests")
    known = entries if isinstance(entries, list) else []
    entry: dict[str, Json] = {
        "mediaType": upload.media_type,
        "size": len(upload.content),
        "digest": str(upload.digest),
        "artifactType": upload.artifact_type,
        "annotations": dict(upload.annotations),
    }
    document["manifests"] = [*known, entry]
    client.put_manifest(repository, tag, strictjson.encode(document), media.OCI_INDEX)


def _broken(kind: SignatureFormat, source: str, error: SeawallError) -> UnverifiedSignature:
    return UnverifiedSignature(format=kind, content=b"", source=f"{source}, {error.message}")
