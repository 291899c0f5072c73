"""Small private files, and public ones of any size, written whole or not at all.

A reader sees the old bytes or the new ones, never a part, also after a power cut; and no moment
exists in which anybody but the owner can read a private one. Refused: following a symbolic link in
place of the file, and reading a secret that others can read too.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from seawall.core.errors import LimitError, UnavailableError

PRIVATE: Final = 0o600
MAX_BYTES: Final = 1024 * 1024
"""Keys, certificates and tokens are far smaller."""


def write_private(path: Path, content: bytes) -> None:
    """Replace the file at `path`, readable by its owner alone. Its folder must exist."""
    temporary = _write_beside(path, content, PRIVATE)
    temporary.replace(path)
    _sync_folder(path.parent)


def write_public(path: Path, content: bytes) -> None:
    """Replace the file at `path`, readable by all. Its folder must exist."""
    temporary = _write_beside(path, content, 0o644)
    temporary.replace(path)
    _sync_folder(path.parent)


def write_output(path: Path, content: bytes) -> None:
    """Replace a file that can be made again, readable by all; it may be lost in a power cut."""
    _write_beside(path, content, 0o644, is_durable=False).replace(path)


@contextlib.contextmanager
def writing_public(path: Path) -> Iterator[BinaryIO]:
    """Give what becomes the file at `path`, readable by all, when the block ends well."""
    with _beside(path, 0o644) as (temporary, file):
        yield file
    temporary.replace(path)
    _sync_folder(path.parent)


def read_private(path: Path) -> bytes:
    """Return the bytes of a secret file.

    Raises UnavailableError when it is missing, a link, or open to others; LimitError above 1 MiB.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise UnavailableError(
            f"the private file {path.name} cannot be read: {error.strerror}"
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_mode & 0o077:
            raise UnavailableError(
                f"the private file {path.name} is open to other users of this machine",
                remedy=f"if nobody can have read it, `chmod 600` {path.name}; else replace it",
            )
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise LimitError(f"the private file {path.name} is larger than {MAX_BYTES} bytes")
    return content


def read_or_create_private(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the bytes at `path`; when it does not exist, create it from `make()` first.

    Of several processes that create at once exactly one wins, and all return its bytes.
    """
    if not path.exists():
        temporary = _write_beside(path, make(), PRIVATE)
        # A hard link, unlike a rename, never replaces what another process made meanwhile.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
        _sync_folder(path.parent)
    return read_private(path)


def _write_beside(path: Path, content: bytes, mode: int, *, is_durable: bool = True) -> Path:
    with _beside(path, mode, is_durable=is_durable) as (temporary, file):
        file.write(content)
    return temporary


@contextlib.contextmanager
def _beside(path: Path, mode: int, *, is_durable: bool = True) -> Iterator[tuple[Path, BinaryIO]]:
    """Give a new file beside `path`: on the disk when the block ends well, gone when it does not"""
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            yield temporary, file
            if is_durable:
                file.flush()
                os.fsync(descriptor)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
