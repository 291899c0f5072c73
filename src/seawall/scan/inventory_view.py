"""What is visible when layers are laid on each other, the next always on top.

Whiteouts and opaque marks hide what lies below; a file replaces a directory with all it holds; an
entry of a higher layer that comes through a symbolic link of a lower one lands where that leads,
unless the higher layer brings a real directory of that name.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Final, TypeAlias

from seawall.scan import distribution, dpkg
from seawall.scan.inventory_facts import (
    DpkgFiles,
    DpkgStatus,
    DpkgSums,
    Fact,
    LayerFacts,
    OsRelease,
    OtherDatabase,
    PythonDistribution,
    Unread,
    hash_of,
)
from seawall.scan.inventory_paths import DPKG, parent, resolve, resolve_parent
from seawall.scan.model import Component, Distribution, Notice, NoticeKind, PackageType

MAX_FILE_NOTICES: Final = 50
"""Notices about single files; more are counted in one."""

Key: TypeAlias = tuple[str, ...]
"""What makes an installed thing the same in two layers."""


class View:
    """What is visible when the layers so far are laid on each other."""

    def __init__(self) -> None:
        self._files: dict[str, Fact] = {}
        self._links: dict[str, str] = {}
        self._hashes: dict[str, int] = {}

    def lay(self, layer: LayerFacts) -> None:
        """Put the next higher layer on top."""
        hidden = _Hidden(layer, self._links, self._hash)
        for path in [path for path in self._files if hidden.covers(path)]:
            del self._files[path]
        for path in [path for path in self._links if hidden.covers(path)]:
            del self._links[path]
        lower = dict(self._links)
        links = {resolve_parent(path, lower) or path: to for path, to in layer.links.items()}
        files = {resolve_parent(path, lower) or path: fact for path, fact in layer.files.items()}
        moved = (links.keys() | files.keys()) - layer.links.keys() - layer.files.keys()
        if moved:  # they came through links of lower layers, and make room where those lead
            for known in (self._files, self._links):
                for old in [old for old in known if _is_within(old, moved)]:
                    del known[old]
        self._links.update(links)
        self._files.update(files)

    def present(self) -> Iterator[Key]:
        """Identify every package and distribution that is visible now."""
        for _, status in self._databases():
            for package in status.packages:
                yield _debian_key(package)
        for path, fact in self._files.items():
            if isinstance(fact, PythonDistribution):
                yield ("pypi", path, fact.metadata.name, fact.metadata.version)

    def debian(self) -> Iterator[tuple[Key, Component]]:
        """Yield installed Debian packages, each once; layer and purl are filled in later."""
        seen: set[Key] = set()
        for path, status in self._databases():
            for package in status.packages:
                key = _debian_key(package)
                if key in seen:
                    continue
                seen.add(key)
                yield (
                    key,
                    Component(
                        type=PackageType.DEB,
                        name=package.name,
                        version=package.version,
                        purl="",
                        source_name=package.source_name,
                        source_version=package.source_version,
                        architecture=package.architecture,
                        path=f"/{_printable(path)}",
                        layer="",
                        layer_index=0,
                    ),
                )

    def python(self) -> Iterator[tuple[Key, Component]]:
        """Yield installed Python distributions, one for each place where they are."""
        owners, sums = self._owners()
        for path, fact in self._files.items():
            if not isinstance(fact, PythonDistribution):
                continue
            metadata = fact.metadata
            owner = owners.get(path, "")
            if owner and fact.md5 and sums.get(path, fact.md5) != fact.md5:
                owner = ""  # overwritten: the package no longer answers for it
            yield (
                ("pypi", path, metadata.name, metadata.version),
                Component(
                    type=PackageType.PYPI,
                    name=metadata.name,
                    version=metadata.version,
                    purl="",
                    path=f"/{_printable(path)}",
                    layer="",
                    layer_index=0,
                    licenses=metadata.licenses,
                    owned_by=owner,
                ),
            )

    def distribution(self) -> Distribution | None:
        for path in distribution.PATHS:
            real = resolve(path, self._links)
            fact = self._files.get(real) if real is not None else None
            if isinstance(fact, OsRelease):
                return fact.distribution
        return None

    @property
    def is_blind(self) -> bool:
        """Tell whether a package database is there but cannot be read in whole."""
        return (
            self._unreachable()
            or bool(self._others())
            or any(
                isinstance(fact, Unread) or (isinstance(fact, DpkgStatus) and fact.refused)
                for _, fact in self._database_files()
            )
        )

    def notices(self) -> list[Notice]:
        found = []
        if self._unreachable():
            link = f"/{DPKG}/status leads through symbolic links to a file that was not kept"
            found.append(Notice(kind=NoticeKind.MALFORMED_FILE, message=link))
        for manager in self._others():
            text = f"the packages of {manager} are in the image and cannot be read yet"
            found.append(Notice(kind=NoticeKind.UNSUPPORTED_DATABASE, message=text))
        broken = [
            (path, fact.message) for path, fact in self._files.items() if isinstance(fact, Unread)
        ]
        for path, fact in self._database_files():
            if isinstance(fact, DpkgStatus) and fact.refused:
                broken.append((path, f"{fact.refused} entries have no valid name or version"))
        for path, message in sorted(broken)[:MAX_FILE_NOTICES]:
            text = f"/{_printable(path[:300])}: {_printable(message[:300])}"
            found.append(Notice(kind=NoticeKind.MALFORMED_FILE, message=text))
        if len(broken) > MAX_FILE_NOTICES:
            text = f"and {len(broken) - MAX_FILE_NOTICES} more files that do not parse"
            found.append(Notice(kind=NoticeKind.MALFORMED_FILE, message=text))
        return found

    def _databases(self) -> Iterator[tuple[str, DpkgStatus]]:
        for path, fact in self._database_files():
            if isinstance(fact, DpkgStatus):
                yield path, fact

    def _database_files(self) -> Iterator[tuple[str, Fact]]:
        """Yield status and the files of status.d, where dpkg would find them."""
        status = resolve(f"{DPKG}/status", self._links)
        if status is not None and status in self._files:
            yield status, self._files[status]
        folder = resolve(f"{DPKG}/status.d", self._links)
        for path, fact in sorted(self._files.items()):
            if parent(path) == folder and isinstance(fact, DpkgStatus | Unread):
                yield path, fact

    def _others(self) -> list[str]:
        """Return the package managers whose databases are there and not read."""
        facts = self._files.values()
        return sorted({fact.manager for fact in facts if isinstance(fact, OtherDatabase)})

    def _unreachable(self) -> bool:
        """Tell whether links hide the database: they loop, or end where nothing was kept."""
        path = f"{DPKG}/status"
        real = resolve(path, self._links)
        return real is None or (real != path and real not in self._files)

    def _owners(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return owner and MD5 sum by real path of every Python metadata file of a package."""
        owners: dict[str, str] = {}
        sums: dict[str, str] = {}
        folders = {resolve(f"{DPKG}/{name}", self._links) for name in ("info", "status.d")}
        for path, fact in self._files.items():
            if isinstance(fact, DpkgFiles) and parent(path) in folders:
                for owned in fact.paths:
                    owners[resolve_parent(owned, self._links) or owned] = fact.package
            elif isinstance(fact, DpkgSums) and parent(path) in folders:
                for owned, md5 in fact.sums.items():
                    real = resolve_parent(owned, self._links) or owned
                    sums[real] = md5
                    owners.setdefault(real, fact.package)
        return owners, sums

    def _hash(self, path: str) -> int:
        value = self._hashes.get(path)
        if value is None:
            value = self._hashes[path] = hash_of(path)
        return value


