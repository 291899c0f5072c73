"""A strict reader of ZIP archives over bytes in memory or mapped from disk (APPNOTE.TXT 6.3.10).

The standard library's reader makes an object of every entry and trusts more than it must. This one
walks the central directory only, keeps what the caller asks for, and unpacks single members with a
bound. An archive may lie inside another, stored, without being copied.

Refused: 1. more entries or longer names than the bounds; 2. a directory that does not fill the
place that the end record gives it; 3. members outside the archive or over each other (Fifield, "A
better zip bomb", 2019); 4. a member whose local header names another; 5. more bytes than its size
says, or a ratio beyond what deflate can reach; 6. encryption, and methods other than stored and
deflate.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import msgspec

from seawall.scan.readers import Content, Unreadable

MAX_ENTRIES: Final = 300_000
MAX_NAME: Final = 1_024
"""Bytes of a member's name that is kept; members with longer ones are skipped."""
MAX_RATIO: Final = 1_100
"""Deflate reaches 1,032:1 at most."""

_PIECE: Final = 1024 * 1024
_END: Final = struct.Struct("<4s4H2LH")
_END64_LOCATOR: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_MAX_COMMENT: Final = 65_535
_STORED, _DEFLATED = 0, 8
_ENCRYPTED: Final = 0x2041  # bits 0, 6 and 13
_FULL32: Final = 0xFFFFFFFF


class Member(msgspec.Struct, frozen=True):
    """One entry of the central directory. `offset` is where its local header begins."""

    name: str
    method: int
    flags: int
    packed: int
    size: int
    crc: int
    offset: int


