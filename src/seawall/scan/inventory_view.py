"""What is visible when layers are laid on each other, the next always on top.

Whiteouts and opaque marks hide what lies below; a file replaces a directory with all it holds; an
entry of a higher layer that comes through a symbolic link of a lower one lands where that leads,
unless the higher layer brings a real directory of that name.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from typing import Final, TypeAlias

from seawall.scan import distribution, inventory_programs, load_path, reached
from seawall.scan.files.model import Executable
from seawall.scan.inventory_facts import (
    Fact,
    LayerFacts,
    OtherDatabase,
    Packages,
    Program,
    Release,
    Sums,
    System,
    Unread,
)
from seawall.scan.inventory_owners import File, Owners
from seawall.scan.inventory_paths import parent, printable, resolve, resolve_parent, shown
from seawall.scan.inventory_programs import Recogniser
from seawall.scan.inventory_weaknesses import Weaknesses
from seawall.scan.load_path import Start
from seawall.scan.model import (
    Component,
    Distribution,
    Notice,
    NoticeKind,
    Unexplained,
    Weakness,
)
from seawall.scan.path_hashes import hash_of
from seawall.scan.readers import Found
from seawall.scan.scripts import Script
from seawall.scan.system import SUM_BYTES, Owned, python_record
from seawall.scan.system.all import PLACES, TABLE, Place

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
        self._brought: dict[str, int] = {}  # the layer of each of `_files`
        self._since: dict[Key, int] = {}
        self._weaknesses = Weaknesses()
        self._layers = 0
        self._managed: list[tuple[str, Fact]] | None = None  # worked out when it is asked for
        self._owned: Owners | None = None

    def lay(self, layer: LayerFacts) -> None:
        """Put the next higher layer on top."""
        self._managed = self._owned = None
        hidden = _Hidden(layer, self._links, self._hash)
        for path in [path for path in self._files if hidden.covers(path)]:
            del self._files[path]
        for path in [path for path in self._links if hidden.covers(path)]:
            del self._links[path]
        lower = dict(self._links)
        self._weaknesses.lay(layer, self._layers, lower, hidden.covers)
        links = {resolve_parent(path, lower) or path: to for path, to in layer.links.items()}
        files = {resolve_parent(path, lower) or path: fact for path, fact in layer.files.items()}
        moved = (links.keys() | files.keys()) - layer.links.keys() - layer.files.keys()
        if moved:  # they came through links of lower layers, and make room where those lead
            for known in (self._files, self._links):
                for old in [old for old in known if _is_within(old, moved)]:
                    del known[old]
        self._links.update(links)
        self._files.update(files)
        self._brought.update(dict.fromkeys(files, self._layers))
        self._since = {key: self._since.get(key, self._layers) for key in self._present()}
        self._layers += 1

    def components(self) -> Iterator[tuple[int, Component]]:
        """Yield every package that is visible, with the number of the layer that brought it.

        The names of layers and the purl are filled in later.
        """
        seen: set[Key] = set()
        for path, database in self._databases():
            for found in database.found:
                key = _system_key(found)
                if key not in seen:
                    seen.add(key)
                    yield self._since[key], _component(found, path)
        owners = self._owners()
        for path, fact in self._files.items():
            if isinstance(fact, Packages):
                owner = owners.of(self._file(path, fact)) if fact.found else ""
                for found in fact.found:
                    yield self._since[_key(path, found)], _component(found, path, owner)

    def programs(self, recognise: Recogniser) -> Iterator[tuple[int, Component | Unexplained]]:
        """Yield what is in the programs that no package owns, each with the number of its layer."""
        programs = {p: fact for p, fact in self._files.items() if isinstance(fact, Program)}
        owners = self._owners()
        installed = self._installed()
        for path, fact in sorted(programs.items()):
            file = self._file(path, fact)
            if owners.of(file):
                continue
            executable = fact.executable
            is_installed = installed(file)
            packages = recognise(executable)
            if is_installed and not any(found.distribution for found in packages):
                # The package of the language is known already, and is not told once more.
                packages = inventory_programs.by_signatures(executable)
            for found in packages:
                yield self._brought[path], _component(found, path)
            if not inventory_programs.is_explained(packages) and not is_installed:
                yield self._brought[path], _unexplained(executable, path)

    def weaknesses(self) -> Iterator[tuple[int, Weakness]]:
        """Yield what is wrong with files themselves, each with the number of its layer."""
        yield from self._weaknesses.found(self._owners().of)

    def owned_programs(self) -> Iterator[tuple[Executable, Found]]:
        """Yield the programs that system packages own, each with its package."""
        packages = {found.name: found for _, each in self._databases() for found in each.found}
        owners = self._owners()
        for path, fact in sorted(self._files.items()):
            if isinstance(fact, Program):
                owner = packages.get(owners.of(self._file(path, fact)))
                if owner is not None:
                    yield fact.executable, owner

    def with_ways(
        self, components: Iterable[Component], start: Start | None, *, is_late: Callable[[], bool]
    ) -> list[Component]:
        """Return the components, each with how it is reached from the entry point."""
        facts = {p: f for p, f in self._files.items() if isinstance(f, Program | Script)}
        owners = self._owners()
        owned = {
            path: owner
            for path, fact in facts.items()
            if (owner := owners.of(self._file(path, fact)))
        }
        image = load_path.Image(
            programs={p: fact.executable for p, fact in facts.items() if isinstance(fact, Program)},
            scripts={p: fact for p, fact in facts.items() if isinstance(fact, Script)},
            links=self._links,
            owners=owned,
            archives={p for p, fact in self._files.items() if isinstance(fact, Packages)},
        )
        found = load_path.follow(start, image, is_late=is_late)
        return reached.Packages(found, owned, facts).with_ways(components)

    def _installed(self) -> Callable[[File], bool]:
        """Return a test whether a language package brought a file."""
        folders: set[str] = set()
        records: list[Owned] = []
        for path, fact in self._files.items():
            if isinstance(fact, Packages):
                folders |= inventory_programs.folders_of(path, fact)
            elif isinstance(fact, System) and fact.manager == python_record.MANAGER:
                records.extend(fact.owned)
        owners = Owners(self._candidates(), records, self._links, {})
        return lambda file: bool(owners.of(file)) or _is_within(parent(file.path), folders)

    def _candidates(self) -> list[File]:
        """Return the files that somebody may own."""
        return [
            self._file(path, fact)
            for path, fact in self._files.items()
            if isinstance(fact, Program | Script) or (isinstance(fact, Packages) and fact.found)
        ]

    def distribution(self) -> Distribution | None:
        for path in distribution.PATHS:
            real = resolve(path, self._links)
            fact = self._files.get(real) if real is not None else None
            if isinstance(fact, Release):
                return fact.distribution
        return None

    @property
    def is_blind(self) -> bool:
        """Tell whether a package database is there but cannot be read in whole."""
        return bool(self._unreachable() or self._others()) or any(
            isinstance(fact, Unread) or (isinstance(fact, System) and fact.refused)
            for _, fact in self._database_files()
        )

    def notices(self) -> list[Notice]:
        found = []
        for path in self._unreachable():
            link = f"/{path} leads through symbolic links to a file that was not kept"
            found.append(Notice(kind=NoticeKind.MALFORMED_FILE, message=link))
        for manager in self._others():
            text = f"the packages of {manager} are in the image and cannot be read yet"
            found.append(Notice(kind=NoticeKind.UNSUPPORTED_DATABASE, message=text))
        broken = list(self._broken())
        for path, message in sorted(broken)[:MAX_FILE_NOTICES]:
            text = f"/{printable(path[:300])}: {printable(message[:300])}"
            found.append(Notice(kind=NoticeKind.MALFORMED_FILE, message=text))
        if len(broken) > MAX_FILE_NOTICES:
            text = f"and {len(broken) - MAX_FILE_NOTICES} more files that do not parse"
            found.append(Notice(kind=NoticeKind.MALFORMED_FILE, message=text))
        return found

    def _present(self) -> Iterator[Key]:
        """Identify every package that is visible now."""
        for _, database in self._databases():
            for found in database.found:
                yield _system_key(found)
        for path, fact in self._files.items():
            if isinstance(fact, Packages):
                for found in fact.found:
                    yield _key(path, found)

    def _broken(self) -> Iterator[tuple[str, str]]:
        for path, fact in self._files.items():
            if isinstance(fact, Unread):
                yield path, fact.message
            elif isinstance(fact, Packages) and fact.trouble:
                yield path, fact.trouble
        for path, database in self._databases():
            if database.refused:
                yield path, f"{database.refused} entries have no valid name or version"

    def _databases(self) -> Iterator[tuple[str, System]]:
        for path, fact in self._database_files():
            if isinstance(fact, System):
                yield path, fact

    def _database_files(self) -> list[tuple[str, Fact]]:
        """Return the files of package managers, where those would find them."""
        if self._managed is None:
            places = [_Real(place, self._links) for place in PLACES]
            facts = [one for one in self._files.items() if isinstance(one[1], System | Unread)]
            self._managed = [
                (path, fact)
                for path, fact in sorted(facts)
                if any(place.holds(path, self._files) for place in places)
            ]
        return self._managed

    def _others(self) -> list[str]:
        """Return the package managers whose databases are there and not read."""
        facts = self._files.values()
        return sorted({fact.manager for fact in facts if isinstance(fact, OtherDatabase)})

    def _unreachable(self) -> list[str]:
        """Return databases that links hide: they loop, or end where nothing was kept.

        A place that the walk would have kept, had there been anything, is not hidden but empty:
        `/lib/apk/db/installed` of a Debian whose `/lib` leads to `/usr/lib`.
        """
        found = []
        for place in PLACES:
            for path in place.files:
                real = resolve(path, self._links)
                if real is None or (real not in self._files and not _is_kept(real, path)):
                    found.append(path)
        return found

    def _owners(self) -> Owners:
        """Return who answers for the files of which an owner matters."""
        if self._owned is None:
            since: dict[str, int] = {}
            owned: list[Owned] = []
            moved: dict[str, str] = {}
            for _, fact in self._databases():
                owned.extend(fact.owned)
                for place, own in fact.moved.items():
                    moved[resolve(place, self._links) or place] = resolve(own, self._links) or own
                for found in fact.found:
                    known = since.get(found.name, 0)
                    since[found.name] = max(known, self._since[_system_key(found)])
            files = [*self._candidates(), *self._weaknesses.files()]
            self._owned = Owners(files, owned, self._links, since, moved)
        return self._owned

    def _file(self, path: str, fact: Packages | Program | Script) -> File:
        if isinstance(fact, Script):
            return File(path, self._brought[path], Sums())
        if isinstance(fact, Program):
            sha256 = bytes.fromhex(fact.executable.sha256)
            return File(path, self._brought[path], Sums(sha256=sha256[:SUM_BYTES]))
        return File(path, self._brought[path], fact.sums)

    def _hash(self, path: str) -> int:
        value = self._hashes.get(path)
        if value is None:
            value = self._hashes[path] = hash_of(path)
        return value


class _Real:
    """Where a package manager's files are, symbolic links followed."""

    def __init__(self, place: Place, links: Mapping[str, str]) -> None:
        self._files = {resolve(path, links) for path in place.files}
        self._folders = {resolve(path, links) for path in place.folders}
        self._trees = {resolve(path, links) for path in place.trees}
        self._names = place.names

    def holds(self, path: str, known: Collection[str]) -> bool:
        """Tell whether the manager reads the file at `path`, given all files that are known."""
        folder = parent(path)
        if folder in self._folders:
            return self._is_first(path, folder, known)
        return path in self._files or parent(folder) in self._trees

    def _is_first(self, path: str, folder: str, known: Collection[str]) -> bool:
        for name in self._names:
            if (first := f"{folder}/{name}") in known:
                return path == first
        return True


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


def _system_key(found: Found) -> Key:
    return (found.type, found.name, found.architecture, found.version)


def _key(path: str, found: Found) -> Key:
    return (found.type, path, found.inside, found.name, found.version)


def _component(found: Found, path: str, owner: str = "") -> Component:
    return Component(
        type=found.type,
        name=found.name,
        version=found.version,
        purl="",
        source_name=found.source_name,
        source_version=found.source_version,
        architecture=found.architecture,
        vendor=found.vendor,
        module=found.module,
        role=found.role,
        inside=found.inside,
        evidence=found.evidence,
        path=shown(path),
        layer="",
        layer_index=0,
        licenses=found.licenses,
        owned_by=owner,
        distribution=found.distribution,
    )


def _unexplained(executable: Executable, path: str) -> Unexplained:
    return Unexplained(
        path=shown(path),
        format=executable.format,
        kind=executable.kind,
        size=executable.size,
        sha256=executable.sha256,
        build_id=executable.build_id,
    )


def _is_kept(real: str, path: str) -> bool:
    return real == path or TABLE.find(real) is not None
