"""Read ELF files: who linked them, what they load, which notes they carry (System V gABI, ch. 4-5).

Only offsets are followed that lie inside the file; everything else is absent, never an error, since
strippers and packers leave wrecks behind that still run. Section headers may be missing: whatever
the program headers also say is read from them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from seawall.scan.readers import Content

MAGIC: Final = b"\x7fELF"
MAX_SECTIONS: Final = 4_096
MAX_SEGMENTS: Final = 512
MAX_DYNAMIC: Final = 8_192
"""Entries of the dynamic section."""

MAX_NEEDED: Final = 1_000
MAX_NOTES: Final = 200
MAX_NOTE_BYTES: Final = 64 * 1024
MAX_STRING: Final = 4_096

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_NOTE = 1, 2, 3, 4
_PF_X: Final = 1
_SHT_SYMTAB, _SHT_NOTE, _SHT_NOBITS = 2, 7, 8
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 14, 15, 29
_DT_FLAGS_1, _DF_1_PIE = 0x6FFFFFFB, 0x08000000
_KINDS: Final = {1: "object", 2: "program", 3: "library", 4: "core"}
_MACHINES: Final = {
    3: "386",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "amd64",
    183: "arm64",
    243: "riscv64",
    247: "bpf",
    258: "loong64",
}
_XNUM: Final = 0xFFFF


class Section(msgspec.Struct, frozen=True):
    """A named part of the file; offset and size in bytes, both inside the file."""

    name: str
    type: int
    address: int
    offset: int
    size: int


class Segment(msgspec.Struct, frozen=True):
    """A part of the file that is loaded; offset and size in bytes, both inside the file."""

    type: int
    flags: int
    address: int
    offset: int
    size: int


class Note(msgspec.Struct, frozen=True):
    owner: bytes
    type: int
    content: bytes


class Elf(msgspec.Struct, frozen=True, kw_only=True):
    """What the headers say. Texts are decoded with replacement and bounded, else as written."""

    bits: int
    is_little: bool
    kind: str
    """`program`, `library`, `object`, `core`; empty when the header says something else. A program
    that is linked as position-independent is a `program`."""
    machine: str
    """As Go and OCI name it: `amd64`; else `elf-<number>`."""
    sections: tuple[Section, ...]
    segments: tuple[Segment, ...]
    interpreter: str = ""
    soname: str = ""
    needed: tuple[str, ...] = ()
    search_paths: tuple[str, ...] = ()
    """RPATH and RUNPATH, split at colons."""
    build_id: str = ""
    """GNU build id, in hexadecimal digits."""
    go_build_id: str = ""
    package_note: bytes = b""
    """JSON as the builder wrote it (systemd's PACKAGE_METADATA_FOR_EXECUTABLE_FILES)."""
    tables_end: int = 0
    """Where the section headers end, which linkers write last."""
    is_stripped: bool = True
    """True when there is no symbol table."""

    def section(self, name: str) -> Section | None:
        """Return the first section of this name that has bytes in the file."""
        return next((part for part in self.sections if part.name == name and part.size), None)

    def offset_of(self, address: int) -> int | None:
        """Return where in the file the byte lies that is loaded at `address`."""
        for part in self.segments:
            if part.type == _PT_LOAD and part.address <= address < part.address + part.size:
                return part.offset + address - part.address
        return None

    @property
    def byte_order(self) -> str:
        return "<" if self.is_little else ">"


def parse(content: Content) -> Elf | None:
    """Read the headers; None when this is not an ELF file or ends inside its first header."""
    if len(content) < 52 or content[:4] != MAGIC:
        return None
    is_wide, is_little = content[4] == 2, content[5] != 2
    if content[4] not in (1, 2) or (is_wide and len(content) < 64):
        return None
    reader = _Reader(content, is_wide=is_wide, is_little=is_little)
    sections = reader.sections()
    segments = reader.segments()
    elf = Elf(
        bits=64 if is_wide else 32,
        is_little=is_little,
        kind=_KINDS.get(reader.kind, ""),
        machine=_MACHINES.get(reader.machine, f"elf-{reader.machine}"),
        sections=sections,
        segments=segments,
        interpreter=reader.interpreter(segments),
        tables_end=reader.tables_end,
        is_stripped=not any(part.type == _SHT_SYMTAB for part in sections),
    )
    return msgspec.structs.replace(elf, **_dynamic(content, elf), **_notes(content, elf))


class _Reader:
    """The file header and the two tables it points to."""

    def __init__(self, content: Content, *, is_wide: bool, is_little: bool) -> None:
        self._content = content
        self._is_wide = is_wide
        self._order = "<" if is_little else ">"
        header = "HHIQQQIHHHHHH" if is_wide else "HHIIIIIHHHHHH"
        fields = struct.unpack_from(self._order + header, content, 16)
        self.kind, self.machine = fields[0], fields[1]
        self._segment_offset, self._section_offset = fields[4], fields[5]
        self._segment_size, self._segment_count = fields[8], fields[9]
        self._section_size, self._section_count, self._names_index = fields[10:13]
        self._raw = self._read_raw_sections()
        self.tables_end = self._section_offset + len(self._raw) * self._section_size

    def _read_raw_sections(self) -> list[tuple[int, ...]]:
        """Return the section headers; extended counts stand in the first (gABI, `e_shnum`)."""
        layout = struct.Struct(self._order + ("IIQQQQIIQQ" if self._is_wide else "IIIIIIIIII"))
        start = self._section_offset
        if not start or self._section_size != layout.size:
            return []
        if start + layout.size > len(self._content):
            return []
        first = layout.unpack_from(self._content, start)
        count = self._section_count or first[5]
        if self._names_index == _XNUM:
            self._names_index = first[6]
        if self._segment_count == _XNUM:
            self._segment_count = first[7]
        count = min(count, MAX_SECTIONS, (len(self._content) - start) // layout.size)
        return [layout.unpack_from(self._content, start + i * layout.size) for i in range(count)]

    def sections(self) -> tuple[Section, ...]:
        names = b""
        if self._names_index < len(self._raw):
            offset, size = self._raw[self._names_index][4:6]
            names = self._content[offset : offset + min(size, MAX_SECTIONS * 64)]
        return tuple(self._section(raw, names) for raw in self._raw)

    def _section(self, raw: tuple[int, ...], names: bytes) -> Section:
        name, type_, _, address, offset, size = raw[:6]
        end = names.find(b"\0", name, name + 128)
        text = names[name:end].decode("utf-8", "replace") if end >= 0 else ""
        is_inside = type_ != _SHT_NOBITS and offset <= len(self._content)
        size = min(size, len(self._content) - offset) if is_inside else 0
        return Section(text, type_, address, offset, size)

    def segments(self) -> tuple[Segment, ...]:
        layout = struct.Struct(self._order + ("IIQQQQQQ" if self._is_wide else "IIIIIIII"))
        start = self._segment_offset
        if not start or self._segment_size != layout.size or start > len(self._content):
            return ()
        count = min(self._segment_count, MAX_SEGMENTS, (len(self._content) - start) // layout.size)
        result = []
        for index in range(count):
            raw = layout.unpack_from(self._content, start + index * layout.size)
            if self._is_wide:
                type_, flags, offset, address, size = raw[0], raw[1], raw[2], raw[3], raw[5]
            else:
                type_, flags, offset, address, size = raw[0], raw[6], raw[1], raw[2], raw[4]
            if offset <= len(self._content):
                size = min(size, len(self._content) - offset)
                result.append(Segment(type_, flags, address, offset, size))
        return tuple(result)

    def interpreter(self, segments: tuple[Segment, ...]) -> str:
        part = next((part for part in segments if part.type == _PT_INTERP), None)
        if part is None:
            return ""
        return _text(self._content[part.offset : part.offset + min(part.size, MAX_STRING)])


def code_of(elf: Elf) -> tuple[int, int]:
    """Return offset and size of the machine code: what strippers and note removers do not touch.

    The section `.text`, or without section headers the executable segments' first one.
    """
    text = elf.section(".text")
    if text is not None:
        return text.offset, text.size
    for part in elf.segments:
        if part.type == _PT_LOAD and part.flags & _PF_X and part.size:
            return part.offset, part.size
    return 0, 0


def end_of(content: Content, elf: Elf) -> int:
    """Return where the file should end by its headers; what follows was appended."""
    ends = [part.offset + part.size for part in elf.sections]
    ends += [part.offset + part.size for part in elf.segments]
    return min(max([elf.tables_end, *ends]), len(content))


def _dynamic(content: Content, elf: Elf) -> dict[str, object]:
    """Read what the dynamic linker reads: needed libraries, own name, search paths."""
    part = next((part for part in elf.segments if part.type == _PT_DYNAMIC and part.size), None)
    if part is None:
        return {}
    layout = struct.Struct(elf.byte_order + ("qQ" if elf.bits == 64 else "iI"))
    count = min(part.size // layout.size, MAX_DYNAMIC)
    values: dict[int, list[int]] = {}
    for index in range(count):
        tag, value = layout.unpack_from(content, part.offset + index * layout.size)
        if tag == 0:
            break
        values.setdefault(tag, []).append(value)
    table = elf.offset_of(values.get(_DT_STRTAB, [0])[0])
    size = values.get(_DT_STRSZ, [0])[0]
    if table is None:
        return {}

    def text(offset: int) -> str:
        start = table + offset
        return _text(content[start : start + MAX_STRING]) if offset < size else ""

    needed = tuple(text(offset) for offset in values.get(_DT_NEEDED, [])[:MAX_NEEDED])
    paths = values.get(_DT_RPATH, [])[:1] + values.get(_DT_RUNPATH, [])[:1]
    found: dict[str, object] = {
        "needed": tuple(name for name in needed if name),
        "soname": next((text(offset) for offset in values.get(_DT_SONAME, [])), ""),
        "search_paths": tuple(path for offset in paths for path in text(offset).split(":") if path)[
            :MAX_NEEDED
        ],
    }
    flags = values.get(_DT_FLAGS_1, [0])[0]
    is_pie = flags & _DF_1_PIE or (elf.interpreter and not found["soname"])
    if elf.kind == "library" and is_pie:
        found["kind"] = "program"
    return found


def _notes(content: Content, elf: Elf) -> dict[str, object]:
    found: dict[str, object] = {}
    for note in notes(content, elf):
        match note.owner, note.type:
            case b"GNU", 3 if note.content:
                found.setdefault("build_id", note.content[:64].hex())
            case b"Go", 4 if note.content:
                found.setdefault("go_build_id", _text(note.content[:255]))
            case b"FDO", 0xCAFE1A7E:
                found.setdefault("package_note", note.content.rstrip(b"\0"))
            case _:
                pass
    return found


def notes(content: Content, elf: Elf) -> Iterator[Note]:
    """Yield the notes of all note segments and sections, at most MAX_NOTES.

    A note that appears in a segment and in a section comes twice.
    """
    parts = [(part.offset, part.size) for part in elf.segments if part.type == _PT_NOTE]
    parts += [(part.offset, part.size) for part in elf.sections if part.type == _SHT_NOTE]
    layout = struct.Struct(elf.byte_order + "III")
    left = MAX_NOTES
    for start, length in dict.fromkeys(parts):
        offset, end = start, start + length
        while left and offset + layout.size <= end:
            left -= 1
            name_size, size, type_ = layout.unpack_from(content, offset)
            offset += layout.size
            body = offset + _padded(name_size)
            if name_size > 64 or body + size > end:
                break
            if size <= MAX_NOTE_BYTES:
                owner = content[offset : offset + name_size].rstrip(b"\0")
                yield Note(owner, type_, content[body : body + size])
            offset = body + _padded(size)


def _padded(size: int) -> int:
    return (size + 3) & ~3


def _text(content: bytes) -> str:
    """Return the text up to the first zero byte, without control characters."""
    text = content.partition(b"\0")[0].decode("utf-8", "replace")
    return "".join(mark if mark.isprintable() else "\ufffd" for mark in text)
