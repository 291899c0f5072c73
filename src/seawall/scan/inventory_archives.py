"""Archives on the local disk, read at any place: `docker save`, `podman save`, OCI layouts as tar.

Nothing is unpacked to the disk except a compressed archive as a whole, into an unnamed file, since
its members are wanted in another order than they stand in.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from seawall.core.errors import IntegrityError, InvalidInputError
from seawall.oci import compression, media
from seawall.oci.bounds import Budget, Limits
from seawall.oci.digest import Digest

if TYPE_CHECKING:
    from seawall.oci.tar import Entry

MAX_ENTRIES: Final = 100_000
_COMPRESSED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


class Section(io.RawIOBase):
    """Part of a file, checked against its digest when the end is reached."""

    def __init__(self, file: BinaryIO, offset: int, size: int, digest: Digest, *, owns: bool):
        self._file = file
        self._at = offset
        self._left = size
        self._digest = digest
        self._hash = hashlib.new(digest.algorithm)
        self._owns = owns

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer)[: self._left]
        count = os.preadv(self._file.fileno(), [view], self._at) if len(view) else 0
        self._hash.update(view[:count])
        self._at += count
        self._left -= count
        if not count and (self._left or self._hash.hexdigest() != self._digest.hex):
            raise IntegrityError(f"the bytes of {self._digest} are not what the digest says")
        return count

    def close(self) -> None:
        if self._owns:
            self._file.close()
        super().close()


def section_opener(
    file: BinaryIO, offset: int, size: int, digest: Digest
) -> Callable[[], BinaryIO]:
    def open_section() -> BinaryIO:
        section = Section(file, offset, size, digest, owns=False)
        return io.BufferedReader(section, compression.PACKED_CHUNK)

    return open_section


def random_access(path: Path, bounds: Limits) -> BinaryIO:
    """Return the archive as a plain file; a compressed one is unpacked into an unnamed file."""
    import tempfile

    file = path.open("rb")
    if not file.read(4).startswith(_COMPRESSED):
        return file
    file.seek(0)
    folder = path.parent if os.access(path.parent, os.W_OK) else None
    plain = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 — who asked closes it
    try:
        with file:
            for chunk in compression.unpack(file, Budget(bounds)):
                plain.write(chunk)
        plain.flush()
    except BaseException:
        plain.close()
        raise
    return plain


def members_of(file: BinaryIO, bounds: Limits) -> dict[str, Entry]:
    from seawall.oci import layers
    from seawall.oci.tar import Kind

    file.seek(0)
    members: dict[str, Entry] = {}
    for entry in layers.walk(file, media.DOCKER_LAYER, bounds):
        if len(members) == MAX_ENTRIES:
            raise InvalidInputError(f"the archive has more than {MAX_ENTRIES} entries")
        if entry.kind in (Kind.FILE, Kind.SYMLINK, Kind.HARDLINK):
            members[entry.path] = entry
    return members


def find(members: dict[str, Entry], name: str) -> tuple[int, int]:
    """Return offset and size; old archives link a layer that they already hold."""
    from seawall.oci import layers
    from seawall.oci.tar import Kind

    entry = members.get(name)
    if entry is not None and entry.kind is not Kind.FILE:
        target = entry.link.decode("utf-8", "replace")
        if entry.kind is Kind.SYMLINK:
            target = f"{entry.path.rpartition('/')[0]}/{target}"
        try:
            entry = members.get(layers.canonical_path(target))
        except ValueError:
            entry = None
    if entry is None or entry.kind is not Kind.FILE:
        raise InvalidInputError(
            f"the archive has no file {name[:200]!r}", remedy="make it with docker save"
        )
    return entry.offset, entry.size


def member(file: BinaryIO, members: dict[str, Entry], name: str, max_bytes: int) -> bytes:
    offset, size = find(members, name)
    if size > max_bytes:
        raise InvalidInputError(f"{name[:200]!r} has more than {max_bytes} bytes")
    return os.pread(file.fileno(), size, offset)
