"""Readers of the databases of system package managers: who is installed, and who owns which file.

They are readers like those of `scan.readers`, with one thing more to say: which paths a package
owns and, where the database has sums, what their content was. Both are kept as the first 64 bits
of a hash, 8 bytes a path, whatever the path's length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from seawall.scan import path_hashes
from seawall.scan.readers import Content, Found

SUM_BYTES: Final = 8
_NO_SUM: Final = bytes(SUM_BYTES)

DATABASE_MAX_BYTES: Final = 512 * 1024 * 1024
"""The largest rpm databases in the wild have about 300 MB."""


class Owned(msgspec.Struct, frozen=True, array_like=True):
    """The files of one package."""

    package: str
    paths: bytes
    """`path_hashes.pack` of the paths, relative to the root, as the database writes them."""
    sums: bytes = b""
    """The first 8 bytes of the digest of each; zeros where there is none. Empty: of none at all."""
    algorithm: str = ""
    """`md5`, `sha1` or `sha256`."""


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """What one file of a package manager says."""

    found: tuple[Found, ...] = ()
    owned: tuple[Owned, ...] = ()
    moved: dict[str, str] = {}
    """Where a file lies that another package put aside → where its own package has it."""
    refused: int = 0
    """Entries that break the manager's own grammar, or exceed a bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemReader:
    """How the files of one package manager are known by their path, and read.

    A file is offered when `is_wanted` says yes to its path (canonical, relative to the root).
    Paths are known by their tails, since `/var/lib/dpkg` may itself lie behind a symbolic link;
    which of them are the image's own is decided when all layers are known (`places`).
    """

    manager: str
    read: Callable[[Content, str], Database]
    """Called with the content and the path. Raises `readers.Unreadable`."""
    is_wanted: Callable[[str], bool]
    names: frozenset[str] = frozenset()
    endings: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    """Tails of directories all of whose files are offered: `dpkg/status.d`."""
    max_bytes: int = DATABASE_MAX_BYTES


def owned(package: str, files: Iterable[tuple[str, bytes | None]], algorithm: str = "") -> Owned:
    """Return the files of a package; each with its digest in raw bytes, or None."""
    pairs = list(files)
    sums = b""
    if any(digest for _, digest in pairs):
        sums = b"".join(digest[:SUM_BYTES] if digest else _NO_SUM for _, digest in pairs)
    return Owned(package, path_hashes.pack(path for path, _ in pairs), sums, algorithm)
