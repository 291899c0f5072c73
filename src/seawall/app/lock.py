"""One `seawall up` per state directory.

The lock is a kernel lock on a file, so it vanishes with its holder however that dies; the file's
text only tells people who holds it. A second lock is inherited by all processes that are started,
and so lasts until the last of them has ended: the next `seawall up` waits for that, because two
lives of one worker must never work at the same time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from seawall.core.errors import ConflictError

FAMILY_SECONDS: Final = 30.0  # longer than processes take to notice that they are orphans
POLL_SECONDS: Final = 0.05


@contextlib.contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold the lock of the installation whose run directory this is.

    Raises ConflictError, naming the holder, when another process holds it.
    """
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"Seawall already runs on {directory.parent} (process {_holder(descriptor)})",
                remedy="stop it there, or start this one with another --state directory",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def family(directory: Path, say: Callable[[str], None]) -> Iterator[int]:
    """Give the descriptor of a lock that the processes of this `seawall up` are to inherit.

    Waits until all processes of an earlier, killed one have ended. Raises ConflictError when they
    do not.
    """
    descriptor = os.open(directory / "family", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_locked(descriptor, directory, say)
        yield descriptor
    finally:
        os.close(descriptor)


def holder(directory: Path) -> int | None:
    """Return the process id of a living holder, or None."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = _holder(descriptor)
        return int(text) if text.isascii() and text.isdigit() else None
    finally:
        os.close(descriptor)
    return None


def _wait_locked(descriptor: int, directory: Path, say: Callable[[str], None]) -> None:
    deadline = time.monotonic() + FAMILY_SECONDS
    has_said = False
    while not _is_locked(descriptor):
        if time.monotonic() > deadline:
            raise ConflictError(
                f"processes of an earlier `seawall up` on {directory.parent} do not end",
                remedy="end those whose command line names this directory, then start again",
            )
        if not has_said:
            say("waiting for the processes of an earlier `seawall up`, which was killed, to end")
            has_said = True
        time.sleep(POLL_SECONDS)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
