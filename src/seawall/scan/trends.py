"""How open findings come and go: one row a day for each repository, made of how its images stand.

    open        a hole in a package is open in a repository while a tagged image has it, and nobody
                answers for it. It is open since it was first seen so there; a rebuild that keeps it
                changes nothing
    closed      no tagged image has it any more, or somebody answers for it. An image that was not
                judged yet closes nothing
    a day       what the last look of the day (UTC) saw, and all that was closed on it

Followed by name are critical and high ones (`standings.FOLLOWED`); all are counted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Final

import msgspec
import sqlalchemy as sa

from seawall.core import clock as clocks
from seawall.oci.digest import Digest
from seawall.scan import _sql, staging, standings
from seawall.scan.severity import Severity
from seawall.scan.standings import Standing

DAYS_KEPT: Final = 400
NAMES_PER_QUERY: Final = 300
ROWS_PER_INSERT: Final = 2_000

_DAY_S: Final = 86_400


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one day, of one repository or of several together."""

    images: int = 0
    """Tagged ones."""
    scanned: int = 0
    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0
    negligible: int = 0
    unknown: int = 0
    fixable: int = 0
    exploited: int = 0
    answered: int = 0
    unsupported: int = 0
    open_critical: int = 0
    """Holes that are open and critical, each once for each repository and package."""
    open_critical_days: float = 0.0
    """How long they are open, all together."""
    closed: int = 0
    """Critical and high holes that were closed on this day."""
    closed_days: float = 0.0
    """How long they were open, all together."""

    @property
    def critical_age_days(self) -> float | None:
        """The mean age of open critical holes; None where none is open."""
        return self.open_critical_days / self.open_critical if self.open_critical else None

    @property
    def days_to_close(self) -> float | None:
        """The mean time that holes were open; None where none was closed."""
        return self.closed_days / self.closed if self.closed else None


_FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(Totals))
_FRACTIONS: Final = ("open_critical_days", "closed_days")
_Key = tuple[str, str]


def measure(
    connection: sa.Connection,
    repository: str,
    images: Collection[Digest],
    *,
    now: dt.datetime,
    may_close: bool = True,
) -> Totals:
    """Write today's numbers of a repository with these tagged images, and return them.

    Not `may_close`: an image is not judged yet, so what it may still have stays open.
    """
    found = standings.of_images(connection, repository, images)
    known = _known(connection, repository)
    seen = {(hole.id, hole.package): hole.severity for one in found.values() for hole in one.holes}
    gone = {key: since for key, (_, since) in known.items() if key not in seen and may_close}
    kept = {key: value for key, value in known.items() if key not in gone}
    after = kept | {
        key: (severity, kept[key][1] if key in kept else clocks.to_text(now))
        for key, severity in seen.items()
    }
    _replace(connection, repository, known, after)
    ages = [_days(since, now) for severity, since in after.values() if severity == "critical"]
    today = clocks.to_text(now)[:10]
    before = _of_day(connection, repository, today)
    totals = msgspec.structs.replace(
        _counted(found),
        images=len(images),
        open_critical=len(ages),
        open_critical_days=sum(ages),
        closed=before.closed + len(gone),
        closed_days=before.closed_days + sum(_days(since, now) for since in gone.values()),
    )
    c = _sql.days.c
    here = sa.and_(c.day == today, c.repository == repository)
    connection.execute(sa.delete(_sql.days).where(here))
    connection.execute(
        sa.insert(_sql.days).values(
            day=today, repository=repository, **msgspec.structs.asdict(totals)
        )
    )
    return totals


def forget(connection: sa.Connection, repositories: Collection[str], *, now: dt.datetime) -> None:
    """Drop what is open in other repositories than these, and days that are too long ago."""
    o, d = _sql.open_holes.c, _sql.days.c
    rows = connection.execute(sa.select(o.repository).distinct()).scalars()
    for name in sorted(set(rows) - set(repositories)):
        connection.execute(sa.delete(_sql.open_holes).where(o.repository == name))
    oldest = (now - dt.timedelta(days=DAYS_KEPT)).date().isoformat()
    connection.execute(sa.delete(_sql.days).where(d.day < oldest))


