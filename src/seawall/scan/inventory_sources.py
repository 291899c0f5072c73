"""Images on the local disk: an OCI layout (a directory) or an archive of `docker save`.

Every byte is checked against the digest that names it: manifests and configs before they are
parsed, layers while they are read (a false one raises IntegrityError at its end). Paths are built
from digests that parsed, never from names in the image; nothing is unpacked to the disk except a
compressed archive as a whole, which needs random access.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from seawall.core import limits, strictjson
from seawall.core.errors import IntegrityError, InvalidInputError, NotFoundError
from seawall.core.strictjson import Json
from seawall.oci import manifests, media
from seawall.oci.bounds import DEFAULT_LIMITS, Limits
from seawall.oci.digest import Digest
from seawall.scan import inventory_archives as archives
from seawall.scan import inventory_layouts as layouts
from seawall.scan.image_source import CONFIG_MAX_BYTES, ImageSource, LayerSource

if TYPE_CHECKING:
    from seawall.oci.tar import Entry

_HEX: Final = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json|\.tar)?")


def open_local(path: Path, *, name: str = "", platform: str = "") -> ImageSource:
    """Open an OCI layout or an archive, whichever is at `path`.

    `name` chooses among several images, `platform` (`os/architecture`) among those of an index;
    this machine's by default. Raises NotFoundError, InvalidInputError, IntegrityError.
    """
    if path.is_dir():
        return sources_of_oci_layout(path, name=name, platform=platform)
    if path.is_file():
        return sources_of_archive(path, name=name, platform=platform)
    raise NotFoundError(f"{path} is neither a directory nor a file")


def sources_of_oci_layout(path: Path, *, name: str = "", platform: str = "") -> ImageSource:
    """Open the OCI layout in the directory `path`.

    `platform` is `os/architecture`; this machine's by default.
    """
    if not (path / layouts.MARK).is_file():
        raise InvalidInputError(
            f"{path} is not an OCI layout: it has no file {layouts.MARK}",
            remedy="make one with skopeo copy … oci:DIRECTORY",
        )
    return layouts.sources_of(
        layouts.Folder(path), name=name, label=str(path), platform=platform, close=_nothing
    )


def sources_of_archive(
    path: Path, *, name: str = "", platform: str = "", limits: Limits = DEFAULT_LIMITS
) -> ImageSource:
    """Open an archive of `docker save` or `podman save`, or an OCI layout packed into a tar.

    Also one compressed with gzip or zstd. An archive that is both is read as `docker load` does.
    """
    file = archives.random_access(path, limits)
    try:
        members = archives.members_of(file, limits)
        if "manifest.json" not in members and layouts.MARK in members:
            packed = layouts.Packed(file, members)
            return layouts.sources_of(
                packed, name=name, label=str(path), platform=platform, close=file.close
            )
        return _docker_archive(file, members, path, name)
    except BaseException:
        file.close()
        raise


def _docker_archive(
    file: BinaryIO, members: dict[str, Entry], path: Path, name: str
) -> ImageSource:
    document = strictjson.decode(
        archives.member(file, members, "manifest.json", limits.MANIFEST_MAX_BYTES),
        max_bytes=limits.MANIFEST_MAX_BYTES,
    )
    image = _choose_docker(document, name)
    config_name = _json_text(image.get("Config"))
    config = archives.member(file, members, config_name, CONFIG_MAX_BYTES)
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
        offset, size = archives.find(members, layer_name)
        sources.append(
            LayerSource(
                digest=layer_digest,
                media_type=media.DOCKER_LAYER,
                size=size,
                open=archives.section_opener(file, offset, size, layer_digest),
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
    document = strictjson.decode_object(config, max_bytes=CONFIG_MAX_BYTES)
    rootfs = document.get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(found, list):
        raise InvalidInputError("the config has no rootfs.diff_ids")
    return [Digest.parse(_json_text(item)) for item in found]


def _json_text(value: Json) -> str:
    if not isinstance(value, str):
        raise InvalidInputError("the archive's description holds something that is not a text")
    return value


def _nothing() -> None:
    """A layout holds no open file between reads."""
