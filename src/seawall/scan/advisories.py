"""Feeds of advisories: imported whole or not at all, kept until a better edition has come.

An import refuses: a file without one valid record; an edition that lost more than half of the
records unless `unsafe_allow_shrink` says so; two imports of one feed at once (`editions`). A bad
record is counted, named and left out; the others stand. Dates inside of records decide nothing:
real feeds have them wrong. An edition that was carried from another installation is refused when it
was fetched before the one in use, unless `unsafe_allow_older` says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeAlias

import msgspec
import sqlalchemy as sa

from seawall import net
from seawall.core import clock as clocks
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import SeawallError
from seawall.scan import (
    _sql,
    carried_editions,
    editions,
    feed_files,
    feed_sources,
    feeds,
    staging,
)
from seawall.scan.advisory_model import Item
from seawall.scan.carried_editions import Edition, Exported
from seawall.scan.editions import Editions
from seawall.scan.errors import BadFeedError, BadRecordError, FeedOlderError
from seawall.scan.feed_files import Progress
from seawall.scan.feed_sources import Source
from seawall.scan.feeds import Feed
from seawall.scan.formats import Record
from seawall.scan.refreshes import Failure, Refresh, Tally
from seawall.store import Database

DOWNLOAD_DEADLINE_SECONDS: Final = 1_800.0

FeedProgress: TypeAlias = Callable[[str, int, int], None]
"""Called with the feed's name, bytes done and bytes in all (0: not known)."""


class Fetch(Protocol):
    """Brings a file over the network: `seawall.net.fetch`, or a fake."""

    def __call__(
        self,
        url: str,
        to_path: Path,
        *,
        max_bytes: int,
        deadline: float,
        etag: str = "",
        progress: Progress | None = None,
    ) -> net.Fetched: ...


