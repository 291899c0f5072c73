"""Editions of feeds as they travel from one installation to another.

What is carried is what the first one stored, one item a line, packed with zstd: so the second has
the same rows, with the hashes by which the next edition is compared, wherever that comes from. An
`Edition` says what the lines are: the digest and the address of what the source gave, and when it
was fetched.

Rows mean something to one `feeds.FORMAT` only: another one is refused, both ways. Bounds on bytes,
lines and records as for any feed; an edition that does not have exactly what it says is refused.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, BinaryIO, Final

import msgspec

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from seawall.core import clock as clocks
from seawall.core import strictjson
from seawall.core.errors import ConflictError, NotFoundError
from seawall.core.limits import MIB
from seawall.oci.digest import Digest
from seawall.scan import carried_lines, feed_files, feeds, staging
from seawall.scan.advisory_model import Advisory, Item
from seawall.scan.carried_lines import Name, Text
from seawall.scan.errors import BadFeedError, BadRecordError
from seawall.scan.feed_files import Progress
from seawall.scan.feeds import Feed
from seawall.store import Database

LINE_MAX_BYTES: Final = 32 * MIB
"""One item. A feed's own record has 16 MiB at most."""
CLOCK_SKEW: Final = dt.timedelta(minutes=5)
LEVEL: Final = 6  # of zstd

_Count = Annotated[int, msgspec.Meta(ge=0, le=feed_files.RECORDS_MAX)]
_Digest = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
_Moment = Annotated[str, msgspec.Meta(max_length=32)]


