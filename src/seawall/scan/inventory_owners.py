"""Which system package answers for a file.

A package owns a file when its list names the path, or another spelling of it: `/bin/bash` is
`/usr/bin/bash` where `/bin` is a link. Ownership ends where the file was overwritten: its sum is
not the package's, or, where no sum is known, a later layer than the package's brought it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from seawall.scan.inventory_facts import Sums
from seawall.scan.inventory_paths import resolve
from seawall.scan.path_hashes import hash_of, unpack
from seawall.scan.system import SUM_BYTES, Owned

MAX_SPELLINGS: Final = 64
"""Spellings of one path that are tried; real images have two or three."""

_NO_SUM: Final = bytes(SUM_BYTES)


@dataclass(frozen=True, slots=True)
class File:
    """A file that somebody may own. `layer` is the one that brought it."""

    path: str
    layer: int
    sums: Sums


class Owners:
    """Answers for the files that it was made for."""

    def __init__(
        self,
        files: Iterable[File],
        owned: Iterable[Owned],
        links: Mapping[str, str],
        since: Mapping[str, int],
        moved: Mapping[str, str] | None = None,
    ) -> None:
        """`since` tells from which layer on a package has been there in its present version,
        `moved` where the lists have files that were put aside."""
        self._since = since
        spellings = Spellings(links)
        moved = moved or {}
        self._hashes = {
            file.path: [
                hash_of(path)
                for name in (file.path, moved.get(file.path))
                if name is not None
                for path in spellings.of(name)
            ]
            for file in files
        }
        wanted = {value for values in self._hashes.values() for value in values}
        self._claims: dict[int, list[tuple[str, bytes, str]]] = {}
        for each in owned:
            self._collect(each, wanted)

    def of(self, file: File) -> str:
        """Return the name of the package that owns the file, or nothing."""
        owners = [c for value in self._hashes[file.path] for c in self._claims.get(value, ())]
        if not owners:
            return ""
        summed = [claim for claim in owners if claim[1] and _own_sum(file.sums, claim[2])]
        for package, digest, algorithm in summed:
            if _own_sum(file.sums, algorithm) == digest:
                return package
        if summed:
            return ""  # overwritten: the package no longer answers for it
        package = owners[0][0]
        return package if file.layer <= self._since.get(package, file.layer) else ""

    def _collect(self, each: Owned, wanted: set[int]) -> None:
        for number, value in enumerate(unpack(each.paths)):
            if value in wanted:
                digest = each.sums[number * SUM_BYTES : (number + 1) * SUM_BYTES]
                known = digest if digest != _NO_SUM else b""
                self._claims.setdefault(value, []).append((each.package, known, each.algorithm))


class Spellings:
    """All names of a path through the symbolic links of directories."""

    def __init__(self, links: Mapping[str, str]) -> None:
        self._names: dict[str, list[str]] = {}
        for path in links:
            target = resolve(path, links)
            if target and target != path:
                self._names.setdefault(target, []).append(path)

    def of(self, path: str) -> list[str]:
        """Return `path` and its other spellings, the path itself first."""
        found = [path]
        for spelling in found:
            folder = spelling.rpartition("/")[0]
            while folder and len(found) < MAX_SPELLINGS:
                rest = spelling[len(folder) :]
                for name in self._names.get(folder, ()):
                    if (other := name + rest) not in found and len(found) < MAX_SPELLINGS:
                        found.append(other)
                folder = folder.rpartition("/")[0]
        return found


def _own_sum(sums: Sums, algorithm: str) -> bytes:
    match algorithm:
        case "md5":
            return sums.md5
        case "sha1":
            return sums.sha1
        case "sha256":
            return sums.sha256
    return b""