class Advisories:
    """All feeds of one installation. Blocking: call it from a worker's thread."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._editions = Editions(database, clock)

    def import_file(
        self,
        path: Path,
        *,
        actor: Actor,
        progress: Progress | None = None,
        feed: str = "",
        source: str = "",
        etag: str = "",
        unsafe_allow_shrink: bool = False,
    ) -> Refresh:
        """Make the file the current edition of a feed.

        `feed` defaults to the file's name without its endings, `source` to the file's name; `etag`
        is the source's own name of this edition.

        Raises BadFeedError, FeedShrunkError, FeedBusyError, LimitError; the old edition then stays.
        """
        name = feeds.checked_name(feed) if feed else feeds.name_of_file(path)
        digest = _digest_of(path)
        old = self._editions.feed(name)
        if _is_in_use(old, digest):
            return self._editions.keep(
                msgspec.structs.replace(old, source=source or path.name, etag=etag)
            )
        edition = Feed(
            name=name,
            digest=digest,
            format=feeds.FORMAT,
            source=source or path.name,
            etag=etag,
        )
        return self._editions.replace(
            edition,
            lambda stage: _write(stage, path, progress),
            actor=actor,
            check=_nothing if unsafe_allow_shrink else editions.refuse_shrinking,
        )

    def export_edition(
        self, name: str, out: BinaryIO, progress: Progress | None = None
    ) -> Exported:
        """Write the edition of a feed that is in use, for another installation.

        `progress` is called with records. Raises NotFoundError, ConflictError.
        """
        return carried_editions.write(self._database, name, out, progress)

    def import_edition(
        self,
        edition: Edition,
        stream: BinaryIO,
        *,
        actor: Actor,
        signed_by: Sequence[str] = (),
        progress: Progress | None = None,
        unsafe_allow_shrink: bool = False,
        unsafe_allow_older: bool = False,
    ) -> Refresh | Failure:
        """Make what another installation wrote the current edition of its feed.

        `stream` are the bytes that `export_edition` wrote. An edition that is in use already is
        left as it is. What fails is recorded with its reason; the old edition then stays.
        """
        feed = edition.feed()

        def check(refresh: Refresh, old: Feed) -> None:
            if not unsafe_allow_older:
                _refuse_older(feed, old)
            if not unsafe_allow_shrink:
                editions.refuse_shrinking(refresh, old)

        try:
            old = self._editions.feed(feed.name)
            _refuse_future(feed, self._clock)
            if _is_in_use(old, feed.digest):
                return self._editions.keep(old, checked_at=max(old.checked_at, feed.checked_at))
            if not unsafe_allow_older:
                _refuse_older(feed, old)
            return self._editions.replace(
                feed,
                lambda stage: _write_carried(stage, stream, edition, progress),
                actor=actor,
                check=check,
                signed_by=signed_by,
            )
        except SeawallError as error:
            self._editions.note_failure(feed.name, feed.source, error, actor)
            return Failure(feed=feed.name, reason=error.message, remedy=error.remedy)

    def update(
        self,
        names: Sequence[str],
        *,
        base_url: str,
        directory: Path,
        actor: Actor,
        fetch: Fetch = net.fetch,
        progress: FeedProgress | None = None,
        sources: Mapping[str, Source] = feed_sources.KNOWN,
        unsafe_allow_shrink: bool = False,
    ) -> tuple[Refresh | Failure, ...]:
        """Download each feed in `names` and import it, one by one.

        A name stands in `sources`, or is one of OSV's ecosystems, whose zip is below `base_url`.

        What fails is recorded with its reason and does not stop the others. `directory` holds
        half-finished downloads, which the next attempt resumes.
        """
        results: list[Refresh | Failure] = []
        for name in names:
            url = feed_sources.url_of(name, base_url=base_url, known=sources)
            tick = _named(progress, name)
            try:
                path = directory / f"{feeds.checked_name(name)}.part"
                results.append(
                    self._update_one(
                        name,
                        url,
                        path,
                        actor=actor,
                        fetch=fetch,
                        tick=tick,
                        unsafe_allow_shrink=unsafe_allow_shrink,
                    )
                )
            except SeawallError as error:
                self._editions.note_failure(name, url, error, actor)
                results.append(Failure(feed=name, reason=error.message, remedy=error.remedy))
        return tuple(results)

    def feeds(self) -> tuple[Feed, ...]:
        """Return all feeds with the state of their last attempt."""
        with self._database.read() as connection:
            return feeds.read_all(connection)

    def changed_packages(self, generation: int) -> frozenset[staging.Package] | None:
        """Return the packages about which a generation changed what is said.

        None when that is no longer known: then every image needs another judgement.
        """
        g, c = _sql.generations.c, _sql.changes.c
        with self._database.read() as connection:
            is_known = connection.execute(
                sa.select(g.is_switched).where(g.id == generation)
            ).scalar()
            if not is_known:
                return None
            rows = connection.execute(
                sa.select(c.ecosystem, c.package).where(c.generation == generation)
            )
            return frozenset((row.ecosystem, row.package) for row in rows)

    def fresh_ecosystems(self, generation: int) -> frozenset[str]:
        """Return the ecosystems, without suffix, that a generation began or ended to speak about.

        For their images it is not enough to judge packages again: whether a package is judged at
        all, and what a distribution owns, hangs on it.
        """
        g = _sql.generations.c
        with self._database.read() as connection:
            said = connection.execute(sa.select(g.fresh).where(g.id == generation)).scalar()
        return frozenset(msgspec.json.decode(said or "[]", type=list[str]))

    def _update_one(
        self,
        name: str,
        url: str,
        path: Path,
        *,
        actor: Actor,
        fetch: Fetch,
        tick: Progress,
        unsafe_allow_shrink: bool,
    ) -> Refresh:
        old = self._editions.feed(name)
        is_same_source = old.source == url and old.format == feeds.FORMAT
        fetched = fetch(
            url,
            path,
            max_bytes=feed_files.FILE_MAX_BYTES,
            deadline=DOWNLOAD_DEADLINE_SECONDS,
            etag=old.etag if is_same_source else "",
            progress=tick,
        )
        if not fetched.is_modified:
            return self._editions.keep(old)
        try:
            return self.import_file(
                path,
                actor=actor,
                feed=name,
                source=url,
                etag=fetched.etag,
                progress=tick,
                unsafe_allow_shrink=unsafe_allow_shrink,
            )
        finally:
            path.unlink(missing_ok=True)


def _write(stage: staging.Stage, path: Path, progress: Progress | None) -> Tally:
    tally = Tally()
    for batch in staging.batches(
        _valid(feed_files.records(path, progress), tally), staging.BATCH_ADVISORIES
    ):
        stage.add(batch)
    if not tally.contents:
        raise BadFeedError(
            f"{path.name} holds no valid advisory"
            + (f"; {tally.bad[0].place}: {tally.bad[0].reason}" if tally.bad else ""),
            remedy="see docs/reference/feeds.md for the formats that are known",
        )
    return tally


def _valid(records: Iterable[tuple[str, Record]], tally: Tally) -> Iterator[tuple[Item, bytes]]:
    for place, record in records:
        try:
            item = record()
        except BadRecordError as error:
            tally.count_bad(place, error.message)
            continue
        name = staging.name_of(item)
        if name in tally.contents:
            tally.count_bad(place, f"{name} stands twice in this feed")
            continue
        content = staging.content(item)
        tally.count(item, content)
        yield item, content


def _write_carried(
    stage: staging.Stage, stream: BinaryIO, edition: Edition, progress: Progress | None
) -> Tally:
    tally = Tally()
    for batch in carried_editions.read(stream, edition):
        for item, content in batch:
            name = staging.name_of(item)
            if name in tally.contents:
                raise BadFeedError(f"{name} stands twice in the edition of {edition.name}")
            tally.count(item, content)
        stage.add(batch)
        if progress:
            progress(len(tally.contents), edition.records)
    tally.ecosystems = dict(edition.ecosystems)  # rows do not hold those that have no order
    return tally


def _is_in_use(old: Feed, digest: str) -> bool:
    return bool(old.generation) and (old.digest, old.format) == (digest, feeds.FORMAT)


def _refuse_older(edition: Feed, old: Feed) -> None:
    if old.generation and edition.digest != old.digest and edition.imported_at < old.imported_at:
        raise FeedOlderError(
            f"the edition of {edition.name} is of {edition.imported_at[:19]}Z, older than the one"
            f" in use, of {old.imported_at[:19]}Z",
            remedy="export a newer one; go back on purpose with --unsafe-allow-older",
        )


def _refuse_future(edition: Feed, clock: Clock) -> None:
    latest = max(edition.imported_at, edition.checked_at)
    if latest > clocks.to_text(clock.now() + carried_editions.CLOCK_SKEW):
        raise BadFeedError(
            f"the edition of {edition.name} is of {latest}, which is in the future here",
            remedy="set the clocks of both machines",
        )


def _nothing(_refresh: Refresh, _old: Feed) -> None:
    """Have nothing against an edition."""


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _named(progress: FeedProgress | None, name: str) -> Progress:
    return lambda done, total: progress(name, done, total) if progress else None
