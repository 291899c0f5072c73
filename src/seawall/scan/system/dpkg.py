"""Debian's package database: who is installed, from which source, and which files it owns.

Advisories name SOURCE packages and their versions, which differ from the binary's after a rebuild
(`+b1`) or with an epoch of its own; so both are read (deb-src-control, Debian Policy 5.6.1).
Only packages whose state is installed count; half-installed ones and left-over configuration do
not. Stanzas with names or versions outside Debian's grammar are refused and counted.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from seawall.core.limits import MIB
from seawall.scan.model import Evidence, PackageType
from seawall.scan.readers import Content, Found
from seawall.scan.system import Database, SystemReader, owned

MAX_PACKAGES: Final = 100_000
"""Packages in one status file; Debian has about 70,000 in all."""

MAX_FILES: Final = 1_000_000
"""Files of one package."""

MAX_DIVERSIONS: Final = 10_000
"""Files that packages put aside for their own."""

_EVIDENCE: Final = (Evidence(kind="database"),)
_STANZAS: Final = re.compile(rb"\n(?:[ \t\r]*\n)+")
_FIELD: Final = re.compile(
    rb"^(Package|Status|Version|Source|Architecture):(.*)$", re.MULTILINE | re.I
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]{0,254}")
_VERSION: Final = re.compile(r"[0-9A-Za-z.+:~-]{1,255}")
_ARCHITECTURE: Final = re.compile(r"[A-Za-z0-9-]{0,64}")
_SOURCE: Final = re.compile(r"(\S+)(?:\s+\(([^)\s]+)\))?")
_REBUILD: Final = re.compile(r"\+b[0-9]+$")
_SUM: Final = re.compile(rb"([0-9a-f]{32}) [ *](\S.*)")
_SCRIPTS: Final = ("config", "postinst", "postrm", "preinst", "prerm")
_INSTALLED: Final = frozenset({"installed", "triggers-awaited", "triggers-pending"})


class Package(msgspec.Struct, frozen=True, array_like=True):
    """One installed binary package."""

    name: str
    version: str
    architecture: str
    source_name: str
    source_version: str


class Packages(msgspec.Struct, frozen=True):
    """What one status file says; `refused` stanzas break the grammar or exceed MAX_PACKAGES."""

    packages: tuple[Package, ...]
    refused: int = 0


def parse_status(content: bytes, *, is_status_required: bool = True) -> Packages:
    """Read `/var/lib/dpkg/status`, or a file of `status.d` where a missing Status means installed.

    Field names are case-insensitive and the first of a name counts, as in dpkg.
    """
    packages: list[Package] = []
    refused = 0
    stanzas = _STANZAS.split(content, 2 * MAX_PACKAGES)
    if len(stanzas) > 2 * MAX_PACKAGES:
        stanzas.pop()
        refused += 1
    for stanza in stanzas:
        fields: dict[bytes, str] = {}
        for name, value in _FIELD.findall(stanza):
            fields.setdefault(name.lower(), value.decode("utf-8", "replace").strip())
        if b"package" not in fields or not _is_installed(fields, is_status_required):
            continue
        package = _package(fields)
        if package is None or len(packages) == MAX_PACKAGES:
            refused += 1
        else:
            packages.append(package)
    return Packages(tuple(packages), refused)


def files_in_list(content: bytes) -> list[str]:
    """Return the paths in an `info/*.list`, relative to the root; directories are among them."""
    lines = content.decode("utf-8", "surrogateescape").split("\n", MAX_FILES)[:MAX_FILES]
    return [line.lstrip("/") for line in lines if line not in ("", "/.")]


def scripts_of(path: str) -> list[str]:
    """Return where the maintainer scripts of an `info/*.list`'s package lie; some are programs."""
    return [f"{path.removesuffix('.list')}.{kind}" for kind in _SCRIPTS]


