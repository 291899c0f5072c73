"""What runs when a container starts: the way from the entry point to everything it can load.

    started    the entry point's program, the interpreters and commands of its scripts, and the
               libraries that those are linked with
    loadable   what these can load while they run: libraries of the same package, plug-ins in
               folders that are named like them, and what those are linked with

The dynamic linker is followed by its rules (ld.so(8)): RPATH and RUNPATH with `$ORIGIN`, then the
standard folders. A library that lies nowhere there is taken wherever it is, for `LD_LIBRARY_PATH`
and `ld.so.conf` may name any folder. Everything errs to the same side: a program that may run is
told to run. What is told not to be reached was not run by any rule here, which is no proof.

Pure: nothing of the image is run or opened.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from seawall.scan import runtimes, scripts
from seawall.scan.files.model import Executable
from seawall.scan.inventory_paths import parent, resolve, shown
from seawall.scan.model import Reach
from seawall.scan.scripts import Script

MAX_STEPS: Final = 500_000
"""Names looked up for one image; real ones need a few thousand."""

LEVELS_MAX: Final = 16
"""Folders above a file that are looked at for what it belongs to."""

CHAIN_MAX: Final = 6
"""Files told of the way to one."""

FOLDERS: Final = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
"""Where commands are looked for when the image sets no PATH."""

_ORIGIN: Final = re.compile(r"\$ORIGIN\b|\$\{ORIGIN\}")
_VERSION: Final = "0123456789."
_GENERAL: Final = frozenset({"lib", "libexec", "usr", "bin", "sbin", "share", "local", "opt"})
"""Names of folders that say nothing about who loads what lies there."""

_SHARED: Final = frozenset({"", "usr", "usr/local"})
"""Folders that programs of many packages were installed into."""

_LIBRARY_FOLDERS: Final = re.compile(
    r"(usr/)?(local/)?lib(32|64|x32)?(/[a-z0-9_]+-linux-[a-z0-9]+)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What an engine starts: ENTRYPOINT and CMD, and what decides where their programs lie."""

    words: tuple[str, ...]
    folders: tuple[str, ...] = FOLDERS
    """Of PATH, relative to the root."""
    directory: str = ""
    """Where relative paths begin, relative to the root."""
    has_own_modules: bool = False
    """The environment names folders of modules (PYTHONPATH, NODE_PATH …)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What the walk knows of files: paths are relative to the root, free of links."""

    programs: Mapping[str, Executable]
    scripts: Mapping[str, Script]
    links: Mapping[str, str]
    owners: Mapping[str, str]
    """The system package of each program and script that has one."""
    archives: Collection[str] = frozenset()
    """Other files that hold packages: jars."""


@dataclass(frozen=True, slots=True)
class Step:
    """One file that is reached, and the one that leads to it."""

    reach: Reach
    by: str


