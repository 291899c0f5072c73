"""Python distributions in archives: eggs, wheels, and applications in one file.

An egg is imported as it is: INSTALLED (one that is a folder is read by `python`). A wheel is
BUNDLED: `ensurepip` and Debian's `python-wheels` install from such files. So is what an application
of one file (PEX, shiv, zipapp) carries.
"""

from __future__ import annotations

from typing import Final

from seawall.core.limits import MIB
from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Content, Found, Reader, Unreadable, python
from seawall.scan.readers._content import MANIFEST, detail, is_of_test, once
from seawall.scan.readers._zip import Archive

MAX_BYTES: Final = 1024 * MIB
MAX_CARRIED: Final = 5_000
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


def read_application(content: Content, path: str) -> tuple[Found, ...]:
    """Read what an application of one file carries; there may be nothing."""
    found: list[Found] = []
    archive = Archive(content, _is_carried)
    if len(archive.members) > MAX_CARRIED:
        raise Unreadable(f"more than {MAX_CARRIED} distributions")
    for member in archive.members:
        body = archive.read(member, MAX_METADATA_BYTES)
        if (metadata := python.parse(body, member.name)) is not None:
            found.append(_found(metadata, Role.BUNDLED, detail(member.name)))
    return once(found)


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


def _is_carried(name: str) -> bool:
    return name.endswith((".dist-info/METADATA", ".egg-info/PKG-INFO"))


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="Python wheel or egg",
        read=read_archive,
        endings=(".whl", ".egg"),
        is_wanted=lambda path: not is_of_test(path),
        max_bytes=MAX_BYTES,
    ),
    Reader(
        format="Python application",
        read=read_application,
        endings=(".pex", ".pyz"),
        max_bytes=MAX_BYTES,
    ),
)
