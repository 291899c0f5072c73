"""Writing one generation of a feed: staged in short transactions, switched in one.

While a generation is staged nothing points to it, so readers see the old one whole. A process that
dies leaves rows that nobody sees; the next import of the same feed sweeps them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias, TypeVar

import msgspec
import sqlalchemy as sa

from seawall.core import clock as clocks
from seawall.scan import _sql, versions
from seawall.scan.advisory_model import Advisory, Item, Lifecycle, Signal, SignalKind
from seawall.scan.errors import FeedBusyError
from seawall.scan.severity import Severity
from seawall.store import Database

BATCH_ADVISORIES: Final = 2_000
"""Advisories of one write transaction, so that others wait 0.1 s at most."""

IDS_PER_QUERY: Final = 500

CHANGES_KEPT: Final = 16
"""Generations of a feed whose list of changed packages is kept."""

Package: TypeAlias = tuple[str, str]
"""Ecosystem without its suffix, and package: what a component is known by."""

T = TypeVar("T")

_TABLES: Final = (_sql.advisories, _sql.ranges, _sql.aliases, _sql.signals, _sql.lifecycles)
_KEYED: Final = (_sql.advisories, _sql.signals, _sql.lifecycles)
"""The tables whose keys belong to a generation; the others follow by cascade."""


class Stage:
    """One generation that is being written."""

    def __init__(self, database: Database, *, feed: str, at: dt.datetime) -> None:
        """Take the feed over: any other import of it that still runs will fail to switch."""
        self._database = database
        self.feed = feed
        with database.write() as connection:
            inserted = connection.execute(
                sa.insert(_sql.generations).values(
                    feed=feed,
                    started_at=clocks.to_text(at),
                    is_switched=False,
                    is_rejudged=False,
                    fresh="[]",
                )
            )
        assert inserted.inserted_primary_key is not None
        self.generation: int = inserted.inserted_primary_key[0]
        self._next_key = self.generation << _sql.KEY_BITS
        sweep(database, feed=feed, but=self.generation)

    def add(self, items: Sequence[tuple[Item, bytes]]) -> None:
        """Write one batch of items, each with the hash of its content."""
        rows: dict[sa.Table, list[dict[str, object]]] = {table: [] for table in _TABLES}
        for item, content in items:
            key, self._next_key = self._next_key, self._next_key + 1
            match item:
                case Advisory():
                    rows[_sql.advisories].append(_advisory_row(key, item, content))
                    rows[_sql.ranges].extend(_range_rows(key, item))
                    rows[_sql.aliases].extend(_alias_rows(key, item))
                case Signal():
                    rows[_sql.signals].append(_signal_row(key, item))
                case Lifecycle():
                    rows[_sql.lifecycles].append(_lifecycle_row(key, item))
        with self._database.write() as connection:
            self._check_newest(connection)
            for table, values in rows.items():
                if values:
                    connection.execute(sa.insert(table), values)

    def add_changes(self, packages: Iterable[Package]) -> None:
        """Write down which packages this generation speaks differently about."""
        for batch in batches(sorted(packages), BATCH_ADVISORIES):
            with self._database.write() as connection:
                self._check_newest(connection)
                connection.execute(
                    sa.insert(_sql.changes),
                    [
                        {"generation": self.generation, "ecosystem": e, "package": p}
                        for e, p in batch
                    ],
                )

    def switch(self, connection: sa.Connection, *, fresh: Iterable[str] = ()) -> None:
        """Mark the generation as the one in use. Raises FeedBusyError when it was taken over.

        `fresh` are the ecosystems (without suffix) about which, in whole or for a release, no feed
        spoke until now, or will any more.
        """
        self._check_newest(connection)
        c = _sql.generations.c
        connection.execute(
            sa.update(_sql.generations)
            .where(c.id == self.generation)
            .values(is_switched=True, fresh=_json(tuple(sorted(fresh))))
        )

    def discard(self) -> None:
        """Remove what was staged; a generation that is in use stays."""
        c = _sql.generations.c
        with self._database.read() as connection:
            is_switched = connection.execute(
                sa.select(c.is_switched).where(c.id == self.generation)
            ).scalar()
        if not is_switched:
            _delete_rows(self._database, self.generation)
            with self._database.write() as connection:
                connection.execute(sa.delete(_sql.generations).where(c.id == self.generation))

    def _check_newest(self, connection: sa.Connection) -> None:
        c = _sql.generations.c
        newest = connection.execute(sa.select(sa.func.max(c.id)).where(c.feed == self.feed))
        if newest.scalar() != self.generation:
            raise FeedBusyError(
                f"another import of the feed {self.feed} began meanwhile",
                remedy="wait for it; the newest import wins",
            )


def content(item: Item) -> bytes:
    """Return a hash of everything that a judgement can depend on."""
    return hashlib.blake2b(msgspec.msgpack.encode(item), digest_size=16).digest()


def name_of(item: Item) -> str:
    """Return what an item is known by within its feed."""
    match item:
        case Advisory():
            return item.id
        case Signal():
            return f"{item.kind}:{item.id}"
        case Lifecycle():
            return f"{item.product} {item.cycle}"


def known_contents(connection: sa.Connection, generation: int) -> dict[str, tuple[bytes, bool]]:
    """Return name → (hash, is withdrawn) of a whole generation."""
    c = _sql.advisories.c
    rows = connection.execute(
        sa.select(c.id, c.content, c.is_withdrawn).where(of_generation(c.key, generation))
    )
    found = {row.id: (row.content, row.is_withdrawn) for row in rows}
    s, life = _sql.signals.c, _sql.lifecycles.c
    for row in connection.execute(sa.select(_sql.signals).where(of_generation(s.key, generation))):
        signal = Signal(
            id=row.id, kind=SignalKind(row.kind), score=row.score, rank=row.rank, text=row.text
        )
        found[name_of(signal)] = (content(signal), False)
    for row in connection.execute(
        sa.select(_sql.lifecycles).where(of_generation(life.key, generation))
    ):
        cycle = lifecycle(row)
        found[name_of(cycle)] = (content(cycle), False)
    return found


def lifecycle(row: sa.Row[tuple[object, ...]]) -> Lifecycle:
    """Return what a row of the table says."""
    return Lifecycle(
        product=row.product,
        cycle=row.cycle,
        ends=row.ends,
        is_ended=row.is_ended,
        latest=row.latest,
        names=tuple(msgspec.json.decode(row.names, type=list[str])),
    )


def packages_of(
    connection: sa.Connection, generations: Sequence[int], ids: Iterable[str]
) -> set[Package]:
    """Return the packages about which these advisories, in any of the generations, say something.

    Those are the packages that they name and, since ratings are lent, the packages of all other
    advisories that share a name with a rated one.
    """
    a, r = _sql.advisories.c, _sql.ranges.c
    mine, theirs = _sql.aliases.alias("mine").c, _sql.aliases.alias("theirs").c
    packages = sa.select(r.ecosystem, r.package).distinct()
    named = packages.join_from(_sql.advisories, _sql.ranges, r.advisory == a.key)
    lent = (
        packages.join_from(_sql.advisories, mine.advisory.table, mine.advisory == a.key)
        .join(theirs.advisory.table, theirs.alias == mine.alias)
        .join(_sql.ranges, r.advisory == theirs.advisory)
        .where(a.severity != Severity.UNKNOWN.value)
    )
    spans = [of_generation(a.key, generation) for generation in generations]
    found: set[Package] = set()
    for batch in batches(ids, IDS_PER_QUERY):
        for query in (named, lent):
            rows = connection.execute(query.where(a.id.in_(batch), sa.or_(sa.false(), *spans)))
            found.update((row.ecosystem.partition(":")[0], row.package) for row in rows)
    return found


def packages_signalled(connection: sa.Connection, ids: Iterable[str]) -> set[Package]:
    """Return the packages of all advisories, of any feed, that go by one of these names."""
    r, alias = _sql.ranges.c, _sql.aliases.c
    query = (
        sa.select(r.ecosystem, r.package)
        .distinct()
        .join_from(_sql.aliases, _sql.ranges, r.advisory == alias.advisory)
    )
    found: set[Package] = set()
    for batch in batches(ids, IDS_PER_QUERY):
        rows = connection.execute(query.where(alias.alias.in_(batch)))
        found.update((row.ecosystem.partition(":")[0], row.package) for row in rows)
    return found


def sweep(database: Database, *, feed: str, but: int | None) -> None:
    """Remove the rows of every generation of the feed that is neither in use nor `but`."""
    g, f = _sql.generations.c, _sql.feeds.c
    with database.read() as connection:
        in_use = connection.execute(sa.select(f.generation).where(f.name == feed)).scalar()
        rows = connection.execute(
            sa.select(g.id, g.is_switched).where(g.feed == feed).order_by(g.id.desc())
        ).all()
    switched = 0
    for row in rows:
        switched += row.is_switched
        if row.id in {in_use, but}:
            continue
        _delete_rows(database, row.id)
        if not row.is_switched or switched > CHANGES_KEPT:
            with database.write() as connection:
                connection.execute(sa.delete(_sql.generations).where(g.id == row.id))


def of_generation(key: sa.ColumnElement[int], generation: int) -> sa.ColumnElement[bool]:
    """Return the condition that an advisory's key belongs to a generation."""
    return sa.and_(key >= generation << _sql.KEY_BITS, key < (generation + 1) << _sql.KEY_BITS)


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut into lists of up to `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _delete_rows(database: Database, generation: int) -> None:
    for table in _KEYED:
        key = table.c.key
        while True:
            with database.write() as connection:
                first = connection.execute(
                    sa.select(sa.func.min(key)).where(of_generation(key, generation))
                ).scalar()
                if first is None:
                    break
                # Ranges and aliases follow by cascade.
                connection.execute(
                    sa.delete(table).where(
                        of_generation(key, generation), key < first + BATCH_ADVISORIES
                    )
                )


def _advisory_row(key: int, advisory: Advisory, content: bytes) -> dict[str, object]:
    return {
        "key": key,
        "id": advisory.id,
        "is_withdrawn": advisory.is_withdrawn,
        "content": content,
        "aliases": _json(advisory.aliases),
        "upstream": _json(advisory.upstream),
        "summary": advisory.summary,
        "severity": advisory.rating.severity.value,
        "score": advisory.rating.score,
        "severity_source": advisory.rating.source,
        "informational": advisory.informational.value,
    }


def _alias_rows(key: int, advisory: Advisory) -> Iterator[dict[str, object]]:
    if not advisory.is_withdrawn:
        names = (advisory.id, *advisory.aliases, *advisory.upstream)
        yield from ({"alias": name, "advisory": key} for name in dict.fromkeys(names))


def _signal_row(key: int, signal: Signal) -> dict[str, object]:
    return {
        "key": key,
        "id": signal.id,
        "kind": signal.kind.value,
        "score": signal.score,
        "rank": signal.rank,
        "text": signal.text,
    }


def _lifecycle_row(key: int, cycle: Lifecycle) -> dict[str, object]:
    return {
        "key": key,
        "product": cycle.product,
        "cycle": cycle.cycle,
        "ends": cycle.ends,
        "is_ended": cycle.is_ended,
        "latest": cycle.latest,
        "names": _json(cycle.names),
    }


def _range_rows(key: int, advisory: Advisory) -> Iterator[dict[str, object]]:
    for affected in advisory.affected:
        if versions.order_of(affected.ecosystem) is None:
            continue
        symbols = _json(affected.symbols)
        for interval in affected.intervals:
            yield {
                "advisory": key,
                "ecosystem": affected.ecosystem,
                "package": affected.package,
                "lo_key": interval.lo,
                "hi_key": interval.hi,
                "fixed": interval.fixed,
                "severity": affected.rating.severity.value,
                "severity_source": affected.rating.source,
                "state": affected.state.value,
                "module": affected.module,
                "symbols": symbols,
            }


def _json(texts: tuple[str, ...]) -> str:
    return msgspec.json.encode(texts).decode()
