"""Lock files of languages whose programs do not say what they are made of: Dart, Haskell, Swift.

Compiled programs of these carry no list of packages; a lock file left in the image is the only
word, and only declares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Content, Found, Reader
from seawall.scan.readers._content import (
    LOCK_FILE,
    MAX_LOCK_BYTES,
    blocks_of,
    is_application,
    json_of,
    lines_in,
    once,
    text_of,
    word,
)

_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+_-]*")
_DART: Final = re.compile(r"[a-z_][a-z0-9_]*")
_FROZEN: Final = re.compile(r"any\.([A-Za-z0-9-]{1,100}) ==([0-9][0-9.]{0,60})(?=[,\s]|$)")
_STACK: Final = re.compile(
    r"^[ \t-]+hackage: ([A-Za-z0-9-]{1,100}?)-([0-9][0-9.]{0,60})(?:@|$)", re.MULTILINE
)
_REPOSITORY: Final = re.compile(
    r"(?:https?://|git@|ssh://git@)([\w.-]+)[:/]([\w./-]+?)(?:\.git)?/?"
)


class _SwiftPin(msgspec.Struct):
    location: Any = None
    repositoryURL: Any = None  # noqa: N815
    state: dict[str, Any] = {}


class _SwiftPins(msgspec.Struct):
    pins: list[_SwiftPin] = []


class _SwiftLock(msgspec.Struct):
    pins: list[_SwiftPin] = []
    object: _SwiftPins | None = None


def read_pubspec_lock(content: Content, path: str) -> tuple[Found, ...]:
    """Read the hosted packages of a `pubspec.lock`, without those for development only."""
    return once(
        found
        for name, fields in blocks_of(lines_in(content), "packages")
        if fields.get("source") == "hosted" and fields.get("dependency") != "direct dev"
        for found in _found(PackageType.PUB, name if _DART.fullmatch(name) else "", fields)
    )


def read_cabal_freeze(content: Content, path: str) -> tuple[Found, ...]:
    """Read the constraints of a `cabal.project.freeze`."""
    return once(
        found
        for match in _FROZEN.finditer(text_of(content))
        for found in _found(PackageType.HACKAGE, match[1], {"version": match[2]})
    )


def read_stack_lock(content: Content, path: str) -> tuple[Found, ...]:
    """Read the packages that a `stack.yaml.lock` adds to its snapshot."""
    return once(
        found
        for match in _STACK.finditer(text_of(content))
        for found in _found(PackageType.HACKAGE, match[1], {"version": match[2]})
    )


def read_swift_resolved(content: Content, path: str) -> tuple[Found, ...]:
    """Read a `Package.resolved` (1, 2 and 3); a package is named by its repository."""
    lock = json_of(content, _SwiftLock)
    return once(_swift(lock.object.pins if lock.object else lock.pins))


def _swift(pins: list[_SwiftPin]) -> Iterator[Found]:
    for pin in pins:
        location = word(pin.location) or word(pin.repositoryURL)
        if (match := _REPOSITORY.fullmatch(location)) is not None:
            yield from _found(PackageType.SWIFT, f"{match[1]}/{match[2]}", pin.state)


def _found(kind: PackageType, name: str, fields: dict[str, Any]) -> Iterator[Found]:
    version = word(fields.get("version"))
    if word(name) and _VERSION.fullmatch(version):
        yield Found(type=kind, name=name, version=version, role=Role.DECLARED, evidence=LOCK_FILE)


READERS: Final[tuple[Reader, ...]] = tuple(
    Reader(
        format=name,
        read=read,
        names=frozenset({name}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    )
    for name, read in (
        ("pubspec.lock", read_pubspec_lock),
        ("cabal.project.freeze", read_cabal_freeze),
        ("stack.yaml.lock", read_stack_lock),
        ("Package.resolved", read_swift_resolved),
    )
)
