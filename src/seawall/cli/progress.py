"""Progress on a terminal's standard error: one line that redraws itself; silent elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Self

REDRAW_SECONDS: Final = 0.1
WIDTH: Final = 24


class Bar:
    """Shows how far one thing is. `show(done, total)`; a total of 0 or None is unknown."""

    def __init__(self, label: str, *, is_quiet: bool = False) -> None:
        self.label = label
        self.is_shown = sys.stderr.isatty() and not is_quiet
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def show(self, done: int, total: int | None) -> None:
        """Draw, at most ten times a second."""
        now = time.monotonic()
        if self.is_shown and now - self._drawn_at >= REDRAW_SECONDS:
            self._drawn_at = now
            _draw(self.label, done, total)

    def spin(self, text: str) -> None:
        """Draw a state without a measure."""
        if self.is_shown:
            sys.stderr.write(f"\r\033[K{self.label}: {text}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self.is_shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


class Bars:
    """The same for several named things, one after the other."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        self._bar = Bar("", is_quiet=is_quiet)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.clear()

    def show(self, name: str, done: int, total: int | None) -> None:
        """Draw how far the thing called `name` is."""
        self._bar.label = name
        self._bar.show(done, total)

    def clear(self) -> None:
        """Take the line away."""
        self._bar.clear()


def _draw(label: str, done: int, total: int | None) -> None:
    if total:
        filled = min(WIDTH, WIDTH * done // total)
        bar = "█" * filled + "·" * (WIDTH - filled)
        text = f"{label} {bar} {100 * min(done, total) // total:>3} %"
    else:
        text = f"{label} {done / 1e6:.1f} MB"
    sys.stderr.write(f"\r\033[K{text}")
    sys.stderr.flush()
