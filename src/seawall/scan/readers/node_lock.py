"""Lock files of npm, Yarn, pnpm and Bun: what an application declares, whether it is there or not.

    package-lock.json, npm-shrinkwrap.json   version 1 (nested), 2 and 3 (by place)
    yarn.lock                                1 (its own form) and Berry's (a kind of YAML)
    pnpm-lock.yaml                           5, 6 and 9
    bun.lock                                 JSON with trailing commas

Only packages of a registry are reported: workspaces, links, folders, git and plain archives have
no version that an advisory could mean. What a lock file marks as needed for development only is
left out. YAML is read by lines, without anchors or aliases: none of these programs writes them.
JSON passes by token for token (`_json_stream`), for lock files of 30 MB exist.
Lock files inside an installed package are the package's own affair and not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

import msgspec

from seawall.core.limits import MIB
from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Content, Found, Reader, Unreadable
from seawall.scan.readers._content import (
    BOM,
    LOCK_FILE,
    MAX_LOCK_BYTES,
    blocks_of,
    is_application,
    json_of,
    lines_in,
    once,
    text_of,
)
from seawall.scan.readers._json_stream import Fields, heads_of, is_there, members_of
from seawall.scan.readers.node import name_of, version_of

_YARN_VERSION: Final = re.compile(r'  version:? "?([^"\s]+)"?')
_YARN_RESOLVED: Final = re.compile(r'  resolved "?([^"\s]+)"?')
_YARN_RESOLUTION: Final = re.compile(r'  resolution: "?([^"\s]+)"?')
_TARBALL: Final = re.compile(r"/((?:@[^/]+/)?[^/@]+)/-/")
_PNPM_SLASHES: Final = re.compile(r"/((?:@[^/]+/)?[^/@]+)/([^/_(]+)(?:[_(].*)?")
_STRING_OR_COMMA: Final = re.compile(r'"(?:[^"\\]|\\[\s\S])*+(?:"|\\?\Z)|,(?=\s*[\]}])')
_PLACE_FIELDS: Final = frozenset({"name", "version", "resolved", "dev", "link"})
_DEPENDENCIES: Final = "dependencies"
_PNPM_STARTS: Final = (b"lockfileVersion:", b"#", b"---")
_HEAD: Final = 1024
"""Bytes within which a lock file of pnpm has begun."""

MAX_BYTES: Final = 32 * MIB
"""Of a lock file; one of 30 MB takes less than 150 MB of memory."""


class _PackageLock(msgspec.Struct):
    packages: msgspec.Raw = msgspec.Raw()
    dependencies: msgspec.Raw = msgspec.Raw()


class _BunLock(msgspec.Struct):
    packages: msgspec.Raw = msgspec.Raw()


def read_package_lock(content: Content, path: str) -> tuple[Found, ...]:
    lock = json_of(content, _PackageLock)
    if is_there(lock.packages):
        return once(_of_places(members_of(lock.packages, _PLACE_FIELDS)))
    if is_there(lock.dependencies):
        return once(_of_tree(members_of(lock.dependencies, _PLACE_FIELDS, _DEPENDENCIES)))
    return ()


def read_yarn_lock(content: Content, path: str) -> tuple[Found, ...]:
    return once(_of_yarn(lines_in(content)))


def read_pnpm_lock(content: Content, path: str) -> tuple[Found, ...]:
    if not bytes(content[:_HEAD]).removeprefix(BOM).lstrip().startswith(_PNPM_STARTS):
        raise Unreadable("it does not begin with a lockfileVersion")
    return once(_of_pnpm(lines_in(content)))


def read_bun_lock(content: Content, path: str) -> tuple[Found, ...]:
    text = _STRING_OR_COMMA.sub(lambda m: "" if m[0] == "," else m[0], text_of(content))
    lock = json_of(text, _BunLock)
    return once(_of_bun(lock.packages)) if is_there(lock.packages) else ()


def _of_places(places: Iterable[Fields]) -> Iterator[Found]:
    for package in places:
        _, modules, installed = str(package[""]).rpartition("node_modules/")
        if not modules or package.get("link") or package.get("dev"):
            continue
        resolved = package.get("resolved")
        if isinstance(resolved, str) and not _is_registry(resolved):
            continue
        yield from _found(package.get("name") or installed, package.get("version"))


def _of_tree(dependencies: Iterable[Fields]) -> Iterator[Found]:
    for package in dependencies:
        version = package.get("version")
        if package.get("dev") is True:
            continue
        if isinstance(version, str) and version.startswith("npm:"):
            yield from _found(*_split(version.removeprefix("npm:")))
        else:
            yield from _found(package[""], version)


def _of_yarn(lines: Iterable[str]) -> Iterator[Found]:
    """Both forms have blocks: a line of descriptors, then indented facts."""
    name = version = ""
    for line in chain(lines, ("end:",)):
        if line and line[0] not in " #":
            yield from _found(name, version)
            name, version = _of_descriptor(line), ""
        elif match := _YARN_VERSION.fullmatch(line):
            version = match[1]
        elif match := _YARN_RESOLVED.fullmatch(line):
            tarball = _TARBALL.search(match[1])
            if not _is_registry(match[1]):
                name = ""
            elif tarball and tarball[1] != name:
                name = tarball[1]  # an alias
        elif match := _YARN_RESOLUTION.fullmatch(line):
            name, _ = _of_resolution(match[1])


def _of_descriptor(line: str) -> str:
    """Return the name in `"@a/b@^1.0", "@a/b@npm:^1.1":`, empty when it is no registry's."""
    first = line.rstrip(":").partition(",")[0].strip().strip('"')
    name, wanted = _split(first)
    if name == "__metadata" or wanted.startswith(
        ("workspace:", "link:", "portal:", "file:", "git", "http", "patch:")
    ):
        return ""
    return name


