"""What ties a supervised process to its supervisor: two pipes.

- `ready`: the child writes one byte when it serves.
- `lifeline`: the supervisor holds the other end and never writes; end of file means that it is
  gone, however it died, and the child stops too. There is nobody then who would end a child that
  takes too long, so it ends itself: work that is cut off is safe to be done again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import threading
import time
from dataclasses import dataclass
from typing import Final

ORPHAN_SECONDS: Final = 3.0
ORPHAN_EXIT: Final = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifeline:
    """The child's ends of the two pipes; -1 where it was started by hand, without a supervisor."""

    ready_descriptor: int = -1
    lifeline_descriptor: int = -1

    def ready(self) -> None:
        """Tell the supervisor that the process serves."""
        if self.ready_descriptor >= 0:
            with contextlib.suppress(OSError):  # the supervisor may be gone already
                os.write(self.ready_descriptor, b"+")
                os.close(self.ready_descriptor)

    def stop_event(self) -> threading.Event:
        """Return an event that is set on SIGTERM, SIGINT or the supervisor's end."""
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        if self.lifeline_descriptor >= 0:
            threading.Thread(target=self._wait, args=(stop,), daemon=True).start()
        return stop

    def async_stop_event(self) -> asyncio.Event:
        """Return the same for an event loop; call it inside the loop."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        if self.lifeline_descriptor >= 0:
            descriptor = self.lifeline_descriptor

            def gone() -> None:
                loop.remove_reader(descriptor)
                stop.set()
                threading.Thread(target=_end_in_time, daemon=True).start()

            loop.add_reader(descriptor, gone)
        return stop

    def _wait(self, stop: threading.Event) -> None:
        # The supervisor never writes, so readable means that its end is closed. Not a plain read:
        # an event loop in a sister process makes the pipe, which all share, non-blocking.
        poll = select.poll()
        poll.register(self.lifeline_descriptor, select.POLLIN)
        poll.poll()
        stop.set()
        _end_in_time()


def _end_in_time() -> None:
    """End the process if it is still there after `ORPHAN_SECONDS`; runs in a daemon thread."""
    time.sleep(ORPHAN_SECONDS)
    os._exit(ORPHAN_EXIT)
