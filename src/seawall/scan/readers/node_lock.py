"""Lock files of npm, Yarn, pnpm and Bun: what an application declares, whether it is there or not.

    package-lock.json, npm-shrinkwrap.json   version 1 (nested), 2 and 3 (by place)
    yarn.lock                                1 (its own form) and Berry's (a kind of YAML)
    pnpm-lock.yaml                           5, 6 and 9
    bun.lock                                 JSON with trailing commas

Only packages of a registry are reported: workspaces, links, folders, git and plain archives have
no version that an advisory could mean. What a lock file marks as needed for development only is
left out. YAML is read by lines, without anchors or aliases: none of these programs writes them.
Lock files inside an installed package are the package's own affair and not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Content, Found, Reader, Unreadable
from seawall.scan.readers._content import (
    LOCK_FILE,
    MAX_FOUND,
    MAX_LOCK_BYTES,
    blocks_of,
    is_application,
    json_of,
    lines_of,
    once,
    text_of,
)
from seawall.scan.readers.node import name_of, version_of

_YARN_VERSION: Final = re.compile(r'  version:? "?([^"\s]+)"?')
_YARN_RESOLVED: Final = re.compile(r'  resolved "?([^"\s]+)"?')
_YARN_RESOLUTION: Final = re.compile(r'  resolution: "?([^"\s]+)"?')
_TARBALL: Final = re.compile(r"/((?:@[^/]+/)?[^/@]+)/-/")
_PNPM_SLASHES: Final = re.compile(r"/((?:@[^/]+/)?[^/@]+)/([^/_(]+)(?:[_(].*)?")
_STRING_OR_COMMA: Final = re.compile(r'"(?:[^"\\]|\\[\s\S])*+(?:"|\\?\Z)|,(?=\s*[\]}])')


class _Place(msgspec.Struct):
    name: Any = None
    version: Any = None
    resolved: Any = None
    dev: Any = None
    link: Any = None


class _PackageLock(msgspec.Struct):
    packages: dict[str, _Place] | None = None
    dependencies: dict[str, Any] | None = None


class _BunLock(msgspec.Struct):
    packages: dict[str, list[Any]] = {}


def read_package_lock(content: Content, path: str) -> tuple[Found, ...]:
    lock = json_of(content, _PackageLock)
    if lock.packages is not None:
        return once(_of_places(lock.packages))
    return once(_of_tree(lock.dependencies or {}))


def read_yarn_lock(content: Content, path: str) -> tuple[Found, ...]:
    return once(_of_yarn(text_of(content)))


def read_pnpm_lock(content: Content, path: str) -> tuple[Found, ...]:
    text = text_of(content)
    if not text.lstrip().startswith(("lockfileVersion:", "#", "---")):
        raise Unreadable("it does not begin with a lockfileVersion")
    return once(_of_pnpm(text))


def read_bun_lock(content: Content, path: str) -> tuple[Found, ...]:
    text = _STRING_OR_COMMA.sub(lambda m: "" if m[0] == "," else m[0], text_of(content))
    return once(_of_bun(json_of(text, _BunLock)))


def _of_places(places: dict[str, _Place]) -> Iterator[Found]:
    for place, package in places.items():
        _, modules, installed = place.rpartition("node_modules/")
        if not modules or package.link or package.dev:
            continue
        if isinstance(package.resolved, str) and not _is_registry(package.resolved):
            continue
        yield from _found(package.name or installed, package.version)


def _of_tree(dependencies: dict[str, Any]) -> Iterator[Found]:
    todo = [dependencies]
    for _ in range(MAX_FOUND):
        if not todo:
            return
        for name, package in todo.pop().items():
            if not isinstance(package, dict) or package.get("dev") is True:
                continue
            if isinstance(nested := package.get("dependencies"), dict):
                todo.append(nested)
            version = package.get("version")
            if isinstance(version, str) and version.startswith("npm:"):
                yield from _found(*_split(version.removeprefix("npm:")))
            else:
                yield from _found(name, version)


def _of_yarn(text: str) -> Iterator[Found]:
    """Both forms have blocks: a line of descriptors, then indented facts."""
    name = version = ""
    for line in (*lines_of(text), "end:"):
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


def _of_pnpm(text: str) -> Iterator[Found]:
    for key, fields in blocks_of(text, "packages"):
        if fields.get("dev") != "true":
            yield from _of_pnpm_key(key)


def _of_pnpm_key(key: str) -> Iterator[Found]:
    """Read `/a/1.0.0_peer` (5), `/a@1.0.0(peer@2)` (6) and `a@1.0.0` (9)."""
    if (match := _PNPM_SLASHES.fullmatch(key)) is not None:
        yield from _found(match[1], match[2])
    else:
        name, version = _split(key.removeprefix("/").partition("(")[0])
        yield from _found(name, version)


def _of_bun(lock: _BunLock) -> Iterator[Found]:
    for entry in lock.packages.values():
        if entry and isinstance(entry[0], str):
            yield from _found(*_split(entry[0]))


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
        max_bytes=MAX_LOCK_BYTES,
    ),
    Reader(
        format="yarn.lock",
        read=read_yarn_lock,
        names=frozenset({"yarn.lock"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
    Reader(
        format="pnpm-lock.yaml",
        read=read_pnpm_lock,
        names=frozenset({"pnpm-lock.yaml"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
    Reader(
        format="bun.lock",
        read=read_bun_lock,
        names=frozenset({"bun.lock"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
)
