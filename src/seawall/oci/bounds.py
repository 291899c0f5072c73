"""Bounds for archives from strangers, and the errors that say which one was reached.

    ArchiveError                  stops the walk; knows how far it came
    ├── ArchiveLimitError         a bound was reached (also a LimitError)
    ├── MalformedArchiveError     the bytes break their format (also an InvalidInputError)
    └── UnsupportedArchiveError   a format that is not understood (also an InvalidInputError)

One archive costs at most what `Limits` says, in time, in memory and in work, whatever it holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec

from seawall.core.errors import InvalidInputError, LimitError, SeawallError
from seawall.core.limits import GIB, MIB


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one archive may cost. Real layers of many gigabytes fit; bombs do not."""

    max_entries: int = 2_000_000
    max_unpacked_bytes: int = 64 * GIB
    max_ratio: int = 300
    """Unpacked bytes per packed byte, judged once `ratio_free_bytes` are unpacked."""
    ratio_free_bytes: int = GIB
    max_path_bytes: int = 4096
    """PATH_MAX of Linux: no kernel could open a longer one."""
    max_path_depth: int = 256
    max_header_bytes: int = MIB
    """One PAX or GNU extension header, or one sparse map. Go's archive/tar has the same bound."""
    max_members: int = 4_000_000
    """gzip members or zstd frames; eStargz makes one or more per file."""
    max_seconds: float = 600.0
    """Wall clock for one archive."""


DEFAULT_LIMITS: Final = Limits()


class ArchiveError(SeawallError):
    """Stops the walk. `entries` and `unpacked_bytes` tell how much was read before."""

    code = "archive"
    entries = 0
    unpacked_bytes = 0


class ArchiveLimitError(ArchiveError, LimitError):
    """A bound of `Limits` was reached; `limit` is the name of its field."""

    code = "archive-limit"

    def __init__(self, message: str, *, limit: str) -> None:
        super().__init__(message, remedy=f"raise the limit {limit} if you trust the image")
        self.limit = limit


class MalformedArchiveError(ArchiveError, InvalidInputError):
    """The bytes break the rules of their format, or end too early."""

    code = "archive-malformed"


class UnsupportedArchiveError(ArchiveError, InvalidInputError):
    """A compression, encryption or media type that is not understood."""

    code = "archive-unsupported"


class Budget:
    """Counts what one archive has cost so far, and stops it at its limits."""

    __slots__ = ("_deadline", "_monotonic", "entries", "limits", "members", "packed", "unpacked")

    def __init__(self, limits: Limits, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.entries = 0
        self.members = 0
        self.packed = 0
        self.unpacked = 0
        self._monotonic = monotonic
        self._deadline = monotonic() + limits.max_seconds

    def count_entry(self) -> None:
        self.entries += 1
        if self.entries > self.limits.max_entries:
            raise ArchiveLimitError(
                f"more than {self.limits.max_entries} entries", limit="max_entries"
            )

    def count_member(self) -> None:
        self.members += 1
        if self.members > self.limits.max_members:
            raise ArchiveLimitError(
                f"more than {self.limits.max_members} compressed members", limit="max_members"
            )

    def count_unpacked(self, size: int) -> None:
        """Count `size` more unpacked bytes, and look at the clock."""
        limits = self.limits
        self.unpacked += size
        if self.unpacked > limits.max_unpacked_bytes:
            raise ArchiveLimitError(
                f"more than {limits.max_unpacked_bytes} bytes unpacked", limit="max_unpacked_bytes"
            )
        if self.unpacked > max(limits.ratio_free_bytes, self.packed * limits.max_ratio):
            raise ArchiveLimitError(
                f"{self.packed} packed bytes became {self.unpacked}, "
                f"more than {limits.max_ratio} to one",
                limit="max_ratio",
            )
        if self._monotonic() > self._deadline:
            raise ArchiveLimitError(
                f"reading took longer than {limits.max_seconds:g} seconds", limit="max_seconds"
            )
