"""Paths as 64-bit hashes: enough to compare them, and small enough to keep all of an image."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable

PATH_BYTES = 8


def hash_of(path: str) -> int:
    """Return 64 bits that stand for `path`."""
    digest = hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def pack(paths: Iterable[str]) -> bytes:
    """Return the hashes of `paths` in their order, 8 bytes each."""
    return array("Q", [hash_of(path) for path in paths]).tobytes()


def unpack(hashes: bytes) -> array[int]:
    """Return what `pack` made; what is left over of a damaged text is dropped."""
    result = array("Q")
    result.frombytes(hashes[: len(hashes) - len(hashes) % PATH_BYTES])
    return result
