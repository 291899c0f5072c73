"""Arch's package database: one directory a package, `var/lib/pacman/local/NAME-VERSION-RELEASE/`.

`desc` names the package and `files` what it owns; both are sections of `%NAME%` and lines, ended by
an empty line (pacman, `lib/libalpm/be_local.c`).
"""

from __future__ import annotations

import re
from typing import Final

from seawall.core.limits import MIB
from seawall.scan.model import Evidence, PackageType
from seawall.scan.readers import Content, Found, Unreadable
from seawall.scan.system import Database, SystemReader, owned

MAX_LINES: Final = 1_000_000
MAX_LICENSES: Final = 10

_NAME: Final = re.compile(r"[A-Za-z0-9@_+][A-Za-z0-9@._+-]{0,254}")
_VERSION: Final = re.compile(r"(?:[0-9]+:)?[A-Za-z0-9._+~]{1,200}-[0-9.]{1,20}")
_ARCHITECTURE: Final = re.compile(r"[A-Za-z0-9_-]{0,64}")
_EVIDENCE: Final = (Evidence(kind="database"),)


def read(content: Content, path: str) -> Database:
    """Read a `desc` or a `files`. Raises Unreadable."""
    sections = _sections(bytes(content).decode("utf-8", "surrogateescape"))
    folder, _, name = path.rpartition("/")
    if name == "files":
        package = folder.rpartition("/")[2].rsplit("-", 2)[0]
        files = (file for file in sections.get("FILES", ()) if not file.endswith("/"))
        return Database(owned=(owned(package, ((file, None) for file in files)),))
    return Database(found=(_package(sections),))


def is_wanted(path: str) -> bool:
    """Tell whether pacman keeps a file of this name where `path` is."""
    return "/" in path and path.rsplit("/", 2)[0].endswith("pacman/local")


def _sections(text: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in text.split("\n", MAX_LINES)[:MAX_LINES]:
        if not line:
            lines = None
        elif lines is not None:
            lines.append(line)
        elif line[0] == line[-1] == "%":
            lines = sections.setdefault(line[1:-1], [])
    return sections


def _package(sections: dict[str, list[str]]) -> Found:
    def first(name: str) -> str:
        return next(iter(sections.get(name, ())), "").strip()

    name, version, architecture = first("NAME"), first("VERSION"), first("ARCH")
    base = first("BASE") or name
    is_valid = (
        _NAME.fullmatch(name)
        and _NAME.fullmatch(base)
        and _VERSION.fullmatch(version)
        and _ARCHITECTURE.fullmatch(architecture)
    )
    if not is_valid:
        raise Unreadable("no valid name and version")
    licenses = [text for text in sections.get("LICENSE", ()) if len(text) < 100]
    return Found(
        type=PackageType.ALPM,
        name=name,
        version=version,
        source_name=base,
        source_version=version,
        architecture=architecture,
        evidence=_EVIDENCE,
        licenses=tuple(text for text in licenses if text.isprintable())[:MAX_LICENSES],
    )


READERS: Final = (
    SystemReader(
        manager="pacman",
        read=read,
        names=frozenset({"desc", "files"}),
        is_wanted=is_wanted,
        max_bytes=64 * MIB,
    ),
)
