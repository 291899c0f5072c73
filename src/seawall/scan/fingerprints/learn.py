"""Learn what the executables of a package look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec

from seawall.scan.files import examine
from seawall.scan.files.model import Executable
from seawall.scan.fingerprints import archives
from seawall.scan.fingerprints.pack import LearnedFile, LearnedPackage
from seawall.scan.model import PackageType

_OWN_TEXTS: Final = frozenset(
    {PackageType.DEB, PackageType.APK, PackageType.RPM, PackageType.ALPM, PackageType.GENERIC}
)
"""Packages whose programs are their own. Wheels and modules carry other people's libraries: their
files are learned by exact keys alone, or a copied library would be called by the wheel's name."""


def learn(stream: BinaryIO, name: str, *, distribution: str = "") -> Iterator[LearnedFile]:
    """Yield the executables of the package in `stream`; `name` is its file name.

    `distribution` (`debian-12`) is where the package comes from, since packages do not tell.
    Raises InvalidInputError.
    """
    package, members = archives.open_package(stream, name)
    package = msgspec.structs.replace(package, distribution=distribution)
    for path, content in members:
        found = examine.examine(content, path)
        if found is not None:
            yield learned(package, path, found)


def learned(package: LearnedPackage, path: str, file: Executable) -> LearnedFile:
    """Return what is learned of one file that is known to belong to a package.

    The interface for images: a file that a system package owns, with the facts of the walk. Only
    files whose content is the package's own may be passed (compare the package's checksums first).
    """
    if package.type not in _OWN_TEXTS:
        file = msgspec.structs.replace(file, sketch=None)
    return LearnedFile(package=package, path=path, file=file)
