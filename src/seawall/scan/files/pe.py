"""Read PE files: Windows programs, and .NET assemblies on any system (PE/COFF spec, rev. 11).

Only headers and the version resource are read. Offsets that lead out of the file lead nowhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from seawall.scan.files.text import clean
from seawall.scan.readers import Content

MAX_SECTIONS: Final = 96
"""What Windows loads."""

MAX_RESOURCES: Final = 1_000
MAX_VERSION_BYTES: Final = 64 * 1024
MAX_VALUES: Final = 100

_MACHINES: Final = {0x14C: "386", 0x8664: "amd64", 0x1C4: "arm", 0xAA64: "arm64"}
_RESOURCES, _MANAGED = 2, 14
_RT_VERSION: Final = 16
_IS_DLL: Final = 0x2000


class Section(msgspec.Struct, frozen=True):
    """A named part of the file; offset and size in bytes, both inside the file."""

    name: str
    address: int
    offset: int
    size: int


class Pe(msgspec.Struct, frozen=True, kw_only=True):
    """What the headers say; addresses include the image base."""

    bits: int
    machine: str
    is_library: bool
    base: int
    sections: tuple[Section, ...]
    is_managed: bool = False
    """True for an assembly: there is a header of the common language runtime."""
    version: dict[str, str] = {}
    """The version resource, first language: `FileVersion`, `ProductName` …"""
    byte_order: str = "<"

    def section(self, name: str) -> Section | None:
        return next((part for part in self.sections if part.name == name and part.size), None)

    def offset_of(self, address: int) -> int | None:
        for part in self.sections:
            start = self.base + part.address
            if start <= address < start + part.size:
                return part.offset + address - start
        return None


def parse(content: Content) -> Pe | None:
    """Read the headers; None for a file that only begins like a DOS program."""
    if len(content) < 64 or content[:2] != b"MZ":
        return None
    start = int.from_bytes(content[60:64], "little")
    if content[start : start + 4] != b"PE\0\0" or start + 24 > len(content):
        return None
    machine, count, _, _, _, size, flags = struct.unpack_from("<HHIIIHH", content, start + 4)
    optional = content[start + 24 : start + 24 + size]
    if len(optional) < 96 or optional[:2] not in (b"\x0b\x01", b"\x0b\x02"):
        return None
    is_wide = optional[:2] == b"\x0b\x02"
    base = int.from_bytes(optional[24:32] if is_wide else optional[28:32], "little")
    program = Pe(
        bits=64 if is_wide else 32,
        machine=_MACHINES.get(machine, f"pe-{machine:#x}"),
        is_library=bool(flags & _IS_DLL),
        base=base,
        sections=tuple(_sections(content, start + 24 + size, min(count, MAX_SECTIONS))),
    )
    directories = optional[112 if is_wide else 96 :]
    resources, managed = (_directory(directories, index) for index in (_RESOURCES, _MANAGED))
    version = _version(content, program, resources) if resources else {}
    return msgspec.structs.replace(program, is_managed=bool(managed), version=version)


def _sections(content: Content, offset: int, count: int) -> Iterator[Section]:
    for start in range(offset, offset + count * 40, 40):
        raw = content[start : start + 40]
        if len(raw) < 40:
            return
        size, address, stored, place = struct.unpack_from("<IIII", raw, 8)
        if place <= len(content):
            size = min(stored, len(content) - place)
            name = raw[:8].rstrip(b"\0").decode("latin-1")
            yield Section(clean(name), address, place, size)


def _directory(directories: bytes, index: int) -> int:
    entry = directories[index * 8 : index * 8 + 8]
    return int.from_bytes(entry[:4], "little") if len(entry) == 8 else 0


def _version(content: Content, program: Pe, resources: int) -> dict[str, str]:
    """Follow the resource tree: type, name, language, data (three levels, each a table)."""
    root = program.offset_of(program.base + resources)
    if root is None:
        return {}
    for type_, kind in _entries(content, root, 0):
        if type_ != _RT_VERSION:
            continue
        for _, name in _entries(content, root, kind & 0x7FFFFFFF):
            for _, data in _entries(content, root, name & 0x7FFFFFFF):
                raw = content[root + data : root + data + 8]
                if len(raw) < 8:
                    return {}
                address, size = struct.unpack("<II", raw)
                place = program.offset_of(program.base + address)
                if place is None:
                    return {}
                return _strings(content[place : place + min(size, MAX_VERSION_BYTES)])
    return {}


def _entries(content: Content, root: int, offset: int) -> Iterator[tuple[int, int]]:
    header = content[root + offset + 12 : root + offset + 16]
    if len(header) < 4:
        return
    named, numbered = struct.unpack("<HH", header)
    start = root + offset + 16
    for index in range(min(named + numbered, MAX_RESOURCES)):
        raw = content[start + index * 8 : start + index * 8 + 8]
        if len(raw) < 8:
            return
        yield struct.unpack("<II", raw)


def _strings(block: bytes) -> dict[str, str]:
    """Read VS_VERSIONINFO: nested blocks of length, value length, kind, key, value, children.

    Only the leaves with text are wanted; they are found by walking the blocks of all levels.
    """
    found: dict[str, str] = {}
    todo = [(0, len(block))]
    while todo and len(found) < MAX_VALUES:
        start, end = todo.pop(0)
        while start + 6 <= end and len(todo) < MAX_VALUES:
            length, value_length, is_text = struct.unpack_from("<HHH", block, start)
            stop = min(start + length, end)
            if length < 6:
                break
            key_end = _end_of_text(block, start + 6, stop)
            key = block[start + 6 : key_end].decode("utf-16-le", "replace")
            value = (key_end + 2 + 3) & ~3
            if is_text and value_length and value < stop:
                text = block[value : _end_of_text(block, value, stop)]
                found.setdefault(clean(key, 64), clean(text.decode("utf-16-le", "replace").strip()))
            elif not is_text and value_length and key == "VS_VERSION_INFO":
                todo.append(((value + value_length + 3) & ~3, stop))
            elif not value_length:
                todo.append((value, stop))
            start = (start + length + 3) & ~3
    return found


def _end_of_text(block: bytes, start: int, stop: int) -> int:
    for place in range(start, stop - 1, 2):
        if block[place] == 0 and block[place + 1] == 0:
            return place
    return max(start, stop)
