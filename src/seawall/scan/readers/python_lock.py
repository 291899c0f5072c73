"""Lock files of Python applications, and lists of what a distribution carries inside itself.

    requirements.txt        only lines that pin one version with `==`
    poetry.lock, uv.lock, pdm.lock, pylock.toml (PEP 751), Pipfile.lock
    _vendor/vendor.txt, vendored.txt   what pip and setuptools bundle: BUNDLED

Packages of folders, addresses and repositories are left out, as is what is marked as needed for
development only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from seawall.core.limits import MIB
from seawall.scan.model import Evidence, PackageType, Role
from seawall.scan.readers import Content, Found, Reader
from seawall.scan.readers._content import (
    LOCK_FILE,
    MANIFEST,
    MAX_LOCK_BYTES,
    is_application,
    json_of,
    lenient_text_of,
    lines_of,
    once,
    packages_of_toml,
    text_of,
    word,
)

MAX_LIST_BYTES: Final = 4 * MIB

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,212}[A-Za-z0-9])?")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+!~_-]{0,199}")
_SEPARATORS: Final = re.compile(r"[-_.]+")
_PINNED: Final = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]{0,213})[ ]?(?:\[[^\]]{0,200}\])?[ ]?={2,3}[ ]?"
    r"([0-9A-Za-z][0-9A-Za-z.+!_-]{0,199})[ ]*(?:[;#\\].*|--hash.*)?"
)
_ELSEWHERE: Final = frozenset({"git", "path", "url", "vcs", "directory", "archive"})
"""Fields of packages that come from no index."""
_NOT_FOR_USE: Final = re.compile(r"dev|test|doc|lint|ci\b|mypy|build", re.IGNORECASE)


class _Pinned(msgspec.Struct):
    version: Any = None


class _Pipfile(msgspec.Struct):
    default: dict[str, _Pinned] = {}


def read_requirements(content: Content, path: str) -> tuple[Found, ...]:
    return once(_pinned(content, Role.DECLARED, LOCK_FILE))


def read_vendored(content: Content, path: str) -> tuple[Found, ...]:
    """Read what is bundled. Of setuptools pip takes `pkg_resources` only, which is not that."""
    found = once(_pinned(content, Role.BUNDLED, MANIFEST))
    return tuple(item for item in found if item.name != "setuptools")


def read_lock(content: Content, path: str) -> tuple[Found, ...]:
    """Read a lock file that lists packages in TOML."""
    return once(_locked(text_of(content)))


def read_pipfile_lock(content: Content, path: str) -> tuple[Found, ...]:
    return once(
        found
        for name, pinned in json_of(content, _Pipfile).default.items()
        for found in _found(name, word(pinned.version).removeprefix("=="))
    )


def _pinned(content: Content, role: Role, evidence: tuple[Evidence, ...]) -> Iterator[Found]:
    for line in lines_of(lenient_text_of(content)):
        if (match := _PINNED.fullmatch(line.strip()[:1_000])) is not None:
            yield from _found(match[1], match[2], role, evidence)


def _locked(text: str) -> Iterator[Found]:
    for package in packages_of_toml(text):
        if not _ELSEWHERE.isdisjoint(key.partition(".")[0] for key in package):
            continue
        source, kind = package.get("source", ""), package.get("source.type", "legacy")
        if (source and "registry" not in source) or kind != "legacy":
            continue
        groups = package.get("groups", "[default]")
        if package.get("category") != "dev" and ("default" in groups or "main" in groups):
            yield from _found(package.get("name"), package.get("version"))


def _found(
    name: object,
    version: object,
    role: Role = Role.DECLARED,
    evidence: tuple[Evidence, ...] = LOCK_FILE,
) -> Iterator[Found]:
    known, number = word(name), word(version)
    if _NAME.fullmatch(known) and _VERSION.fullmatch(number):
        yield Found(
            type=PackageType.PYPI,
            name=_SEPARATORS.sub("-", known).lower(),
            version=number,
            role=role,
            evidence=evidence,
        )


def _is_requirements(path: str) -> bool:
    name = path.rpartition("/")[2]
    return is_application(path) and _NOT_FOR_USE.search(name.removesuffix(".txt")) is None


def _is_vendored(path: str) -> bool:
    """Tell whether the list lies in a package's own folder of such code."""
    folders = path.split("/")[:-1]
    is_of_package = not {"site-packages", "dist-packages"}.isdisjoint(folders)
    return folders[-1:] == ["_vendor"] or (folders[-1:] == ["vendor"] and is_of_package)


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="requirements.txt",
        read=read_requirements,
        endings=("requirements.txt",),
        is_wanted=_is_requirements,
        max_bytes=MAX_LIST_BYTES,
    ),
    Reader(
        format="vendored Python packages",
        read=read_vendored,
        names=frozenset({"vendor.txt", "vendored.txt"}),
        is_wanted=_is_vendored,
        max_bytes=MAX_LIST_BYTES,
    ),
    Reader(
        format="Python lock file",
        read=read_lock,
        names=frozenset({"poetry.lock", "uv.lock", "pdm.lock", "pylock.toml"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
    Reader(
        format="Pipfile.lock",
        read=read_pipfile_lock,
        names=frozenset({"Pipfile.lock"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
)
