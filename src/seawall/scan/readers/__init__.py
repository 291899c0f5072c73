"""Readers of package files: pure functions from the bytes of one file to what they say.

Each module here reads one family of formats and offers `READERS`. A reader knows nothing of layers,
links, whiteouts or ownership: those are the matter of the walk and of the view over all layers.

The bytes are hostile. A reader never opens anything but what it is given, bounds what it unpacks
and returns, and raises `Unreadable` with one sentence when the file is not what its name promises.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from seawall.core.limits import MIB
from seawall.scan.model import Distribution, Evidence, PackageType, Role

Content: TypeAlias = bytes | mmap.mmap
"""A whole file: small ones in memory, large ones (jars, databases, programs) mapped from disk."""

DEFAULT_MAX_BYTES: Final = 32 * MIB
MAX_TEXT: Final = 255
"""Characters of a name or version; a longer one is not one."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One package that a file speaks of; the fields mean what those of `Component` mean."""

    type: PackageType
    name: str
    version: str
    source_name: str = ""
    source_version: str = ""
    architecture: str = ""
    vendor: str = ""
    module: str = ""
    role: Role = Role.INSTALLED
    inside: str = ""
    evidence: tuple[Evidence, ...] = ()
    licenses: tuple[str, ...] = ()
    distribution: Distribution | None = None


class Unreadable(Exception):  # noqa: N818
    """The file is not what its name promises. The message is one sentence for the report."""

    def __init__(self, message: str, found: Sequence[Found] = ()) -> None:
        super().__init__(message)
        self.found: Final = tuple(found)
        """What was read before the trouble, of files whose parts stand for themselves (archives,
        lists): it holds, and the rest of the file is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How the files of one format are known by their path, and read.

    A file is offered when its name is in `names`, or ends in one of `endings` (`.jar`), and
    `is_wanted` says yes to its whole path (canonical, relative to the root).
    """

    format: str
    """For messages and the docs: `npm package.json`."""
    read: Callable[[Content, str], Sequence[Found]]
    """Called with the content and the path. Raises Unreadable."""
    names: frozenset[str] = frozenset()
    endings: tuple[str, ...] = ()
    is_wanted: Callable[[str], bool] = lambda path: True
    max_bytes: int = DEFAULT_MAX_BYTES