def repositories(connection: sa.Connection) -> list[str]:
    """Return the repositories of which there is any day, by name."""
    c = _sql.days.c
    return list(
        connection.execute(sa.select(c.repository).distinct().order_by(c.repository)).scalars()
    )


def by_day(
    connection: sa.Connection, since: dt.date, names: Collection[str] | None = None
) -> dict[dt.date, Totals]:
    """Return the sum over these repositories (None: all) for each day from `since` on, in order."""
    return {dt.date.fromisoformat(day): one for day, one in _sums(connection, "day", since, names)}


def by_repository(
    connection: sa.Connection, day: dt.date, names: Collection[str] | None = None
) -> dict[str, Totals]:
    """Return the numbers of each of the repositories (None: all) on one day, by name."""
    return dict(_sums(connection, "repository", day, names, until=day))


def _sums(
    connection: sa.Connection,
    by: str,
    since: dt.date,
    names: Collection[str] | None,
    *,
    until: dt.date | None = None,
) -> list[tuple[str, Totals]]:
    c = _sql.days.c
    query = (
        sa.select(c[by].label("key"), *(sa.func.sum(c[name]).label(name) for name in _FIELDS))
        .where(c.day >= since.isoformat())
        .group_by(c[by])
    )
    if until is not None:
        query = query.where(c.day <= until.isoformat())
    found: dict[str, Totals] = {}
    parts = [None] if names is None else list(staging.batches(sorted(names), NAMES_PER_QUERY))
    for part in parts:
        asked = query if part is None else query.where(c.repository.in_(part))
        for row in connection.execute(asked):
            # PostgreSQL adds whole numbers to decimal ones.
            numbers = {name: getattr(row, name) for name in _FIELDS}
            whole = {name: int(n) for name, n in numbers.items() if name not in _FRACTIONS}
            days = {name: float(numbers[name]) for name in _FRACTIONS}
            one = msgspec.convert(whole | days, Totals)
            found[row.key] = _plus(found[row.key], one) if row.key in found else one
    return sorted(found.items())


def _plus(one: Totals, other: Totals) -> Totals:
    return Totals(**{name: getattr(one, name) + getattr(other, name) for name in _FIELDS})


def _counted(found: Mapping[Digest, Standing]) -> Totals:
    every = list(found.values())
    return Totals(
        scanned=len(every),
        **{
            level.value: sum(one.by_severity.get(level.value, 0) for one in every)
            for level in Severity
        },
        fixable=sum(one.fixable for one in every),
        exploited=sum(one.exploited for one in every),
        answered=sum(one.answered for one in every),
        unsupported=sum(one.unsupported for one in every),
    )


def _known(connection: sa.Connection, repository: str) -> dict[_Key, tuple[str, str]]:
    """Return (hole, package) → (severity, since) of what was open at the last look."""
    c = _sql.open_holes.c
    rows = connection.execute(sa.select(_sql.open_holes).where(c.repository == repository))
    return {(row.hole, row.package): (row.severity, row.since) for row in rows}


def _replace(
    connection: sa.Connection,
    repository: str,
    before: Mapping[_Key, tuple[str, str]],
    after: Mapping[_Key, tuple[str, str]],
) -> None:
    c = _sql.open_holes.c
    for key in before:
        if before[key] != after.get(key):
            connection.execute(
                sa.delete(_sql.open_holes).where(
                    c.repository == repository, c.hole == key[0], c.package == key[1]
                )
            )
    fresh = [
        {
            "repository": repository,
            "hole": hole,
            "package": package,
            "severity": str(severity),
            "since": since,
        }
        for (hole, package), (severity, since) in after.items()
        if before.get((hole, package)) != (severity, since)
    ]
    for batch in staging.batches(fresh, ROWS_PER_INSERT):
        connection.execute(sa.insert(_sql.open_holes), batch)


def _of_day(connection: sa.Connection, repository: str, day: str) -> Totals:
    c = _sql.days.c
    row = connection.execute(
        sa.select(c.closed, c.closed_days).where(c.day == day, c.repository == repository)
    ).first()
    return Totals() if row is None else Totals(closed=row.closed, closed_days=row.closed_days)


def _days(since: str, now: dt.datetime) -> float:
    return max(0.0, (now - clocks.from_text(since)).total_seconds()) / _DAY_S
