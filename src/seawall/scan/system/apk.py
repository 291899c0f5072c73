"""Alpine's package database, `lib/apk/db/installed` (apk-tools, "apk v2 installed database").

Packages are paragraphs of `LETTER:VALUE` lines. Advisories name the origin (`o:`), of which there
may be several binary packages of one version. `F:` opens a directory, `R:` names a file in it and
`Z:` its sum: `Q1` and SHA-1 in base64, or `Q2` and SHA-256.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from seawall.core.limits import MIB
from seawall.scan.model import Evidence, PackageType
from seawall.scan.readers import Content, Found
from seawall.scan.system import Database, Owned, SystemReader, owned

MAX_PACKAGES: Final = 100_000
MAX_LICENSE: Final = 200

_NAME: Final = re.compile(r"[A-Za-z0-9._+@/-]{1,255}")
_VERSION: Final = re.compile(r"[0-9A-Za-z._+~-]{1,255}")
_ARCHITECTURE: Final = re.compile(r"[A-Za-z0-9_-]{0,64}")
_EVIDENCE: Final = (Evidence(kind="database"),)
_SUMS: Final = {"Q1": ("sha1", 20), "Q2": ("sha256", 32)}
_EMPTY_LINES: Final = re.compile(rb"\n[ \t\r]*\n")


def read(content: Content, path: str) -> Database:
    """Read the database; paragraphs outside the grammar are refused and counted."""
    found: list[Found] = []
    files: list[Owned] = []
    refused = 0
    for paragraph in _EMPTY_LINES.split(bytes(content)):
        if not paragraph.strip():
            continue
        lines = paragraph.decode("utf-8", "surrogateescape").split("\n")
        package = _package(lines)
        if package is None or len(found) == MAX_PACKAGES:
            refused += 1
            continue
        found.append(package)
        files.extend(_owned(package.name, lines))
    return Database(found=tuple(found), owned=tuple(files), refused=refused)


def _package(lines: list[str]) -> Found | None:
    fields: dict[str, str] = {}
    for line in lines:
        if line[1:2] == ":" and line[0] in "PVAoL":
            fields.setdefault(line[0], line[2:].strip())
    name, version = fields.get("P", ""), fields.get("V", "")
    origin, architecture = fields.get("o") or name, fields.get("A", "")
    is_valid = (
        _NAME.fullmatch(name)
        and _NAME.fullmatch(origin)
        and _VERSION.fullmatch(version)
        and _ARCHITECTURE.fullmatch(architecture)
    )
    if not is_valid:
        return None
    license_ = fields.get("L", "")
    is_shown = 0 < len(license_) <= MAX_LICENSE and license_.isprintable()
    return Found(
        type=PackageType.APK,
        name=name,
        version=version,
        source_name=origin,
        source_version=version,
        architecture=architecture,
        evidence=_EVIDENCE,
        licenses=(license_,) if is_shown else (),
    )


def _owned(package: str, lines: list[str]) -> Iterator[Owned]:
    """Yield the files of a package, those of each kind of sum apart."""
    kinds: dict[str, list[tuple[str, bytes | None]]] = {}
    for file, (algorithm, digest) in _files(lines):
        kinds.setdefault(algorithm, []).append((file, digest))
    for algorithm, files in kinds.items():
        yield owned(package, files, algorithm)


def _files(lines: list[str]) -> Iterator[tuple[str, tuple[str, bytes | None]]]:
    folder = file = ""
    total: tuple[str, bytes | None] = ("", None)
    for line in lines:
        kind, value = line[:2], line[2:].strip("/\r")
        if kind == "Z:" and file:
            total = _sum(value)
        elif kind in ("R:", "F:"):
            if file:
                yield file, total
            file, total = "", ("", None)
            if kind == "F:":
                folder = value
            else:
                file = f"{folder}/{value}" if folder else value
    if file:
        yield file, total


def _sum(text: str) -> tuple[str, bytes | None]:
    algorithm, size = _SUMS.get(text[:2], ("", 0))
    try:
        digest = base64.b64decode(text[2:], validate=True)
    except (binascii.Error, ValueError):
        return "", None
    return (algorithm, digest) if algorithm and len(digest) == size else ("", None)


READERS: Final = (
    SystemReader(
        manager="apk",
        read=read,
        names=frozenset({"installed"}),
        is_wanted=lambda path: path.endswith("apk/db/installed"),
        max_bytes=64 * MIB,
    ),
)
