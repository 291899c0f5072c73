"""A pack of fingerprints in one file: an OCI layout in a tar, with cosign's signatures beside it.

    index.json     the artifact, and what refers to it
    the artifact   one layer, the pack; annotated with its name
    signatures     as cosign has them: the tag sha256-….sig, and bundles that refer to it

So any OCI tool can carry it into a registry and out again, and cosign can verify it there. A
signature binds the name: one for `fingerprints/debian-12` is none for `fingerprints/ubuntu-24.04`.
Refused: what is unsigned, unless somebody says otherwise; bytes that are not what digests say.
"""

from __future__ import annotations

import datetime as dt
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from seawall.core import files, limits, strictjson
from seawall.core.errors import DeniedError, IntegrityError, InvalidInputError, NotFoundError
from seawall.core.strictjson import Json
from seawall.oci import manifests, media
from seawall.oci.bounds import ArchiveError, Limits
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Index, Manifest
from seawall.oci.names import Reference, RepositoryName
from seawall.scan import inventory_archives
from seawall.scan.fingerprints import pack as packs
from seawall.scan.fingerprints import shelf
from seawall.scan.fingerprints.pack import Pack
from seawall.scan.inventory_layouts import Packed
from seawall.trust import bundle, cosign, detached, key_files, proof
from seawall.trust.cosign import BlobUpload, ManifestUpload
from seawall.trust.detached import Beside, Wanted
from seawall.trust.model import SignatureFormat, TrustedKey, UnverifiedSignature
from seawall.trust.signing import Signer

ARTIFACT: Final = "application/vnd.seawall.fingerprints.v1"
LAYER: Final = "application/vnd.seawall.fingerprints.pack.v1+msgpack"
NAME: Final = "dev.seawall.fingerprints.name"
HOST: Final = "fingerprints.invalid"
"""A signed name has a host. This one is nobody's (RFC 6761); it is not looked at."""

_REF_NAME: Final = "org.opencontainers.image.ref.name"
_LIMITS: Final = Limits(max_unpacked_bytes=packs.MAX_PACK_BYTES + 64 * limits.MIB, max_seconds=120)
_EMPTY: Final = b"{}"


def write(path: Path, name: str, pack: Pack, keys: Sequence[Signer]) -> Digest:
    """Write a pack, signed by all keys; return the digest of the artifact. Raises LimitError."""
    content = pack.to_bytes()
    manifest = strictjson.encode(
        {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "artifactType": ARTIFACT,
            "config": _json(_EMPTY, media.OCI_EMPTY),
            "layers": [_json(content, LAYER)],
            "annotations": {NAME: shelf.checked(name)},
        }
    )
    image = Descriptor(
        media_type=media.OCI_MANIFEST, digest=Digest.of(manifest), size=len(manifest)
    )
    reference = Reference.parse(f"{HOST}/{_repository(name)}")
    now = dt.datetime.now(dt.UTC)
    found = _Blobs()
    found.add(_EMPTY)
    found.add(content)
    found.add_manifest(image, manifest, {_REF_NAME: name})
    tag_manifest: bytes | None = None
    for key in keys:
        wanted = Wanted(digest=image.digest, reference=reference, key=key.public)
        made = detached.make(image, reference, key, now)
        beside = Beside(tag_manifest=tag_manifest)
        for upload in detached.uploads(made, image, wanted, now, beside=beside):
            if isinstance(upload, BlobUpload):
                found.add(upload.content)
            elif upload.tag is not None:
                tag_manifest = upload.content  # holds the signatures of the keys before
            else:
                found.add_manifest(_descriptor(upload), upload.content, {})
    if tag_manifest is not None:
        tagged = Descriptor(
            media_type=media.OCI_MANIFEST,
            digest=Digest.of(tag_manifest),
            size=len(tag_manifest),
        )
        found.add_manifest(
            tagged, tag_manifest, {_REF_NAME: str(cosign.signature_tag(image.digest))}
        )
    files.write_public(path, found.archive())
    return image.digest


def read(
    path: Path, keys: Sequence[Path], *, name: str = "", unsafe_unsigned: bool = False
) -> tuple[str, Pack, tuple[str, ...]]:
    """Return the name of the pack in a file, the pack, and the keys that have signed it.

    `name` is another name to give it. Raises NotFoundError, InvalidInputError, IntegrityError, and
    DeniedError for a file that none of `keys` has signed.
    """
    if not keys and not unsafe_unsigned:
        raise InvalidInputError(
            f"whose signature must {path} have?",
            remedy="name the public key of who made it: --key FILE",
        )
    trusted = [_trusted(key) for key in keys]
    try:
        with path.open("rb") as file:
            layout = Packed(file, inventory_archives.members_of(file, _LIMITS))
            return _read(layout, trusted, path, name)
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
    except ArchiveError as error:
        raise _no_export(path, error.message) from error