@dataclass(frozen=True, slots=True)
class LoadPath:
    """All files that are reached; none where the entry point leads to no known file."""

    steps: Mapping[str, Step] = field(default_factory=dict)
    names: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The paths by which each was asked for, links not followed."""
    start: Start | None = None

    def __bool__(self) -> bool:
        return bool(self.steps)

    def reach(self, path: str) -> Reach:
        step = self.steps.get(path)
        return step.reach if step else Reach.UNKNOWN

    def names_of(self, path: str) -> Collection[str]:
        return self.names.get(path) or (path,)

    def chain(self, path: str) -> tuple[str, ...]:
        """Return the files that lead to one, the entry point first, itself last."""
        found: list[str] = []
        while path and path in self.steps and path not in found:
            found.append(path)
            path = self.steps[path].by
        if len(found) > CHAIN_MAX:
            found = [*found[: CHAIN_MAX - 1], found[-1]]
        return tuple(map(shown, reversed(found)))


NOWHERE: Final = LoadPath()


def follow(start: Start | None, image: Image, *, is_late: Callable[[], bool]) -> LoadPath:
    """Return what is reached from the entry point; nothing when that is not known.

    Not known: no entry point, one whose file is not there, a shell that waits for commands, and an
    image so large or so entangled that this takes too long.
    """
    if start is None or not start.words or is_interactive(start.words):
        return NOWHERE
    try:
        walk = _Walk(start, image, is_late)
        walk.begin()
        walk.load()
    except _TooMuchError:
        return NOWHERE
    return LoadPath(walk.steps, walk.names, start)


def is_interactive(words: Sequence[str]) -> bool:
    """Tell whether a shell would wait for commands: whoever starts it gives another one."""
    rest = [word for word in words[1:] if not word.startswith("-") or "c" in word[1:]]
    return scripts.is_shell(words[0]) and not rest


class _TooMuchError(Exception):
    """The image is too large to be followed."""


class _Walk:
    """The files reached so far."""

    def __init__(self, start: Start, image: Image, is_late: Callable[[], bool]) -> None:
        self.steps: dict[str, Step] = {}
        self.names: dict[str, set[str]] = {}
        self._start = start
        self._image = image
        self._is_late = is_late
        self._left = MAX_STEPS
        self._waiting: deque[str] = deque()  # the nearest first: the shortest way is told
        self._libraries = _by_name(image, self._count)
        self._plugins = Plugins(image, self._count)

    def begin(self) -> None:
        """Reach what the entry point starts."""
        first, *others = self._start.words
        if not self._command(first, Reach.STARTED, ""):
            return
        entry = next(iter(self.steps))
        words: list[str] = []
        for number, word in enumerate(others):
            is_shell_text = scripts.is_shell(first) and number and others[number - 1][:1] == "-"
            words += scripts.commands_of(word) if is_shell_text else [word]
        for word in words:
            self._argument(word, entry)
        self._drain()

    def load(self) -> None:
        """Reach what can be loaded by what is reached, until nothing is added."""
        done: set[str] = set()
        while fresh := [path for path in self.steps if path not in done]:
            for path in fresh:
                done.add(path)
                for plugin in self._plugins.of(path, self.names.get(path, ())):
                    self._add(plugin, Reach.LOADABLE, path)
            self._drain()

    def _drain(self) -> None:
        while self._waiting:
            path = self._waiting.popleft()
            reach = self.steps[path].reach
            if (program := self._image.programs.get(path)) is not None:
                self._link(path, program, reach)
            elif (script := self._image.scripts.get(path)) is not None:
                for word in script.interpreter.split():
                    self._command(word, reach, path)
                for word in script.commands.split():
                    self._command(word, reach, path)

    def _link(self, path: str, program: Executable, reach: Reach) -> None:
        if program.interpreter:
            self._file(program.interpreter.lstrip("/"), reach, path)
        for name in program.needed:
            for each in self._library(name, path, program):
                self._add(each, reach, path)

    def _library(self, name: str, path: str, program: Executable) -> list[str]:
        """Return the files that the dynamic linker may take for a name."""
        known = self._libraries.get(name, ())
        self._count(1 + len(known))
        if "/" in name:
            real = resolve(name, self._image.links)
            return [real] if real is not None and real in self._image.programs else []
        fitting = [
            (folder, real)
            for folder, real in known
            if self._image.programs[real].machine == program.machine
        ]
        for wanted in self._search(path, program):
            if found := [real for folder, real in fitting if folder == wanted]:
                return found[:1]
        standard = [real for folder, real in fitting if _LIBRARY_FOLDERS.fullmatch(folder)]
        return standard or [real for _, real in fitting]

    def _search(self, path: str, program: Executable) -> Iterator[str]:
        for text in program.search_paths:
            for folder in text.split(":"):
                self._count()
                whole = folder.replace("${ORIGIN}", "$ORIGIN").replace(
                    "$ORIGIN", f"/{parent(path)}"
                )
                real = resolve(whole, self._image.links)
                if real:
                    yield real

    def _argument(self, word: str, by: str) -> None:
        """Reach what an argument names: a command, a script, or the archives of a class path."""
        self._command(word, Reach.STARTED, by)
        for each in word.split(":"):
            self._count()
            real = resolve(self._absolute(each), self._image.links)
            if real and real in self._image.archives:
                self._add(real, Reach.STARTED, by)

    def _command(self, word: str, reach: Reach, by: str) -> bool:
        """Reach the program or script that a word names as a command."""
        if "/" in word:
            return self._file(self._absolute(word), reach, by)
        return any(self._file(f"{folder}/{word}", reach, by) for folder in self._start.folders)

    def _absolute(self, word: str) -> str:
        return word.lstrip("/") if word.startswith("/") else f"{self._start.directory}/{word}"

    def _file(self, name: str, reach: Reach, by: str) -> bool:
        self._count()
        real = resolve(name, self._image.links)
        if real is None or (real not in self._image.programs and real not in self._image.scripts):
            return False
        self.names.setdefault(real, set()).add(name.strip("/"))
        self._add(real, reach, by)
        return True

    def _add(self, path: str, reach: Reach, by: str) -> None:
        known = self.steps.get(path)
        if known is not None and known.reach.rank >= reach.rank:
            return
        self.steps[path] = Step(reach, "" if by == path else by)
        self._waiting.append(path)

    def _count(self, steps: int = 1) -> None:
        self._left -= steps
        if self._left < 0 or (self._left % 1_000 < steps and self._is_late()):
            raise _TooMuchError


class Plugins:
    """Which libraries a reached file can load beside those it is linked with: those of its own
    package; for programs and runtimes of languages also those in folders named like it, and those
    of the folder that it was installed into."""

    def __init__(self, image: Image, count: Callable[[int], None]) -> None:
        self._image = image
        self._count = count
        self._of_package: dict[str, list[str]] = {}
        self._in_folder: dict[str, list[str]] = {}
        self._done: set[str] = set()
        self._libraries = [
            path for path, program in image.programs.items() if program.kind in ("library", "")
        ]
        for path in self._libraries:
            if owner := image.owners.get(path):
                self._of_package.setdefault(owner, []).append(path)
            for part in {part.rstrip(_VERSION) for part in parent(path).split("/")[-LEVELS_MAX:]}:
                self._in_folder.setdefault(part, []).append(path)
            if path.endswith(".node"):
                self._in_folder.setdefault("node", []).append(path)

    def of(self, path: str, names: Collection[str]) -> Iterator[str]:
        """Yield them; what was told once is not told again."""
        if owner := self._image.owners.get(path):
            yield from self._of_package.pop(owner, ())
        program = self._image.programs.get(path)
        is_library = program is not None and program.kind == "library"
        if is_library and not runtimes.types_of((path, *names)):
            return
        for name in (path, *names):
            for folder in folders_of_plugins(name):
                yield from self._in_folder.pop(folder, ())
            home = home_of(name)
            if home and home not in self._done:
                self._done.add(home)
                self._count(len(self._libraries))
                yield from (each for each in self._libraries if each.startswith(f"{home}/"))


def folders_of_plugins(path: str) -> set[str]:
    """Return how folders of plug-ins would be called: `php-fpm`, `php` for `usr/bin/php-fpm8.2`."""
    name = path.rpartition("/")[2].partition(".so")[0].removeprefix("lib").rstrip(_VERSION)
    names = {name, name.partition("-")[0].rstrip(_VERSION), "node" if name == "nodejs" else name}
    return {each for each in names if len(each) > 2 and each not in _GENERAL}


def home_of(path: str) -> str:
    """Return the folder that a program was installed into, when it has one of its own:
    `opt/java` for `opt/java/bin/java`, nothing for what lies in `usr/bin`."""
    folder = parent(path)
    home = parent(folder)
    return home if folder.endswith("/bin") and home not in _SHARED else ""


def _by_name(image: Image, count: Callable[[], None]) -> dict[str, list[tuple[str, str]]]:
    """Return the libraries by the last part of their names: (folder, path of the file)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in image.programs:
        folder, _, name = path.rpartition("/")
        found.setdefault(name, []).append((folder, path))
    for path in image.links:
        folder, _, name = path.rpartition("/")
        if ".so" in name:
            count()
            real = resolve(path, image.links)
            place = resolve(folder, image.links)
            if real in image.programs and place is not None and real is not None:
                found.setdefault(name, []).append((place, real))
    return found
