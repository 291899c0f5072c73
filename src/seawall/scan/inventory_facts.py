"""What one layer says, on its own: read once, kept by the layer's digest, combined at will.

A layer that many images share is walked once. The facts hold only what can matter for the
inventory — package databases, what readers found in files, symbolic links, whiteouts — and of all
other paths a 64-bit hash, which is enough to know that a file replaced a directory of a lower
layer, and whether a package owns it.

Paths are canonical and free of the layer's *own* symbolic links. Links of lower layers, whiteouts
and replacements are the matter of `inventory.combine`.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from seawall.scan.files.model import Executable
from seawall.scan.model import Distribution, Notice, Weakness
from seawall.scan.readers import Found
from seawall.scan.scripts import Script
from seawall.scan.system import Owned

FACTS_VERSION: Final = 6
"""Raise it when the meaning of LayerFacts changes: stored facts of another version are void."""


class Sums(msgspec.Struct, frozen=True, array_like=True):
    """The first 8 bytes of the digests of a file, for comparison with what a package says."""

    md5: bytes = b""
    sha1: bytes = b""
    sha256: bytes = b""


class Packages(msgspec.Struct, frozen=True, tag="packages", omit_defaults=True):
    """What a reader found in one file; `trouble` when that is not all."""

    format: str
    found: tuple[Found, ...]
    sums: Sums
    trouble: str = ""


class Program(msgspec.Struct, frozen=True, tag="program"):
    """An executable file; an outline of it where a package of its own layer owns it."""

    executable: Executable


class System(msgspec.Struct, frozen=True, tag="system", omit_defaults=True):
    """What one file of a package manager says: a database, or the list of one package's files."""

    manager: str
    found: tuple[Found, ...] = ()
    owned: tuple[Owned, ...] = ()
    moved: dict[str, str] = {}
    refused: int = 0


class Release(msgspec.Struct, frozen=True, tag="release"):
    """A file that names the distribution."""

    distribution: Distribution


class OtherDatabase(msgspec.Struct, frozen=True, tag="other-database"):
    """The database of a package manager that the inventory does not read."""

    manager: str


class Unread(msgspec.Struct, frozen=True, tag="unread"):
    """A package file that does not parse, is too large, or whose content is elsewhere."""

    message: str


class Secrets(msgspec.Struct, frozen=True, array_like=True):
    """What looks secret in one file, never shown whole."""

    found: tuple[Weakness, ...]
    sums: Sums


class Privileged(msgspec.Struct, frozen=True, array_like=True):
    """A program that runs with rights of others than its caller."""

    mode: int
    capabilities: bytes = b""
    """The attribute `security.capability`, as in capabilities(7)."""


Fact: TypeAlias = Packages | Program | System | Release | OtherDatabase | Script | Unread


class LayerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of one layer."""

    version: int = FACTS_VERSION
    digest: str
    entries: int = 0
    unpacked_bytes: int = 0
    is_complete: bool = True
    """False when the walk stopped early or something was left out."""
    has_sketches: bool = False
    """Whether programs that say nothing about themselves have a summary of their texts."""
    notices: tuple[Notice, ...] = ()
    files: dict[str, Fact] = {}
    secrets: dict[str, Secrets] = {}
    privileged: dict[str, Privileged] = {}
    links: dict[str, str] = {}
    """Symbolic links: path → target as written."""
    whiteouts: tuple[str, ...] = ()
    opaques: tuple[str, ...] = ()
    non_directories: bytes = b""
    """`path_hashes.hash_of` every path that is not a directory, 8 bytes each."""
    directories: bytes = b""
    """`path_hashes.hash_of` every path that is a directory, 8 bytes each."""


def to_bytes(facts: LayerFacts) -> bytes:
    """Return the facts for storage."""
    return _encoder.encode(facts)


def from_bytes(content: bytes) -> LayerFacts | None:
    """Read stored facts; None when they are of another version or damaged: walk again."""
    try:
        facts = _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return facts if facts.version == FACTS_VERSION else None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(LayerFacts)
