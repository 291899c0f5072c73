"""One `seawall up` per state directory.

The lock is a kernel lock on a file, so it vanishes with its holder however that dies; the file's
text only tells people who holds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from seawall.core.errors import ConflictError


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


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
