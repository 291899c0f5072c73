"""Which packages are on the load path: from reached files to the components they belong to.

files       a component that is a file, or stands in one, is reached as that file is
system      a package is reached as the best of its programs, and of the language packages
            whose files it owns. One without any stays unknown where the runtime of a scripting
            language is reached: it may hold modules
languages   where the runtime of its language is reached, a package can be loaded, unless it
            lies in the folders of another interpreter, or is installed as a tool of its own
declared    what only a lock file names is unknown
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from seawall.scan import runtimes
from seawall.scan.load_path import LEVELS_MAX, LoadPath, Start
from seawall.scan.model import Component, PackageType, Reach, Role


class Way(NamedTuple):
    """How surely something is reached, and through which files."""

    reach: Reach
    chain: tuple[str, ...] = ()


_SITE: Final = re.compile(r"(?:(.*)/)?lib(?:64)?/(?:python|pypy)[\d.]*/(?:site|dist)-packages/.*")
"""The folder of an interpreter's packages; the group is where that interpreter is installed."""

_TOOL: Final = re.compile(r"((?:usr/(?:local/)?)?lib/node_modules/(?:@[^/]+/)?[^/]+)/.*")
"""A Node program that is installed for the whole machine; the group is its folder."""


_BY_FOLDER: Final = frozenset({PackageType.CONDA, PackageType.GENERIC, PackageType.NUGET})
"""Types that a file in the folder of their programs tells: a JDK, a conda package, a .NET app."""


class Packages:
    """Answers for the components of one image."""

    def __init__(
        self, found: LoadPath, owners: Mapping[str, str], programs: Collection[str]
    ) -> None:
        """`owners` tells the system package of each program and script, reached or not."""
        self._found = found
        self._programs = programs
        self._has_programs = frozenset(owners.values())
        self._runtimes = {
            kind: path
            for path in found.steps
            for kind in runtimes.types_of((path, *found.names_of(path)))
        }
        self._homes = frozenset(_homes(found))
        self._tools = frozenset(tool[1] for path in found.steps if (tool := _TOOL.fullmatch(path)))
        self._near = _near(found)
        self._systems: dict[str, Way] = {}
        for path in found.steps:
            if owner := owners.get(path):
                self._note(owner, Way(found.reach(path), found.chain(path)))

    def with_ways(self, components: Iterable[Component]) -> list[Component]:
        """Return the components, each with how it is reached."""
        if not self._found:
            return list(components)
        every = list(components)
        languages = {id(one): self._of(one) for one in every if not one.type.is_system}
        for one in every:
            if one.owned_by and (way := languages.get(id(one))):
                self._note(one.owned_by, way)
        return [_with(one, languages.get(id(one)) or self._of_system(one)) for one in every]

    def _note(self, package: str, way: Way) -> None:
        known = self._systems.get(package)
        if known is None or known.reach.rank < way.reach.rank:
            self._systems[package] = way

    def _of_system(self, one: Component) -> Way:
        if one.distribution is not None:
            return self._of(one)  # copied in from another distribution: known by its file
        known = self._systems.get(one.name)
        if known is not None:
            return known
        is_blind = self._runtimes and one.name not in self._has_programs
        return Way(Reach.UNKNOWN if is_blind else Reach.PRESENT)

    def _of(self, one: Component) -> Way:
        path = one.path.lstrip("/")
        if reach := self._found.reach(path):
            return Way(reach, self._found.chain(path))
        if one.role is Role.DECLARED:
            return Way(Reach.UNKNOWN)
        runtime = self._runtimes.get(one.type)
        if runtime is not None and self._is_found_by(one, path):
            return Way(Reach.LOADABLE, self._found.chain(runtime))
        if one.type in _BY_FOLDER and path not in self._programs:
            return self._of_folder(path)
        return Way(Reach.PRESENT)

    def _is_found_by(self, one: Component, path: str) -> bool:
        """Tell whether the runtime that is reached looks where the package lies."""
        start = self._found.start or Start(words=())
        if start.has_own_modules:
            return True
        if one.type is PackageType.PYPI and (site := _SITE.fullmatch(path)):
            home = site[1] or ""
            return home.endswith(".local") or any(
                home == each or home.startswith(f"{each}/") for each in self._homes
            )
        if one.type is PackageType.NPM and (tool := _TOOL.fullmatch(path)):
            return tool[1] in self._tools
        return True

    def _of_folder(self, path: str) -> Way:
        """Return the way to what is known by a file in its folder: a JDK, a conda package."""
        best = self._near.get(path.rpartition("/")[0].removesuffix("/conda-meta"))
        if best is None:
            return Way(Reach.PRESENT)
        return Way(self._found.reach(best), self._found.chain(best))


def _near(found: LoadPath) -> dict[str, str]:
    """Return the best file that is reached below each folder, some levels down."""
    best: dict[str, str] = {}
    for path in sorted(found.steps, key=lambda path: found.reach(path).rank):
        folder = path
        for _ in range(LEVELS_MAX):
            folder = folder.rpartition("/")[0]
            if folder:
                best[folder] = path
    return best


def _homes(found: LoadPath) -> set[str]:
    """Return where the Python interpreters are installed that are reached: folders with a `bin`.

    A virtual environment is a folder with a link to an interpreter, so names count, not files.
    """
    names = {
        name
        for path in found.steps
        for name in found.names_of(path)
        if PackageType.PYPI in runtimes.types_of([name])
    }
    programs = {name for name in names if ".so" not in name}
    return {_home(name) for name in programs or names}


def _home(path: str) -> str:
    *folders, _ = path.split("/")
    while folders and folders[-1] not in ("bin", "lib", "lib64"):
        folders.pop()
    return "/".join(folders[:-1]) or "usr"


def _with(one: Component, way: Way) -> Component:
    return msgspec.structs.replace(one, reach=way.reach, load_path=way.chain)
