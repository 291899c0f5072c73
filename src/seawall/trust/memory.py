"""Remembers what bytes were found to be, so that an image that is run often is not proven from
nothing each time.

Only what depends on bytes alone is kept: what a file says, and that a key signed it. Times,
thresholds, versions and pins are looked at anew by every proof. Entries are found by the SHA-256 of
*all* that they depend on, and bounded by the bytes that they stand for.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final, Generic, TypeVar

V = TypeVar("V")

FILES_MAX_BYTES: Final = 16 * 1024 * 1024
"""Of metadata as it was uploaded; parsed it takes several times as much."""
SIGNATURES_MAX: Final = 16_384


class Memory(Generic[V]):
    """A bounded store that forgets what was not asked for the longest. Thread-safe."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[bytes, tuple[V, int]] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def get(self, key: bytes) -> V | None:
        """Return what is kept under `key`."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def keep(self, key: bytes, value: V, weight: int) -> None:
        """Keep a value, unless it is heavier than a quarter of everything."""
        if weight > self._capacity // 4:
            return
        with self._lock:
            former = self._entries.pop(key, None)
            self._weight += weight - (former[1] if former else 0)
            self._entries[key] = (value, weight)
            while self._weight > self._capacity:
                _, (_, forgotten) = self._entries.popitem(last=False)
                self._weight -= forgotten
