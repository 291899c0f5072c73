"""A clock that moves only when told."""

from __future__ import annotations

import datetime as dt


class FakeClock:
    """Starts on 2026-01-01 at noon UTC, or where it is told to."""

    def __init__(self, start: dt.datetime | None = None) -> None:
        self._now = start or dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)

    def now(self) -> dt.datetime:
        return self._now

    def advance(self, step: dt.timedelta) -> None:
        """Move on; a negative step is a clock that was set back."""
        self._now += step