class Edition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an installation says about an edition of a feed that it gives away."""

    name: Name
    digest: _Digest
    """Of the source's file."""
    format: int
    records: _Count
    withdrawn: _Count
    ecosystems: Annotated[dict[Name, _Count], msgspec.Meta(max_length=100_000)]
    source: Text
    etag: Text
    imported_at: _Moment
    """When it was fetched: of two editions, this says which is the older one."""
    checked_at: _Moment
    """When the source was last seen to have nothing newer."""
    unpacked_bytes: Annotated[int, msgspec.Meta(ge=1, le=feed_files.UNPACKED_MAX_BYTES)]

    def feed(self) -> Feed:
        """Return it as a feed that has no generation yet."""
        return Feed(
            name=self.name,
            digest=self.digest,
            format=self.format,
            ecosystems=self.ecosystems,
            source=self.source,
            etag=self.etag,
            imported_at=self.imported_at,
            checked_at=self.checked_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """An edition that was written, with digest and size of the bytes."""

    edition: Edition
    digest: Digest
    size: int


def parse(value: strictjson.Json) -> Edition:
    """Read what is said about an edition. Raises BadFeedError, InvalidInputError."""
    try:
        edition = msgspec.convert(value, Edition)
        feeds.checked_name(edition.name)
        for moment in (edition.imported_at, edition.checked_at):
            if clocks.to_text(clocks.from_text(moment)) != moment:  # they are compared as texts
                raise ValueError(f"not a moment: {moment}")
    except (msgspec.ValidationError, ValueError) as error:
        said = ascii(str(error))[1:201]  # it may hold what stands in the file
        raise BadFeedError(f"what is said about an edition does not hold: {said}") from error
    if edition.format != feeds.FORMAT:
        raise BadFeedError(
            f"the feed {edition.name} was written in format {edition.format}, this version of"
            f" Seawall reads {feeds.FORMAT}",
            remedy="use the same version of Seawall on both sides",
        )
    return edition


def write(
    database: Database, name: str, out: BinaryIO, progress: Progress | None = None
) -> Exported:
    """Write the edition of a feed that is in use to `out`.

    `progress` is called with records. Raises NotFoundError, and ConflictError when an import
    replaced the edition meanwhile.
    """
    with database.read() as connection:
        feed = feeds.get(connection, name)
    feed = _exportable(name, feed)
    written = unpacked = 0
    sink = _Hashing(out)
    with zstd.ZstdFile(sink, "wb", level=LEVEL) as file:
        for lines in carried_lines.stored(database, feed.generation):
            for line in lines:
                body = msgspec.json.encode(line) + b"\n"
                unpacked += len(body)
                file.write(body)
            written += len(lines)
            if progress:
                progress(written, feed.records)
    if written != feed.records:
        raise ConflictError(
            f"the feed {name} got another edition while it was written", remedy="export it again"
        )
    edition = Edition(
        name=name,
        digest=feed.digest,
        format=feed.format,
        records=feed.records,
        withdrawn=feed.withdrawn,
        ecosystems=dict(feed.ecosystems),
        source=feed.source,
        etag=feed.etag,
        imported_at=feed.imported_at,
        checked_at=feed.checked_at,
        unpacked_bytes=unpacked,
    )
    return Exported(
        edition=edition, digest=Digest(f"sha256:{sink.hash.hexdigest()}"), size=sink.size
    )


def read(stream: BinaryIO, edition: Edition) -> Iterator[list[tuple[Item, bytes]]]:
    """Yield the items of an edition with the hashes of their contents, in batches of bounded size.

    Raises BadFeedError when they are not what the edition says, and what `stream` raises.
    """
    found = withdrawn = 0
    batch: list[tuple[Item, bytes]] = []
    held = 0
    for line in _unpacked(stream, edition):
        item, content = _item(line, edition)
        found += 1
        if found > edition.records:
            raise _bad(edition, f"it has more than {edition.records} records")
        withdrawn += isinstance(item, Advisory) and item.is_withdrawn
        batch.append((item, content))
        held += len(line)
        if len(batch) == staging.BATCH_ADVISORIES or held > LINE_MAX_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
    if (found, withdrawn) != (edition.records, edition.withdrawn):
        raise _bad(edition, f"it has {found} records, {withdrawn} of them withdrawn")


def _exportable(name: str, feed: Feed | None) -> Feed:
    if feed is None or not feed.generation:
        raise NotFoundError(
            f"there is no edition of a feed {name}",
            remedy="the feeds that there are: seawall feeds list",
        )
    if feed.format != feeds.FORMAT:
        raise ConflictError(
            f"the feed {name} was imported by an older version of Seawall",
            remedy=f"bring it up to date first: seawall feeds update '{name}'",
        )
    return feed


def _unpacked(stream: BinaryIO, edition: Edition) -> Iterator[bytes]:
    """Yield the lines, which must have as many bytes as the edition says."""
    options = {int(zstd.DecompressionParameter.window_log_max): feed_files.ZSTD_WINDOW_LOG_MAX}
    left = edition.unpacked_bytes
    try:
        with zstd.ZstdFile(stream, "rb", options=options) as file:
            while line := file.readline(min(left, LINE_MAX_BYTES) + 1):
                left -= len(line)
                if left < 0 or not line.endswith(b"\n"):
                    raise _bad(edition, "a line is too long, or does not end")
                yield line
    except (zstd.ZstdError, EOFError) as error:
        raise _bad(edition, f"it does not unpack: {error}") from error
    if left:
        raise _bad(edition, f"{left} bytes are missing")


def _item(line: bytes, edition: Edition) -> tuple[Item, bytes]:
    try:
        item, content = carried_lines.decode(line)
    except BadRecordError as error:
        raise _bad(edition, error.message) from error
    if isinstance(item, Advisory):
        for one in item.affected:
            if one.ecosystem not in edition.ecosystems:
                raise _bad(edition, f"{item.id} speaks about {one.ecosystem[:64]!r}")
    return item, content


def _bad(edition: Edition, why: str) -> BadFeedError:
    return BadFeedError(
        f"the edition of {edition.name} is not what it says: {why}",
        remedy="have it exported again",
    )


class _Hashing:
    """Writes to a file, and keeps count and hash of what passed."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes, /) -> int:
        self.hash.update(content)
        self.size += len(content)
        return self._out.write(content)

    def close(self) -> None:
        """Leave the file open: it is whose it was."""
