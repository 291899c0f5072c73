"""From one file of a layer to the fact that is kept of it.

Small files are read into memory, large ones are spooled to an unnamed temporary file and mapped.
Readers are many and the bytes are hostile: whatever a reader does wrong costs the report one file,
which a notice names, and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from seawall.core.errors import LimitError
from seawall.core.limits import MIB
from seawall.oci.bounds import ArchiveError
from seawall.oci.tar import Entry, show
from seawall.scan import distribution, scripts, secrets
from seawall.scan.files import examine
from seawall.scan.files.model import Format
from seawall.scan.inventory_facts import (
    Fact,
    OtherDatabase,
    Packages,
    Program,
    Release,
    Secrets,
    Sums,
    System,
    Unread,
)
from seawall.scan.inventory_programs import by_signatures, is_explained
from seawall.scan.readers import Content, Reader, Unreadable
from seawall.scan.readers import all as formats
from seawall.scan.scripts import Script
from seawall.scan.system import SUM_BYTES, SystemReader
from seawall.scan.system import all as managers

MEMORY_MAX_BYTES: Final = 4 * MIB
"""A larger file is mapped from disk."""

PROGRAM_MIN_BYTES: Final = 64
"""A smaller file is no program: the headers alone take as much."""

_CHUNK: Final = MIB
_ALGORITHMS: Final = ("md5", "sha1", "sha256")
_EXECUTABLE: Final = 0o111
_MACHINE_CODE: Final = frozenset({Format.ELF, Format.PE, Format.MACHO})


class ReleaseReader:
    """Reads the files that name the distribution."""

    max_bytes = MIB


class OtherReader:
    """Notices a database that nobody reads."""

    max_bytes = 0


AnyReader: TypeAlias = Reader | SystemReader | ReleaseReader | OtherReader

_RELEASE: Final = ReleaseReader()
_OTHER: Final = OtherReader()


def reader_of(path: str) -> AnyReader | None:
    """Return who reads the file at `path`, if anybody does."""
    reader = managers.TABLE.find(path) or formats.TABLE.find(path)
    if reader is not None:
        return reader
    if path in distribution.PATHS:
        return _RELEASE
    return _OTHER if path in managers.OTHERS else None


def fact_of(entry: Entry, path: str, reader: AnyReader) -> Fact:
    """Read the file of `entry`. Raises ArchiveError; anything else becomes an `Unread`."""
    if isinstance(reader, OtherReader):
        return OtherDatabase(managers.OTHERS[path])
    if entry.size > reader.max_bytes:
        text = f"{show(entry.name)} has {entry.size} bytes, more than {reader.max_bytes}"
        return Unread(text)
    try:
        with _loaded(entry, _ALGORITHMS) as (content, sums):
            return fact_of_content(content, path, reader, lambda: sums)
    except ArchiveError:
        raise
    except LimitError as error:
        return Unread(error.message)


def fact_of_content(
    content: Content, path: str, reader: AnyReader, sums: Callable[[], Sums] | None = None
) -> Fact:
    """Return what `reader` makes of the content."""
    try:
        return _fact(content, path, reader, sums or (lambda: sums_of(content)))
    except Unreadable as error:
        return Unread(str(error))
    except Exception as error:
        return Unread(f"its reader failed: {type(error).__name__}")


def is_program(entry: Entry) -> bool:
    """Tell whether the file is machine code, by its first bytes."""
    return entry.size >= PROGRAM_MIN_BYTES and examine.format_of(entry.peek(8)) in _MACHINE_CODE


def program_of(
    entry: Entry, path: str, *, is_outline: bool, has_sketch: bool = False
) -> Program | Unread | None:
    """Read an executable file whole, or only what its headers say. Raises ArchiveError.

    With `has_sketch`, also a summary of its texts, unless it says itself what it is.
    """
    if entry.size > examine.MAX_BYTES:
        return Unread(f"{show(entry.name)} has {entry.size} bytes, too many to be examined")
    with _loaded(entry, ()) as (content, _):
        try:
            if is_outline:
                found = examine.outline(content)
            else:
                found = examine.examine(content, path, has_sketch=False)
                if has_sketch and found is not None and not is_explained(by_signatures(found)):
                    found = examine.with_sketch(content, found)
        except Exception as error:
            return Unread(f"its reader failed: {type(error).__name__}")
    return Program(found) if found is not None else None


def is_script(entry: Entry, path: str) -> bool:
    """Tell whether the file may be started and begins like a script."""
    is_started = entry.mode & _EXECUTABLE or path.endswith(".sh")
    return bool(is_started) and entry.peek(2) == b"#!"


def text_of(entry: Entry, path: str) -> tuple[Script | None, Secrets | None]:
    """Return what a file that nothing else reads starts, and what looks secret in it.

    Raises ArchiveError.
    """
    is_started, is_candidate = is_script(entry, path), secrets.is_candidate(path, entry.size)
    if is_candidate or (is_started and entry.size <= scripts.MAX_BYTES):
        content = entry.read(secrets.MAX_FILE_BYTES)
    else:  # a cut script would name a cut command
        content = entry.peek(scripts.LINE_MAX_BYTES).partition(b"\n")[0] if is_started else b""
    found = secrets.find(content, f"/{path}") if is_candidate else ()
    return (
        scripts.read(content) if is_started else None,
        Secrets(found, sums_of(content)) if found else None,
    )


def sums_of(content: Content) -> Sums:
    """Return the starts of the file's digests."""
    return _cut(*(_hash(name, content) for name in _ALGORITHMS))


def _fact(content: Content, path: str, reader: AnyReader, sums: Callable[[], Sums]) -> Fact:
    if isinstance(reader, ReleaseReader):
        found = distribution.parse(bytes(content), path)
        return Release(found) if found else Unread("it names no distribution")
    if isinstance(reader, OtherReader):
        return OtherDatabase(managers.OTHERS[path])
    if isinstance(reader, SystemReader):
        database = reader.read(content, path)
        return System(
            reader.manager, database.found, database.owned, database.moved, database.refused
        )
    try:
        return Packages(reader.format, tuple(reader.read(content, path)), sums())
    except Unreadable as error:
        if not error.found:
            raise
        return Packages(reader.format, error.found, sums(), str(error))


@contextlib.contextmanager
def _loaded(entry: Entry, algorithms: Sequence[str]) -> Iterator[tuple[Content, Sums]]:
    """Give the whole content of an entry and its sums."""
    hashes = [hashlib.new(name, usedforsecurity=False) for name in algorithms]
    if entry.size <= MEMORY_MAX_BYTES:
        content = entry.read(MEMORY_MAX_BYTES)
        for each in hashes:
            each.update(content)
        yield content, _cut(*(each.digest() for each in hashes))
        return
    with tempfile.TemporaryFile() as file:
        for chunk in entry.chunks(_CHUNK):
            for each in hashes:
                each.update(chunk)
            file.write(chunk)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            yield mapped, _cut(*(each.digest() for each in hashes))
        finally:
            with contextlib.suppress(BufferError):  # a reader that failed may still hold a view
                mapped.close()


def _hash(name: str, content: Content) -> bytes:
    return hashlib.new(name, content, usedforsecurity=False).digest()


def _cut(*digests: bytes) -> Sums:
    return Sums(*(digest[:SUM_BYTES] for digest in digests))
