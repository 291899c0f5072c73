"""Files of advisories, read one record at a time.

What a file is, its bytes say, never its name: zip, zstd, gzip, bzip2 and xz, tar, one record a
line, one JSON document, XML, text; in a document, its shape (`formats`). A folder is all of its
files.
Nothing is ever extracted to disk, and every shape has bounds on what it may unpack to, so that a
small file cannot fill the memory or the day.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from seawall.core import strictjson
from seawall.core.errors import LimitError, SeawallError
from seawall.core.limits import GIB, MIB
from seawall.scan import formats, osv
from seawall.scan.errors import BadFeedError
from seawall.scan.formats import Record

FILE_MAX_BYTES: Final = 2 * GIB
UNPACKED_MAX_BYTES: Final = 8 * GIB
DOCUMENT_MAX_BYTES: Final = 128 * MIB
"""A document is parsed whole, so it has a smaller bound. Debian's tracker has 70 MB."""
RECORDS_MAX: Final = 2_000_000
ZIP_DIRECTORY_MAX_BYTES: Final = 256 * MIB
ZSTD_WINDOW_LOG_MAX: Final = 27  # 128 MiB of memory

_ZIP: Final = b"PK"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_GZIP: Final = b"\x1f\x8b"
_BZIP2: Final = b"BZh"
_XZ: Final = b"\xfd7zXZ\x00"
_TAR_AT: Final = 257
_PEEK_BYTES: Final = 1 * MIB
_TEXT_LINE_MAX_BYTES: Final = 1 * MIB
_ZIP_TAIL_BYTES: Final = 20 + 22 + 65_535  # locator, end record, longest comment
_ZIP_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

Progress: TypeAlias = Callable[[int, int], None]
"""Called with bytes done and bytes in all (0: not known)."""


def records(path: Path, progress: Progress | None = None) -> Iterator[tuple[str, Record]]:
    """Yield (place, record) for everything in the file or folder, in its order.

    Raises BadFeedError when the file has no known shape or breaks off, LimitError at a bound.
    """
    report = progress or (lambda _done, _total: None)
    if path.is_dir():
        yield from _folder(path, report)
        return
    total = path.stat().st_size
    if total > FILE_MAX_BYTES:
        raise LimitError(f"a feed of {total} bytes, more than the {FILE_MAX_BYTES} allowed")
    with io.BufferedReader(path.open("rb", buffering=0), _PEEK_BYTES) as file:
        head = file.read(6)
        file.seek(0)
        if head.startswith(_ZIP):
            yield from _zip(file, lambda done: report(done, total))
            return
        yield from _unpacking(file, head, path.name, lambda: report(file.tell(), total))


def _folder(path: Path, report: Progress) -> Iterator[tuple[str, Record]]:
    files = sorted(each for each in path.rglob("*") if each.is_file() and not each.is_symlink())
    if len(files) > RECORDS_MAX:
        raise LimitError(f"a folder of {len(files)} files, more than the {RECORDS_MAX} allowed")
    size = sum(each.stat().st_size for each in files)
    if size > UNPACKED_MAX_BYTES:
        raise LimitError(f"a folder of {size} bytes, more than the {UNPACKED_MAX_BYTES} allowed")
    for number, each in enumerate(files, start=1):
        name = ascii(str(each.relative_to(path)))[1:129]
        for place, record in records(each):
            yield f"{name}, {place}", record
        report(number, len(files))