class _Hidden:
    """What a layer hides of the layers below it."""

    def __init__(
        self, layer: LayerFacts, links: Mapping[str, str], hash_path: Callable[[str], int]
    ) -> None:
        self._hash = hash_path
        self._non_directories = set(array("Q", layer.non_directories))
        self._directories = set(array("Q", layer.directories))
        # What this layer says about a path behind a lower link, it says about where that leads;
        # not so if the layer brings something of its own in the link's place.
        links = {path: target for path, target in links.items() if not self._brings(path)}
        self._removed = {resolve_parent(path, links) or path for path in layer.whiteouts}
        self._removed |= set(layer.whiteouts)
        self._opaque = {resolve_parent(path, links) or path for path in layer.opaques}
        self._opaque |= set(layer.opaques)
        self._folders: dict[str, bool] = {"": "" in self._opaque}

    def covers(self, path: str) -> bool:
        """Tell whether the lower file or link at `path` can no longer be seen."""
        return self._brings(path) or path in self._removed or self._covers_folder(parent(path))

    def _brings(self, path: str) -> bool:
        value = self._hash(path)
        return value in self._non_directories or value in self._directories

    def _covers_folder(self, folder: str) -> bool:
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = (
                folder in self._removed
                or folder in self._opaque
                or self._hash(folder) in self._non_directories
                or self._covers_folder(parent(folder))
            )
        return known


def _is_within(path: str, folders: Set[str]) -> bool:
    """Tell whether `path` is one of `folders` or below one."""
    while path and path not in folders:
        path = parent(path)
    return path in folders


def _debian_key(package: dpkg.Package) -> Key:
    return ("deb", package.name, package.architecture, package.version)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
