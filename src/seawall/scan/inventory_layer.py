"""Read one layer into its facts: one streaming pass, bounded memory.

A second pass happens only when a package file is a hard link to a file of another name, whose
content has gone by unread. Whatever stops the walk, what was read before is kept, and the facts
say that they are incomplete.

Inside one layer the last entry of a path wins, a file replaces a directory with all it holds, and
entries behind a symbolic link of the same layer land where the link leads: what an engine does
when it unpacks. Whiteouts act on lower layers only, wherever they stand in the archive.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Set
from typing import BinaryIO, Final

from seawall.core.errors import NotFoundError
from seawall.core.limits import MIB
from seawall.oci import layers, media
from seawall.oci.bounds import (
    DEFAULT_LIMITS,
    ArchiveError,
    ArchiveLimitError,
    Limits,
    UnsupportedArchiveError,
)
from seawall.oci.tar import Entry, Kind, show
from seawall.scan import inventory_reading
from seawall.scan.image_source import LayerSource
from seawall.scan.inventory_facts import (
    Fact,
    LayerFacts,
    Packages,
    Privileged,
    Program,
    Secrets,
    System,
    Unread,
)
from seawall.scan.inventory_paths import parent, resolve_parent
from seawall.scan.inventory_reading import AnyReader, OtherReader, reader_of
from seawall.scan.model import Notice, NoticeKind
from seawall.scan.path_hashes import hash_of, unpack
from seawall.scan.scripts import Script

MAX_KEPT_BYTES: Final = 64 * MIB
"""Estimate of the memory that the facts of one layer may take."""

MAX_SKETCH_BYTES: Final = 24 * MIB
"""Of summaries of texts; programs behind that have none, which costs nothing else."""

HARDLINK_MAX_BYTES: Final = 32 * MIB
"""One file that a hard link needs, read in a second pass."""

MAX_SECRET_FILES: Final = 1_000
"""Files of one layer whose secrets are told."""

MAX_SCRIPTS: Final = 20_000
"""Scripts of one layer that are followed from the entry point."""

_SET_IDS: Final = 0o6000
_NOTHING: Final[Set[str]] = frozenset()
_SYSTEM_FOLDERS: Final = tuple(
    f"{root}{name}/"
    for root in ("", "usr/")
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libexec", "libx32", "games")
)
"""Where system packages put their programs."""

_COST: Final = 200  # bytes that one kept item takes beside its text


def facts_of(
    layer: LayerSource,
    limits: Limits = DEFAULT_LIMITS,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    has_sketches: bool = False,
) -> LayerFacts:
    """Walk `layer` and return its facts; trouble with the archive becomes a notice, not an error.

    With `has_sketches`, also a summary of the texts of programs that say nothing about themselves.
    Raises what `layer.open` or its stream raises, except NotFoundError.
    """

    def read(also: Set[str], programs: Set[str] | None) -> _Reader:
        reader = _Reader(layer.digest, also, programs, has_sketches=has_sketches)
        return _read(layer, limits, monotonic, reader)

    reader = read(_NOTHING, None)
    unowned = reader.unowned_programs()
    if reader.wanted or unowned:
        reader = read(frozenset(reader.wanted), unowned)
    return reader.facts()


def _read(
    layer: LayerSource, limits: Limits, monotonic: Callable[[], float], reader: _Reader
) -> _Reader:
    try:
        with layer.open() as stream:
            try:
                reader.read(layers.walk(stream, layer.media_type, limits, monotonic=monotonic))
            except ArchiveError:
                _drain(stream)
                raise
    except NotFoundError:
        kind = "foreign " if media.is_foreign_layer(layer.media_type) else ""
        reader.stop(NoticeKind.MISSING_LAYER, f"the bytes of this {kind}layer are not here")
    except UnsupportedArchiveError as error:
        reader.stop(NoticeKind.UNSUPPORTED_LAYER, error.message)
    except ArchiveLimitError as error:
        reader.stop(NoticeKind.LIMIT, f"{error.message}; stopped {reader.progress()}")
    except ArchiveError as error:
        reader.stop(NoticeKind.MALFORMED_LAYER, f"{error.message}; stopped {reader.progress()}")
    return reader


def _drain(stream: BinaryIO) -> None:
    """Read to the end: a stream that checks its digest can say that these are the wrong bytes,
    which matters more than what was wrong with them."""
    while stream.read(MIB):
        pass


class _Reader:
    """The facts of a layer while it is read."""

    def __init__(
        self, digest: str, also: Set[str], programs: Set[str] | None, *, has_sketches: bool
    ) -> None:
        """`also` are files to remember for hard links, `programs` those that no package owns;
        None when that is not known yet."""
        self.wanted: set[str] = set()
        """Paths whose content a hard link needs, seen too late."""
        self._programs = programs
        self._has_sketches = has_sketches
        self._sketch_bytes = 0
        self._scripts = 0
        self._outlined: list[str] = []
        self._digest = str(digest)  # not a Digest: the facts are encoded
        self._also = also
        self._contents: dict[str, bytes] = {}
        self._files: dict[str, Fact] = {}
        self._below: dict[str, set[str]] = {}  # directory → kept paths directly in it
        self._links: dict[str, str] = {}
        self._secrets: dict[str, Secrets] = {}
        self._privileged: dict[str, Privileged] = {}
        self._whiteouts: set[str] = set()
        self._opaques: set[str] = set()
        self._non_directories = array("Q")
        self._directories = array("Q")
        self._notices: list[Notice] = []
        self._is_complete = True
        self._kept_bytes = 0
        self._walk: layers.Walk | None = None

    def read(self, walk: layers.Walk) -> None:
        self._walk = walk
        for entry in walk:
            path = entry.path if entry.path.isascii() else _as_text(entry.path)
            name = path.rpartition("/")[2]
            if name.startswith(".wh."):
                self._whiteout(path)
            else:
                self._place(entry, path)

    def progress(self) -> str:
        walk = self._walk
        return f"after {walk.entries} entries, {walk.unpacked_bytes} bytes" if walk else "at once"

    def stop(self, kind: NoticeKind, message: str) -> None:
        self._is_complete = False
        self._notices.append(Notice(kind=kind, message=message, layer=self._digest))

    def facts(self) -> LayerFacts:
        walk = self._walk
        if walk is not None and walk.refused_count:
            some = "; ".join(walk.refused[:5])
            self.stop(
                NoticeKind.SUSPICIOUS_PATH, f"{walk.refused_count} entries were ignored: {some}"
            )
        return LayerFacts(
            digest=self._digest,
            entries=walk.entries if walk else 0,
            unpacked_bytes=walk.unpacked_bytes if walk else 0,
            is_complete=self._is_complete,
            has_sketches=self._has_sketches,
            notices=tuple(self._notices),
            files=dict(sorted(self._files.items())),
            secrets=dict(sorted(self._secrets.items())),
            privileged=dict(sorted(self._privileged.items())),
            links=dict(sorted(self._links.items())),
            whiteouts=tuple(sorted(self._whiteouts)),
            opaques=tuple(sorted(self._opaques)),
            non_directories=_packed(self._non_directories),
            directories=_packed(self._directories),
        )

    def _whiteout(self, path: str) -> None:
        real = resolve_parent(path, self._links)
        if real is None:
            return
        self._keep(len(real))
        if layers.is_opaque(real):
            self._opaques.add(parent(real))
        elif hidden := layers.whiteout_of(real):
            self._whiteouts.add(hidden)

    def _place(self, entry: Entry, path: str) -> None:
        real = self._real(path, entry.kind)
        if real is None:
            return
        if entry.kind is Kind.DIRECTORY:
            self._directories.append(hash_of(real))
            self._links.pop(real, None)
            self._files.pop(real, None)
            return
        self._non_directories.append(hash_of(real))
        self._replace(real)
        if entry.kind is Kind.SYMLINK:
            target = _as_text(entry.link.decode("utf-8", "surrogateescape"))
            self._keep(len(target))
            self._index(real)
            self._links[real] = target
            return
        if entry.mode & _SET_IDS or entry.capabilities:
            self._index(real)
            self._privileged[real] = Privileged(entry.mode, entry.capabilities)
        reader = reader_of(real)
        if entry.kind is Kind.HARDLINK:
            self._link(real, entry, reader)
        elif real in self._also:
            self._remember(real, entry, reader)
        elif reader is None:
            if entry.kind is Kind.FILE and inventory_reading.is_program(entry):
                self._examine(real, entry)
            elif entry.kind is Kind.FILE:
                self._look(real, entry)
        elif entry.kind is Kind.FILE and not _is_nothing(reader, entry):
            self._add(real, inventory_reading.fact_of(entry, real, reader))

    def _real(self, path: str, kind: Kind) -> str | None:
        """Follow this layer's own links; only paths that are kept need it."""
        if self._links and (self._also or kind is Kind.SYMLINK or reader_of(path)):
            return resolve_parent(path, self._links)
        return path

    def _replace(self, path: str) -> None:
        """Forget what stood at `path` and, if it was a directory, below it."""
        todo = [path]
        while todo:
            gone = todo.pop()
            self._links.pop(gone, None)
            self._files.pop(gone, None)
            self._secrets.pop(gone, None)
            self._privileged.pop(gone, None)
            self._contents.pop(gone, None)
            todo.extend(self._below.pop(gone, ()))

    def _index(self, path: str) -> None:
        """Make `path` known to all its directories."""
        self._keep(len(path))
        while path:
            folder = parent(path)
            known = self._below.setdefault(folder, set())
            if path in known:
                return
            known.add(path)
            path = folder

    def _add(self, path: str, fact: Fact) -> None:
        self._index(path)
        self._keep(_size(fact))
        self._files[path] = fact

    def _look(self, path: str, entry: Entry) -> None:
        """Look into a file that nothing else reads: is it a script, are there secrets in it?"""
        script, found = inventory_reading.text_of(entry, path)
        if script is not None and self._scripts < MAX_SCRIPTS:
            self._scripts += 1
            self._add(resolve_parent(path, self._links) or path, script)
        if found is not None and len(self._secrets) < MAX_SECRET_FILES:
            self._index(path)
            self._keep(3 * _COST * len(found.found))
            self._secrets[path] = found

    def _examine(self, path: str, entry: Entry) -> None:
        """Read a program. What lies where packages put theirs is only outlined until it is known
        whether one of this layer owns it: the lists come late in the archive."""
        real = resolve_parent(path, self._links) if self._links else path
        if real is None:
            return
        is_outline = path.startswith(_SYSTEM_FOLDERS) and (
            self._programs is None or path not in self._programs
        )
        if is_outline:
            self._outlined.append(path)
        has_sketch = self._has_sketches and self._sketch_bytes < MAX_SKETCH_BYTES
        fact = inventory_reading.program_of(
            entry, real, is_outline=is_outline, has_sketch=has_sketch
        )
        if isinstance(fact, Program):
            self._sketch_bytes += _sketch_size(fact)
        if fact is not None:
            self._add(real, fact)

    def unowned_programs(self) -> Set[str]:
        """Return the programs that were only outlined though no package of this layer has them."""
        hashes: set[int] = set()
        for fact in self._files.values():
            if isinstance(fact, System):
                for owned in fact.owned:
                    hashes.update(unpack(owned.paths))
        return {
            path
            for path in self._outlined
            if hash_of(path) not in hashes and hash_of(path.removeprefix("usr/")) not in hashes
        }

    def _link(self, path: str, entry: Entry, reader: AnyReader | None) -> None:
        """A hard link: the content is that of another name of the same layer."""
        target = _hardlink_target(entry.link, self._links)
        if reader is None:
            known = self._files.get(target) if target is not None else None
            if isinstance(known, Program | Script):
                self._add(path, known)
        elif target is None:
            self._add(path, Unread("its hard link leads out of the root"))
        elif isinstance(known := self._files.get(target), Packages) and (
            reader is reader_of(target)
        ):
            self._add(path, known)  # as uv links from its cache
        elif target in self._contents:
            content = self._contents[target]
            self._add(path, inventory_reading.fact_of_content(content, path, reader))
        else:
            self._keep(len(target))
            self.wanted.add(target)
            self._add(path, Unread(f"its hard link to {show(entry.link)} has no content here"))

    def _remember(self, path: str, entry: Entry, reader: AnyReader | None) -> None:
        if entry.size > HARDLINK_MAX_BYTES:
            return
        content = entry.read(HARDLINK_MAX_BYTES)
        self._keep(len(content))
        self._contents[path] = content
        if reader is not None:
            self._add(path, inventory_reading.fact_of_content(content, path, reader))

    def _keep(self, size: int) -> None:
        self._kept_bytes += _COST + size
        if self._kept_bytes > MAX_KEPT_BYTES:
            raise ArchiveLimitError(
                f"package data of more than {MAX_KEPT_BYTES} bytes", limit="MAX_KEPT_BYTES"
            )