def _unpacking(
    file: io.BufferedReader[Any], head: bytes, name: str, tick: Callable[[], None]
) -> Iterator[tuple[str, Record]]:
    try:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(_unpacked(file, head))
            start = stream.peek(_TAR_AT + 8)
            if start[_TAR_AT : _TAR_AT + 5] == b"ustar":
                yield from _tar(stream, tick)
            else:
                yield from _text(stream, start, tick)
    except (zstd.ZstdError, lzma.LZMAError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise BadFeedError(f"{name} does not unpack: {error}") from error
    except OSError as error:
        if head.startswith(_BZIP2):  # it has no error of its own
            raise BadFeedError(f"{name} does not unpack: {error}") from error
        raise


def _text(
    stream: io.BufferedReader[Any], start: bytes, tick: Callable[[], None]
) -> Iterator[tuple[str, Record]]:
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first in (b"{", b"") and _is_lines(start):
        yield from _lines(stream, tick)
    elif formats.is_text(start):  # Debian's lists begin with `[`, as JSON may
        yield from formats.of_text(_texts(stream, tick))
    elif first in (b"{", b"[", b"<"):
        yield from _document(stream)
        tick()
    else:
        yield from _lines(stream, tick)


def _is_lines(start: bytes) -> bool:
    """Tell whether one of the first lines is a whole record, and more follows."""
    lines = start.split(b"\n")
    return (
        len(lines) > 1
        and bool(lines[1].strip())
        and any(line.strip().startswith(b"{") and _is_object(line) for line in lines[:3])
    )


def _is_object(line: bytes) -> bool:
    with contextlib.suppress(SeawallError):
        strictjson.decode_object(line, max_bytes=osv.RECORD_MAX_BYTES)
        return True
    return False


def _texts(stream: io.BufferedReader[Any], tick: Callable[[], None]) -> Iterator[str]:
    unpacked = number = 0
    while line := stream.readline(_TEXT_LINE_MAX_BYTES):
        number += 1
        unpacked += len(line)
        _check_bounds(number, unpacked)
        yield line.decode("utf-8", "replace")
        tick()


def _tar(stream: io.BufferedReader[Any], tick: Callable[[], None]) -> Iterator[tuple[str, Record]]:
    unpacked = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for number, entry in enumerate(archive, start=1):
                if not entry.isreg() or (inside := archive.extractfile(entry)) is None:
                    continue
                body = inside.read(DOCUMENT_MAX_BYTES + 1)
                unpacked += len(body)
                _check_bounds(number, unpacked)
                place = ascii(entry.name)[1:129]
                if entry.name.endswith((".json", ".xml")):
                    yield from formats.of_bytes(body, place)
                tick()
    except tarfile.TarError as error:
        raise BadFeedError(f"the tar is damaged: {error}") from error


def _unpacked(file: io.BufferedReader[Any], head: bytes) -> io.BufferedReader[Any]:
    if head.startswith(_ZSTD):
        options = {int(zstd.DecompressionParameter.window_log_max): ZSTD_WINDOW_LOG_MAX}
        return io.BufferedReader(zstd.ZstdFile(file, "rb", options=options), _PEEK_BYTES)
    if head.startswith(_GZIP):
        return io.BufferedReader(gzip.GzipFile(fileobj=file), _PEEK_BYTES)
    if head.startswith(_XZ):
        return io.BufferedReader(lzma.LZMAFile(file), _PEEK_BYTES)
    if head.startswith(_BZIP2):
        return io.BufferedReader(bz2.BZ2File(file), _PEEK_BYTES)
    return file


def _document(stream: BinaryIO) -> Iterator[tuple[str, Record]]:
    body = stream.read(DOCUMENT_MAX_BYTES + 1)
    yield from formats.of_bytes(body, "")


def _lines(stream: BinaryIO, tick: Callable[[], None]) -> Iterator[tuple[str, Record]]:
    unpacked = 0
    number = 0
    while line := stream.readline(osv.RECORD_MAX_BYTES + 2):
        number += 1
        unpacked += len(line)
        if not line.endswith(b"\n"):
            unpacked += _skip_line(stream, UNPACKED_MAX_BYTES - unpacked)
        _check_bounds(number, unpacked)
        if line.strip():
            yield from formats.of_line(line, f"line {number}")
        tick()


def _skip_line(stream: BinaryIO, budget: int) -> int:
    skipped = 0
    while (part := stream.readline(1 * MIB)) and skipped <= budget:
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped


def _zip(file: BinaryIO, tick: Callable[[int], None]) -> Iterator[tuple[str, Record]]:
    _check_zip_directory(file)
    unpacked = 0
    with _archive(file) as archive:
        entries = [entry for entry in archive.infolist() if entry.filename.endswith(".json")]
        for number, entry in enumerate(entries, start=1):
            body = _entry(archive, entry)
            unpacked += len(body)
            _check_bounds(number, unpacked)
            yield from formats.of_bytes(body, ascii(entry.filename)[1:129])
            tick(entry.header_offset)


def _archive(file: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise BadFeedError(f"the zip is damaged: {error}") from error


def _entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return the entry's bytes, cut after the bound; nothing for one that does not unpack."""
    if entry.compress_type not in _ZIP_METHODS or entry.header_offset < 0:
        return b""
    try:
        with archive.open(entry) as stream:
            return stream.read(DOCUMENT_MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, struct.error):
        return b""  # RuntimeError: encrypted


def _check_zip_directory(file: BinaryIO) -> None:
    """Refuse a directory that would fill the memory, before it is read."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _ZIP_TAIL_BYTES))
    tail = file.read(_ZIP_TAIL_BYTES)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 16:
        raise BadFeedError("the zip has no directory")
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    locator = tail[max(0, at - 20) : at]
    if locator.startswith(b"PK\x06\x07"):  # zip64: the true length stands elsewhere
        file.seek(min(size, int.from_bytes(locator[8:16], "little")))
        length = int.from_bytes(file.read(56)[40:48], "little")
    if length > ZIP_DIRECTORY_MAX_BYTES:
        raise LimitError(f"a zip with a directory of {length} bytes")
    file.seek(0)


def _check_bounds(number: int, unpacked: int) -> None:
    if number > RECORDS_MAX:
        raise LimitError(f"a feed of more than {RECORDS_MAX} records")
    if unpacked > UNPACKED_MAX_BYTES:
        raise LimitError(f"a feed that unpacks to more than {UNPACKED_MAX_BYTES} bytes")
