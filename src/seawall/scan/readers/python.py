"""Installed Python distributions, from the metadata beside their code.

Three spellings: `NAME-VERSION.dist-info/METADATA` (PEP 376, core metadata), `….egg-info/PKG-INFO`
and a plain `….egg-info` file (distutils). A missing RECORD does not matter. Versions that a
Linux distribution made invalid (`3.7.3+dfsg`) are kept as written: matching decides about them.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Content, Found, Reader, Unreadable, _licenses
from seawall.scan.readers._content import MANIFEST

MAX_HEADER_LINES: Final = 5_000

_NAME_MAX: Final = 255
"""Bytes of a file name, as Linux file systems have it; also keeps the pattern below cheap."""

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,212}[A-Za-z0-9])?")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+!~_-]{0,199}")
_SEPARATORS: Final = re.compile(r"[-_.]+")
_FOLDER: Final = re.compile(r"(.+?)-([0-9][^-]*)(?:-py[0-9.]+.*)?\.(?:dist|egg)-info")
_FIELDS: Final = frozenset({"name", "version", "license", "license-expression", "classifier"})


class Metadata(msgspec.Struct, frozen=True):
    """What one metadata file says. `name` is normalised (PEP 503)."""

    name: str
    version: str
    licenses: tuple[str, ...] = ()


def is_metadata(path: str) -> bool:
    """Tell whether a file at `path` describes an installed Python distribution."""
    return path.endswith(
        (".dist-info/METADATA", ".egg-info/PKG-INFO", "EGG-INFO/PKG-INFO", ".egg-info")
    )


def read(content: Content, path: str) -> tuple[Found, ...]:
    """Read the metadata file of one distribution. Raises Unreadable.

    What lies in a folder `_vendor` is BUNDLED: its owner imports it, nobody else does.
    """
    metadata = parse(bytes(content), path)
    if metadata is None:
        raise Unreadable("no valid name and version")
    if metadata.name == "python":  # the interpreter's own, by Debian: no distribution
        return ()
    return (
        Found(
            type=PackageType.PYPI,
            name=metadata.name,
            version=metadata.version,
            licenses=metadata.licenses,
            role=Role.BUNDLED if "_vendor" in path.split("/") else Role.INSTALLED,
            evidence=MANIFEST,
        ),
    )


def normalise(name: str) -> str:
    """Return the name as PEP 503 compares it."""
    return _SEPARATORS.sub("-", name).lower()


def parse(content: bytes, path: str) -> Metadata | None:
    """Read a METADATA or PKG-INFO file; `path` fills in what it leaves out.

    Returns None when there is no valid name and version.
    """
    fields = _headers(content)
    folder = next((part for part in path.split("/")[::-1] if part.endswith("-info")), "")
    named = _FOLDER.fullmatch(folder) if len(folder) <= _NAME_MAX else None
    name = _first(fields, "name") or (named[1] if named else "")
    version = _first(fields, "version") or (named[2] if named else "")
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        return None
    return Metadata(normalise(name), version, _declared(fields))


def _headers(content: bytes) -> dict[str, list[str]]:
    """Read header lines up to the first empty one; folded lines are not needed and skipped."""
    fields: dict[str, list[str]] = {}
    text = content.decode("utf-8", "replace").lstrip("\ufeff")
    for line in text.split("\n", MAX_HEADER_LINES)[:MAX_HEADER_LINES]:
        if not line.rstrip("\r"):
            break
        name, colon, value = line.partition(":")
        key = name.lower()
        if colon and key in _FIELDS:
            fields.setdefault(key, []).append(value.strip())
    return fields


def _first(fields: dict[str, list[str]], name: str) -> str:
    value = fields.get(name, [""])[0]
    return "" if value == "UNKNOWN" else value


def _declared(fields: dict[str, list[str]]) -> tuple[str, ...]:
    """Prefer the SPDX expression (PEP 639), then the free text if it is short, then classifiers."""
    stated = _licenses.normalise(fields.get("license-expression") or fields.get("license") or [])
    return stated or _licenses.normalise(
        text.rpartition("::")[2].strip()
        for text in fields.get("classifier", [])
        if text.startswith("License ::")
    )


READERS: Final = (
    Reader(
        format="Python distribution",
        read=read,
        names=frozenset({"METADATA", "PKG-INFO"}),
        endings=(".egg-info",),
        is_wanted=is_metadata,
    ),
)
