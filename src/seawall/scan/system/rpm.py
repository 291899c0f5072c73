"""The database of rpm: one table of package headers, in one of three containers."""

from __future__ import annotations

from typing import Final

from seawall.scan.readers import Content, Found, Unreadable
from seawall.scan.system import Database, Owned, SystemReader, rpm_header, rpm_stores

MAX_PACKAGES: Final = 100_000

NAMES: Final = ("rpmdb.sqlite", "Packages.db", "Packages")
"""Of several in one directory the first counts: the others are what a conversion left behind."""


def read(content: Content, path: str) -> Database:
    """Read a database; headers that do not parse are counted. Raises Unreadable."""
    found: list[Found] = []
    files: list[Owned] = []
    refused = 0
    try:
        for blob in rpm_stores.blobs(content):
            try:
                package = rpm_header.read(blob)
            except Unreadable:
                refused += 1
                continue
            if package is not None and len(found) < MAX_PACKAGES:
                found.append(package[0])
                files.append(package[1])
    except Unreadable:
        if not found:
            raise
        refused += 1
    return Database(found=tuple(found), owned=tuple(files), refused=refused)


def is_wanted(path: str) -> bool:
    """Tell whether rpm keeps a file of this name where `path` is."""
    return path.rpartition("/")[0].endswith("/rpm")


READERS: Final = (
    SystemReader(manager="rpm", read=read, names=frozenset(NAMES), is_wanted=is_wanted),
)
