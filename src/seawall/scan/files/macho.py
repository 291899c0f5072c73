"""Read Mach-O files: programs of macOS that lie in an image (Mach-O reference, `loader.h`).

Of a universal file the first part alone is read. Offsets that lead out of the file lead nowhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from seawall.scan.files.text import decode
from seawall.scan.readers import Content

MAX_COMMANDS: Final = 10_000
MAX_SECTIONS: Final = 4_096
MAX_NEEDED: Final = 1_000

_THIN: Final = {
    b"\xce\xfa\xed\xfe": (32, "<"),
    b"\xcf\xfa\xed\xfe": (64, "<"),
    b"\xfe\xed\xfa\xce": (32, ">"),
    b"\xfe\xed\xfa\xcf": (64, ">"),
}
_FAT: Final = {b"\xca\xfe\xba\xbe": 32, b"\xca\xfe\xba\xbf": 64}
_MACHINES: Final = {7: "386", 12: "arm", 0x01000007: "amd64", 0x0100000C: "arm64"}
_KINDS: Final = {1: "object", 2: "program", 4: "core", 6: "library", 8: "library"}
_SEGMENT, _SEGMENT_64, _DYLIB, _ID_DYLIB, _UUID = 0x1, 0x19, 0xC, 0xD, 0x1B


class Section(msgspec.Struct, frozen=True):
    """A named part of the file; offset and size in bytes, both inside the file."""

    name: str
    address: int
    offset: int
    size: int


class MachO(msgspec.Struct, frozen=True, kw_only=True):
    """What the load commands say."""

    bits: int
    byte_order: str
    kind: str
    machine: str
    sections: tuple[Section, ...]
    uuid: str = ""
    """The linker's build id, in hexadecimal digits."""
    name: str = ""
    """The install name of a library."""
    needed: tuple[str, ...] = ()

    def section(self, name: str) -> Section | None:
        return next((part for part in self.sections if part.name == name and part.size), None)

    def offset_of(self, address: int) -> int | None:
        for part in self.sections:
            if part.address <= address < part.address + part.size:
                return part.offset + address - part.address
        return None


def parse(content: Content) -> MachO | None:
    """Read the load commands; None when this is not a Mach-O file."""
    start = _start_of(content)
    magic = content[start : start + 4]
    if magic not in _THIN or len(content) < start + 32:
        return None
    bits, order = _THIN[magic]
    machine, _, kind, count, _ = struct.unpack_from(order + "IIIII", content, start + 4)
    sections: list[Section] = []
    needed: list[str] = []
    uuid = name = ""
    for command, offset, size in _commands(
        content, start + (32 if bits == 64 else 28), count, order
    ):
        if command in (_SEGMENT, _SEGMENT_64):
            layout = struct.Struct(order + ("16s16sQQI" if command == _SEGMENT_64 else "16s16sIII"))
            sections += _sections(content, start, range(offset, offset + size), layout)
        elif command in (_DYLIB, _ID_DYLIB) and size >= 12:
            place = struct.unpack_from(order + "I", content, offset + 8)[0]
            text = decode(content[offset + place : offset + min(size, 4_096)])
            if command == _ID_DYLIB:
                name = text
            elif len(needed) < MAX_NEEDED:
                needed.append(text)
        elif command == _UUID and size >= 24:
            uuid = content[offset + 8 : offset + 24].hex()
    return MachO(
        bits=bits,
        byte_order=order,
        kind=_KINDS.get(kind, ""),
        machine=_MACHINES.get(machine, f"macho-{machine:#x}"),
        sections=tuple(sections[:MAX_SECTIONS]),
        uuid=uuid,
        name=name,
        needed=tuple(needed),
    )


def _start_of(content: Content) -> int:
    """Return where the first program of a universal file begins, 0 for any other file."""
    wide = _FAT.get(content[:4])
    if wide is None or len(content) < 40:
        return 0
    return int(struct.unpack_from(">Q" if wide == 64 else ">I", content, 16)[0])


def _commands(
    content: Content, offset: int, count: int, order: str
) -> Iterator[tuple[int, int, int]]:
    for _ in range(min(count, MAX_COMMANDS)):
        if offset + 8 > len(content):
            return
        command, size = struct.unpack_from(order + "II", content, offset)
        if size < 8 or offset + size > len(content):
            return
        yield command & 0x7FFFFFFF, offset, size
        offset += size


def _sections(
    content: Content, start: int, command: range, layout: struct.Struct
) -> Iterator[Section]:
    """Yield the sections of one segment command; its own fields and each section's tail differ."""
    first, step = (72, 80) if layout.size == 52 else (56, 68)
    for place in range(command.start + first, command.stop - step + 1, step):
        name, _, address, length, at = layout.unpack_from(content, place)
        if at and start + at <= len(content):
            length = min(length, len(content) - start - at)
            yield Section(decode(name), address, start + at, length)
