"""Which functions a Go program holds: the names in its line table, which stripping leaves in place.

Advisories of the Go vulnerability database name functions; a program that holds none of them cannot
be hit. Names are kept as sorted 32-bit hashes: 4 bytes each, and one in 4 billion is a false yes.
An empty result means "unknown", never "none".

Layouts: `runtime/symtab.go`, magic numbers of Go 1.2, 1.16, 1.18 and 1.20.
"""

from __future__ import annotations

import re
import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from seawall.scan.files.program import Program
from seawall.scan.readers import Content

MAX_FUNCTIONS: Final = 400_000
MAX_NAMES_BYTES: Final = 64 * 1024 * 1024
MAX_CANDIDATES: Final = 64
NAME_MAX_BYTES: Final = 512

_SECTIONS: Final = (".gopclntab", ".data.rel.ro.gopclntab", "__gopclntab")
_LITTLE: Final = re.compile(rb"(?:[\xfa\xfb\xf0\xf1]\xff\xff\xff)\x00\x00[\x01\x02\x04][\x04\x08]")
_BIG: Final = re.compile(rb"\xff\xff\xff[\xfa\xfb\xf0\xf1]\x00\x00[\x01\x02\x04][\x04\x08]")
_FIELDS: Final = {0xF0: 3, 0xF1: 3, 0xFA: 2}
"""Words between the first 8 bytes and the offset of the names, by the magic's odd byte."""

_TYPE_ARGUMENTS: Final = re.compile(rb"\[[^\[\]]*\]")
_NO_FUNCTIONS: Final = (b"type:", b"type..", b"go:", b"go.")


def functions(content: Content, program: Program) -> bytes:
    """Return the hashes of all functions' names, sorted, little endian; empty when unknown."""
    for start in _tables(content, program):
        names = _names(content, start, program.byte_order)
        if hashes := _hashes(names):
            result = array("I", sorted(hashes))
            return _little(result)
    return b""


def holds(kept: bytes, package: str, symbol: str) -> bool | None:
    """Tell whether the program holds `symbol` (`Server.Serve`) of `package`; None when unknown."""
    if not kept:
        return None
    table = array("I")
    table.frombytes(kept[: len(kept) // 4 * 4])
    if struct.pack("=H", 1) != b"\x01\x00":
        table.byteswap()
    wanted = zlib.crc32(f"{package}.{symbol}".encode("utf-8", "replace"))
    place = bisect_left(table, wanted)
    return place < len(table) and table[place] == wanted


def _hashes(names: Iterable[bytes]) -> set[int]:
    """Return the hashes of the names as advisories spell them: `net/http.Server.Serve`.

    Closures, and what the linker made, are left out.
    """
    crc32 = zlib.crc32
    hashes: set[int] = set()
    for raw in names:
        if b".func" in raw or not 0 < len(raw) <= NAME_MAX_BYTES:
            continue
        if raw.startswith(_NO_FUNCTIONS) or raw.endswith(b"-fm"):
            continue
        name = _written_out(raw) if b"[" in raw or b"%" in raw else raw
        if b"(" in name:
            name = name.replace(b"(*", b"").replace(b"(", b"").replace(b")", b"")
        hashes.add(crc32(name))
    return hashes


def _written_out(name: bytes) -> bytes:
    """Return the name without arguments of types, and with its path as it is imported."""
    while b"[" in name and (shorter := _TYPE_ARGUMENTS.sub(b"", name)) != name:
        name = shorter
    return unquote_to_bytes(name) if b"%" in name else name


def _little(table: array[int]) -> bytes:
    if struct.pack("=H", 1) != b"\x01\x00":
        table.byteswap()
    return table.tobytes()


def _tables(content: Content, program: Program) -> Iterator[int]:
    """Yield where a line table may begin: in its section, else wherever its magic stands."""
    for name in _SECTIONS:
        part = program.section(name)
        if part is not None:
            yield part.offset
            return
    pattern = _LITTLE if program.byte_order == "<" else _BIG
    for number, match in enumerate(pattern.finditer(content)):
        if number == MAX_CANDIDATES:
            return
        yield match.start()


def _names(content: Content, start: int, order: str) -> Iterable[bytes]:
    head = content[start : start + 8]
    if len(head) < 8 or not (_LITTLE if order == "<" else _BIG).match(head):
        return ()
    magic = head[0] if order == "<" else head[3]
    word = "Q" if head[7] == 8 else "I"
    if magic == 0xFB:
        return _names_of_1_2(content, start, order + word)
    fields = _FIELDS[magic]
    layout = struct.Struct(f"{order}{fields + 2}{word}")
    if start + 8 + layout.size > len(content):
        return ()
    *_, first, end = layout.unpack_from(content, start + 8)
    if not 0 < end - first <= MAX_NAMES_BYTES:
        return ()
    return content[start + first : start + end].split(b"\0", MAX_FUNCTIONS)[:MAX_FUNCTIONS]


def _names_of_1_2(content: Content, start: int, layout: str) -> Iterator[bytes]:
    """Follow each function's record to its name (Go 1.2 to 1.15)."""
    size = struct.calcsize(layout)
    raw = content[start + 8 : start + 8 + size]
    if len(raw) < size:
        return
    count = min(struct.unpack(layout, raw)[0], MAX_FUNCTIONS)
    table = content[start + 8 + size : start + 8 + size + count * 2 * size]
    table = table[: len(table) // (2 * size) * 2 * size]
    offset_layout = layout[0] + "I"
    for _, place in struct.iter_unpack(layout + layout[1], table):
        raw = content[start + place + size : start + place + size + 4]
        if len(raw) < 4:
            return
        name = start + struct.unpack(offset_layout, raw)[0]
        end = content.find(b"\0", name, name + NAME_MAX_BYTES)
        if end > name:
            yield content[name:end]