def sums_of(content: bytes) -> list[tuple[str, bytes]]:
    """Return paths, relative to the root, and MD5 sums in an `info/*.md5sums`."""
    sums: list[tuple[str, bytes]] = []
    for match in _SUM.finditer(content):
        path = match[2].decode("utf-8", "surrogateescape").strip().removeprefix("./")
        sums.append((path.lstrip("/"), bytes.fromhex(match[1].decode())))
        if len(sums) == MAX_FILES:
            break
    return sums


def diversions(content: bytes) -> dict[str, str]:
    """Return what `diversions` says: the new place of a file → its own (dpkg-divert(1)).

    Three lines each: the file, its new place, and the package that asked for it.
    """
    lines = content.decode("utf-8", "surrogateescape").split("\n", 3 * MAX_DIVERSIONS)
    pairs = zip(lines[1::3], lines[0::3], strict=False)
    return {
        moved.lstrip("/"): original.lstrip("/")
        for moved, original in pairs
        if moved.startswith("/") and original.startswith("/")
    }


def read(content: Content, path: str) -> Database:
    """Read `status`, `diversions`, a file of `status.d`, an `info/*.list` or `info/*.md5sums`."""
    folder, _, name = path.rpartition("/")
    body = bytes(content)
    if name.endswith(".list"):
        files = [*files_in_list(body), *scripts_of(path)]
        return Database(owned=(owned(package_of(name), ((file, None) for file in files)),))
    if name.endswith(".md5sums"):
        return Database(owned=(owned(package_of(name), sums_of(body), "md5"),))
    if name == "diversions":
        return Database(moved=diversions(body))
    packages = parse_status(body, is_status_required=not folder.endswith("status.d"))
    return Database(
        found=tuple(_found(package) for package in packages.packages), refused=packages.refused
    )


def package_of(file_name: str) -> str:
    """Return the package of an `info/NAME[:ARCHITECTURE].list` or `.md5sums`."""
    return file_name.rpartition(".")[0].partition(":")[0]


def is_wanted(path: str) -> bool:
    """Tell whether dpkg keeps a file of this name where `path` is."""
    folder, _, name = path.rpartition("/")
    if folder.endswith("dpkg/status.d"):
        return True
    if name in ("diversions", "status"):
        return folder.endswith("dpkg")
    return name.endswith((".list", ".md5sums")) and folder.endswith("dpkg/info")


def _found(package: Package) -> Found:
    return Found(
        type=PackageType.DEB,
        name=package.name,
        version=package.version,
        source_name=package.source_name,
        source_version=package.source_version,
        architecture=package.architecture,
        evidence=_EVIDENCE,
    )


def _is_installed(fields: dict[bytes, str], is_status_required: bool) -> bool:
    status = fields.get(b"status")
    if status is None:
        return not is_status_required
    words = status.split()
    return len(words) == 3 and words[2].lower() in _INSTALLED


def _package(fields: dict[bytes, str]) -> Package | None:
    name = fields[b"package"]
    version = fields.get(b"version", "")
    architecture = fields.get(b"architecture", "")
    source = _SOURCE.fullmatch(fields.get(b"source") or name)
    if source is None:
        return None
    source_name = source[1]
    source_version = source[2] or _REBUILD.sub("", version)
    is_valid = (
        _NAME.fullmatch(name)
        and _NAME.fullmatch(source_name)
        and _VERSION.fullmatch(version)
        and _VERSION.fullmatch(source_version)
        and _ARCHITECTURE.fullmatch(architecture)
    )
    if not is_valid:
        return None
    return Package(name, version, architecture, source_name, source_version)


READERS: Final = (
    SystemReader(
        manager="dpkg",
        read=read,
        names=frozenset({"diversions", "status"}),
        endings=(".list", ".md5sums"),
        folders=("dpkg/status.d",),
        is_wanted=is_wanted,
        max_bytes=64 * MIB,
    ),
)
