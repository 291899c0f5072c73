"""`HousePages`: the pages' port over the real rooms. It joins the readers and passes on.

It reads; all that it writes is what proofs remember of trees. Every list is bounded, every page
makes a bounded number of queries, and nothing leaves here that the viewer could not pull.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace

from seawall.core import clock as clocks
from seawall.core.clock import Clock
from seawall.engine.docker import Docker
from seawall.fleet.receipts import Receipts
from seawall.flows.attestations import Attestations
from seawall.flows.judging import Judge
from seawall.identity.grants import Grants
from seawall.oci.names import RepositoryName
from seawall.registry.service import Registry
from seawall.scan.advisories import Advisories
from seawall.scan.feeds import Feed
from seawall.scan.reports import Reports
from seawall.store import Database
from seawall.trust.pending import PendingFiles
from seawall.trust.trusted import TrustedKeys
from seawall.web import scan_views, trust_views, views
from seawall.web.ports import Viewer
from seawall.web.reading import engines, feeds, log, trends
from seawall.web.reading.comparison import Comparisons
from seawall.web.reading.containers import Running
from seawall.web.reading.engines import Seen
from seawall.web.reading.image import ImageReader
from seawall.web.reading.images import Images
from seawall.web.reading.refusals import Refusals
from seawall.web.reading.sight import Sight
from seawall.web.reading.trust import TrustReader
from seawall.web.reading.verdicts import Verdicts
from seawall.web.reading.vulnerability import VulnerabilityReader


@dataclass(frozen=True, slots=True, kw_only=True)
class HousePages:
    """`web.ports.Pages` over the house. Every method blocks."""

    database: Database
    registry: Registry
    judge: Judge
    reports: Reports
    advisories: Advisories
    receipts: Receipts
    grants: Grants
    trusted_keys: TrustedKeys
    pending: PendingFiles
    clock: Clock
    hosts: tuple[str, ...]
    """`host:port` under every name by which this registry is reached; the first is shown."""
    gate: str | None
    """Where the gate listens; None when none runs."""
    gate_setup: tuple[str, ...]
    """Commands that point a docker client at it."""
    find_engine: Callable[[], Docker | None]
    """Returns the engine behind the gate, with a short deadline."""
    feeds_stale_after: dt.timedelta

    def overview(self, viewer: Viewer, query: views.ListQuery) -> views.Overview:
        """Return the first page as `viewer` may see it."""
        sight = Sight.of(viewer, self.grants)
        verdicts = self._verdicts()
        seen = self._look(sight)
        images = Images(
            database=self.database,
            registry=self.registry,
            verdicts=verdicts,
            sight=sight,
        )
        refusals = Refusals(
            database=self.database,
            registry=self.registry,
            hosts=frozenset(self.hosts),
            clock=self.clock,
        )
        return views.Overview(
            registry=self.hosts[0],
            gate=self.gate,
            gate_setup=self.gate_setup,
            refused=refusals.lately(sight),
            containers=self._running(verdicts, sight).all(seen),
            images=images.find(query),
            feeds=tuple(map(self._feed, self.advisories.feeds())),
            engines=(seen.engine,) if seen.engine else (),
            engine_remedy=engines.REMEDY,
            events=log.lately(self.database, sight),
        )

    def image(
        self, viewer: Viewer, repository: str, target: str, query: views.ImageQuery
    ) -> views.ImagePage | None:
        """Return the page of an image; None when there is none that `viewer` may pull."""
        sight = Sight.of(viewer, self.grants)
        if not sight.sees(repository):
            return None
        verdicts = self._verdicts()
        reader = ImageReader(
            database=self.database,
            registry=self.registry,
            signatures=self.judge.vouching.signatures,
            attestations=Attestations(
                registry=self.registry,
                trusted_keys=self.trusted_keys,
                hosts=frozenset(self.hosts),
            ),
            trusted_keys=self.trusted_keys,
            receipts=self.receipts,
            verdicts=verdicts,
            running=self._running(verdicts, sight),
            seen=self._look(sight),
            clock=self.clock,
            host=self.hosts[0],
        )
        return reader.read(RepositoryName(repository), target, query)

    def trust(self, viewer: Viewer, repository: str) -> trust_views.TrustPage | None:
        """Return who vouches for a repository; None when there is none that `viewer` may pull."""
        if not Sight.of(viewer, self.grants).sees(repository):
            return None
        reader = TrustReader(
            registry=self.registry,
            vouching=self.judge.vouching,
            pending=self.pending,
            clock=self.clock,
        )
        return reader.read(RepositoryName(repository), self.hosts[0])

    def comparison(
        self, viewer: Viewer, query: scan_views.ComparisonQuery
    ) -> scan_views.Comparison:
        """Return two images that `viewer` may pull beside each other."""
        comparisons = Comparisons(
            registry=self.registry,
            verdicts=self._verdicts(),
            sight=Sight.of(viewer, self.grants),
            hosts=frozenset(self.hosts),
        )
        return comparisons.make(query)

    def vulnerability(
        self, viewer: Viewer, query: scan_views.HoleQuery
    ) -> scan_views.Vulnerability:
        """Return where a hole is, in images that `viewer` may pull."""
        sight = Sight.of(viewer, self.grants)
        reader = VulnerabilityReader(
            database=self.database,
            registry=self.registry,
            receipts=self.receipts,
            judge=self.judge,
            seen=self._look(sight),
            sight=sight,
        )
        return reader.read(query)

    def trends(self, viewer: Viewer, repository: str) -> scan_views.Trends | None:
        """Return open findings over time, as far as `viewer` may pull what has them."""
        sight = Sight.of(viewer, self.grants)
        return trends.page(self.database, sight, repository, self.clock.now().date())

    def feeds(self, viewer: Viewer) -> scan_views.FeedsPage:
        """Return all feeds in full. What went wrong with them is for administrators."""
        return feeds.page(
            self.advisories.feeds(),
            self.clock.now(),
            stale_after=self.feeds_stale_after,
            with_errors=viewer.is_administrator,
        )

    def audit(self, viewer: Viewer, query: views.AuditQuery) -> views.AuditPage:
        """Return a page of the log. Raises DeniedError for who is no administrator."""
        return log.page(self.database, Sight.of(viewer, self.grants), query)

    def _verdicts(self) -> Verdicts:
        return Verdicts(self.judge, self.database, self.clock)

    def _running(self, verdicts: Verdicts, sight: Sight) -> Running:
        return Running(receipts=self.receipts, verdicts=verdicts, sight=sight)

    def _look(self, sight: Sight) -> Seen:
        seen = engines.look(self.find_engine())
        if seen.engine is None or sight.is_everything:
            return seen
        # What is weak about the machine is for those who can mend it.
        note = "" if seen.engine.is_reachable else "it does not answer"
        return replace(seen, engine=replace(seen.engine, note=note))

    def _feed(self, feed: Feed) -> views.Feed:
        moment = feed.checked_at or feed.imported_at
        return views.Feed(
            name=feed.name,
            advisories=feed.live_records,
            updated_at=clocks.from_text(moment) if moment else None,
            is_stale=feed.is_stale(self.clock.now(), after=self.feeds_stale_after),
        )
