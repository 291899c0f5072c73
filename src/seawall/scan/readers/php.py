"""PHP packages: what Composer installed (`vendor/composer/installed.json`) and what it locked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from seawall.scan.model import Evidence, PackageType, Role
from seawall.scan.readers import Content, Found, Reader, _licenses
from seawall.scan.readers._content import (
    DATABASE,
    LOCK_FILE,
    MAX_LOCK_BYTES,
    is_application,
    json_of,
    once,
    word,
)

_NAME: Final = re.compile(r"[a-z0-9]+(?:[_.-][a-z0-9]+)*/[a-z0-9]+(?:(?:[_.]|--?)[a-z0-9]+)*")
_VERSION: Final = re.compile(r"v?[0-9][\w.+@-]*|dev-[\w./#+-]+|[\w.-]+-dev", re.ASCII)


class _Package(msgspec.Struct):
    name: Any = None
    version: Any = None
    license: Any = None
    type: Any = None


class _Packages(msgspec.Struct):
    packages: list[_Package] = []


def read_installed(content: Content, path: str) -> tuple[Found, ...]:
    """Read `installed.json`: a list (Composer 1) or an object (Composer 2)."""
    if bytes(content[:64]).lstrip()[:1] == b"[":
        return once(_found(json_of(content, list[_Package]), Role.INSTALLED, DATABASE))
    return once(_found(json_of(content, _Packages).packages, Role.INSTALLED, DATABASE))


def read_lock(content: Content, path: str) -> tuple[Found, ...]:
    """Read `composer.lock`; `packages-dev` are for development only and left out."""
    return once(_found(json_of(content, _Packages).packages, Role.DECLARED, LOCK_FILE))


def _found(packages: list[_Package], role: Role, evidence: tuple[Evidence, ...]) -> Iterator[Found]:
    for package in packages:
        name, version = word(package.name).lower(), word(package.version)
        if package.type == "metapackage" or not _NAME.fullmatch(name):
            continue
        if _VERSION.fullmatch(version):
            licenses = package.license if isinstance(package.license, list) else [package.license]
            yield Found(
                type=PackageType.COMPOSER,
                name=name,
                version=version.removeprefix("v"),
                role=role,
                evidence=evidence,
                licenses=_licenses.normalise(licenses[:20]),
            )


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="Composer installed.json",
        read=read_installed,
        names=frozenset({"installed.json"}),
        is_wanted=lambda path: path.split("/")[-2:-1] == ["composer"],
        max_bytes=MAX_LOCK_BYTES,
    ),
    Reader(
        format="composer.lock",
        read=read_lock,
        names=frozenset({"composer.lock"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
)