def _read(
    layout: Packed, trusted: Sequence[TrustedKey], path: Path, name: str
) -> tuple[str, Pack, tuple[str, ...]]:
    index = manifests.parse(layout.read("index.json", limits.MANIFEST_MAX_BYTES), media.OCI_INDEX)
    if not isinstance(index, Index) or len(index.manifests) > proof.MAX_SIGNATURES + 2:
        raise _no_export(path, "its index is none, or too long")
    listed = [(one, _manifest(layout, one)) for one in index.manifests]
    artifacts = [(one, found) for one, found in listed if found.artifact_type == ARTIFACT]
    if len(artifacts) != 1 or len(artifacts[0][1].layers) != 1:
        raise _no_export(path, "it does not hold one pack")
    image, manifest = artifacts[0]
    told = shelf.checked(manifest.annotations.get(NAME, ""))
    signed_by: tuple[str, ...] = ()
    if trusted:  # before a byte of the pack is parsed
        signatures = _signatures(layout, image.digest, listed)
        signed_by = _proven(image.digest, told, signatures, trusted, path)
    layer = manifest.layers[0]
    if layer.media_type != LAYER or layer.size > packs.MAX_PACK_BYTES:
        raise _no_export(path, f"its layer is {layer.media_type[:80]!r}, or too large")
    return shelf.checked(name or told), packs.from_bytes(_blob(layout, layer)), signed_by


def _proven(
    subject: Digest,
    name: str,
    signatures: Sequence[UnverifiedSignature],
    trusted: Sequence[TrustedKey],
    path: Path,
) -> tuple[str, ...]:
    proven = proof.verify(
        subject,
        repository=_repository(name),
        tag=None,
        artifacts=signatures,
        keys=trusted,
        now=dt.datetime.now(dt.UTC),
    )
    # Stock cosign's bundles name no repository; here the name is what a signature is about.
    if not proven.is_valid or not all(one.is_bound_to_repository for one in proven.signatures):
        failed = proven.failures[0].detail if proven.failures else "no signature names the pack"
        raise DeniedError(
            f"{path} is not signed by a key that was named: {failed}",
            remedy="have it signed by its maker, or name the maker's key: --key FILE",
        )
    return tuple(sorted({str(one.key_id) for one in proven.signatures}))


def _signatures(
    layout: Packed, subject: Digest, listed: Sequence[tuple[Descriptor, Manifest]]
) -> list[UnverifiedSignature]:
    found: list[UnverifiedSignature] = []
    tag = str(cosign.signature_tag(subject))
    for one, manifest in listed:
        if one.annotations.get(_REF_NAME) == tag:
            content = _blob(layout, one, limits.MANIFEST_MAX_BYTES)
            for layer in cosign.tag_layers(content):
                described = Descriptor(media_type="", digest=layer.digest, size=layer.size)
                payload = _blob(layout, described, bundle.MAX_BYTES)
                found.append(layer.artifact(payload, str(one.digest.short)))
        elif manifest.subject is not None and manifest.subject.digest == subject:
            content = _blob(layout, one, limits.MANIFEST_MAX_BYTES)
            held = cosign.bundle_layer(content, subject)
            if held is not None:
                bundled = _blob(layout, held, bundle.MAX_BYTES)
                found.append(
                    UnverifiedSignature(
                        format=SignatureFormat.SIGSTORE_BUNDLE,
                        content=bundled,
                        source=str(one.digest.short),
                    )
                )
    return found


def _manifest(layout: Packed, listed: Descriptor) -> Manifest:
    parsed = manifests.parse(_blob(layout, listed, limits.MANIFEST_MAX_BYTES), listed.media_type)
    if not isinstance(parsed, Manifest):
        raise InvalidInputError("the file holds an index within its index")
    return parsed


def _blob(layout: Packed, listed: Descriptor, max_bytes: int = packs.MAX_PACK_BYTES) -> bytes:
    content = layout.read(f"blobs/{listed.digest.algorithm}/{listed.digest.hex}", max_bytes)
    if len(content) != listed.size or not listed.digest.is_of(content):
        raise IntegrityError(
            f"the bytes of {listed.digest} are not what the digest says",
            remedy="the file was altered or cut: fetch it again",
        )
    return content


def _trusted(path: Path) -> TrustedKey:
    key = key_files.read_public(path)
    return TrustedKey(key_id=key.key_id, name=path.name, public_pem=key.pem, patterns=("**",))


def _no_export(path: Path, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{path} is not a file that `seawall fingerprints export` wrote: {why}",
        remedy="packages themselves are learned: seawall fingerprints learn FILE",
    )


def _repository(name: str) -> RepositoryName:
    return RepositoryName.parse(f"fingerprints/{name}")


def _descriptor(upload: ManifestUpload) -> Descriptor:
    return Descriptor(media_type=upload.media_type, digest=upload.digest, size=len(upload.content))


def _json(content: bytes, media_type: str) -> dict[str, Json]:
    return {"mediaType": media_type, "size": len(content), "digest": str(Digest.of(content))}


class _Blobs:
    """The files of a layout while they are gathered; the same content, the same archive."""

    def __init__(self) -> None:
        self._blobs: dict[Digest, bytes] = {}
        self._listed: list[Json] = []

    def add(self, content: bytes) -> None:
        self._blobs[Digest.of(content)] = content

    def add_manifest(
        self, described: Descriptor, content: bytes, annotations: dict[str, Json]
    ) -> None:
        """Add a manifest and name it in the index."""
        self.add(content)
        entry = _json(content, described.media_type)
        if annotations:
            entry["annotations"] = annotations
        self._listed.append(entry)

    def archive(self) -> bytes:
        index: dict[str, Json] = {
            "schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": self._listed,
        }  # fmt: skip
        members = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        members["index.json"] = strictjson.encode(index)
        for digest, content in self._blobs.items():
            members[f"blobs/{digest.algorithm}/{digest.hex}"] = content
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
        return packed.getvalue()
