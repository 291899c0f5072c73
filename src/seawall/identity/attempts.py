"""Guessing made slow: after a few failures every further one doubles the wait.

The memory is bounded and belongs to this process; an attacker who wants to push an entry out must
fail thousands of times elsewhere first. The longest wait is one minute, so that an attacker cannot
lock the rightful owner out for long.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from seawall.core.clock import Clock
from seawall.identity.errors import TooManyAttemptsError

MAX_KEYS: Final = 10_000
FREE_FAILURES: Final = 5
FIRST_WAIT: Final = dt.timedelta(seconds=1)
LONGEST_WAIT: Final = dt.timedelta(minutes=1)
FORGOTTEN_AFTER: Final = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failures:
    count: int
    latest: dt.datetime
    open_from: dt.datetime


class Attempts:
    """Failures by key, where a key is the name of a user or an address. Thread-safe."""

    def __init__(
        self,
        clock: Clock,
        *,
        free_failures: int = FREE_FAILURES,
        longest_wait: dt.timedelta = LONGEST_WAIT,
    ) -> None:
        self._clock = clock
        self._free = free_failures
        self._longest_wait = longest_wait
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, key: str) -> None:
        """Raises TooManyAttemptsError while `key` has to wait."""
        with self._lock:
            known = self._failures.get(key)
        if known is None:
            return
        wait = known.open_from - self._clock.now()
        # A clock that was set back must not lock anybody out for longer than the longest wait.
        if dt.timedelta(0) < wait <= self._longest_wait:
            raise TooManyAttemptsError(wait)

    def failed(self, key: str) -> int:
        """Note a failure and return how many there were in a row."""
        now = self._clock.now()
        with self._lock:
            known = self._failures.pop(key, None)
            if known is not None and now - known.latest > FORGOTTEN_AFTER:
                known = None
            count = 1 if known is None else known.count + 1
            self._failures[key] = _Failures(
                count=count, latest=now, open_from=now + self._wait(count)
            )
            while len(self._failures) > MAX_KEYS:
                self._failures.popitem(last=False)
        return count

    def succeeded(self, key: str) -> None:
        """Forget the failures of `key`."""
        with self._lock:
            self._failures.pop(key, None)

    def _wait(self, count: int) -> dt.timedelta:
        beyond = count - self._free
        if beyond < 0:
            return dt.timedelta(0)
        return min(FIRST_WAIT * (1 << min(beyond, 16)), self._longest_wait)
