"""What a store of blobs does. One contract suite holds every implementation to it.

A blob exists whole under its digest or it does not exist. No name from outside reaches a store:
only parsed digests and random staging names do. Every method may block; call them off the loop.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import BinaryIO, Final, Protocol

from seawall.oci.digest import Digest

_STAGING_NAME: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Staging(Protocol):
    """Bytes on their way in. Used by one caller at a time; ends in `commit`, `abort` or `keep`."""

    @property
    def size(self) -> int:
        """Bytes written so far."""
        ...

    def write(self, data: bytes) -> None:
        """Append `data`, hashing it.

        Raises UnavailableError when the disk is full; all bytes are then dropped.
        """
        ...

    def commit(self, expected: Digest) -> int:
        """Make the bytes durable under their digest and return their number.

        Content that is already there is replaced by this proven copy. Raises IntegrityError when
        the digest differs (the staged bytes are dropped), NotFoundError when they were dropped
        meanwhile, UnavailableError when the disk is full.
        """
        ...

    def abort(self) -> None:
        """Drop the bytes."""
        ...

    def keep(self) -> None:
        """Let go of the bytes so that `BlobStore.stage` can go on with them, after a crash too."""
        ...


class BlobStore(Protocol):
    """Content by digest. Thread-safe, and safe for several processes at once."""

    def stage(self, name: str, offset: int = 0) -> Staging:
        """Begin, or go on at `offset` with, the staged bytes called `name` (32 hex digits).

        Bytes beyond `offset` are dropped. Raises NotFoundError when fewer than `offset` bytes are
        there, ConflictError while somebody else writes to them, UnavailableError when free space
        is below the reserve.
        """
        ...

    def drop_staged(self, name: str) -> None:
        """Drop staged bytes; nothing happens when there are none."""
        ...

    def drop_stale(self, before: dt.datetime) -> int:
        """Drop everything staged that was last written before the moment; return how many."""
        ...

    def open(self, digest: Digest) -> BinaryIO:
        """Open content whose digest was verified; the caller closes it.

        Raises NotFoundError, or IntegrityError when the bytes are not what the digest says: they
        are then in quarantine, the blob no longer exists, and a new push repairs it.
        """
        ...

    def size(self, digest: Digest) -> int:
        """Return the size in bytes. Raises NotFoundError."""
        ...

    def exists(self, digest: Digest) -> bool:
        """Tell whether there is content under the digest, without verifying it."""
        ...

    def quarantine(self, digest: Digest) -> None:
        """Put content aside: it no longer exists, but can be looked at."""
        ...


def is_staging_name(name: str) -> bool:
    """Tell whether `name` is 32 lower-case hex digits, as `core.ids.new_id` makes them."""
    return _STAGING_NAME.fullmatch(name) is not None
