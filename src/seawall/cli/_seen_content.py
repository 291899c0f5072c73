"""Content that a client has had in its hands, by digest: what it fetched and what it pushed.

Only what a digest names is kept, so nothing here can become wrong; what a tag stands for is always
asked for again. Bounded: the oldest is forgotten.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final, Generic, TypeVar

from seawall.core import limits
from seawall.oci.names import RepositoryName

MAX_BYTES: Final = 8 * limits.MIB

V = TypeVar("V")


class SeenContent(Generic[V]):
    """Values by repository and digest. Thread-safe."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[tuple[RepositoryName, str], tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, repository: RepositoryName, digest: str) -> V | None:
        """Return what was kept under this digest in this repository."""
        with self._lock:
            value, _ = self._entries.get((repository, digest), (None, 0))
            return value

    def keep(self, repository: RepositoryName, digest: str, value: V, size: int) -> None:
        """Keep a value of `size` bytes, whose digest the caller has checked."""
        with self._lock:
            _, former = self._entries.pop((repository, digest), (None, 0))
            self._entries[repository, digest] = (value, size)
            self._bytes += size - former
            while self._bytes > self._max_bytes:
                _, (_, forgotten) = self._entries.popitem(last=False)
                self._bytes -= forgotten
