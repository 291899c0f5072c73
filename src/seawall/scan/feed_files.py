"""Files of advisories, read one record at a time.

Known shapes, told by their first bytes and their name: one record a line (`.jsonl`, with or without
zstd), one JSON document with a record or a list of records (`.json`), and the zip of the official
distribution with one JSON file per record. Nothing is ever extracted to disk, and every shape has
bounds on what it may unpack to, so that a small file cannot fill the memory or the day.
"""

from __future__ import annotations

import contextlib
import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from seawall.core import strictjson
from seawall.core.errors import LimitError, SeawallError
from seawall.core.limits import GIB, MIB
from seawall.scan import osv
from seawall.scan.errors import BadFeedError, BadRecordError

FILE_MAX_BYTES: Final = 2 * GIB
UNPACKED_MAX_BYTES: Final = 8 * GIB
DOCUMENT_MAX_BYTES: Final = 128 * MIB
"""A `.json` document is parsed whole, so it has a smaller bound."""
RECORDS_MAX: Final = 2_000_000
ZIP_DIRECTORY_MAX_BYTES: Final = 256 * MIB
ZSTD_WINDOW_LOG_MAX: Final = 27  # 128 MiB of memory

_ZIP: Final = b"PK"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZIP_TAIL_BYTES: Final = 20 + 22 + 65_535  # locator, end record, longest comment
_ZIP_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

Record: TypeAlias = Callable[[], osv.Advisory]
"""Parses one record when called; raises BadRecordError."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with bytes done and bytes in all (0: not known)."""


def records(path: Path, progress: Progress | None = None) -> Iterator[tuple[str, Record]]:
    """Yield (place, record) for everything in the file, in its order.

    Raises BadFeedError when the file has no known shape or breaks off, LimitError at a bound.
    """
    total = path.stat().st_size
    if total > FILE_MAX_BYTES:
        raise LimitError(f"a feed of {total} bytes, more than the {FILE_MAX_BYTES} allowed")
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        report = progress or (lambda _done, _total: None)
        if head.startswith(_ZIP):
            yield from _zip(file, lambda done: report(done, total))
            return
        yield from _text(file, head, path.name, lambda: report(file.tell(), total))


def _text(
    file: BinaryIO, head: bytes, name: str, tick: Callable[[], None]
) -> Iterator[tuple[str, Record]]:
    is_document = name.removesuffix(".zst").endswith(".json")
    try:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(_unpacked(file)) if head == _ZSTD else file
            yield from _document(stream) if is_document else _lines(stream, tick)
    except (zstd.ZstdError, EOFError) as error:
        raise BadFeedError(f"{name} does not unpack: {error}") from error


def _unpacked(file: BinaryIO) -> BinaryIO:
    options = {int(zstd.DecompressionParameter.window_log_max): ZSTD_WINDOW_LOG_MAX}
    return io.BufferedReader(zstd.ZstdFile(file, "rb", options=options), 1 * MIB)


def _document(stream: BinaryIO) -> Iterator[tuple[str, Record]]:
    body = stream.read(DOCUMENT_MAX_BYTES + 1)
    try:
        value = strictjson.decode(body, max_bytes=DOCUMENT_MAX_BYTES)
    except LimitError:
        raise
    except SeawallError as error:
        raise BadFeedError(f"the file is not JSON: {error.message}") from error
    for number, item in enumerate(value if isinstance(value, list) else [value], start=1):
        yield f"record {number}", _decoded(item)


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
            yield f"line {number}", _raw(line)
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
            yield ascii(entry.filename)[1:129], _raw(body)
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
            return stream.read(osv.RECORD_MAX_BYTES + 1)
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


def _raw(body: bytes) -> Record:
    return lambda: osv.parse(body)


def _decoded(value: strictjson.Json) -> Record:
    if not isinstance(value, dict):
        return _not_an_object
    return lambda: osv.from_json(value)


def _not_an_object() -> osv.Advisory:
    raise BadRecordError("a record must be a JSON object")
