"""Learn what the executables of a package look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec

from seawall.core.errors import InvalidInputError
from seawall.scan.files import examine
from seawall.scan.files.model import Executable
from seawall.scan.fingerprints import archives, releases
from seawall.scan.fingerprints.pack import MAX_TEXT, LearnedFile, LearnedPackage
from seawall.scan.model import PackageType

_OWN_TEXTS: Final = frozenset(
    {PackageType.DEB, PackageType.APK, PackageType.RPM, PackageType.ALPM, PackageType.GENERIC}
)
"""Packages whose programs are their own. Wheels and modules carry other people's libraries: their
files are learned by exact keys alone, or a copied library would be called by the wheel's name."""


def learn(stream: BinaryIO, name: str, *, distribution: str = "") -> Iterator[LearnedFile]:
    """Yield the executables of the package in `stream`; `name` is its file name.

    `distribution` (`debian-12`) is where a system package comes from; without it, what its version
    tells.
    Raises InvalidInputError.
    """
    package, members = archives.open_package(stream, name)
    if package.type.is_system:
        told = distribution or releases.guess(package)
        package = msgspec.structs.replace(package, distribution=told)
    _check(package, name)
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


def _check(package: LearnedPackage, name: str) -> None:
    """Refuse names that a report could not show."""
    texts = (package.name, package.version, package.source_name, package.source_version)
    for text in (*texts, package.architecture, package.distribution):
        if len(text) > MAX_TEXT or not text.isprintable():
            raise InvalidInputError(f"{name}: a name or version in the package is no name")
    if not package.name or not package.version:
        raise InvalidInputError(f"{name}: the package has no name or version")
