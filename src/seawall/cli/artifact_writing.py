"""Writes the files that `artifact_files` reads: an artifact, signed, as an OCI layout in a tar.

Blobs may be larger than the memory: they lie in files and are copied from there.
"""

from __future__ import annotations

import datetime as dt
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from seawall.cli.artifact_files import REF_NAME, Kind
from seawall.core import files, strictjson
from seawall.core.errors import NotFoundError
from seawall.core.strictjson import Json
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference, RepositoryName
from seawall.scan import inventory_layouts
from seawall.trust import cosign, detached
from seawall.trust.cosign import BlobUpload, ManifestUpload
from seawall.trust.detached import Beside, Wanted
from seawall.trust.signing import Signer

_Content: TypeAlias = bytes | BinaryIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A config or layer; `content` are its bytes, or a file that holds them from its beginning."""

    media_type: str
    digest: Digest
    size: int  # bytes
    content: _Content
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Blob:
        return cls(
            media_type=media_type, digest=Digest.of(content), size=len(content), content=content
        )

    def described(self) -> dict[str, Json]:
        """Return its descriptor, for a manifest."""
        found = _json(self.media_type, self.digest, self.size)
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return found


EMPTY: Final = Blob.of(b"{}", media.OCI_EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an artifact is made of. `name` stands in the index, for tools that choose by name."""

    kind: Kind
    name: str
    repository: RepositoryName
    layers: Sequence[Blob]
    config: Blob = EMPTY
    annotations: Mapping[str, str] = field(default_factory=dict)


def write(path: Path, content: Content, keys: Sequence[Signer]) -> Digest:
    """Write an artifact, signed by all keys; return its digest. Raises NotFoundError, OSError."""
    folder_of(path)
    manifest = strictjson.encode(
        {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "artifactType": content.kind.artifact_type,
            "config": content.config.described(),
            "layers": [layer.described() for layer in content.layers],
            "annotations": dict(content.annotations),
        }
    )
    image = Descriptor(
        media_type=media.OCI_MANIFEST, digest=Digest.of(manifest), size=len(manifest)
    )
    layout = _Layout()
    for blob in (content.config, *content.layers):
        layout.add(blob.digest, blob.size, blob.content)
    layout.add_manifest(manifest, {REF_NAME: content.name})
    name = Reference.parse(f"{content.kind.host}/{content.repository}")
    _sign(layout, image, name, keys)
    with files.writing_public(path) as file:
        layout.write(file)
    return image.digest


def folder_of(path: Path) -> Path:
    """Return the folder in which a file is to be written. Raises NotFoundError."""
    if not path.parent.is_dir():
        raise NotFoundError(f"there is no folder {path.parent}", remedy="make it first")
    return path.parent


def _sign(layout: _Layout, image: Descriptor, name: Reference, keys: Sequence[Signer]) -> None:
    now = dt.datetime.now(dt.UTC)
    tag_manifest: bytes | None = None
    for key in keys:
        wanted = Wanted(digest=image.digest, reference=name, key=key.public)
        made = detached.make(image, name, key, now)
        beside = Beside(tag_manifest=tag_manifest)
        for upload in detached.uploads(made, image, wanted, now, beside=beside):
            match upload:
                case BlobUpload():
                    layout.add(upload.digest, len(upload.content), upload.content)
                case ManifestUpload(tag=None):
                    layout.add_manifest(upload.content, {})
                case ManifestUpload():
                    tag_manifest = upload.content  # holds the signatures of the keys before
    if tag_manifest is not None:
        layout.add_manifest(tag_manifest, {REF_NAME: str(cosign.signature_tag(image.digest))})


class _Layout:
    """The files of a layout while they are gathered; the same content, the same archive."""

    def __init__(self) -> None:
        self._blobs: dict[Digest, tuple[int, _Content]] = {}
        self._listed: list[Json] = []

    def add(self, digest: Digest, size: int, content: _Content) -> None:
        self._blobs[digest] = (size, content)

    def add_manifest(self, content: bytes, annotations: dict[str, Json]) -> None:
        """Add a manifest and name it in the index."""
        digest = Digest.of(content)
        self.add(digest, len(content), content)
        entry = _json(media.OCI_MANIFEST, digest, len(content))
        if annotations:
            entry["annotations"] = annotations
        self._listed.append(entry)

    def write(self, file: BinaryIO) -> None:
        index: dict[str, Json] = {
            "schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": self._listed,
        }  # fmt: skip
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            # The mark stands first: by it the file is known.
            _add(archive, inventory_layouts.MARK, b'{"imageLayoutVersion":"1.0.0"}')
            _add(archive, "index.json", strictjson.encode(index))
            for digest, (size, content) in self._blobs.items():
                _add(archive, f"blobs/{digest.algorithm}/{digest.hex}", content, size)


def _add(archive: tarfile.TarFile, name: str, content: _Content, size: int = 0) -> None:
    """Add a member; `size` is that of a file."""
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    if isinstance(content, bytes):
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    else:
        entry.size = size
        content.seek(0)
        archive.addfile(entry, content)


def _json(media_type: str, digest: Digest, size: int) -> dict[str, Json]:
    return {"mediaType": media_type, "size": size, "digest": str(digest)}
