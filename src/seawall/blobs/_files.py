"""Files and folders: locks, durability, and errors of the disk that name no path."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from seawall.core.errors import ConflictError, UnavailableError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def open_alone(path: Path) -> FileIO:
    """Open a staged file that nobody else writes: its running hash covers our bytes alone.

    The lock is on the open file, so it holds between threads and processes and ends with either.
    Raises ConflictError.
    """
    with disk_errors():
        file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held the lock may have given the file its final name just now.
        if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    file.close()
    raise ConflictError(
        "another request is sending to this upload", remedy="wait for it, then ask for the offset"
    )


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn errors of writing into ours."""
    try:
        yield
    except OSError as error:
        raise write_error(error) from error


def write_error(error: OSError) -> UnavailableError:
    """Return our error for one of writing."""
    if error.errno in _FULL:
        return disk_full()
    # The name of the error alone: its text would hold a path.
    name = errno.errorcode.get(error.errno or 0, "unknown error")
    return UnavailableError(
        f"the blob directory cannot be written ({name})",
        remedy="look at the rights and the health of the disk that holds the blobs",
    )


def unreadable(error: OSError) -> UnavailableError:
    """Return our error for one of reading."""
    name = errno.errorcode.get(error.errno or 0, "unknown error")
    return UnavailableError(
        f"a blob cannot be read ({name})",
        remedy="look at the rights and the health of the disk that holds the blobs",
    )


def disk_full() -> UnavailableError:
    """Return the error for a full disk."""
    return UnavailableError(
        "no space is left for blobs",
        remedy="free space on the server's disk, then push again",
        code="disk-full",
    )
