"""Read .rpm files: lead, signature header, header, cpio payload (rpm file format 3 and 4).

Header tags are those of `rpmtag.h`; the payload is cpio "new ASCII" (magic 070701), packed with
gzip, xz or zstd. bzip2 and lzma payloads of old packages are refused by name.
"""

from __future__ import annotations

import contextlib
import lzma
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from seawall.core.errors import InvalidInputError
from seawall.core.limits import MIB
from seawall.oci import compression, layers
from seawall.oci.bounds import Budget, Limits
from seawall.scan.fingerprints.pack import LearnedPackage
from seawall.scan.model import PackageType

MAGIC: Final = b"\xed\xab\xee\xdb"
MAX_HEADER_BYTES: Final = 64 * MIB
MAX_TAGS: Final = 10_000
MAX_NAME: Final = 4_096
LIMITS: Final = Limits(max_unpacked_bytes=16 * 1024 * MIB, max_ratio=2_000, max_seconds=600)

_LEAD: Final = 96
_HEADER: Final = b"\x8e\xad\xe8\x01"
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH, _SOURCE = 1000, 1001, 1002, 1003, 1022, 1044
_CPIO: Final = (b"070701", b"070702")
_TRAILER: Final = "TRAILER!!!"
_IS_FILE: Final = 0o100000
_KIND: Final = 0o170000


def read(stream: BinaryIO) -> tuple[LearnedPackage, Iterator[bytes]]:
    """Read the headers; return the package and its unpacked payload in chunks.

    Raises InvalidInputError.
    """
    stream.seek(_LEAD)
    _header(stream)
    place = stream.tell()
    stream.seek(place + -place % 8)
    tags = _header(stream)
    name, version, release = (str(tags.get(tag, "")) for tag in (_NAME, _VERSION, _RELEASE))
    if not name or not version:
        raise InvalidInputError("the header of the rpm names no package")
    epoch = tags.get(_EPOCH, 0)
    full = f"{epoch}:{version}-{release}" if epoch else f"{version}-{release}"
    source, source_version = _source(str(tags.get(_SOURCE, "")))
    package = LearnedPackage(
        type=PackageType.RPM,
        name=name,
        version=full,
        source_name=source or name,
        source_version=f"{epoch}:{source_version}" if epoch else source_version or full,
        architecture=str(tags.get(_ARCH, "")),
    )
    return package, _payload(stream)


def members(chunks: Iterator[bytes], max_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of the files in a cpio archive."""
    source = _Source(chunks)
    while True:
        header = source.take(110)
        if header[:6] not in _CPIO:
            raise InvalidInputError("the payload of the rpm is not a cpio archive")
        fields = [int(header[place : place + 8], 16) for place in range(6, 110, 8)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        if name_size > MAX_NAME:
            raise InvalidInputError("a name in the rpm is too long")
        name = source.take(name_size).rstrip(b"\0").decode("utf-8", "surrogateescape")
        source.skip(-(110 + name_size) % 4)
        if name == _TRAILER:
            return
        if mode & _KIND == _IS_FILE and 0 < size <= max_bytes:
            yield layers.canonical_path(name), source.take(size)
        else:
            source.skip(size)
        source.skip(-size % 4)


def _header(stream: BinaryIO) -> dict[int, str | int]:
    """Read one header structure; texts and 32-bit numbers of the tags that have one value."""
    intro = stream.read(16)
    if len(intro) < 16 or intro[:4] != _HEADER:
        raise InvalidInputError("the rpm's header is damaged")
    count, size = struct.unpack(">II", intro[8:])
    if count > MAX_TAGS or size > MAX_HEADER_BYTES:
        raise InvalidInputError("the rpm's header is too large")
    index = stream.read(count * 16)
    store = stream.read(size)
    if len(index) < count * 16 or len(store) < size:
        raise InvalidInputError("the rpm ends inside its header")
    tags: dict[int, str | int] = {}
    for tag, kind, offset, _ in struct.iter_unpack(">IIII", index):
        if kind in (6, 9):
            end = store.find(b"\0", offset)
            tags[tag] = store[offset : max(end, offset)].decode("utf-8", "replace")
        elif kind == 4 and offset + 4 <= size:
            tags[tag] = int.from_bytes(store[offset : offset + 4], "big")
    return tags


def _source(file_name: str) -> tuple[str, str]:
    """Split `bash-5.1.8-6.el9.src.rpm` into name and version-release."""
    stem = file_name.removesuffix(".rpm").rpartition(".")[0]
    name, _, release = stem.rpartition("-")
    name, _, version = name.rpartition("-")
    return (name, f"{version}-{release}") if name else ("", "")


def _payload(stream: BinaryIO) -> Iterator[bytes]:
    place = stream.tell()
    start = stream.read(6)
    stream.seek(place)
    if start.startswith((b"BZh", b"\x5d\x00")):
        raise InvalidInputError("rpm payloads packed with bzip2 or lzma are not supported")
    is_xz = start == b"\xfd7zXZ\x00"
    with lzma.LZMAFile(stream) if is_xz else contextlib.nullcontext(stream) as packed:
        yield from compression.unpack(cast("BinaryIO", packed), Budget(LIMITS))


class _Source:
    """Bytes in chunks, taken in pieces."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def take(self, size: int) -> bytes:
        parts = [self._rest]
        have = len(self._rest)
        while have < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                raise InvalidInputError("the payload of the rpm ends early")
            parts.append(chunk)
            have += len(chunk)
        joined = b"".join(parts)
        self._rest = joined[size:]
        return joined[:size]

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.take(min(size, MIB)))
