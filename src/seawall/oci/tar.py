"""A bounded, streaming reader of tar archives, in the reading of Go's archive/tar.

Go's reader is what container engines unpack with; where implementations differ (global PAX
headers, the prefix of GNU headers, a lone zero block) its reading is taken, so that what is
scanned is what will run. The formats are POSIX.1-2017 pax, ustar, and GNU tar (the manual's
"Basic Tar Format" and "Sparse Formats").

It refuses: bad checksums, numbers that are not numbers, NUL in PAX values, extension headers over
the limit, negative sizes, sparse maps that overlap or lead out of the file, early ends.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Final

from seawall.core.errors import LimitError
from seawall.oci import sparse
from seawall.oci.bounds import ArchiveLimitError, Budget, MalformedArchiveError
from seawall.oci.sparse import Region, number

BLOCK: Final = 512
_ZEROS: Final = bytes(BLOCK)
_CAPABILITIES_BYTES: Final = 64


class Kind(enum.StrEnum):
    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    DEVICE = "device"
    FIFO = "fifo"
    OTHER = "other"


_KINDS: Final = {
    0x00: Kind.FILE,
    0x30: Kind.FILE,
    0x31: Kind.HARDLINK,
    0x32: Kind.SYMLINK,
    0x33: Kind.DEVICE,
    0x34: Kind.DEVICE,
    0x35: Kind.DIRECTORY,
    0x36: Kind.FIFO,
    0x37: Kind.FILE,
    0x53: Kind.FILE,  # old GNU sparse
}
_WITH_DATA: Final = frozenset({Kind.FILE, Kind.OTHER})


class Entry:
    """One entry, valid until the next is asked for."""

    __slots__ = ("_regions", "_source", "capabilities", "kind", "link", "mode", "name",
                 "offset", "path", "size")  # fmt: skip

    def __init__(self, name: bytes, kind: Kind, size: int, mode: int, link: bytes) -> None:
        self.name = name
        """As written in the archive."""
        self.path = ""
        """Canonical, relative to the root; `layers.walk` sets it."""
        self.kind = kind
        self.size = size
        """Bytes that `read` returns; sparse files count their holes."""
        self.mode = mode
        self.capabilities = b""
        """The attribute `security.capability`, if the archive has it."""
        self.link = link
        """Target of a symbolic or hard link, as written."""
        self.offset = 0
        """Where the content begins, in bytes of the unpacked archive."""
        self._source: Source | None = None
        self._regions: tuple[Region, ...] | None = None

    def read(self, max_bytes: int) -> bytes:
        """Return the whole content. Raises LimitError when it is larger than `max_bytes`."""
        if self.size > max_bytes:
            raise LimitError(f"{show(self.name)} has {self.size} bytes, more than {max_bytes}")
        return self.head(max_bytes)

    def head(self, max_bytes: int) -> bytes:
        """Return at most the first `max_bytes` of the content. An entry can be read once."""
        source, self._source = self._source, None
        wanted = min(self.size, max_bytes)
        if source is None or not wanted:
            return b""
        if self._regions is None:
            return source.content(wanted)
        return sparse.expand(self._regions, wanted, source.content)

    def peek(self, size: int) -> bytes:
        """Return the first bytes of the content and leave it unread; nothing of sparse files."""
        if self._source is None or self._regions is not None:
            return b""
        return self._source.peek(min(size, self.size))

    def chunks(self, max_bytes: int) -> Iterator[bytes]:
        """Yield the whole content in pieces of at most `max_bytes`, in place of `read`."""
        source, self._source = self._source, None
        if source is None:
            return
        if self._regions is not None:
            yield from sparse.pieces(self._regions, self.size, source.content, max_bytes)
            return
        left = self.size
        while left:
            piece = source.content(min(left, max_bytes))
            left -= len(piece)
            yield piece


class Source:
    """The unpacked bytes, read exactly or skipped."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = b""
        self._at = 0
        self._fed = 0
        self.left = 0
        """Content bytes of the present entry that are not yet read."""

    def block(self) -> bytes:
        """Return the next 512 bytes, or nothing at a clean end."""
        at = self._at
        end = at + BLOCK
        if end <= len(self._buffer):
            self._at = end
            return self._buffer[at:end]
        data = self._some(BLOCK)
        if data and len(data) < BLOCK:
            raise MalformedArchiveError("tar: the archive ends inside a header")
        return data

    @property
    def position(self) -> int:
        """Bytes consumed so far."""
        return self._fed - len(self._buffer) + self._at

    def exactly(self, size: int) -> bytes:
        data = self._some(size)
        if len(data) < size:
            raise MalformedArchiveError("tar: the archive ends inside an entry")
        return data

    def content(self, size: int) -> bytes:
        """Return `size` bytes of the present entry's content."""
        if size > self.left:
            raise MalformedArchiveError("tar: a sparse map wants more bytes than the entry has")
        self.left -= size
        return self.exactly(size)

    def peek(self, size: int) -> bytes:
        """Return the next bytes without consuming them; fewer at the end of the archive."""
        while len(self._buffer) - self._at < size:
            more = next(self._chunks, b"")
            if not more:
                break
            self._fed += len(more)
            self._buffer = self._buffer[self._at :] + more
            self._at = 0
        return self._buffer[self._at : self._at + size]

    def skip(self, size: int) -> None:
        available = len(self._buffer) - self._at
        while size > available:
            size -= available
            self._refill()
            available = len(self._buffer)
            if not available:
                raise MalformedArchiveError("tar: the archive ends inside an entry")
        self._at += size

    def drain(self) -> None:
        """Read to the end, so that checksums of the compression are verified."""
        for _ in self._chunks:
            pass

    def _refill(self) -> None:
        self._buffer = next(self._chunks, b"")
        self._fed += len(self._buffer)
        self._at = 0

    def _some(self, size: int) -> bytes:
        parts: list[bytes] = []
        missing = size
        while missing:
            part = self._buffer[self._at : self._at + missing]
            self._at += len(part)
            missing -= len(part)
            parts.append(part)
            if missing:
                self._refill()
                if not self._buffer:
                    break
        return b"".join(parts)


