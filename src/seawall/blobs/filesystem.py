"""Blobs in a directory: `blobs/<algorithm>/<2 hex>/<hex>`.

Durable: a file is fsynced, renamed to its final name, and its folder fsynced, before `commit`
returns. Honest: a read never hands out bytes that were not hashed within the last day, or that
changed since. The last check cannot be fooled by putting back a time stamp, since `ctime` cannot be
set. No name from outside becomes part of a path: only the hex of a parsed digest and random names.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final

from seawall.blobs import _files
from seawall.blobs.hashing import RunningHash, digest_of
from seawall.blobs.ports import is_staging_name
from seawall.core.clock import Clock, SystemClock
from seawall.core.errors import IntegrityError, NotFoundError
from seawall.core.ids import new_id
from seawall.core.limits import MIB
from seawall.oci.digest import Digest

VERIFIED_FOR: Final = dt.timedelta(hours=24)
"""How long a verification is trusted while the file does not change: a bound on silent bit rot."""

RESERVE_BYTES: Final = 64 * MIB
"""Free space left for the database, so that deleting still works when the disk is full."""

VERIFYING_LOCKS: Final = 64
REMEMBERED_VERIFICATIONS: Final = 100_000
REMEMBERED_HASHES: Final = 1_000  # of uploads that are between two chunks


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What changes whenever a file's bytes do."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, stat: os.stat_result) -> _Stamp:
        return cls(stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


class FilesystemBlobs:
    """The default `BlobStore`. Several processes may share one directory."""

    def __init__(
        self,
        directory: Path,
        *,
        clock: Clock | None = None,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self._blobs = directory / "blobs"
        self._staging = directory / "staging"
        self._quarantine = directory / "quarantine"
        self._clock = clock or SystemClock()
        self._reserve_bytes = reserve_bytes
        self._verified: OrderedDict[Digest, tuple[_Stamp, dt.datetime]] = OrderedDict()
        self._hashes: OrderedDict[str, RunningHash] = OrderedDict()
        self._lock = threading.Lock()
        # Of many that open one blob for the first time, one hashes and the others wait for it.
        self._verifying = tuple(threading.Lock() for _ in range(VERIFYING_LOCKS))
        for folder in (self._blobs, self._staging, self._quarantine):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._durable: set[Path] = set()

    def stage(self, name: str, offset: int = 0) -> _FileStaging:
        self._refuse_without_space()
        path = self._staged(name)
        file = _files.open_alone(path)
        if os.fstat(file.fileno()).st_size < offset:
            file.close()
            self.drop_staged(name)
            raise NotFoundError("the bytes sent so far are lost", remedy="start the upload again")
        file.truncate(offset)
        file.seek(offset)
        return _FileStaging(self, name, path, file, self._running_hash(name, offset))

    def drop_staged(self, name: str) -> None:
        with self._lock:
            self._hashes.pop(name, None)
        self._staged(name).unlink(missing_ok=True)

    def drop_stale(self, before: dt.datetime) -> int:
        dropped = 0
        for entry in os.scandir(self._staging):
            with suppress(FileNotFoundError):
                if entry.stat().st_mtime < before.timestamp() and is_staging_name(entry.name):
                    self.drop_staged(entry.name)
                    dropped += 1
        return dropped

    def open(self, digest: Digest) -> BinaryIO:
        try:
            file = self._path(digest).open("rb", buffering=0)
        except FileNotFoundError:
            raise _not_found(digest) from None
        except OSError as error:
            raise _files.unreadable(error) from error
        try:
            with self._verifying[hash(digest) % VERIFYING_LOCKS]:
                self._verify(digest, file)
        except BaseException:
            file.close()
            raise
        return file

    def size(self, digest: Digest) -> int:
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError:
            raise _not_found(digest) from None

    def exists(self, digest: Digest) -> bool:
        return self._path(digest).is_file()

    def quarantine(self, digest: Digest) -> None:
        target = self._quarantine / f"{digest.algorithm}-{digest.hex}-{new_id()}"
        with self._lock:
            self._verified.pop(digest, None)
            with suppress(FileNotFoundError):
                self._path(digest).rename(target)

    # -- what staging uses

    def settle(self, staged: Path, digest: Digest) -> None:
        """Give a fsynced and proven file its final name, durably."""
        final = self._path(digest)
        self._make_folder(final.parent)
        with self._lock:
            os.replace(staged, final)
            self._note_verified(digest, _Stamp.of(final.stat()))
        _files.sync_folder(final.parent)

    def remember_hash(self, name: str, running: RunningHash) -> None:
        """Keep the hash of an upload between two of its chunks: a cache, its loss costs a read."""
        with self._lock:
            self._hashes[name] = running
            while len(self._hashes) > REMEMBERED_HASHES:
                self._hashes.popitem(last=False)

    # -- inside

    def _path(self, digest: Digest) -> Path:
        return self._blobs / digest.algorithm / digest.hex[:2] / digest.hex

    def _staged(self, name: str) -> Path:
        if not is_staging_name(name):
            raise ValueError("a staging name is 32 hex digits")
        return self._staging / name

    def _refuse_without_space(self) -> None:
        state = os.statvfs(self._staging)
        if state.f_bavail * state.f_frsize < self._reserve_bytes:
            raise _files.disk_full()

    def _running_hash(self, name: str, offset: int) -> RunningHash | None:
        """Return the hash that covers exactly `offset` bytes, or None if there is none."""
        with self._lock:
            known = self._hashes.pop(name, None)
        if offset == 0:
            return RunningHash()
        return known if known is not None and known.covered == offset else None

    def _verify(self, digest: Digest, file: BinaryIO) -> None:
        stamp = _Stamp.of(os.fstat(file.fileno()))
        with self._lock:
            known = self._verified.get(digest)
        if known is not None and known[0] == stamp and self._is_recent(known[1]):
            return
        if not _is_intact(digest, file):
            self._put_aside(digest, stamp)
            raise IntegrityError(
                f"the stored bytes of {digest} are not what its digest says",
                remedy="they were put in quarantine; push the image again to repair it",
            )
        # Bytes that changed while they were hashed have another stamp now: not remembered.
        if _Stamp.of(os.fstat(file.fileno())) == stamp:
            with self._lock:
                self._note_verified(digest, stamp)
        file.seek(0)

    def _is_recent(self, at: dt.datetime) -> bool:
        # A clock that was set back proves nothing.
        return dt.timedelta(0) <= self._clock.now() - at < VERIFIED_FOR

    def _put_aside(self, digest: Digest, bad: _Stamp) -> None:
        """Quarantine the bad file, and only it: a proven copy may have replaced it meanwhile."""
        with suppress(FileNotFoundError):
            if self._path(digest).stat().st_ino == bad.inode:
                self.quarantine(digest)

    def _note_verified(self, digest: Digest, stamp: _Stamp) -> None:
        self._verified[digest] = (stamp, self._clock.now())
        self._verified.move_to_end(digest)
        while len(self._verified) > REMEMBERED_VERIFICATIONS:
            self._verified.popitem(last=False)

    def _make_folder(self, folder: Path) -> None:
        """Make a blob's folder, durably. Who finds it made by another syncs it all the same."""
        if folder in self._durable:
            return
        with _files.disk_errors():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for parent in (folder.parent, self._blobs):
            _files.sync_folder(parent)
        self._durable.add(folder)