def _of_resolution(text: str) -> tuple[str, str]:
    """Split `@a/b@npm:1.0.0`; a patched package is still that package."""
    name, wanted = _split(text)
    return (name, "") if wanted.startswith(("npm:", "patch:")) else ("", "")


def _of_pnpm(lines: Iterable[str]) -> Iterator[Found]:
    for key, fields in blocks_of(lines, "packages"):
        if fields.get("dev") != "true":
            yield from _of_pnpm_key(key)


def _of_pnpm_key(key: str) -> Iterator[Found]:
    """Read `/a/1.0.0_peer` (5), `/a@1.0.0(peer@2)` (6) and `a@1.0.0` (9)."""
    if (match := _PNPM_SLASHES.fullmatch(key)) is not None:
        yield from _found(match[1], match[2])
    else:
        name, version = _split(key.removeprefix("/").partition("(")[0])
        yield from _found(name, version)


def _of_bun(packages: msgspec.Raw) -> Iterator[Found]:
    for entry in heads_of(packages):
        yield from _found(*_split(entry))


def _split(text: str) -> tuple[str, str]:
    """Split `@scope/name@wanted` at the @ that is not the scope's."""
    at = text.find("@", 1)
    return (text, "") if at < 0 else (text[:at], text[at + 1 :])


def _is_registry(resolved: str) -> bool:
    return resolved.startswith(("http://", "https://")) and "/-/" in resolved


def _found(name: object, version: object) -> Iterator[Found]:
    """Yield the package if both are what a registry has: `file:…` and `git+…` are no versions."""
    known, number = name_of(name), version_of(version)
    if known and number:
        yield Found(
            type=PackageType.NPM,
            name=known,
            version=number,
            role=Role.DECLARED,
            evidence=LOCK_FILE,
        )


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="npm lock file",
        read=read_package_lock,
        names=frozenset({"package-lock.json", "npm-shrinkwrap.json"}),
        is_wanted=is_application,
        max_bytes=MAX_BYTES,
    ),
    Reader(
        format="yarn.lock",
        read=read_yarn_lock,
        names=frozenset({"yarn.lock"}),
        is_wanted=is_application,
        max_bytes=MAX_BYTES,
    ),
    Reader(
        format="pnpm-lock.yaml",
        read=read_pnpm_lock,
        names=frozenset({"pnpm-lock.yaml"}),
        is_wanted=is_application,
        max_bytes=MAX_BYTES,
    ),
    Reader(
        format="bun.lock",
        read=read_bun_lock,
        names=frozenset({"bun.lock"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
)
