"""Bounded, streaming decompression of layers: gzip, zstd and plain.

The format is told by the first bytes, as container engines do; the media type is a claim. bzip2
and xz, which old engines also unpack, are refused by name rather than misread.

Rules learned from isal and zlib alike: a truncated stream raises nothing, so `eof` is checked at
the end; a gzip file may have many members (eStargz, pigz), so `unused_data` is looped over; every
error of the codec becomes a MalformedArchiveError. A codec is loaded by the first stream that needs
it: a known image needs none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from seawall.oci.bounds import Budget, MalformedArchiveError, UnsupportedArchiveError

PACKED_CHUNK: Final = 128 * 1024
UNPACKED_CHUNK: Final = 1024 * 1024
"""The most that is ever unpacked at once, in bytes."""

ZSTD_WINDOW_LOG_MAX: Final = 27
"""128 MiB, the bound of the zstd program: a frame that wants more memory is refused."""

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_REFUSED: Final = ((b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))


def unpack(stream: BinaryIO, budget: Budget) -> Iterator[bytes]:
    """Yield the unpacked bytes of `stream` in chunks of at most UNPACKED_CHUNK bytes.

    Every chunk is counted in `budget`. Raises ArchiveError.
    """
    first = _read(stream, budget)
    for magic, name in _REFUSED:
        if first.startswith(magic):
            raise UnsupportedArchiveError(f"a layer compressed with {name} is not supported")
    if first.startswith(_GZIP):
        chunks = _gunzip(first, stream, budget)
    elif first.startswith(_ZSTD) or _is_skippable(first):
        chunks = _unzstd(first, stream, budget)
    else:
        chunks = _plain(first, stream, budget)
    for chunk in chunks:
        budget.count_unpacked(len(chunk))
        if chunk:
            yield chunk


def _read(stream: BinaryIO, budget: Budget) -> bytes:
    data = stream.read(PACKED_CHUNK)
    budget.packed += len(data)
    return data


def _is_skippable(data: bytes) -> bool:
    """RFC 8878, section 3.1.2: magic numbers 0x184D2A50 to 0x184D2A5F."""
    return len(data) >= 4 and data[0] & 0xF0 == 0x50 and data[1:4] == b"\x2a\x4d\x18"


def _plain(data: bytes, stream: BinaryIO, budget: Budget) -> Iterator[bytes]:
    while data:
        yield data
        data = _read(stream, budget)


def _gunzip(data: bytes, stream: BinaryIO, budget: Budget) -> Iterator[bytes]:
    from isal import isal_zlib

    codec_error = cast("type[Exception]", isal_zlib.IsalError)  # its stub says an instance
    while data:
        budget.count_member()
        engine = isal_zlib.decompressobj(31)  # gzip header and trailer, checksum verified
        while not engine.eof:
            try:
                chunk = engine.decompress(data, UNPACKED_CHUNK)
            except (codec_error, ValueError) as error:
                raise MalformedArchiveError(f"gzip: {error}") from error
            data = engine.unconsumed_tail
            yield chunk
            if not data and not engine.eof:
                data = _read(stream, budget)
                if not data and not chunk:
                    raise MalformedArchiveError("gzip: the stream ends too early")
        data = _next_member(engine.unused_data, stream, budget)


def _next_member(data: bytes, stream: BinaryIO, budget: Budget) -> bytes:
    """Return the start of the next gzip member, or nothing at the end; zero padding is allowed."""
    while True:
        while len(data) < 2 and (more := _read(stream, budget)):
            data += more
        if not data or data.startswith(_GZIP):
            return data
        if data.strip(b"\0"):
            raise MalformedArchiveError("gzip: bytes that are not gzip follow the last member")
        budget.count_unpacked(0)
        data = b""


def _unzstd(data: bytes, stream: BinaryIO, budget: Budget) -> Iterator[bytes]:
    if TYPE_CHECKING or sys.version_info < (3, 14):
        from backports import zstd
    else:
        from compression import zstd

    options = {int(zstd.DecompressionParameter.window_log_max): ZSTD_WINDOW_LOG_MAX}
    while data:
        budget.count_member()
        engine = zstd.ZstdDecompressor(options=options)
        while True:
            try:
                chunk = engine.decompress(data, UNPACKED_CHUNK)
            except zstd.ZstdError as error:
                raise MalformedArchiveError(f"zstd: {error}") from error
            data = b""
            yield chunk
            if engine.eof:
                break
            if engine.needs_input:
                data = _read(stream, budget)
                if not data:
                    raise MalformedArchiveError("zstd: the stream ends too early")
        data = engine.unused_data or _read(stream, budget)
