"""Hashes of bytes that arrive in pieces, and of whole files, without holding them in memory."""

from __future__ import annotations

import hashlib
from typing import BinaryIO, Final

from seawall.core.limits import MIB
from seawall.oci.digest import Digest

CHUNK_BYTES: Final = MIB
DEFAULT_ALGORITHM: Final = "sha256"


class RunningHash:
    """The SHA-256 of a stream so far, and how many bytes it covers."""

    __slots__ = ("_hash", "covered")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.covered = 0

    def update(self, data: bytes) -> None:
        self._hash.update(data)
        self.covered += len(data)

    def digest(self) -> Digest:
        return Digest(f"{DEFAULT_ALGORITHM}:{self._hash.hexdigest()}")


def digest_of(source: BinaryIO, algorithm: str) -> Digest:
    """Hash `source` from where it stands to its end."""
    running = hashlib.new(algorithm)
    while chunk := source.read(CHUNK_BYTES):
        running.update(chunk)
    return Digest(f"{algorithm}:{running.hexdigest()}")
