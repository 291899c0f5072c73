"""Rust crates that a `Cargo.lock` pins; those inside programs are `scan.files`'."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Content, Found, Reader
from seawall.scan.readers._content import (
    LOCK_FILE,
    MAX_LOCK_BYTES,
    is_application,
    once,
    packages_of_toml,
    text_of,
    word,
)

_NAME: Final = re.compile(r"[A-Za-z0-9][\w-]{0,63}", re.ASCII)
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+-]*")


def read_lock(content: Content, path: str) -> tuple[Found, ...]:
    """Read the crates of registries; members of the workspace and of git have no such version."""
    return once(_found(text_of(content)))


def _found(text: str) -> Iterator[Found]:
    for package in packages_of_toml(text):
        name, version = word(package.get("name")), word(package.get("version"))
        is_registry = package.get("source", "").startswith(("registry+", "sparse+"))
        if is_registry and _NAME.fullmatch(name) and _VERSION.fullmatch(version):
            yield Found(
                type=PackageType.CARGO,
                name=name,
                version=version,
                role=Role.DECLARED,
                evidence=LOCK_FILE,
            )


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="Cargo.lock",
        read=read_lock,
        names=frozenset({"Cargo.lock"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
)
