"""How fast one caller may write: a bucket of permits for each, that fills again with time."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from seawall.core.clock import Clock
from seawall.identity.errors import TooManyAttemptsError

MAX_CALLERS: Final = 4_096
"""Beyond that many, the one that was longest away starts anew."""


class TooFastError(TooManyAttemptsError):
    """The caller asks for more than its share; `retry_after` says how long to wait."""

    code = "too-fast"

    def __init__(self, retry_after: dt.timedelta) -> None:
        super().__init__(retry_after)
        self.message = "more than one caller may write in so short a time"


@dataclass(slots=True, kw_only=True)
class Rate:
    """`burst` at once, `per_second` in the long run. For the event loop's thread alone."""

    clock: Clock
    burst: float
    per_second: float
    _callers: OrderedDict[str, tuple[float, dt.datetime]] = field(default_factory=OrderedDict)

    def take(self, caller: str) -> None:
        """Use up one permit. Raises TooFastError, which says how long to wait."""
        now = self.clock.now()
        left, since = self._callers.pop(caller, (self.burst, now))
        seconds = max(0.0, (now - since).total_seconds())  # a clock set back gives nothing
        left = min(self.burst, left + seconds * self.per_second)
        is_allowed = left >= 1
        self._callers[caller] = (left - 1 if is_allowed else left, now)
        if len(self._callers) > MAX_CALLERS:
            self._callers.popitem(last=False)
        if not is_allowed:
            raise TooFastError(dt.timedelta(seconds=(1 - left) / self.per_second))
