"""How a feed's edition takes the place of the one in use: whole or not at all, and written down.

Refused: an edition that lost more than half of the records (a mirror that broke, or somebody who
wants holes to be forgotten), unless it is allowed; two imports of one feed at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from seawall import audit
from seawall.core import clock as clocks
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import SeawallError
from seawall.scan import feeds, refreshes, staging
from seawall.scan.errors import FeedShrunkError
from seawall.scan.events import AdvisoriesRefreshed, FeedFailed
from seawall.scan.feeds import Feed
from seawall.scan.refreshes import Refresh, Tally
from seawall.store import Database

Fill: TypeAlias = Callable[[staging.Stage], Tally]
"""Writes all items of an edition, and returns what they were. What it raises ends the import."""

Check: TypeAlias = Callable[[Refresh, Feed], None]
"""Raises when an edition must not replace the one in use, which it is given."""


class Editions:
    """The editions in use of one installation. Blocking."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def feed(self, name: str) -> Feed:
        """Return a feed; one without an edition when nothing is known of it."""
        with self._database.read() as connection:
            return feeds.get(connection, name) or Feed(name=name)

    def keep(self, feed: Feed, *, checked_at: str = "") -> Refresh:
        """Note that the source had nothing newer than what is in use, now or at `checked_at`."""
        confirmed = msgspec.structs.replace(
            feed,
            checked_at=checked_at or clocks.to_text(self._clock.now()),
            error="",
            failed_at="",
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

    def replace(
        self,
        edition: Feed,
        fill: Fill,
        *,
        actor: Actor,
        check: Check,
        signed_by: Sequence[str] = (),
    ) -> Refresh:
        """Make what `fill` writes the edition in use, when `check` has nothing against it.

        `edition` says what it is; where it does not say when it was fetched, that is now. Raises
        what `fill` and `check` raise, and FeedBusyError; the old edition then stays.
        """
        with self._staged(edition.name) as stage:
            tally = fill(stage)
            old = self.feed(edition.name)  # from here on nobody else can switch it before us
            with self._database.read() as connection:
                refresh = refreshes.compare(
                    connection, stage, tally, old=old, digest=edition.digest
                )
            check(refresh, old)
            stage.add_changes(refresh.packages)
            filled = msgspec.structs.replace(
                edition,
                generation=refresh.generation,
                records=refresh.records,
                withdrawn=refresh.withdrawn_records,
                ecosystems=tally.ecosystems,
            )
            self._switch(stage, filled, _event(refresh, signed_by), actor)
        staging.sweep(self._database, feed=edition.name, but=stage.generation)
        return refresh

    def note_failure(self, name: str, source: str, error: SeawallError, actor: Actor) -> None:
        """Write down why a feed could not be refreshed."""
        now = self._clock.now()
        reason = error.message[: feeds.FAILURE_MAX_CHARS]
        with self._database.write() as connection:
            old = feeds.get(connection, name) or Feed(name=name, source=source)
            failed = msgspec.structs.replace(old, error=reason, failed_at=clocks.to_text(now))
            feeds.save(connection, failed)
            audit.record(connection, FeedFailed(feed=name, reason=reason), actor=actor, at=now)

    def _switch(
        self, stage: staging.Stage, edition: Feed, event: AdvisoriesRefreshed, actor: Actor
    ) -> None:
        now = self._clock.now()
        edition = msgspec.structs.replace(
            edition,
            imported_at=edition.imported_at or clocks.to_text(now),
            checked_at=edition.checked_at or clocks.to_text(now),
        )
        with self._database.write() as connection:
            before = feeds.ecosystems(connection)
            feeds.save(connection, edition)
            fresh = before ^ feeds.ecosystems(connection)
            stage.switch(connection, fresh={name.partition(":")[0] for name in fresh})
            audit.record(connection, event, actor=actor, at=now)

    @contextlib.contextmanager
    def _staged(self, feed: str) -> Iterator[staging.Stage]:
        """Give a stage that is discarded unless the block ends well."""
        stage = staging.Stage(self._database, feed=feed, at=self._clock.now())
        with contextlib.ExitStack() as undo:
            undo.callback(stage.discard)
            yield stage
            undo.pop_all()


def refuse_shrinking(refresh: Refresh, old: Feed) -> None:
    """Raises FeedShrunkError for an edition with less than half of what `old` has."""
    live = refresh.records - refresh.withdrawn_records
    if live * 2 < old.live_records:
        raise FeedShrunkError(
            f"the new edition of {refresh.feed} has {live} advisories that hold, "
            f"the one in use has {old.live_records}",
            remedy="look whether the file is whole; allow it with --unsafe-allow-shrink",
        )


def _event(refresh: Refresh, signed_by: Sequence[str]) -> AdvisoriesRefreshed:
    return AdvisoriesRefreshed(
        feed=refresh.feed,
        generation=refresh.generation,
        feed_digest=refresh.digest,
        records=refresh.records,
        bad_records=refresh.bad_records,
        added=len(refresh.added),
        changed=len(refresh.changed),
        withdrawn=len(refresh.withdrawn),
        removed=len(refresh.removed),
        signed_by=list(signed_by),
    )
