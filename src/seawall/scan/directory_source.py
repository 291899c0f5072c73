"""A directory that holds a root file system, read as an image of one layer.

The layer is a tar that is written while it is read, so that the one scanner for layers reads
directories too. The image is identified by the digest of the directory's *listing* (paths, kinds,
sizes, times, links): cheap, and another one whenever something changed.

Not followed: symbolic links, and directories on other devices (`/proc`, mounts). What cannot be
read becomes a notice. A file that shrinks meanwhile is filled up with zeros, one that grows is cut:
the entry keeps the size that it was announced with.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from seawall.core.errors import InvalidInputError, LimitError
from seawall.oci import compression, media
from seawall.oci.digest import Digest
from seawall.scan.image_source import ImageSource, LayerSource
from seawall.scan.model import Notice, NoticeKind

MAX_ENTRIES: Final = 2_000_000
NAMED: Final = 5
"""Unreadable paths that the notice names."""

_PIECE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One path below the root, as it was listed."""

    name: str  # relative, without a leading slash
    mode: int
    size: int
    uid: int
    gid: int
    link: str = ""

    def header(self) -> bytes:
        info = tarfile.TarInfo(self.name)
        info.mode, info.uid, info.gid = stat.S_IMODE(self.mode), self.uid, self.gid
        if stat.S_ISDIR(self.mode):
            info.type = tarfile.DIRTYPE
        elif stat.S_ISLNK(self.mode):
            info.type, info.linkname = tarfile.SYMTYPE, self.link
        else:
            info.size = self.size
        return info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")


def sources_of_directory(path: Path) -> ImageSource:
    """Open the root file system at `path`. Raises InvalidInputError, LimitError."""
    if not path.is_dir():
        raise InvalidInputError(f"{path} is not a directory")
    listing = _Listing(path)
    size = sum(item.size for item in listing.items)
    layer = LayerSource(
        digest=listing.digest,
        media_type=media.OCI_LAYER,
        size=size,
        open=lambda: _open(path, listing),
        created_by=f"directory {path}",
    )
    return ImageSource(
        digest=listing.digest,
        is_addressed=False,
        name=str(path),
        layers=(layer,),
        config=None,
        close=_nothing,
        notices=listing.notices(),
    )


class _Listing:
    """All that is below a directory, in the order of paths."""

    def __init__(self, root: Path) -> None:
        self.items: list[_Item] = []
        self._unread: list[str] = []
        self._root = os.fspath(root)
        self._hash = hashlib.sha256()
        self._device = os.stat(root).st_dev
        self._list("")
        self.digest = Digest.parse(f"sha256:{self._hash.hexdigest()}")

    def notices(self) -> tuple[Notice, ...]:
        if not self._unread:
            return ()
        some = ", ".join(sorted(self._unread)[:NAMED])
        text = f"{len(self._unread)} paths could not be read: {some}"
        return (
            Notice(kind=NoticeKind.MISSING_LAYER, message=text.encode(errors="replace").decode()),
        )

    def _list(self, folder: str) -> None:
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            for entry in self._entries(current):
                name = f"{current}/{entry.name}" if current else entry.name
                if self._add(name, entry):
                    waiting.append(name)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(os.path.join(self._root, folder)) as found:
                return sorted(found, key=lambda entry: entry.name)
        except OSError:
            self._unread.append(f"/{folder}")
            return []

    def _add(self, name: str, entry: os.DirEntry[str]) -> bool:
        """Keep an entry; tell whether it is a directory to look into."""
        try:
            status = entry.stat(follow_symlinks=False)
            is_link = stat.S_ISLNK(status.st_mode)
            link = os.readlink(entry.path) if is_link else ""
        except OSError:
            self._unread.append(f"/{name}")
            return False
        is_folder, is_file = stat.S_ISDIR(status.st_mode), stat.S_ISREG(status.st_mode)
        if not (is_folder or is_file or is_link):
            return False  # devices, pipes and sockets say nothing
        if is_file and not os.access(entry.path, os.R_OK):
            self._unread.append(f"/{name}")
            return False
        if len(self.items) == MAX_ENTRIES:
            raise LimitError(f"the directory has more than {MAX_ENTRIES} entries")
        size = status.st_size if is_file else 0
        told = f"{name}\0{status.st_mode}\0{size}\0{status.st_mtime_ns}\0{link}\0\0"
        self._hash.update(told.encode(errors="surrogateescape"))
        self.items.append(
            _Item(
                name=name,
                mode=status.st_mode,
                size=size,
                uid=status.st_uid,
                gid=status.st_gid,
                link=link,
            )
        )
        return is_folder and status.st_dev == self._device


def _open(root: Path, listing: _Listing) -> BinaryIO:
    return io.BufferedReader(_Pieces(_pieces(root, listing)), compression.PACKED_CHUNK)


def _pieces(root: Path, listing: _Listing) -> Iterator[bytes]:
    for item in listing.items:
        yield item.header()
        if item.size:
            yield from _content(root / item.name, item.size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _content(path: Path, size: int) -> Iterator[bytes]:
    left = size
    try:
        # Not through a link that took the file's place meanwhile.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        descriptor = -1
    if descriptor >= 0:
        with open(descriptor, "rb", buffering=0) as file:
            while left and (piece := file.read(min(left, _PIECE))):
                left -= len(piece)
                yield piece
    while left:
        piece = bytes(min(left, _PIECE))
        left -= len(piece)
        yield piece
    if rest := size % tarfile.BLOCKSIZE:
        yield bytes(tarfile.BLOCKSIZE - rest)


class _Pieces(io.RawIOBase):
    """A stream over pieces of bytes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        view = memoryview(buffer)
        count = min(len(view), len(self._rest))
        view[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def _nothing() -> None:
    """No file stays open between reads."""
