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
from seawall.scan.errors import FeedBusyError
from seawall.scan.osv import Advisory
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


class Stage:
    """One generation that is being written."""

    def __init__(self, database: Database, *, feed: str, at: dt.datetime) -> None:
        """Take the feed over: any other import of it that still runs will fail to switch."""
        self._database = database
        self.feed = feed
        with database.write() as connection:
            inserted = connection.execute(
                sa.insert(_sql.generations).values(
                    feed=feed, started_at=clocks.to_text(at), is_switched=False
                )
            )
        assert inserted.inserted_primary_key is not None
        self.generation: int = inserted.inserted_primary_key[0]
        self._next_key = self.generation << _sql.KEY_BITS
        sweep(database, feed=feed, but=self.generation)

    def add(self, advisories: Sequence[Advisory]) -> None:
        """Write one batch."""
        rows: list[dict[str, object]] = []
        range_rows: list[dict[str, object]] = []
        alias_rows: list[dict[str, object]] = []
        for advisory in advisories:
            key, self._next_key = self._next_key, self._next_key + 1
            rows.append(_advisory_row(key, advisory))
            range_rows.extend(_range_rows(key, advisory))
            if not advisory.is_withdrawn:
                names = (advisory.id, *advisory.aliases, *advisory.upstream)
                alias_rows.extend({"alias": n, "advisory": key} for n in dict.fromkeys(names))
        with self._database.write() as connection:
            self._check_newest(connection)
            for table, values in (
                (_sql.advisories, rows),
                (_sql.ranges, range_rows),
                (_sql.aliases, alias_rows),
            ):
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

    def switch(self, connection: sa.Connection) -> None:
        """Mark the generation as the one in use. Raises FeedBusyError when it was taken over."""
        self._check_newest(connection)
        c = _sql.generations.c
        connection.execute(
            sa.update(_sql.generations).where(c.id == self.generation).values(is_switched=True)
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


def content(advisory: Advisory) -> bytes:
    """Return a hash of everything that a judgement can depend on."""
    return hashlib.blake2b(msgspec.msgpack.encode(advisory), digest_size=16).digest()


def known_contents(connection: sa.Connection, generation: int) -> dict[str, tuple[bytes, bool]]:
    """Return id → (hash, is withdrawn) of a whole generation."""
    c = _sql.advisories.c
    rows = connection.execute(
        sa.select(c.id, c.content, c.is_withdrawn).where(of_generation(c.key, generation))
    )
    return {row.id: (row.content, row.is_withdrawn) for row in rows}


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
    key = _sql.advisories.c.key
    while True:
        with database.write() as connection:
            first = connection.execute(
                sa.select(sa.func.min(key)).where(of_generation(key, generation))
            ).scalar()
            if first is None:
                return
            # Ranges and aliases follow by cascade.
            connection.execute(
                sa.delete(_sql.advisories).where(
                    of_generation(key, generation), key < first + BATCH_ADVISORIES
                )
            )


def _advisory_row(key: int, advisory: Advisory) -> dict[str, object]:
    return {
        "key": key,
        "id": advisory.id,
        "is_withdrawn": advisory.is_withdrawn,
        "content": content(advisory),
        "aliases": _json(advisory.aliases),
        "upstream": _json(advisory.upstream),
        "summary": advisory.summary,
        "severity": advisory.rating.severity.value,
        "score": advisory.rating.score,
        "severity_source": advisory.rating.source,
    }


def _range_rows(key: int, advisory: Advisory) -> Iterator[dict[str, object]]:
    for affected in advisory.affected:
        if versions.order_of(affected.ecosystem) is None:
            continue
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
            }


def _json(texts: tuple[str, ...]) -> str:
    return msgspec.json.encode(texts).decode()