class _Extensions:
    """What extension headers say about the next real entry."""

    __slots__ = ("link", "name", "pax")

    def __init__(self) -> None:
        self.pax: dict[str, bytes] = {}
        self.name: bytes | None = None
        self.link: bytes | None = None


def read(chunks: Iterator[bytes], budget: Budget) -> Iterator[Entry]:
    """Yield the entries of the tar archive whose bytes are `chunks`. Raises ArchiveError."""
    source = Source(chunks)
    pending: _Extensions | None = None
    while block := source.block():
        if block == _ZEROS:
            following = source.block()
            if following and following != _ZEROS:
                raise MalformedArchiveError("tar: an entry follows a block of zeros")
            break
        budget.count_entry()
        _verify_checksum(block)
        flag = block[156]
        if flag in _EXTENSIONS:
            pending = pending or _Extensions()
            _EXTENSIONS[flag](pending, _extension(block, source, budget))
            continue
        entry, padding = _entry(block, pending, source, budget)
        pending = None
        yield entry
        entry._source = None
        source.skip(source.left + padding)
        source.left = 0
    source.drain()


def show(name: bytes) -> str:
    """Return a name from an archive for a message: short, one line, no control characters."""
    text = name[:200].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _entry(
    block: bytes, extensions: _Extensions | None, source: Source, budget: Budget
) -> tuple[Entry, int]:
    """Return the entry of `block` with its content ready, and the bytes of padding behind it."""
    kind = _KINDS.get(block[156], Kind.OTHER)
    size = number(block[124:136])
    link = _text(block[157:257]) if kind in (Kind.SYMLINK, Kind.HARDLINK) else b""
    entry = Entry(_full_name(block), kind, size, number(block[100:108]), link)
    if extensions is not None:
        _extend(entry, extensions)
    if block[156] == 0x00 and entry.name.endswith(b"/"):
        entry.kind = Kind.DIRECTORY  # V7 archives have no flag for directories
    if entry.kind not in _WITH_DATA:
        entry.size = 0  # header only, whatever its size says
        return entry, 0
    stored = entry.size
    entry.offset = source.position
    if block[156] == 0x53:
        entry._regions, entry.size = sparse.old_gnu_map(block, source.exactly, budget)
    source.left = stored
    if extensions is not None and sparse.is_pax_sparse(extensions.pax):
        limit = budget.limits.max_header_bytes
        entry._regions, entry.size = sparse.pax_map(extensions.pax, source.content, limit)
        entry.name = extensions.pax.get("GNU.sparse.name", entry.name)
    entry._source = source
    return entry, -stored % BLOCK