class Archive:
    """The wanted members of the archive that lies in `content` from `start` to `end`."""

    def __init__(
        self,
        content: Content,
        is_wanted: Callable[[str], bool],
        *,
        start: int = 0,
        end: int | None = None,
        max_entries: int = MAX_ENTRIES,
    ) -> None:
        """Walk the central directory. Raises Unreadable when it is not one."""
        self._content = content
        self._start = start
        self._end = len(content) if end is None else end
        self._max_entries = max_entries
        self.entries = 0
        """Members in all."""
        self.members: list[Member] = []
        """Those that are wanted, in the order of the directory."""
        self._is_wanted = is_wanted
        self._directory = (0, 0)
        try:
            self._walk()
        except struct.error as error:
            raise Unreadable("the ZIP directory ends too early") from error

    def read(self, member: Member, max_bytes: int) -> bytes:
        """Unpack one member. Raises Unreadable, also when it has more than `max_bytes`."""
        if member.size > max_bytes:
            raise Unreadable(f"a member of {member.size} bytes, more than {max_bytes}")
        begin, end = self.place(member)
        packed = bytes(self._content[begin:end])
        if member.method == _STORED:
            data = packed
        else:
            decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                data = decompressor.decompress(packed, member.size + 1)
            except zlib.error as error:
                raise Unreadable("a member does not unpack") from error
        if len(data) != member.size or zlib.crc32(data) != member.crc:
            raise Unreadable("a member is not what the directory says")
        return data

    def unpack(self, member: Member, file: BinaryIO, max_bytes: int) -> None:
        """Unpack one deflated member to a file, in pieces. Raises Unreadable as `read` does."""
        if member.size > max_bytes:
            raise Unreadable(f"a member of {member.size} bytes, more than {max_bytes}")
        begin, end = self.place(member)
        size = crc = 0
        try:
            for data in _inflated(self._content, begin, end):
                size += len(data)
                crc = zlib.crc32(data, crc)
                if size > member.size:
                    break
                file.write(data)
        except zlib.error as error:
            raise Unreadable("a member does not unpack") from error
        if size != member.size or crc != member.crc:
            raise Unreadable("a member is not what the directory says")

    def place(self, member: Member) -> tuple[int, int]:
        """Return where the packed bytes of a member lie in the content. Raises Unreadable."""
        if member.method not in (_STORED, _DEFLATED) or member.flags & _ENCRYPTED:
            raise Unreadable("a member is encrypted or packed in an unknown way")
        if member.method == _STORED and member.packed != member.size:
            raise Unreadable("a stored member has two sizes")
        if member.size > member.packed * MAX_RATIO + 64:
            raise Unreadable("a member claims an impossible ratio")
        try:
            header = _LOCAL.unpack_from(self._content, member.offset)
        except struct.error as error:
            raise Unreadable("a member lies outside the archive") from error
        name_length, extra_length = header[9], header[10]
        name_begin = member.offset + _LOCAL.size
        begin = name_begin + name_length + extra_length
        if header[0] != b"PK\x03\x04" or begin + member.packed > self._end:
            raise Unreadable("a member lies outside the archive")
        if _name(self._content[name_begin : name_begin + name_length]) != member.name:
            raise Unreadable("a member has two names")
        return begin, begin + member.packed

    def has_folder(self, folder: str) -> bool:
        """Tell whether the directory speaks of `folder` (`org/example/`) at the end of a name."""
        mark = folder.encode()
        begin, end = self._directory
        return self._content.find(mark, begin, end) >= 0

    def is_stored(self, member: Member) -> bool:
        return member.method == _STORED

    def _walk(self) -> None:
        count, size, offset, end = self._end_record()
        if count > self._max_entries:
            raise Unreadable(f"{count} entries, more than {self._max_entries}")
        begin = end - size
        shift = begin - offset  # bytes before the archive: a starting script, for example
        if begin < self._start or shift < self._start:
            raise Unreadable("the ZIP directory lies outside the archive")
        content, unpack, is_wanted = self._content, _CENTRAL.unpack_from, self._is_wanted
        position = begin
        for _ in range(count):
            fields = unpack(content, position)
            name_length, extra_length = fields[10], fields[11]
            name_begin = position + _CENTRAL.size
            extra_begin = name_begin + name_length
            position = extra_begin + extra_length + fields[12]
            if fields[0] != b"PK\x01\x02" or position > end:
                raise Unreadable("the ZIP directory is broken")
            if name_length > MAX_NAME:
                continue
            name = _name(content[name_begin:extra_begin])
            if is_wanted(name):
                extra = content[extra_begin : extra_begin + extra_length]
                self.members.append(_member(fields, name, bytes(extra), shift))
        if position != end:
            raise Unreadable("the ZIP directory has another size than it says")
        self.entries = count
        self._directory = begin, end
        self._refuse_overlaps(begin)

    def _end_record(self) -> tuple[int, int, int, int]:
        """Return entries, size, offset and end of the central directory."""
        at, fields = self._find_end()
        _, disk, first_disk, here, count, size, offset, _ = fields
        if 0xFFFF in (here, count) or _FULL32 in (size, offset):
            wide = self._end_record64(at)
            if wide is not None:
                return wide
        if disk or first_disk or here != count:
            raise Unreadable("a ZIP archive of several volumes")
        return count, size, offset, at

    def _find_end(self) -> tuple[int, tuple[Any, ...]]:
        lowest = max(self._start, self._end - _END.size - _MAX_COMMENT)
        at = self._content.rfind(b"PK\x05\x06", lowest, self._end)
        while at >= 0:
            if at + _END.size <= self._end:
                fields = _END.unpack_from(self._content, at)
                if at + _END.size + fields[7] <= self._end:
                    return at, fields
            at = self._content.rfind(b"PK\x05\x06", lowest, at)
        raise Unreadable("not a ZIP archive, or its end is missing")

    def _end_record64(self, end: int) -> tuple[int, int, int, int] | None:
        locator_at = end - _END64_LOCATOR.size
        if locator_at < self._start:
            return None
        mark, disk, _, disks = _END64_LOCATOR.unpack_from(self._content, locator_at)
        if mark != b"PK\x06\x07":
            return None
        at = locator_at - _END64.size  # without an extensible data sector, which nobody writes
        if at < self._start or disk or disks > 1:
            raise Unreadable("the ZIP64 record is broken")
        fields = _END64.unpack_from(self._content, at)
        if fields[0] != b"PK\x06\x06" or fields[6] != fields[7]:
            raise Unreadable("the ZIP64 record is broken")
        return fields[7], fields[8], fields[9], at

    def _refuse_overlaps(self, directory: int) -> None:
        """The packed bytes of the wanted members neither cross each other nor the directory."""
        last = self._start
        for member in sorted(self.members, key=lambda member: member.offset):
            if member.offset < last:
                raise Unreadable("members of the archive lie over each other")
            last = member.offset + _LOCAL.size + member.packed
        if last > directory:
            raise Unreadable("a member lies outside the archive")


def _inflated(content: Content, begin: int, end: int) -> Iterator[bytes]:
    """Yield the unpacked bytes in pieces of a bounded size. Raises zlib.error."""
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    for at in range(begin, end, _PIECE):
        rest = bytes(content[at : min(at + _PIECE, end)])
        while rest and not decompressor.eof:
            yield decompressor.decompress(rest, _PIECE)
            rest = decompressor.unconsumed_tail
    yield decompressor.flush()  # at most what one window holds


def _member(fields: tuple[Any, ...], name: str, extra: bytes, shift: int) -> Member:
    flags, method, crc, packed, size = fields[3], fields[4], *fields[7:10]
    offset = fields[16]
    if _FULL32 in (packed, size, offset):
        size, packed, offset = _wide(extra, size, packed, offset)
    return Member(name, method, flags, packed, size, crc, offset + shift)


def _wide(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Return sizes and offset with those replaced that the ZIP64 extra field holds (4.5.3)."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        if kind == 1:
            values = iter(struct.unpack_from(f"<{length // 8}Q", extra, position + 4))
            size = next(values, size) if size == _FULL32 else size
            packed = next(values, packed) if packed == _FULL32 else packed
            offset = next(values, offset) if offset == _FULL32 else offset
            break
        position += 4 + length
    return size, packed, offset


def _name(name: bytes) -> str:
    try:
        return name.decode("ascii")
    except UnicodeDecodeError:
        return name.decode("utf-8", "surrogateescape")
