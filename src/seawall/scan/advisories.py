"""Feeds of advisories: imported whole or not at all, kept until a better edition has come.

An import refuses: a file without one valid record; an edition that lost more than half of the
records (a mirror that broke, or somebody who wants holes to be forgotten) unless
`unsafe_allow_shrink` says so; two imports of one feed at once. A bad record is counted, named and
left out; the others stand. Dates inside of records decide nothing: real feeds have them wrong.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import msgspec
import sqlalchemy as sa

from seawall import audit, net
from seawall.core import clock as clocks
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import SeawallError
from seawall.scan import _sql, feed_files, feed_sources, feeds, refreshes, staging
from seawall.scan.advisory_model import Item
from seawall.scan.errors import BadFeedError, BadRecordError, FeedShrunkError
from seawall.scan.events import AdvisoriesRefreshed, FeedFailed
from seawall.scan.feed_files import Progress
from seawall.scan.feed_sources import Source
from seawall.scan.feeds import Feed
from seawall.scan.formats import Record
from seawall.scan.refreshes import Failure, Refresh, Tally
from seawall.store import Database

FORMAT: Final = 2
"""Raised whenever the same file would give other rows."""

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
        old = self._feed(name)
        if old.generation and (old.digest, old.format) == (digest, FORMAT):
            return self._keep(msgspec.structs.replace(old, source=source or path.name, etag=etag))
        with _staged(self._database, name, self._clock) as stage:
            tally = _write(stage, path, progress)
            old = self._feed(name)  # from here on nobody else can switch this feed before us
            with self._database.read() as connection:
                refresh = refreshes.compare(connection, stage, tally, old=old, digest=digest)
            if not unsafe_allow_shrink:
                _refuse_shrinking(refresh, old)
            stage.add_changes(refresh.packages)
            edition = Feed(
                name=name,
                digest=digest,
                format=FORMAT,
                ecosystems=tally.ecosystems,
                source=source or path.name,
                etag=etag,
            )
            self._switch(stage, edition, refresh, actor)
        staging.sweep(self._database, feed=name, but=stage.generation)
        return refresh

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
                self._note_failure(name, url, error, actor)
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
        old = self._feed(name)
        is_same_source = old.source == url and old.format == FORMAT
        fetched = fetch(
            url,
            path,
            max_bytes=feed_files.FILE_MAX_BYTES,
            deadline=DOWNLOAD_DEADLINE_SECONDS,
            etag=old.etag if is_same_source else "",
            progress=tick,
        )
        if not fetched.is_modified:
            return self._keep(old)
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

    def _feed(self, name: str) -> Feed:
        with self._database.read() as connection:
            return feeds.get(connection, name) or Feed(name=name)

    def _keep(self, feed: Feed) -> Refresh:
        """Note that the source has nothing newer than what is in use."""
        confirmed = msgspec.structs.replace(
            feed, checked_at=clocks.to_text(self._clock.now()), error="", failed_at=""
        )
        with self._database.write() as connection:
            feeds.save(connection, confirmed)
        return Refresh(
            feed=feed.name,
            digest=feed.digest,
            generation=feed.generation,
            records=feed.records,
            withdrawn_records=feed.withdrawn,
            is_unchanged=True,
            unmatched=refreshes.unmatched(feed.ecosystems),
        )

    def _switch(
        self,
        stage: staging.Stage,
        edition: Feed,
        refresh: Refresh,
        actor: Actor,
    ) -> None:
        now = self._clock.now()
        edition = msgspec.structs.replace(
            edition,
            generation=refresh.generation,
            records=refresh.records,
            withdrawn=refresh.withdrawn_records,
            imported_at=clocks.to_text(now),
            checked_at=clocks.to_text(now),
        )
        event = AdvisoriesRefreshed(
            feed=refresh.feed,
            generation=refresh.generation,
            feed_digest=refresh.digest,
            records=refresh.records,
            bad_records=refresh.bad_records,
            added=len(refresh.added),
            changed=len(refresh.changed),
            withdrawn=len(refresh.withdrawn),
            removed=len(refresh.removed),
        )
        with self._database.write() as connection:
            before = feeds.ecosystems(connection)
            feeds.save(connection, edition)
            fresh = before ^ feeds.ecosystems(connection)
            stage.switch(connection, fresh={name.partition(":")[0] for name in fresh})
            audit.record(connection, event, actor=actor, at=now)

    def _note_failure(self, name: str, url: str, error: SeawallError, actor: Actor) -> None:
        now = self._clock.now()
        reason = error.message[: feeds.FAILURE_MAX_CHARS]
        with self._database.write() as connection:
            old = feeds.get(connection, name) or Feed(name=name, source=url)
            failed = msgspec.structs.replace(old, error=reason, failed_at=clocks.to_text(now))
            feeds.save(connection, failed)
            audit.record(connection, FeedFailed(feed=name, reason=reason), actor=actor, at=now)


@contextlib.contextmanager
def _staged(database: Database, feed: str, clock: Clock) -> Iterator[staging.Stage]:
    """Give a stage that is discarded unless the block ends well."""
    stage = staging.Stage(database, feed=feed, at=clock.now())
    with contextlib.ExitStack() as undo:
        undo.callback(stage.discard)
        yield stage
        undo.pop_all()


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


def _valid(records: Iterable[tuple[str, Record]], tally: Tally) -> Iterator[Item]:
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
        tally.count(item)
        yield item


def _refuse_shrinking(refresh: Refresh, old: Feed) -> None:
    live = refresh.records - refresh.withdrawn_records
    if live * 2 < old.live_records:
        raise FeedShrunkError(
            f"the new edition of {refresh.feed} has {live} advisories that hold, "
            f"the one in use has {old.live_records}",
            remedy="look whether the file is whole; allow it with --unsafe-allow-shrink",
        )


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _named(progress: FeedProgress | None, name: str) -> Progress:
    return lambda done, total: progress(name, done, total) if progress else None
