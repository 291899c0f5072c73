"""Advisories as matching asks for them, from the database.

One instance sees one state of all feeds: make it inside of one read transaction and drop it with
that transaction. Keys are compared by the database; only rows that hold come back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

from seawall.scan import _sql, feeds, staging
from seawall.scan.advisory_model import Informational, Lifecycle, SignalKind, State
from seawall.scan.holes import QUIET, Hit, Signals
from seawall.scan.report_model import FeedUsed
from seawall.scan.severity import Rating, Severity

IDS_PER_QUERY: Final = 500

_TEXTS: Final = msgspec.json.Decoder(tuple[str, ...])


class StoredAdvisories:
    """The editions that are in use now."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._feeds = feeds.in_use(connection)
        self._names = {feed.generation: feed.name for feed in self._feeds}
        self._hits = self._hits_query()

    def feeds(self) -> tuple[FeedUsed, ...]:
        """Return the editions, by name."""
        return tuple(
            FeedUsed(
                name=feed.name,
                digest=feed.digest,
                imported_at=feed.imported_at,
                generation=feed.generation,
            )
            for feed in self._feeds
        )

    def ecosystems(self) -> frozenset[str]:
        """Return every ecosystem, with its suffix, about which a feed speaks."""
        return frozenset(ecosystem for feed in self._feeds for ecosystem in feed.ecosystems)

    def hits(self, ecosystem: str, package: str, key: bytes) -> Sequence[Hit]:
        """Return the advisories that hold for this version of the package."""
        if not self._names:
            return ()
        rows = self._connection.execute(
            self._hits, {"ecosystem": ecosystem, "package": package, "version": key}
        )
        return [
            Hit(
                id=row.id,
                aliases=_TEXTS.decode(row.aliases),
                upstream=_TEXTS.decode(row.upstream),
                summary=row.summary,
                fixed=row.fixed,
                rating=_rating(row.severity, row.score, row.severity_source),
                vendor_rating=_rating(row.vendor_severity, None, row.vendor_source),
                state=State(row.state),
                informational=Informational(row.informational),
                module=row.module,
                symbols=_TEXTS.decode(row.symbols),
                feed=self._names[row.key >> _sql.KEY_BITS],
            )
            for row in rows
        ]

    def ratings(self, ids: Collection[str]) -> Mapping[str, Sequence[Rating]]:
        """Return what any advisory, also of another ecosystem, says about these ids."""
        a, alias = _sql.advisories.c, _sql.aliases.c
        found: dict[str, list[Rating]] = {}
        for batch in staging.batches(sorted(ids) if self._names else (), IDS_PER_QUERY):
            rows = self._connection.execute(
                sa.select(alias.alias, a.id, a.severity, a.score, a.severity_source)
                .join_from(_sql.aliases, _sql.advisories, a.key == alias.advisory)
                .where(
                    alias.alias.in_(batch),
                    a.severity != Severity.UNKNOWN.value,
                    self._in_use(a.key),
                )
                .order_by(alias.alias, a.id)
            )
            for row in rows:
                source = f"{row.severity_source} ({row.id})"
                found.setdefault(row.alias, []).append(_rating(row.severity, row.score, source))
        return found

    def signals(self, ids: Collection[str]) -> Mapping[str, Signals]:
        """Return what is known about these ids beside their severity."""
        c = _sql.signals.c
        found: dict[str, Signals] = {}
        for batch in staging.batches(sorted(ids) if self._names else (), IDS_PER_QUERY):
            rows = self._connection.execute(
                sa.select(_sql.signals)
                .where(c.id.in_(batch), self._in_use(c.key))
                .order_by(c.id, c.key)
            )
            for row in rows:
                found[row.id] = _signalled(found.get(row.id, QUIET), row)
        return found

    def lifecycles(self, products: Collection[str]) -> Sequence[Lifecycle]:
        """Return the release cycles of these products, in the order of their feed."""
        c = _sql.lifecycles.c
        if not self._names or not products:
            return ()
        rows = self._connection.execute(
            sa.select(_sql.lifecycles)
            .where(c.product.in_(sorted(products)), self._in_use(c.key))
            .order_by(c.key)
        )
        return [staging.lifecycle(row) for row in rows]

    def _in_use(self, key: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        spans = [staging.of_generation(key, generation) for generation in self._names]
        return sa.or_(sa.false(), *spans)

    def _hits_query(self) -> sa.Select[tuple[object, ...]]:
        a, r = _sql.advisories.c, _sql.ranges.c
        twin = _sql.advisories.alias("withdrawn")
        # A withdrawal in any feed in use holds for the record in all of them.
        is_withdrawn = sa.exists().where(
            twin.c.id == a.id, twin.c.is_withdrawn, self._in_use(twin.c.key)
        )
        return (
            sa.select(
                a.key,
                a.id,
                a.aliases,
                a.upstream,
                a.summary,
                a.severity,
                a.score,
                a.severity_source,
                a.informational,
                r.fixed,
                r.state,
                r.module,
                r.symbols,
                r.severity.label("vendor_severity"),
                r.severity_source.label("vendor_source"),
            )
            .join_from(_sql.ranges, _sql.advisories, a.key == r.advisory)
            .where(
                r.ecosystem == sa.bindparam("ecosystem"),
                r.package == sa.bindparam("package"),
                r.hi_key > sa.bindparam("version"),
                r.lo_key <= sa.bindparam("version"),
                self._in_use(a.key),
                ~is_withdrawn,
            )
            .order_by(a.id, r.key)
        )


def _rating(severity: str, score: float | None, source: str) -> Rating:
    return Rating(severity=Severity(severity), score=score, source=source)


def _signalled(known: Signals, row: sa.Row[tuple[object, ...]]) -> Signals:
    match SignalKind(row.kind):
        case SignalKind.KEV:
            day, _, mark = row.text.partition(" ")
            return msgspec.structs.replace(
                known, exploited_since=day, is_used_by_ransomware=mark == "ransomware"
            )
        case SignalKind.EPSS:
            return msgspec.structs.replace(known, epss=row.score, epss_rank=row.rank)
        case SignalKind.SSVC:
            return msgspec.structs.replace(known, ssvc=row.text)
