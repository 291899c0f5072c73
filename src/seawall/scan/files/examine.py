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
from seawall.scan.files import elf, package_note
from seawall.scan.files.model import Executable, Format
from seawall.scan.files.text import decode
from seawall.scan.readers import Content

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
_HASHED: Final = 1 * MIB


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
    match format_of(content[:8]):
        case Format.ELF:
            return _elf(content)
        case Format.SCRIPT:
            line = content[2:514].partition(b"\n")[0].strip()
            return Executable(
                format=Format.SCRIPT, size=len(content), kind="script", interpreter=decode(line)
            )
        case None:
            return None
        case other:
            return Executable(format=other, size=len(content))


def examine(content: Content, path: str) -> Executable | None:
    """Read the whole file; `path` (relative to the root) is a hint, never a proof."""
    found = outline(content)
    if found is None or len(content) > MAX_BYTES:
        return found
    return msgspec.structs.replace(found, sha256=hash_of(content))


def hash_of(content: Content) -> str:
    """Return the SHA-256 of the whole file, without copying it."""
    with memoryview(content) as view:
        return hashlib.sha256(view).hexdigest()


def _elf(content: Content) -> Executable | None:
    header = elf.parse(content)
    if header is None:
        return None
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
        appended=len(content) - elf.end_of(content, header),
        found=(package_note.found_in(note),) if note else (),
    )
