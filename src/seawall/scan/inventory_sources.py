"""Images on the local disk: an OCI layout (a directory) or an archive of `docker save`.

Every byte is checked against the digest that names it: manifests and configs before they are
parsed, layers while they are read (a false one raises IntegrityError at its end). Paths are built
from digests that parsed, never from names in the image; nothing is unpacked to the disk except a
compressed archive as a whole, which needs random access.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform as host
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from seawall.core import limits, strictjson
from seawall.core.errors import IntegrityError, InvalidInputError, NotFoundError
from seawall.core.strictjson import Json
from seawall.oci import compression, layers, manifests, media
from seawall.oci.bounds import DEFAULT_LIMITS, Budget, Limits
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Index, Manifest
from seawall.oci.tar import Entry, Kind
from seawall.scan import inventory_config
from seawall.scan.inventory_layer import LayerSource

MAX_INDEX_DEPTH: Final = 3
MAX_ARCHIVE_ENTRIES: Final = 100_000
_REF_NAME: Final = "org.opencontainers.image.ref.name"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_HEX: Final = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json|\.tar)?")
_COMPRESSED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """An image that `inventory.take` can read. Close it, or use it in a `with`."""

    digest: str
    """Of the manifest; of the config for a docker archive, which has no manifest."""
    name: str
    layers: tuple[LayerSource, ...]
    config: bytes
    close: Callable[[], None]

    def __enter__(self) -> ImageSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_local(path: Path, *, name: str = "") -> ImageSource:
    """Open an OCI layout or a docker archive, whichever is at `path`.

    `name` chooses among several images. Raises NotFoundError, InvalidInputError, IntegrityError.
    """
    if path.is_dir():
        return sources_of_oci_layout(path, name=name)
    if path.is_file():
        return sources_of_docker_archive(path, name=name)
    raise NotFoundError(f"{path} is neither a directory nor a file")


def sources_of_oci_layout(path: Path, *, name: str = "", platform: str = "") -> ImageSource:
    """Open the OCI layout in the directory `path` (image-spec image-layout.md).

    `platform` is `os/architecture`; this machine's by default.
    """
    if not (path / "oci-layout").is_file():
        raise InvalidInputError(
            f"{path} is not an OCI layout: it has no file oci-layout",
            remedy="make one with skopeo copy … oci:DIRECTORY",
        )
    index = manifests.parse(_read_bounded(path / "index.json"), media.OCI_INDEX)
    if not isinstance(index, Index):
        raise InvalidInputError("index.json is not an image index")
    wanted = platform or f"linux/{_ARCHITECTURES.get(host.machine(), host.machine())}"
    chosen = _choose(index, name)
    manifest: manifests.ParsedManifest = index
    for _ in range(MAX_INDEX_DEPTH):
        manifest = manifests.parse(_blob(path, chosen), chosen.media_type)
        if isinstance(manifest, Manifest):
            break
        chosen = _of_platform(manifest, wanted)
    if not isinstance(manifest, Manifest):
        raise InvalidInputError(f"indexes are nested deeper than {MAX_INDEX_DEPTH}")
    return ImageSource(
        digest=chosen.digest,
        name=name or chosen.annotations.get(_REF_NAME, "") or str(path),
        layers=tuple(
            LayerSource(
                digest=layer.digest,
                media_type=layer.media_type,
                size=layer.size,
                open=_opener(path, layer),
            )
            for layer in manifest.layers
        ),
        config=_blob(path, manifest.config, inventory_config.MAX_BYTES),
        close=_nothing,
    )


def sources_of_docker_archive(
    path: Path, *, name: str = "", limits: Limits = DEFAULT_LIMITS
) -> ImageSource:
    """Open an archive of `docker save` or `podman save`, also one compressed with gzip or zstd."""
    file = _random_access(path, limits)
    try:
        return _docker_archive(file, path, name, limits)
    except BaseException:
        file.close()
        raise


def _docker_archive(file: BinaryIO, path: Path, name: str, bounds: Limits) -> ImageSource:
    members = _members(file, bounds)
    document = strictjson.decode(
        _member(file, members, "manifest.json", limits.MANIFEST_MAX_BYTES),
        max_bytes=limits.MANIFEST_MAX_BYTES,
    )
    image = _choose_docker(document, name)
    config_name = _json_text(image.get("Config"))
    config = _member(file, members, config_name, inventory_config.MAX_BYTES)
    digest = Digest.of(config)
    if (named := _HEX.fullmatch(config_name)) and named[1] != digest.hex:
        raise IntegrityError(f"the config is not what its name says: {digest}")
    names = image.get("Layers")
    if not isinstance(names, list) or len(names) > manifests.MAX_DESCRIPTORS:
        raise InvalidInputError("manifest.json: Layers must be a list")
    diff_ids = _diff_ids(config)
    if len(diff_ids) != len(names):
        raise InvalidInputError("the config and manifest.json disagree about the layers")
    sources = []
    for item, diff_id in zip(names, diff_ids, strict=True):
        layer_name = _json_text(item)
        named = _HEX.fullmatch(layer_name) if layer_name.startswith("blobs/") else None
        layer_digest = Digest.parse(f"sha256:{named[1]}") if named else diff_id
        offset, size = _find(members, layer_name)
        sources.append(
            LayerSource(
                digest=layer_digest,
                media_type=media.DOCKER_LAYER,
                size=size,
                open=_section_opener(file, offset, size, layer_digest),
            )
        )
    tags = image.get("RepoTags")
    tag = tags[0] if isinstance(tags, list) and tags else ""
    return ImageSource(
        digest=digest,
        name=name or (tag if isinstance(tag, str) else "") or str(path),
        layers=tuple(sources),
        config=config,
        close=file.close,
    )


class _Section(io.RawIOBase):
    """Part of a file, checked against its digest when the end is reached."""

    def __init__(self, file: BinaryIO, offset: int, size: int, digest: Digest, *, owns: bool):
        self._file = file
        self._at = offset
        self._left = size
        self._digest = digest
        self._hash = hashlib.new(digest.algorithm)
        self._owns = owns

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer)[: self._left]
        count = os.preadv(self._file.fileno(), [view], self._at) if len(view) else 0
        self._hash.update(view[:count])
        self._at += count
        self._left -= count
        if not count and (self._left or self._hash.hexdigest() != self._digest.hex):
            raise IntegrityError(f"the bytes of {self._digest} are not what the digest says")
        return count

    def close(self) -> None:
        if self._owns:
            self._file.close()
        super().close()


def _opener(layout: Path, descriptor: Descriptor) -> Callable[[], BinaryIO]:
    def open_blob() -> BinaryIO:
        file = _open_blob(layout, descriptor.digest)
        section = _Section(file, 0, descriptor.size, descriptor.digest, owns=True)
        if os.fstat(file.fileno()).st_size != descriptor.size:
            section.close()
            raise IntegrityError(f"{descriptor.digest} does not have {descriptor.size} bytes")
        return io.BufferedReader(section, compression.PACKED_CHUNK)

    return open_blob


def _section_opener(
    file: BinaryIO, offset: int, size: int, digest: Digest
) -> Callable[[], BinaryIO]:
    def open_section() -> BinaryIO:
        section = _Section(file, offset, size, digest, owns=False)
        return io.BufferedReader(section, compression.PACKED_CHUNK)

    return open_section


def _open_blob(layout: Path, digest: Digest) -> BinaryIO:
    path = layout / "blobs" / digest.algorithm / digest.hex
    if not path.is_file():
        raise NotFoundError(f"the layout has no blob {digest}")
    return path.open("rb")


def _blob(
    layout: Path, descriptor: Descriptor, max_bytes: int = limits.MANIFEST_MAX_BYTES
) -> bytes:
    with _open_blob(layout, descriptor.digest) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise InvalidInputError(f"{descriptor.digest} has more than {max_bytes} bytes")
    if not descriptor.digest.is_of(content):
        raise IntegrityError(f"the bytes of {descriptor.digest} are not what the digest says")
    return content


def _read_bounded(path: Path) -> bytes:
    if not path.is_file():
        raise InvalidInputError(f"{path.name} is missing from the layout")
    with path.open("rb") as file:
        return file.read(limits.MANIFEST_MAX_BYTES + 1)  # the parser refuses one byte too many


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


def _of_platform(index: Index, wanted: str) -> Descriptor:
    known = [item for item in index.manifests if item.platform is not None]
    for item in known:
        if item.platform and f"{item.platform.os}/{item.platform.architecture}" == wanted:
            return item
    names = ", ".join(str(item.platform) for item in known[:20])
    raise NotFoundError(f"the image has nothing for {wanted}; it has: {names or 'none'}")


def _choose_docker(document: Json, name: str) -> dict[str, Json]:
    images = document if isinstance(document, list) else []
    found = [image for image in images if isinstance(image, dict) and _has_tag(image, name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFoundError(f"no image {name!r} in the archive" if name else "an empty archive")
    tags = ", ".join(str(image.get("RepoTags")) for image in found[:20])
    raise InvalidInputError("the archive holds several images", remedy=f"name one of: {tags}")


def _has_tag(image: dict[str, Json], name: str) -> bool:
    tags = image.get("RepoTags")
    return not name or (isinstance(tags, list) and name in tags)


def _diff_ids(config: bytes) -> list[Digest]:
    document = strictjson.decode_object(config, max_bytes=inventory_config.MAX_BYTES)
    rootfs = document.get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(found, list):
        raise InvalidInputError("the config has no rootfs.diff_ids")
    return [Digest.parse(_json_text(item)) for item in found]


def _random_access(path: Path, bounds: Limits) -> BinaryIO:
    """Return the archive as a plain file; a compressed one is unpacked into an unnamed file."""
    file = path.open("rb")
    if not file.read(4).startswith(_COMPRESSED):
        return file
    file.seek(0)
    folder = path.parent if os.access(path.parent, os.W_OK) else None
    plain = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 — ImageSource.close closes it
    try:
        with file:
            for chunk in compression.unpack(file, Budget(bounds)):
                plain.write(chunk)
        plain.flush()
    except BaseException:
        plain.close()
        raise
    return plain


def _members(file: BinaryIO, bounds: Limits) -> dict[str, Entry]:
    file.seek(0)
    members: dict[str, Entry] = {}
    for entry in layers.walk(file, media.DOCKER_LAYER, bounds):
        if len(members) == MAX_ARCHIVE_ENTRIES:
            raise InvalidInputError(f"the archive has more than {MAX_ARCHIVE_ENTRIES} entries")
        if entry.kind in (Kind.FILE, Kind.SYMLINK, Kind.HARDLINK):
            members[entry.path] = entry
    return members


def _find(members: dict[str, Entry], name: str) -> tuple[int, int]:
    """Return offset and size; old archives link a layer that they already hold."""
    entry = members.get(name)
    if entry is not None and entry.kind is not Kind.FILE:
        target = entry.link.decode("utf-8", "replace")
        if entry.kind is Kind.SYMLINK:
            target = f"{entry.path.rpartition('/')[0]}/{target}"
        try:
            entry = members.get(layers.canonical_path(target))
        except ValueError:
            entry = None
    if entry is None or entry.kind is not Kind.FILE:
        raise InvalidInputError(
            f"the archive has no file {name[:200]!r}", remedy="make it with docker save"
        )
    return entry.offset, entry.size


def _member(file: BinaryIO, members: dict[str, Entry], name: str, max_bytes: int) -> bytes:
    offset, size = _find(members, name)
    if size > max_bytes:
        raise InvalidInputError(f"{name[:200]!r} has more than {max_bytes} bytes")
    return os.pread(file.fileno(), size, offset)


def _json_text(value: Json) -> str:
    if not isinstance(value, str):
        raise InvalidInputError("the archive's description holds something that is not a text")
    return value


def _nothing() -> None:
    """A layout holds no open file between reads."""
