"""Programs for tests, made of what the readers of executables look at and nothing else."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

import msgspec

BASE = 0x400000
_TYPES = {".note.gnu.build-id": 7, ".note.go.buildid": 7, ".note.package": 7, ".dynamic": 6}


def note(owner: bytes, kind: int, content: bytes, order: str = "<") -> bytes:
    """Return one ELF note; owner and content are padded to four bytes."""
    name = owner + b"\0"
    head = struct.pack(order + "III", len(name), len(content), kind)
    return head + name + bytes(-len(name) % 4) + content + bytes(-len(content) % 4)


def elf(
    sections: Mapping[str, bytes] | None = None,
    *,
    bits: int = 64,
    order: str = "<",
    build_id: bytes = b"",
    needed: Sequence[str] = (),
    soname: str = "",
    interpreter: str = "",
    package_note: bytes = b"",
    has_symbols: bool = False,
    has_section_headers: bool = True,
) -> bytes:
    """Return an ELF file that holds these parts; it is loaded whole at BASE."""
    parts = dict(sections or {})
    if build_id:
        parts[".note.gnu.build-id"] = note(b"GNU", 3, build_id, order)
    if package_note:
        parts[".note.package"] = note(b"FDO", 0xCAFE1A7E, package_note, order)
    if interpreter:
        parts[".interp"] = interpreter.encode() + b"\0"
    if needed or soname:
        parts[".dynstr"] = b"\0" + b"".join(name.encode() + b"\0" for name in (*needed, soname))
        parts[".dynamic"] = b""
    if has_symbols:
        parts[".symtab"] = bytes(24)
    return _laid_out(parts, _Layout(bits, order), needed, soname, has_section_headers)


class _Layout:
    def __init__(self, bits: int, order: str) -> None:
        self.bits = bits
        self.order = order
        wide = bits == 64
        self.header = struct.Struct(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"))
        self.segment = struct.Struct(order + ("IIQQQQQQ" if wide else "IIIIIIII"))
        self.section = struct.Struct(order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII"))
        self.dynamic = struct.Struct(order + ("qQ" if wide else "iI"))
        self.start = 16 + self.header.size + 8 * self.segment.size

    def segment_of(self, kind: int, flags: int, offset: int, size: int) -> bytes:
        place = BASE + offset
        if self.bits == 64:
            return self.segment.pack(kind, flags, offset, place, place, size, size, 16)
        return self.segment.pack(kind, offset, place, place, size, size, flags, 16)


def _laid_out(
    parts: dict[str, bytes],
    layout: _Layout,
    needed: Sequence[str],
    soname: str,
    has_section_headers: bool,
) -> bytes:
    places: dict[str, tuple[int, int]] = {}
    body = bytearray()
    for name, content in parts.items():
        body += bytes(-(layout.start + len(body)) % 16)
        offset = layout.start + len(body)
        is_dynamic = name == ".dynamic"
        raw = _dynamic(layout, places, parts, needed, soname) if is_dynamic else content
        places[name] = offset, len(raw)
        body += raw
    segments = [layout.segment_of(1, 5, 0, layout.start + len(body))]
    for name, kind in ((".interp", 3), (".dynamic", 2)):
        if name in places:
            segments.append(layout.segment_of(kind, 4, *places[name]))
    segments += [
        layout.segment_of(4, 4, *place)
        for name, place in places.items()
        if name.startswith(".note")
    ][: 8 - len(segments)]
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*places, ".shstrtab"))
    names_place = layout.start + len(body)
    table = names_place + len(names) + -(names_place + len(names)) % 16
    headers = [layout.section.pack(*[0] * 10)]
    for name, (offset, size) in {**places, ".shstrtab": (names_place, len(names))}.items():
        kind = 2 if name == ".symtab" else 3 if name == ".shstrtab" else _TYPES.get(name, 1)
        where = names.index(b"\0" + name.encode() + b"\0") + 1
        headers.append(layout.section.pack(where, kind, 2, BASE + offset, offset, size, 0, 0, 1, 0))
    count = len(headers) if has_section_headers else 0
    head = b"\x7fELF" + bytes((2 if layout.bits == 64 else 1, 1 if layout.order == "<" else 2, 1))
    head += bytes(9) + layout.header.pack(
        3 if soname else 2,
        62,
        1,
        BASE,
        16 + layout.header.size,
        table if count else 0,
        0,
        16 + layout.header.size,
        layout.segment.size,
        len(segments),
        layout.section.size,
        count,
        count - 1 if count else 0,
    )
    content = head + b"".join(segments).ljust(8 * layout.segment.size, b"\0") + bytes(body)
    if not has_section_headers:
        return content
    return (content + names).ljust(table, b"\0") + b"".join(headers)


def _dynamic(
    layout: _Layout,
    places: Mapping[str, tuple[int, int]],
    parts: Mapping[str, bytes],
    needed: Sequence[str],
    soname: str,
) -> bytes:
    place, strings = places[".dynstr"], parts[".dynstr"]

    def where(name: str) -> int:
        return strings.index(b"\0" + name.encode() + b"\0") + 1

    entries = [(1, where(name)) for name in needed]
    entries += [(14, where(soname))] if soname else []
    entries += [(5, BASE + place[0]), (10, place[1]), (0, 0)]
    return b"".join(layout.dynamic.pack(*entry) for entry in entries)


def go_build_info(toolchain: str, lines: Sequence[str]) -> bytes:
    """Return the section `.go.buildinfo` as Go 1.18 and later write it."""
    info = b"\x30" * 16 + "".join(line + "\n" for line in lines).encode() + b"\xf9" * 16
    head = b"\xff Go buildinf:" + bytes((8, 2)) + bytes(16)
    return head + b"".join(_varint(len(text)) + text for text in (toolchain.encode(), info))


def go_line_table(names: Sequence[str]) -> bytes:
    """Return the section `.gopclntab` of Go 1.20 and later, with functions of these names."""
    table = b"\0".join(name.encode() for name in names) + b"\0"
    start = 8 + 8 * 8
    words = (len(names), 0, 0, start, start + len(table), 0, 0, 0)
    return b"\xf1\xff\xff\xff\x00\x00\x01\x08" + struct.pack("<8Q", *words) + table


def crates(packages: Sequence[Mapping[str, object]]) -> bytes:
    """Return the section `.dep-v0` as cargo-auditable writes it."""
    return zlib.compress(msgspec.json.encode({"packages": packages}))


def _varint(number: int) -> bytes:
    result = bytearray()
    while number >= 0x80:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*result, number])
