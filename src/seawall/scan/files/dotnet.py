"""What .NET leaves in files: the version resource of assemblies, and single-file bundles.

A bundle is a native program with the assemblies and `deps.json` behind it; the host finds the
bundle's header through a fixed marker of 32 bytes, with the offset in the 8 bytes before
(`apphost`, bundle format 1, 2 and 6).
"""

from __future__ import annotations

import re
import struct
from typing import Final

import msgspec

from seawall.core.limits import MIB
from seawall.scan.files.pe import Pe
from seawall.scan.files.program import Program
from seawall.scan.files.text import clean
from seawall.scan.model import Evidence, PackageType, Role
from seawall.scan.readers import Content, Found, Unreadable

MAX_DEPS_BYTES: Final = 16 * MIB
MAX_PACKAGES: Final = 10_000

_MARKER: Final = bytes.fromhex("8b1202b96a612038727b930214d7a03213f5b9e6efae3318ee3b2dce24b36aae")
_VERSION: Final = re.compile(r"\d+(?:\.\d+){1,3}(?:-[0-9A-Za-z.-]+)?")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class _Library(msgspec.Struct):
    type: str = ""


class _Deps(msgspec.Struct):
    libraries: dict[str, _Library] = {}


_decoder = msgspec.json.Decoder(_Deps)


def assembly(program: Pe) -> tuple[Found, ...]:
    """Return the package of an assembly, by its version resource, a statement of its builder."""
    name = program.version.get("OriginalFilename") or program.version.get("InternalName", "")
    name = re.sub(r"\.(?:dll|exe|ni\.dll)$", "", name, flags=re.IGNORECASE)
    texts = (program.version.get("ProductVersion", ""), program.version.get("FileVersion", ""))
    version = next((match[0] for text in texts if (match := _VERSION.match(text))), "")
    if not program.is_managed or not version or not _NAME.fullmatch(name):
        return ()
    evidence = Evidence(kind="build-info", detail="version resource", confidence=0.7)
    return (Found(type=PackageType.NUGET, name=name, version=version, evidence=(evidence,)),)


def bundled(content: Content, program: Program) -> tuple[Found, ...]:
    """Return the packages of a single-file bundle by its `deps.json`, none for other programs.

    Raises Unreadable when there is a bundle whose list does not parse.
    """
    part = program.section(".data")
    place = content.find(_MARKER, part.offset if part else 0)
    if place < 8:
        return ()
    header = int.from_bytes(content[place - 8 : place], "little")
    if not 0 < header < len(content) - 64:
        return ()
    major = int.from_bytes(content[header : header + 4], "little")
    offset = header + 12
    offset += 1 + content[offset]
    if major < 2 or offset + 16 > len(content):
        return ()
    start, size = struct.unpack_from("<QQ", content, offset)
    if not 0 < size <= MAX_DEPS_BYTES or start + size > len(content):
        return ()
    try:
        libraries = _decoder.decode(
            content[start : start + size].removeprefix(b"\xef\xbb\xbf")
        ).libraries
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"deps.json of a .NET bundle does not parse: {error}") from error
    evidence = (Evidence(kind="build-info", detail=f"deps.json at {start}"),)
    found = []
    for key, library in list(libraries.items())[:MAX_PACKAGES]:
        name, _, version = key.partition("/")
        role = Role.INSTALLED if library.type == "project" else Role.BUNDLED
        if name and version and library.type in ("package", "project", "runtimepack"):
            found.append(
                Found(
                    type=PackageType.NUGET,
                    name=clean(name.removeprefix("runtimepack.")),
                    version=clean(version),
                    role=role,
                    evidence=evidence,
                )
            )
    return tuple(found)
