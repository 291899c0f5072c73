"""Copies what stands beside an image (signatures, attestations) from one registry to another.

Artifacts are copied by digest and byte for byte: no key is needed, and nothing is made valid by it.
What is copied: cosign's `.sig` and `.att` tags, and referrers that hold a Sigstore bundle or a
signature of the Notary Project. A layer above its bound is named and left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from seawall.cli import image_signatures
from seawall.cli.registry_client import Fetched, RegistryClient
from seawall.core.errors import ConflictError, SeawallError, UnavailableError
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Manifest
from seawall.oci.names import RepositoryName, Tag
from seawall.trust import bundle, cosign
from seawall.trust.attestations import envelope, plan

NOTATION: Final = "application/vnd.cncf.notary.signature"
ARTIFACTS: Final = frozenset({bundle.MEDIA_TYPE, NOTATION})
MAX_REFERRERS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository of a registry."""

    client: RegistryClient
    repository: RepositoryName


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """One artifact; `is_new` is False when it was there, `problem` says why it was left out."""

    name: str
    is_new: bool = False
    problem: str = ""


def copy(source: Place, target: Place, subject: Digest) -> Iterator[Copied]:
    """Copy all that stands beside `subject`; copying again changes nothing.

    A registry that does not answer ends it: begin again, and it goes on where it was.
    """
    for tag in (cosign.signature_tag(subject), plan.attestation_tag(subject)):
        found = source.client.find_manifest(source.repository, tag)
        if found is not None:
            yield _one(source, target, found, tag)
    for entry in _listed(source, subject):
        manifest = source.client.find_manifest(source.repository, entry.digest)
        if manifest is not None and _is_wanted(manifest, subject):
            yield _one(source, target, manifest, None)


def _listed(source: Place, subject: Digest) -> list[Descriptor]:
    listed = image_signatures.referring(source.client, source.repository, subject)
    return [one for one in listed if one.media_type == media.OCI_MANIFEST][:MAX_REFERRERS]


def _is_wanted(found: Fetched, subject: Digest) -> bool:
    try:
        parsed = manifests.parse(found.content, found.media_type)
    except SeawallError:
        return False
    return (
        isinstance(parsed, Manifest)
        and parsed.subject is not None
        and parsed.subject.digest == subject
        and _kind(parsed) in ARTIFACTS
    )


def _kind(parsed: Manifest) -> str:
    return parsed.artifact_type or parsed.config.media_type


def _one(source: Place, target: Place, found: Fetched, tag: Tag | None) -> Copied:
    name = str(tag) if tag is not None else str(found.digest)
    there = target.client.find_manifest(target.repository, tag or found.digest)
    if there is not None and there.digest == found.digest:
        return Copied(name=name)
    try:
        if there is not None:
            raise ConflictError("other signatures stand behind this tag there already")
        _push(source, target, found, tag)
    except UnavailableError:
        raise
    except SeawallError as error:
        return Copied(name=name, problem=str(error.message))
    return Copied(name=name, is_new=True)


def _push(source: Place, target: Place, found: Fetched, tag: Tag | None) -> None:
    parsed = manifests.parse(found.content, found.media_type)
    if not isinstance(parsed, Manifest):
        raise ConflictError("it is an index, and no artifact")
    for blob in {one.digest: one for one in (parsed.config, *parsed.layers)}.values():
        content = source.client.get_blob(
            source.repository, blob.digest, max_bytes=min(blob.size, envelope.MAX_BYTES)
        )
        target.client.put_blob(target.repository, content)
    upload = cosign.ManifestUpload(
        content=found.content,
        media_type=found.media_type,
        tag=tag,
        subject=parsed.subject.digest if parsed.subject else None,
        artifact_type=_kind(parsed),
        annotations=tuple(parsed.annotations.items()),
    )
    image_signatures.push(target.client, target.repository, [upload])
