"""The one place where archives are opened (architecture invariant 10).

`walk` streams a layer once, in bounded memory, and yields its entries in the order of the archive
with canonical paths. It refuses nothing silently: a path that leads out of the root is skipped and
listed in `Walk.refused`; a limit or a broken format stops the walk with an ArchiveError.

What an entry *means* — whiteouts, replaced files, links — is for the reader of the layer to decide;
`whiteout_of` and `is_opaque` know the spelling (OCI image-spec layer.md, "Whiteouts").
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from seawall.oci import compression, media, tar
from seawall.oci.bounds import (
    DEFAULT_LIMITS,
    ArchiveError,
    Budget,
    Limits,
    UnsupportedArchiveError,
)
from seawall.oci.tar import Entry

MAX_REFUSED: Final = 100
"""Refused paths that are kept by name; the others are only counted."""

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_NO_NAMES: Final = ("", ".", "..")


class Walk(Iterator[Entry]):
    """One pass over a layer. Counters are true at any moment, also after an error."""

    def __init__(self, chunks: Iterator[bytes], budget: Budget) -> None:
        self._budget = budget
        self._records = tar.read(chunks, budget)
        self.refused: list[str] = []
        self.refused_count = 0

    @property
    def entries(self) -> int:
        return self._budget.entries

    @property
    def unpacked_bytes(self) -> int:
        return self._budget.unpacked

    def __next__(self) -> Entry:
        try:
            while True:
                entry = next(self._records)
                reason = self._set_path(entry)
                if not reason:
                    return entry
                self.refused_count += 1
                if len(self.refused) < MAX_REFUSED:
                    self.refused.append(f"{tar.show(entry.name)}: {reason}")
        except ArchiveError as error:
            error.entries = self.entries
            error.unpacked_bytes = self.unpacked_bytes
            raise

    def _set_path(self, entry: Entry) -> str:
        """Give `entry` its canonical path, or say why it has none."""
        limits = self._budget.limits
        if len(entry.name) > limits.max_path_bytes:
            return f"the path is longer than {limits.max_path_bytes} bytes"
        try:
            entry.path = canonical_path(entry.name.decode("utf-8", "surrogateescape"))
        except ValueError:
            return "the path leads out of the root"
        if entry.path.count("/") >= limits.max_path_depth:
            return f"the path is deeper than {limits.max_path_depth}"
        return ""


def walk(
    stream: BinaryIO,
    media_type: str,
    limits: Limits = DEFAULT_LIMITS,
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> Walk:
    """Read the layer in `stream`, from its present position, once.

    `media_type` is the manifest's claim: it must be that of a layer; the compression is told by
    the bytes. Iterating raises ArchiveLimitError, MalformedArchiveError or UnsupportedArchiveError.
    """
    if not media.is_layer(media_type) or "encrypted" in media_type:
        raise UnsupportedArchiveError(f"{media_type[:100]!r} is not a layer that can be read")
    budget = Budget(limits, monotonic)
    return Walk(compression.unpack(stream, budget), budget)


def canonical_path(name: str) -> str:
    """Return `name` relative to the root, without `.`, `..`, doubled or trailing slashes.

    The root itself is the empty text. Symbolic links are not followed. Raises ValueError when
    `..` leads out of the root.
    """
    if "/." not in name and "//" not in name and name[:1] not in ("/", ".") and name[-1:] != "/":
        return name
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            if not parts:
                raise ValueError(name)
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def is_opaque(path: str) -> bool:
    """Tell whether `path` marks its directory as hiding all lower layers."""
    return path == _OPAQUE or path.endswith("/" + _OPAQUE)


def whiteout_of(path: str) -> str | None:
    """Return the path that the whiteout at `path` removes from lower layers, or None.

    Other names that begin with `.wh..wh.` are AUFS bookkeeping: they remove nothing.
    """
    folder, slash, name = path.rpartition("/")
    hidden = name[len(_WHITEOUT) :]
    if not name.startswith(_WHITEOUT) or name.startswith(_WHITEOUT * 2) or hidden in _NO_NAMES:
        return None
    return folder + slash + hidden