def _extend(entry: Entry, extensions: _Extensions) -> None:
    pax = extensions.pax
    entry.name = extensions.name or pax.get("path") or entry.name
    entry.link = extensions.link or pax.get("linkpath") or entry.link
    entry.capabilities = pax.get("SCHILY.xattr.security.capability", b"")[:_CAPABILITIES_BYTES]
    if size := pax.get("size"):
        entry.size = sparse.decimal(size)


def _full_name(block: bytes) -> bytes:
    name = _text(block[0:100])
    if block[257:265] == b"ustar\x0000":
        prefix = block[345:476] if block[508:512] == b"tar\0" else block[345:500]
        if prefix := _text(prefix):
            return prefix + b"/" + name
    return name


def _verify_checksum(block: bytes) -> None:
    """Accept the sum of unsigned bytes, or of signed ones as some old programs wrote it."""
    expected = number(block[148:156])
    unsigned = sum(block) - sum(block[148:156]) + 8 * 0x20
    if expected != unsigned:
        field = sum(1 for byte in block[148:156] if byte > 0x7F)
        high = sum(1 for byte in block if byte > 0x7F) - field
        if expected != unsigned - 256 * high:
            raise MalformedArchiveError("tar: the checksum of a header is wrong")


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _extension(block: bytes, source: Source, budget: Budget) -> bytes:
    size = number(block[124:136])
    limit = budget.limits.max_header_bytes
    if size > limit:
        raise ArchiveLimitError(
            f"an extension header of {size} bytes, more than {limit}", limit="max_header_bytes"
        )
    return source.exactly(size + -size % BLOCK)[:size]


def _pax(extensions: _Extensions, body: bytes) -> None:
    """Parse records `LENGTH KEY=VALUE\\n`; of several headers the last replaces the others."""
    records: dict[str, bytes] = {}
    sparse_pairs: list[bytes] = []
    at = 0
    while at < len(body):
        length_text, space, _ = body[at : at + 24].partition(b" ")
        length = sparse.decimal(length_text) if space else 0
        record = body[at : at + length]
        at += length
        key, equals, value = record[len(length_text) + 1 : -1].partition(b"=")
        if len(record) < length or not record.endswith(b"\n") or not equals or not key:
            raise MalformedArchiveError("tar: a PAX record does not parse")
        name = key.decode("utf-8", "replace")
        if b"\0" in key or (name in ("path", "linkpath") and b"\0" in value):
            raise MalformedArchiveError("tar: a PAX record holds NUL")
        if name in ("GNU.sparse.offset", "GNU.sparse.numbytes"):
            sparse_pairs.append(value)
        records[name] = value
    if sparse_pairs:
        records["GNU.sparse.map"] = b",".join(sparse_pairs)
    extensions.pax = records


def _global_pax(_extensions: _Extensions, _body: bytes) -> None:
    """Apply nothing: engines do not either, and the next entry keeps its own name and size."""


def _long_name(extensions: _Extensions, body: bytes) -> None:
    extensions.name = _text(body)


def _long_link(extensions: _Extensions, body: bytes) -> None:
    extensions.link = _text(body)


_EXTENSIONS: Final[dict[int, Callable[[_Extensions, bytes], None]]] = {
    0x78: _pax,
    0x67: _global_pax,
    0x4C: _long_name,
    0x4B: _long_link,
}
