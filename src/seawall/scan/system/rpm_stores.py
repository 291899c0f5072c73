"""The three containers in which rpm has kept its headers: SQLite, ndb, and a Berkeley DB hash.

Only what is needed to walk over all values of one table, read straight from the mapped file: no
database engine runs on bytes from strangers. Pages are visited once, and all values together may
not be larger than the file, so that chains that loop or share pages cost nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from seawall.scan.readers import Content, Unreadable

MAX_DEPTH: Final = 32
"""Levels of a SQLite tree; a full one of 2^31 rows has less than ten."""

_SQLITE: Final = b"SQLite format 3\0"
_NDB: Final = b"RpmP"
_BERKELEY_MAGIC: Final = 0x00061561


def blobs(content: Content) -> Iterator[bytes]:
    """Yield the headers in a database, told by its first bytes. Raises Unreadable."""
    if content[:16] == _SQLITE:
        return _Sqlite(content).blobs("Packages")
    if content[:4] == _NDB:
        return _ndb(content)
    if len(content) >= 512:
        for order in "<>":
            if struct.unpack_from(order + "I", content, 12)[0] == _BERKELEY_MAGIC:
                return _Berkeley(content, order).values()
    raise Unreadable("not a database of rpm that is known")


class _Budget:
    """Lets all values together be as large as the file."""

    def __init__(self, content: Content) -> None:
        self._left = len(content)

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Unreadable("its entries are larger than the file")


# -- SQLite (sqlite.org, "Database File Format")


_SQLITE_HEADER_BYTES: Final = 100


class _Sqlite:
    def __init__(self, content: Content) -> None:
        if len(content) < _SQLITE_HEADER_BYTES:
            raise Unreadable("a SQLite file without its header")
        self._content = content
        (size,) = struct.unpack_from(">H", content, 16)
        self._page_size = 65536 if size == 1 else size
        self._usable = self._page_size - content[20]
        if self._page_size < 512 or self._page_size & (self._page_size - 1) or self._usable < 480:
            raise Unreadable("a SQLite file with a wrong page size")
        self._budget = _Budget(content)

    def blobs(self, table: str) -> Iterator[bytes]:
        """Yield the last column of each row of `table`, where it is a blob."""
        for row in self._rows(1):
            if row[:2] == [b"table", table.encode()] and len(row) > 3 and isinstance(row[3], int):
                for values in self._rows(row[3]):
                    if values and isinstance(values[-1], bytes):
                        yield values[-1]
                return
        raise Unreadable(f"a SQLite file without the table {table}")

    def _rows(self, root: int) -> Iterator[list[bytes | int | None]]:
        seen: set[int] = set()
        todo = [root]
        while todo:
            number = todo.pop()
            if number in seen:
                raise Unreadable("a SQLite tree that loops")
            seen.add(number)
            page = self._page(number)
            start = 100 if number == 1 else 0
            kind = page[start]
            (cells,) = struct.unpack_from(">H", page, start + 3)
            if kind not in (5, 13):
                raise Unreadable("a SQLite page that is not of a table")
            head = start + (12 if kind == 5 else 8)
            if head + 2 * cells > len(page):
                raise Unreadable("a SQLite page with too many cells")
            offsets = struct.unpack_from(f">{cells}H", page, head)
            if kind == 13:
                for offset in offsets:
                    yield _record(self._payload(page, offset))
                continue
            children = [_u32(page, offset) for offset in offsets] + [_u32(page, start + 8)]
            todo.extend(reversed(children))

    def _page(self, number: int) -> bytes:
        at = (number - 1) * self._page_size
        page = bytes(self._content[at : at + self._page_size]) if number > 0 else b""
        if len(page) < self._page_size:
            raise Unreadable("a SQLite page behind the end of the file")
        return page

    def _payload(self, page: bytes, at: int) -> bytes:
        size, at = _varint(page, at)
        _, at = _varint(page, at)  # the row's number
        self._budget.take(size)
        local = self._local(size)
        parts = [page[at : at + local]]
        missing = size - local
        chain = _u32(page, at + local) if missing else 0
        while missing:
            more = self._page(chain)
            part = more[4 : 4 + min(missing, self._usable - 4)]
            chain = _u32(more, 0)
            missing -= len(part)
            parts.append(part)
        return b"".join(parts)

    def _local(self, size: int) -> int:
        """Return how much of a payload is in the cell itself."""
        usable = self._usable
        if size <= usable - 35:
            return size
        least = (usable - 12) * 32 // 255 - 23
        kept = least + (size - least) % (usable - 4)
        return kept if kept <= usable - 35 else least


_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


def _record(payload: bytes) -> list[bytes | int | None]:
    """Return the columns of a row; texts as bytes, floats as None."""
    end, at = _varint(payload, 0)
    kinds = []
    while at < min(end, len(payload)):
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[bytes | int | None] = []
    at = end
    for kind in kinds:
        size = _INTEGERS.get(kind, 8 if kind == 7 else max(0, kind - 12) // 2)
        part = payload[at : at + size]
        at += size
        if len(part) < size:
            raise Unreadable("a SQLite row that is longer than its payload")
        if kind in _INTEGERS:
            values.append(int.from_bytes(part, "big", signed=True))
        elif kind in (8, 9):
            values.append(kind - 8)
        else:
            values.append(part if kind >= 12 else None)
    return values


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for number in range(9):
        if at >= len(data):
            raise Unreadable("a SQLite number behind the end of its page")
        byte = data[at]
        at += 1
        if number == 8:
            return value << 8 | byte, at
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, at


def _u32(data: bytes, at: int) -> int:
    if at + 4 > len(data):
        raise Unreadable("a number behind the end of its page")
    return int.from_bytes(data[at : at + 4], "big")


# -- ndb (rpm, lib/backend/ndb/rpmpkg.c)

_NDB_HEADER: Final = 32
_NDB_PAGE: Final = 4096
_NDB_BLOCK: Final = 16


def _ndb(content: Content) -> Iterator[bytes]:
    if len(content) < _NDB_HEADER:
        raise Unreadable("an ndb file that is too short")
    (pages,) = struct.unpack_from("<I", content, 12)
    end = min(pages * _NDB_PAGE, len(content))
    budget = _Budget(content)
    for at in range(_NDB_HEADER, end - 15, 16):
        magic, index, block, _count = struct.unpack_from("<4sIII", content, at)
        if magic != b"Slot":
            raise Unreadable("an ndb file with a broken slot")
        if not index:
            continue
        start = block * _NDB_BLOCK
        if start + 16 > len(content):
            raise Unreadable("an ndb entry behind the end of the file")
        magic, same, _generation, size = struct.unpack_from("<4sIII", content, start)
        if magic != b"BlbS" or same != index or start + 16 + size > len(content):
            raise Unreadable("an ndb entry that is broken")
        budget.take(size)
        yield bytes(content[start + 16 : start + 16 + size])


# -- Berkeley DB, hash (dbinc/db_page.h)

_PAGE_HEADER: Final = 26
_HASH_PAGES: Final = (2, 13)
_OVERFLOW_PAGE: Final = 7
_ON_PAGE, _OFF_PAGE = 1, 3


class _Berkeley:
    def __init__(self, content: Content, order: str) -> None:
        self._content = content
        self._order = order
        (self._size,) = struct.unpack_from(order + "I", content, 20)
        if not 512 <= self._size <= 65536 or self._size & (self._size - 1):
            raise Unreadable("a Berkeley DB file with a wrong page size")
        if content[24]:
            raise Unreadable("a Berkeley DB file that is encrypted")
        self._pages = len(content) // self._size
        self._budget = _Budget(content)

    def values(self) -> Iterator[bytes]:
        """Yield the values of all pairs; a key that counts packages has a value of four bytes."""
        for number in range(1, self._pages):
            page = self._page(number)
            if page[25] in _HASH_PAGES:
                yield from self._pairs(page)

    def _pairs(self, page: bytes) -> Iterator[bytes]:
        (count,) = struct.unpack_from(self._order + "H", page, 20)
        if _PAGE_HEADER + 2 * count > len(page):
            raise Unreadable("a Berkeley DB page with too many items")
        places = struct.unpack_from(f"{self._order}{count}H", page, _PAGE_HEADER)
        for number in range(1, count, 2):
            at, end = places[number], places[number - 1]
            if at + 12 <= len(page) and page[at] == _OFF_PAGE:
                first, size = struct.unpack_from(self._order + "II", page, at + 4)
                yield self._chain(first, size)
            elif at + 12 < end <= len(page) and page[at] == _ON_PAGE:
                self._budget.take(end - at)
                yield page[at + 1 : end]

    def _chain(self, number: int, size: int) -> bytes:
        self._budget.take(size)
        parts: list[bytes] = []
        missing = size
        while missing:
            page = self._page(number)
            used, number = struct.unpack_from(self._order + "H", page, 22)[0], self._next(page)
            part = page[_PAGE_HEADER : _PAGE_HEADER + min(used, missing)]
            if page[25] != _OVERFLOW_PAGE or not part:
                raise Unreadable("a Berkeley DB entry that is broken")
            missing -= len(part)
            parts.append(part)
        return b"".join(parts)

    def _next(self, page: bytes) -> int:
        number: int = struct.unpack_from(self._order + "I", page, 16)[0]
        return number

    def _page(self, number: int) -> bytes:
        if not 0 < number < self._pages:
            raise Unreadable("a Berkeley DB page behind the end of the file")
        return bytes(self._content[number * self._size : (number + 1) * self._size])
