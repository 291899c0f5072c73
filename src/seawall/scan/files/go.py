"""What the Go linker leaves in a program: toolchain, modules, settings (`debug/buildinfo`).

The record survives stripping. It begins with a magic of 14 bytes, aligned to 16; programs that can
read such records hold the magic as text too, so every candidate is tried until one parses.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from seawall.core.limits import MIB
from seawall.scan.files.program import Program
from seawall.scan.files.text import clean
from seawall.scan.model import Evidence, PackageType, Role
from seawall.scan.readers import Content, Found

MAX_MODULES: Final = 10_000
MAX_INFO_BYTES: Final = 4 * MIB
MAX_CANDIDATES: Final = 64

MAGIC: Final = b"\xff Go buildinf:"
_SECTIONS: Final = (".go.buildinfo", "__go_buildinfo")
_TOOLCHAIN: Final = re.compile(r"go(\d+(?:\.\d+){0,2}(?:(?:rc|beta)\d+)?)(?![\w.])")
_FLAG: Final = re.compile(
    r"""-X[ =]["']?([\w./%@~-]{1,300}?)\.(\w*[vV]ersion\w*|\w*[tT]ag|\w*[rR]elease)=["']?"""
    r"""v?(\d+\.\d+(?:\.\d+)*(?:[-+.~][\w.+~-]{1,64})?)(?=["'\s\\]|$)"""
)
_WHOLE: Final = re.compile(
    rb"v?(\d{1,4}\.\d{1,4}\.\d{1,6})(?:([-+][0-9A-Za-z.+-]+)|~[0-9A-Za-z.+~-]*)?"
)
_HOSTS_OF_THREE: Final = frozenset({"github.com", "gitlab.com", "bitbucket.org", "codeberg.org"})
_NAMES: Final = ("version", "gitversion", "appversion", "buildversion", "tag", "release")
_TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z")
_REVISION: Final = re.compile(r"[0-9a-f]{12,64}")


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """One module that is linked in. After a `replace`, path and version are the replacement's."""

    path: str
    version: str
    replaces: str = ""


class BuildInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The record, as written."""

    toolchain: str
    """`go1.22.3`, also with a suffix of its builder."""
    package: str = ""
    """Import path of the main package."""
    main: Module | None = None
    modules: tuple[Module, ...] = ()
    settings: dict[str, str] = {}
    offset: int = 0


def parse(content: Content, program: Program) -> BuildInfo | None:
    """Read the record of a Go program; None when there is none."""
    for offset in _candidates(content, program):
        texts = _texts(content, program, offset)
        if texts is not None and texts[0].startswith((b"go1", b"devel ")):
            version, info = texts
            return _read(version.decode("utf-8", "replace"), info, offset)
    return None


def found_in(info: BuildInfo, strings: Iterable[bytes] = ()) -> tuple[Found, ...]:
    """Return the packages: the main module, everything linked in, and the standard library.

    `strings` are whole strings of the file that begin like a version: where the record tells no
    version of the main module, the only one among them is taken for it, with less confidence.
    """
    where = Evidence(kind="build-info", detail=f".go.buildinfo at {info.offset}")
    found = []
    if (version := _TOOLCHAIN.match(info.toolchain.removeprefix("devel "))) is not None:
        found.append(_found("stdlib", version[1], Role.BUNDLED, where))
    name = info.main.path if info.main else module_of(info.package)
    if name:
        version_text, source = main_version(info)
        if not version_text:
            version_text, source = _only_version(strings), "text"
        is_record = source == "mod" and info.main is not None
        how = where if is_record else _inferred(source)
        found.append(_found(name, version_text, Role.INSTALLED, how))
    for module in info.modules:
        detail = f"{where.detail}, replaces {module.replaces}" if module.replaces else where.detail
        how = Evidence(kind="build-info", detail=clean(detail))
        found.append(_found(module.path, module.version, Role.BUNDLED, how))
    return tuple(found)


def module_of(package: str) -> str:
    """Return the module of a main package by the habits of its host; empty when they say nothing.

    Programs that were built without modules name their package alone.
    """
    parts = package.split("/")
    if len(parts) < 2 or "." not in parts[0] or not all(parts):
        return ""
    if parts[0] in _HOSTS_OF_THREE:
        if len(parts) < 3:
            return ""
        count = 4 if len(parts) > 3 and re.fullmatch(r"v[2-9]\d?", parts[3]) else 3
        return "/".join(parts[:count])
    return package.partition("/cmd/")[0]


def main_version(info: BuildInfo) -> tuple[str, str]:
    """Return the main module's version and where it was read: `mod`, `ldflags`, `vcs`, or empty.

    Programs built from a checkout say `(devel)`. Their builders mostly give the version as a linker
    flag; else the commit and its time make the pseudo-version that Go itself would make.
    """
    written = info.main.version if info.main else ""
    if written not in ("", "(devel)"):
        return written, "mod"
    if (flagged := _flagged(info)) is not None:
        return f"v{flagged}", "ldflags"
    revision = info.settings.get("vcs.revision", "")
    time = _TIME.fullmatch(info.settings.get("vcs.time", ""))
    if time and _REVISION.fullmatch(revision):
        return f"v0.0.0-{''.join(time.groups())}-{revision[:12]}", "vcs"
    return "", "mod"


def _only_version(strings: Iterable[bytes]) -> str:
    """Return the only version among the texts; of several spellings the one all begin with."""
    found = [match for text in strings if (match := _WHOLE.fullmatch(text))]
    numbers = {match[1] for match in found}
    if len(numbers) != 1:
        return ""
    wholes = {match[1] + (match[2] or b"") for match in found}
    least = min(wholes, key=len)
    agreed = least if all(whole.startswith(least) for whole in wholes) else numbers.pop()
    return f"v{agreed.decode('ascii')}"


def _inferred(source: str) -> Evidence:
    kind = "signature" if source == "text" else "build-info"
    confidence = {"ldflags": 0.8, "vcs": 0.8}.get(source, 0.6)
    return Evidence(kind=kind, detail=f"version from {source}", confidence=confidence)


def _flagged(info: BuildInfo) -> str | None:
    """Return the version that a linker flag sets; of several, the main package's or module's own.

    A flag that names another module's variable says nothing about this one.
    """
    flags = info.settings.get("-ldflags", "")
    path = info.main.path if info.main else module_of(info.package)
    best: tuple[int, str] | None = None
    for package, name, version in _FLAG.findall(flags):
        if package != "main" and not (path and f"{package}/".startswith(f"{path}/")):
            continue
        known = name.lower()
        rank = _NAMES.index(known) if known in _NAMES else len(_NAMES)
        if best is None or rank < best[0]:
            best = rank, version
    return best[1] if best else None


def _found(name: str, version: str, role: Role, evidence: Evidence) -> Found:
    return Found(
        type=PackageType.GOLANG, name=name, version=version, role=role, evidence=(evidence,)
    )


def _candidates(content: Content, program: Program) -> Iterator[int]:
    """Yield where a record may begin: in its section, else anywhere, aligned."""
    for name in _SECTIONS:
        part = program.section(name)
        if part is not None and content[part.offset : part.offset + len(MAGIC)] == MAGIC:
            yield part.offset
    place = content.find(MAGIC)
    for _ in range(MAX_CANDIDATES):
        if place < 0:
            return
        if place % 16 == 0:
            yield place
        place = content.find(MAGIC, place + 1)


def _texts(content: Content, program: Program, offset: int) -> tuple[bytes, bytes] | None:
    """Return version and module text: inline since Go 1.18, behind two pointers before."""
    header = content[offset : offset + 32]
    if len(header) < 32:
        return None
    size, flags = header[14], header[15]
    if flags & 2:
        version, end = _counted(content, offset + 32)
        return version, _counted(content, end)[0]
    if size not in (4, 8):
        return None
    layout = (">" if flags & 1 else "<") + ("QQ" if size == 8 else "II")
    first, second = struct.unpack_from(layout, header, 16)
    return _pointed(content, program, first, layout), _pointed(content, program, second, layout)


def _counted(content: Content, offset: int) -> tuple[bytes, int]:
    """Read a text that begins with its length as a varint; return it and where it ends."""
    length = shift = 0
    for byte in content[offset : offset + 5]:
        offset += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    end = offset + min(length, MAX_INFO_BYTES)
    return content[offset:end], end


def _pointed(content: Content, program: Program, address: int, layout: str) -> bytes:
    place = program.offset_of(address)
    if place is None or place + 16 > len(content):
        return b""
    data, length = struct.unpack_from(layout, content, place)
    start = program.offset_of(data)
    return b"" if start is None else content[start : start + min(length, MAX_INFO_BYTES)]


def _read(toolchain: str, info: bytes, offset: int) -> BuildInfo:
    """Read the lines between two sentinels of 16 bytes (`runtime/debug.ParseBuildInfo`)."""
    if len(info) >= 33 and info[-17:-16] == b"\n":
        info = info[16:-16]
    package = ""
    main: Module | None = None
    modules: list[Module] = []
    settings: dict[str, str] = {}
    for line in info.decode("utf-8", "replace").split("\n")[: MAX_MODULES * 2]:
        match line.split("\t"):
            case ["path", path]:
                package = clean(path)
            case ["mod", path, version, *_]:
                main = Module(path=clean(path), version=clean(version))
            case ["dep", path, version, *_] if len(modules) < MAX_MODULES:
                modules.append(Module(path=clean(path), version=clean(version)))
            case ["=>", path, version, *_]:
                if modules:
                    modules[-1] = _replaced(modules[-1], clean(path), clean(version))
                elif main is not None:
                    main = _replaced(main, clean(path), clean(version))
            case ["build", setting]:
                key, _, value = setting.partition("=")
                settings[clean(key, 64)] = clean(_unquoted(value), 8_192)
            case _:
                pass
    return BuildInfo(
        toolchain=clean(toolchain),
        package=package,
        main=main,
        modules=tuple(modules),
        settings=settings,
        offset=offset,
    )


def _replaced(module: Module, path: str, version: str) -> Module:
    """A replacement by a folder has no version: the code is some form of the module's own."""
    if path.startswith((".", "/")) or not version:
        return msgspec.structs.replace(module, replaces=f"{module.path} by {path}")
    return Module(path=path, version=version, replaces=f"{module.path} {module.version}")


def _unquoted(value: str) -> str:
    """Undo Go's quoting, as far as flags need it."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return value.strip("`")