def _is_nothing(reader: AnyReader, entry: Entry) -> bool:
    """Tell whether an empty file says nothing: rpm leaves one where its journal was."""
    return isinstance(reader, OtherReader) and not entry.size


def _size(fact: Fact) -> int:
    """Estimate the memory that a fact takes."""
    if isinstance(fact, Packages):
        return 3 * _COST * len(fact.found)
    if isinstance(fact, Program):
        program = fact.executable
        size = 3 * _COST * (1 + len(program.found)) + len(program.go_functions)
        return size + _sketch_size(fact)
    if isinstance(fact, Script):
        return len(fact.interpreter) + len(fact.commands)
    if isinstance(fact, System):
        files = sum(len(each.paths) + len(each.sums) + _COST for each in fact.owned)
        return 3 * _COST * len(fact.found) + files
    return 0


def _sketch_size(fact: Program) -> int:
    sketch = fact.executable.sketch
    return len(sketch.hashes) + _COST * len(sketch.versions) if sketch else 0


def _hardlink_target(link: bytes, links: dict[str, str]) -> str | None:
    try:
        name = layers.canonical_path(link.decode("utf-8", "surrogateescape"))
    except ValueError:
        return None
    return resolve_parent(_as_text(name), links)


def _as_text(path: str) -> str:
    """Return a path that can be stored: bytes that are not UTF-8 are written as `\\xNN`."""
    if path.isascii():
        return path
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _packed(hashes: array[int]) -> bytes:
    return array("Q", sorted(set(hashes))).tobytes()
