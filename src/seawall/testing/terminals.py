"""A program under a pseudo-terminal: a test types, resizes and reads the screen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

CHUNK_BYTES: Final = 4096
EXPECT_SECONDS: Final = 20.0
RETRY_SECONDS: Final = 1.0
RETRIES: Final = 20


class Terminal:
    """A running program and its screen, at first 30 rows of 100 columns."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.resize(30, 100)
        self.text = ""
        try:
            self.process = subprocess.Popen(
                ["setsid", "--ctty", *command], stdin=slave, stdout=slave, stderr=slave,
                env=dict(env),
            )  # fmt: skip
        finally:
            os.close(slave)

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size; the kernel tells the program by SIGWINCH."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Press these keys."""
        os.write(self._master, keys)

    def expect(self, pattern: str, timeout: float = EXPECT_SECONDS) -> None:
        """Read until `pattern` was seen in what came since the last one.

        Raises AssertionError with what the screen shows.
        """
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if found := re.search(pattern, self.text):
                self.text = self.text[found.end() :]
                return
            if select.select([self._master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self.text += os.read(self._master, CHUNK_BYTES).decode(errors="replace")
        raise AssertionError(f"{pattern!r} did not come; the screen: {self.text!r}")

    def type_until(self, keys: bytes, pattern: str) -> None:
        """Type again until the answer fits: what was changed takes a moment to arrive."""
        for _ in range(RETRIES):
            self.type(keys)
            with contextlib.suppress(AssertionError):
                self.expect(pattern, RETRY_SECONDS)
                return
        raise AssertionError(f"{pattern!r} never came; the screen: {self.text!r}")

    def close(self) -> None:
        """End the program, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


@contextlib.contextmanager
def opened(command: Sequence[str], *, env: Mapping[str, str]) -> Iterator[Terminal]:
    """Run `command` under a terminal, and end it afterwards."""
    terminal = Terminal(command, env)
    try:
        yield terminal
    finally:
        terminal.close()