class _FileStaging:
    """One staged file. `running` is None when only reading the file again can tell its hash."""

    def __init__(
        self,
        store: FilesystemBlobs,
        name: str,
        path: Path,
        file: FileIO,
        running: RunningHash | None,
    ) -> None:
        self._store = store
        self._name = name
        self._path = path
        self._file = file
        self._running = running
        self._size = file.tell()

    @property
    def size(self) -> int:
        return self._size

    def write(self, data: bytes) -> None:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.abort()
            raise _files.write_error(error) from error
        if self._running is not None:
            self._running.update(data)
        self._size += len(data)

    def commit(self, expected: Digest) -> int:
        try:
            actual = self._digest(expected.algorithm)
            if actual != expected:
                raise IntegrityError(
                    f"the bytes have the digest {actual}, not {expected}",
                    remedy="send the bytes again",
                )
            os.fsync(self._file.fileno())
            self._store.settle(self._path, expected)
        except FileNotFoundError:
            self.abort()
            raise NotFoundError("the staged bytes were dropped meanwhile") from None
        except OSError as error:
            self.abort()
            raise _files.write_error(error) from error
        except BaseException:
            self.abort()
            raise
        self._file.close()
        return self._size

    def abort(self) -> None:
        self._file.close()
        self._store.drop_staged(self._name)

    def keep(self) -> None:
        self._file.close()
        if self._running is not None:
            self._store.remember_hash(self._name, self._running)

    def _digest(self, algorithm: str) -> Digest:
        if self._running is not None:
            digest = self._running.digest()
            if digest.algorithm == algorithm:
                return digest
        self._file.seek(0)
        return digest_of(self._file, algorithm)


def _is_intact(digest: Digest, file: BinaryIO) -> bool:
    try:
        return digest_of(file, digest.algorithm) == digest
    except OSError as error:
        if error.errno == errno.EIO:  # the disk itself says that the bytes are gone
            return False
        raise _files.unreadable(error) from error


def _not_found(digest: Digest) -> NotFoundError:
    return NotFoundError(f"no blob {digest}")
