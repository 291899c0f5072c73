"""PHP packages: what Composer installed (`vendor/composer/installed.json`) and what it locked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

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
    small,
    word,
)
from seawall.scan.readers._json_stream import items_of

_NAME: Final = re.compile(r"[a-z0-9]+(?:[_.-][a-z0-9]+)*/[a-z0-9]+(?:(?:[_.]|--?)[a-z0-9]+)*")
_VERSION: Final = re.compile(r"v?[0-9][\w.+@-]*|dev-[\w./#+-]+|[\w.-]+-dev", re.ASCII)


class _Package(msgspec.Struct):
    name: msgspec.Raw = msgspec.Raw()
    version: msgspec.Raw = msgspec.Raw()
    license: msgspec.Raw = msgspec.Raw()
    type: msgspec.Raw = msgspec.Raw()


class _Packages(msgspec.Struct):
    packages: msgspec.Raw = msgspec.Raw()


def read_installed(content: Content, path: str) -> tuple[Found, ...]:
    """Read `installed.json`: a list (Composer 1) or an object (Composer 2)."""
    if bytes(content[:64]).lstrip()[:1] == b"[":
        return once(_found(json_of(content, msgspec.Raw), Role.INSTALLED, DATABASE))
    return once(_found(json_of(content, _Packages).packages, Role.INSTALLED, DATABASE))


def read_lock(content: Content, path: str) -> tuple[Found, ...]:
    """Read `composer.lock`; `packages-dev` are for development only and left out."""
    return once(_found(json_of(content, _Packages).packages, Role.DECLARED, LOCK_FILE))


def _found(packages: msgspec.Raw, role: Role, evidence: tuple[Evidence, ...]) -> Iterator[Found]:
    for item in items_of(packages):
        package = json_of(item, _Package)
        name, version = word(small(package.name)).lower(), word(small(package.version))
        if small(package.type) == "metapackage" or not _NAME.fullmatch(name):
            continue
        if _VERSION.fullmatch(version):
            stated = small(package.license)
            licenses = stated if isinstance(stated, list) else [stated]
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
