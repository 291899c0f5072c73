"""Python distributions in archives: eggs, which Python imports as they are, and wheels.

A wheel is not importable where it lies; it is BUNDLED: `ensurepip` and Debian's `python-wheels`
install from such files. An egg that is a folder is read by `python`.
"""

from __future__ import annotations

from typing import Final

from seawall.core.limits import MIB
from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Content, Found, Reader, Unreadable, python
from seawall.scan.readers._content import MANIFEST, detail
from seawall.scan.readers._zip import Archive

MAX_BYTES: Final = 1024 * MIB
MAX_METADATA_BYTES: Final = 4 * MIB
"""A description (README) may stand in it."""


def read_archive(content: Content, path: str) -> tuple[Found, ...]:
    """Read the metadata of a wheel or an egg. Raises Unreadable when it has none."""
    archive = Archive(content, _is_metadata)
    role = Role.BUNDLED if path.endswith(".whl") else Role.INSTALLED
    for member in archive.members:
        body = archive.read(member, MAX_METADATA_BYTES)
        if (metadata := python.parse(body, member.name)) is not None:
            return (_found(metadata, role, detail(member.name)),)
    raise Unreadable("it has no metadata of a Python distribution")


def _found(metadata: python.Metadata, role: Role, inside: str) -> Found:
    return Found(
        type=PackageType.PYPI,
        name=metadata.name,
        version=metadata.version,
        role=role,
        inside=inside,
        evidence=MANIFEST,
        licenses=metadata.licenses,
    )


def _is_metadata(name: str) -> bool:
    folder, _, file = name.partition("/")
    return (folder.endswith(".dist-info") and file == "METADATA") or name == "EGG-INFO/PKG-INFO"


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="Python wheel or egg",
        read=read_archive,
        endings=(".whl", ".egg"),
        max_bytes=MAX_BYTES,
    ),
)
