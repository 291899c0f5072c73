"""The one entry point for the walk: everything that one executable file says about itself.

`outline` reads headers alone and costs microseconds; that is enough for files that a package owns.
`examine` reads the whole file. Neither raises for any bytes: what cannot be read is a sentence in
`troubles`, and everything else stands.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from seawall.core.limits import MIB
from seawall.scan.files import (
    dotnet,
    elf,
    go,
    go_symbols,
    macho,
    package_note,
    pe,
    rust,
    signatures,
    sketch,
    version_texts,
)
from seawall.scan.files.literals import forget
from seawall.scan.files.model import Executable, Format
from seawall.scan.files.program import Program
from seawall.scan.files.text import decode
from seawall.scan.readers import Content, Unreadable

MAX_BYTES: Final = 2048 * MIB
"""A larger file is only outlined."""

_MACHO: Final = frozenset(
    {
        b"\xfe\xed\xfa\xce",
        b"\xfe\xed\xfa\xcf",
        b"\xce\xfa\xed\xfe",
        b"\xcf\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe",
        b"\xca\xfe\xba\xbf",
    }
)
_JAVA_CLASS: Final = b"\xca\xfe\xba\xbe"
_CHUNK: Final = 4 * MIB
_MIN_CODE: Final = 512
"""Bytes of machine code below which its hash says little: stubs are alike."""


def format_of(start: bytes) -> Format | None:
    """Tell the format by the first 8 bytes of a file; None for what is not executable.

    Java classes share their first four bytes with universal Mach-O files, which have few parts.
    """
    if start[:4] == elf.MAGIC:
        return Format.ELF
    if start[:2] == b"MZ":
        return Format.PE
    if start[:4] in _MACHO:
        is_class = start[:4] == _JAVA_CLASS and int.from_bytes(start[4:8], "big") > 30
        return None if is_class else Format.MACHO
    return Format.SCRIPT if start[:2] == b"#!" else None


def outline(content: Content) -> Executable | None:
    """Read the headers of an executable file; None when it is not one."""
    headers = _headers(content)
    return headers[0] if headers else None


def examine(content: Content, path: str, *, has_sketch: bool = True) -> Executable | None:
    """Read the whole file; `path` (relative to the root) is a hint, never a proof.

    The sketch of its texts takes longer than all the rest together; only who compares it with
    learned packs needs it.
    """
    headers = _headers(content)
    if headers is None or len(content) > MAX_BYTES:
        return headers[0] if headers else None
    found, program = headers
    found = msgspec.structs.replace(found, sha256=_sha256(content, 0, len(content)))
    if program is None:
        return found
    found = _toolchains(content, program, _code(content, program, found))
    claims = signatures.shipped().claims(content, soname=found.soname, needed=found.needed)
    found = msgspec.structs.replace(found, claims=claims)
    return _sketched(content, program, found) if has_sketch else found


def with_sketch(content: Content, found: Executable) -> Executable:
    """Return what `examine` found in `content`, with the sketch of its texts."""
    headers = _headers(content)
    program = headers[1] if headers else None
    return found if program is None else _sketched(content, program, found)


def _sketched(content: Content, program: Program, found: Executable) -> Executable:
    parts = [(0, len(content))]
    if isinstance(program, elf.Elf):
        parts = elf.texts_of(content, program)
    return msgspec.structs.replace(found, sketch=sketch.take(content, parts))


def _headers(content: Content) -> tuple[Executable, Program | None] | None:
    match format_of(content[:8]):
        case Format.ELF:
            header = elf.parse(content)
            return None if header is None else (_of_elf(content, header), header)
        case Format.PE:
            pe_header = pe.parse(content)
            return None if pe_header is None else (_of_pe(content, pe_header), pe_header)
        case Format.MACHO:
            macho_header = macho.parse(content)
            return (
                None if macho_header is None else (_of_macho(content, macho_header), macho_header)
            )
        case Format.SCRIPT:
            line = content[2:514].partition(b"\n")[0].strip()
            script = Executable(
                format=Format.SCRIPT, size=len(content), kind="script", interpreter=decode(line)
            )
            return script, None
        case None:
            return None


def _of_elf(content: Content, header: elf.Elf) -> Executable:
    note = package_note.parse(header.package_note) if header.package_note else None
    return Executable(
        format=Format.ELF,
        size=len(content),
        kind=header.kind,
        machine=header.machine,
        build_id=header.build_id,
        go_build_id=header.go_build_id,
        note=note,
        interpreter=header.interpreter,
        soname=header.soname,
        needed=header.needed,
        search_paths=header.search_paths,
        is_stripped=header.is_stripped,
        packed_by="upx" if _is_upx(content) else "",
        appended=len(content) - elf.end_of(content, header),
        found=(package_note.found_in(note),) if note else (),
    )


def _of_pe(content: Content, header: pe.Pe) -> Executable:
    return Executable(
        format=Format.PE,
        size=len(content),
        kind="library" if header.is_library else "program",
        machine=header.machine,
        packed_by="upx" if header.section("UPX1") else "",
        found=dotnet.assembly(header),
    )


def _of_macho(content: Content, header: macho.MachO) -> Executable:
    return Executable(
        format=Format.MACHO,
        size=len(content),
        kind=header.kind,
        machine=header.machine,
        build_id=header.uuid,
        soname=header.name,
        needed=header.needed,
        packed_by="upx" if _is_upx(content) else "",
    )


def _is_upx(content: Content) -> bool:
    """UPX writes its magic behind the headers, or a sentence that names it."""
    return content.find(b"UPX!", 0, 4_096) >= 0


def _code(content: Content, program: Program, found: Executable) -> Executable:
    if not isinstance(program, elf.Elf):
        return found
    offset, size = elf.code_of(program)
    if size < _MIN_CODE:
        return found
    digest = _sha256(content, offset, offset + size)[:32]
    return msgspec.structs.replace(found, code_sha256=digest)


def _toolchains(content: Content, program: Program, found: Executable) -> Executable:
    """Add what Go, Rust and .NET recorded inside."""
    packages = list(found.found)
    troubles = list(found.troubles)
    functions = b""
    info = go.parse(content, program)
    if info is not None:
        packages += go.found_in(info, version_texts.whole(content).values())
        functions = go_symbols.functions(content, program)
    else:
        for read in (rust.found_in, dotnet.bundled):
            try:
                packages += read(content, program)
            except Unreadable as error:
                troubles.append(str(error))
    return msgspec.structs.replace(
        found, found=tuple(packages), go_functions=functions, troubles=tuple(troubles)
    )


def _sha256(content: Content, start: int, end: int) -> str:
    """Return the SHA-256 of a part of the file."""
    digest = hashlib.sha256()
    for at in range(start, end, _CHUNK):
        digest.update(content[at : min(at + _CHUNK, end)])
        forget(content, at, _CHUNK)
    return digest.hexdigest()
