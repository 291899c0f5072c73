"""Remembers files of trees in memory, so that most questions cost one small query.

An entry belongs to one state of one tree, numbered by its newest change. After a change, by
whatever process, the number is another one and the entry is never asked for again.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from seawall.trust._tree_rows import StoredFile
from seawall.trust.tuf.names import Gun, Role

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_TREES: Final = 16_384

Place: TypeAlias = "tuple[Gun, int, Role, str]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A tree in one state: the hash of each role's file."""

    change: int
    hashes: Mapping[Role, str]
    renew_at: dt.datetime | None
    """When the server should sign its own statements anew; None when it cannot."""

    def is_due(self, now: dt.datetime) -> bool:
        return self.renew_at is not None and self.renew_at <= now


class TreeCache:
    """The walks of trees, and their files by hash. Thread-safe; bounded in bytes and number."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._files: OrderedDict[Place, StoredFile] = OrderedDict()
        self._walks: OrderedDict[Gun, tuple[Walk, int | None]] = OrderedDict()
        self._lock = threading.Lock()

    def walk(self, gun: Gun, change: int) -> Walk | None:
        """Return the walk of `gun` in the state `change`."""
        with self._lock:
            walk, _ = self._walks.get(gun, (None, None))
            return walk if walk is not None and walk.change == change else None

    def fresh_walk(self, gun: Gun, seen: int) -> Walk | None:
        """Return the walk of `gun` if it was kept with the number `seen`."""
        with self._lock:
            walk, then = self._walks.get(gun, (None, None))
            return walk if then == seen else None

    def keep_walk(self, gun: Gun, walk: Walk, seen: int | None) -> None:
        """Keep a walk, with the number of `store.watching` before it was found to be true."""
        with self._lock:
            self._walks[gun] = (walk, seen)
            self._walks.move_to_end(gun)
            while len(self._walks) > MAX_TREES:
                self._walks.popitem(last=False)

    def file(self, place: Place) -> StoredFile | None:
        """Return the file with this hash, or that was kept under this word, of one state."""
        with self._lock:
            stored = self._files.get(place)
            if stored is not None:
                self._files.move_to_end(place)
            return stored

    def keep_file(self, place: Place, stored: StoredFile) -> None:
        with self._lock:
            former = self._files.pop(place, None)
            self._bytes += len(stored.content) - (len(former.content) if former else 0)
            self._files[place] = stored
            while self._bytes > self._max_bytes:
                _, dropped = self._files.popitem(last=False)
                self._bytes -= len(dropped.content)
