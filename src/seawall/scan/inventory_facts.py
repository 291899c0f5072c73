"""What one layer says, on its own: read once, kept by the layer's digest, combined at will.

A layer that many images share is walked once. The facts hold only what can matter for the
inventory — package databases, Python metadata, symbolic links, whiteouts — and of all other paths
a 64-bit hash, which is enough to know that a file replaced a directory of a lower layer.

Paths are canonical and free of the layer's *own* symbolic links. Links of lower layers, whiteouts
and replacements are the matter of `inventory.combine`.
"""

from __future__ import annotations

import hashlib
from typing import Final, TypeAlias

import msgspec

from seawall.scan import dpkg, python_metadata
from seawall.scan.model import Distribution, Notice

FACTS_VERSION: Final = 1
"""Raise it when the meaning of LayerFacts changes: stored facts of another version are void."""


class DpkgStatus(msgspec.Struct, frozen=True, tag="dpkg-status"):
    """A status file, or one of status.d."""

    packages: tuple[dpkg.Package, ...]
    refused: int = 0


class DpkgFiles(msgspec.Struct, frozen=True, tag="dpkg-files"):
    """The Python metadata files that a package owns, from its `.list`."""

    package: str
    paths: tuple[str, ...]


class DpkgSums(msgspec.Struct, frozen=True, tag="dpkg-sums"):
    """The MD5 sums that a package gives for its Python metadata files, from its `.md5sums`."""

    package: str
    sums: dict[str, str]


class PythonDistribution(msgspec.Struct, frozen=True, tag="python"):
    metadata: python_metadata.Metadata
    md5: str
    """Of the metadata file, for comparison with dpkg's; empty when the file is too large."""


class OsRelease(msgspec.Struct, frozen=True, tag="os-release"):
    distribution: Distribution


class OtherDatabase(msgspec.Struct, frozen=True, tag="other-database"):
    """The database of a package manager that the inventory does not read."""

    manager: str


class Unread(msgspec.Struct, frozen=True, tag="unread"):
    """A package file that does not parse, is too large, or whose content is elsewhere."""

    message: str


Fact: TypeAlias = (
    DpkgStatus | DpkgFiles | DpkgSums | PythonDistribution | OsRelease | OtherDatabase | Unread
)


class LayerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of one layer."""

    version: int = FACTS_VERSION
    digest: str
    entries: int = 0
    unpacked_bytes: int = 0
    is_complete: bool = True
    """False when the walk stopped early or something was left out."""
    notices: tuple[Notice, ...] = ()
    files: dict[str, Fact] = {}
    links: dict[str, str] = {}
    """Symbolic links: path → target as written."""
    whiteouts: tuple[str, ...] = ()
    opaques: tuple[str, ...] = ()
    non_directories: bytes = b""
    """`hash_of` every path that is not a directory, 8 bytes each."""
    directories: bytes = b""
    """`hash_of` every path that is a directory, 8 bytes each."""


def hash_of(path: str) -> int:
    """Return 64 bits that stand for `path`."""
    digest = hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def to_bytes(facts: LayerFacts) -> bytes:
    """Return the facts for storage."""
    return _encoder.encode(facts)


def from_bytes(content: bytes) -> LayerFacts | None:
    """Read stored facts; None when they are of another version or damaged: walk again."""
    try:
        facts = _decoder.decode(content)
    except msgspec.DecodeError:
        return None
    return facts if facts.version == FACTS_VERSION else None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(LayerFacts)
