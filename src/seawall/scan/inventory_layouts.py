"""OCI layouts (image-spec image-layout.md), as a directory or packed into a tar.

Paths are built from digests that parsed, never from names in the image. Manifests and configs are
held against their digests before they are parsed, layers while they are read.
"""

from __future__ import annotations

import io
import os
import platform as host
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

import msgspec

from seawall.core import limits
from seawall.core.errors import IntegrityError, InvalidInputError, NotFoundError
from seawall.oci import compression, manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Index, Manifest
from seawall.scan import inventory_archives as archives
from seawall.scan.image_source import CONFIG_MAX_BYTES, ImageSource, LayerSource

if TYPE_CHECKING:
    from seawall.oci.tar import Entry

MAX_INDEX_DEPTH: Final = 3
MARK: Final = "oci-layout"
"""The file by which a layout is known."""

_REF_NAME: Final = "org.opencontainers.image.ref.name"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


class Layout(Protocol):
    """Where the files of a layout lie."""

    def read(self, name: str, max_bytes: int) -> bytes:
        """Return a small file; at most one byte more than `max_bytes`. Raises NotFoundError."""
        ...

    def opener(self, name: str, descriptor: Descriptor) -> Callable[[], BinaryIO]:
        """Return what opens a blob, checked against its digest and size."""
        ...


class Folder(msgspec.Struct, frozen=True):
    """A layout in a directory."""

    path: Path

    def read(self, name: str, max_bytes: int) -> bytes:
        path = self.path / name
        if not path.is_file():
            raise NotFoundError(f"the layout has no {name}")
        with path.open("rb") as file:
            return file.read(max_bytes + 1)

    def opener(self, name: str, descriptor: Descriptor) -> Callable[[], BinaryIO]:
        path = self.path / name

        def open_blob() -> BinaryIO:
            if not path.is_file():
                raise NotFoundError(f"the layout has no {name}")
            file = path.open("rb")
            section = archives.Section(file, 0, descriptor.size, descriptor.digest, owns=True)
            if os.fstat(file.fileno()).st_size != descriptor.size:
                section.close()
                raise _wrong_size(descriptor)
            return io.BufferedReader(section, compression.PACKED_CHUNK)

        return open_blob


class Packed(msgspec.Struct, frozen=True):
    """A layout in an archive that is open and stays open."""

    file: BinaryIO
    members: dict[str, Entry]

    def read(self, name: str, max_bytes: int) -> bytes:
        if name not in self.members:
            raise NotFoundError(f"the layout has no {name}")
        return archives.member(self.file, self.members, name, max_bytes)

    def opener(self, name: str, descriptor: Descriptor) -> Callable[[], BinaryIO]:
        def open_blob() -> BinaryIO:
            if name not in self.members:
                raise NotFoundError(f"the layout has no {name}")
            offset, size = archives.find(self.members, name)
            if size != descriptor.size:
                raise _wrong_size(descriptor)
            return archives.section_opener(self.file, offset, size, descriptor.digest)()

        return open_blob


def sources_of(
    layout: Layout, *, name: str, label: str, platform: str, close: Callable[[], None]
) -> ImageSource:
    """Return the image of a layout that `name` and `platform` choose; `label` if it has no name.

    Raises NotFoundError, InvalidInputError, IntegrityError.
    """
    content = layout.read("index.json", limits.MANIFEST_MAX_BYTES)
    index = manifests.parse(content, media.OCI_INDEX)
    if not isinstance(index, Index):
        raise InvalidInputError("index.json is not an image index")
    chosen = _choose(index, name)
    manifest: manifests.ParsedManifest = index
    for _ in range(MAX_INDEX_DEPTH):
        manifest = manifests.parse(_blob(layout, chosen), chosen.media_type)
        if isinstance(manifest, Manifest):
            break
        chosen = of_platform(manifest, platform or own_platform())
    if not isinstance(manifest, Manifest):
        raise InvalidInputError(f"indexes are nested deeper than {MAX_INDEX_DEPTH}")
    return ImageSource(
        digest=chosen.digest,
        name=name or chosen.annotations.get(_REF_NAME, "") or label,
        layers=tuple(
            LayerSource(
                digest=layer.digest,
                media_type=layer.media_type,
                size=layer.size,
                open=layout.opener(_path(layer.digest), layer),
            )
            for layer in manifest.layers
        ),
        config=_blob(layout, manifest.config, CONFIG_MAX_BYTES),
        close=close,
    )


def own_platform() -> str:
    """Return `os/architecture` of the images that this machine runs."""
    return f"linux/{_ARCHITECTURES.get(host.machine(), host.machine())}"


def _path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _blob(
    layout: Layout, descriptor: Descriptor, max_bytes: int = limits.MANIFEST_MAX_BYTES
) -> bytes:
    content = layout.read(_path(descriptor.digest), max_bytes)
    if len(content) > max_bytes:
        raise InvalidInputError(f"{descriptor.digest} has more than {max_bytes} bytes")
    if not descriptor.digest.is_of(content):
        raise IntegrityError(f"the bytes of {descriptor.digest} are not what the digest says")
    return content


def _wrong_size(descriptor: Descriptor) -> IntegrityError:
    return IntegrityError(f"{descriptor.digest} does not have {descriptor.size} bytes")


def _choose(index: Index, name: str) -> Descriptor:
    found = [
        item for item in index.manifests if not name or item.annotations.get(_REF_NAME) == name
    ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(item.annotations.get(_REF_NAME, item.digest) for item in index.manifests[:20])
    if not found:
        raise NotFoundError(f"no image {name!r} in the layout; it has: {names or 'none'}")
    raise InvalidInputError("the layout holds several images", remedy=f"name one of: {names}")


def of_platform(index: Index, wanted: str) -> Descriptor:
    """Return the entry for `os/architecture[/variant]`. Raises NotFoundError."""
    known = [item for item in index.manifests if item.platform is not None]
    for item in known:
        if item.platform and f"{item.platform.os}/{item.platform.architecture}" == wanted:
            return item
    names = ", ".join(str(item.platform) for item in known[:20])
    raise NotFoundError(f"the image has nothing for {wanted}; it has: {names or 'none'}")
