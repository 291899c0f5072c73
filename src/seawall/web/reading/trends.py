"""Open findings over time, from the numbers of each day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa

from seawall.scan import trends
from seawall.scan.trends import Totals
from seawall.store import Database
from seawall.web import limits, scan_views
from seawall.web.reading.sight import Sight
from seawall.web.severities import Counts, Severity


def page(
    database: Database, sight: Sight, repository: str, today: dt.date
) -> scan_views.Trends | None:
    """Return the page of one repository, or of all that may be seen; None when it may not."""
    if repository and not sight.sees(repository):
        return None
    since = today - dt.timedelta(days=limits.TREND_DAYS - 1)
    with database.read() as connection:
        known = [name for name in trends.repositories(connection) if sight.sees(name)]
        if repository and repository not in known:
            return None
        names = [repository] if repository else None if sight.is_everything else known
        found = trends.by_day(connection, since, names)
        rows = () if repository else _repositories(connection, found, names)
    days = tuple(_day(day, totals) for day, totals in found.items())
    closed = sum(one.closed for one in found.values())
    return scan_views.Trends(
        repository=repository,
        days=days,
        closed=closed,
        time_to_fix=sum(one.closed_days for one in found.values()) / closed if closed else None,
        repositories=rows[: limits.TREND_REPOSITORIES],
        total=len(rows),
    )


def _repositories(
    connection: sa.Connection, found: dict[dt.date, Totals], names: Collection[str] | None
) -> tuple[scan_views.RepositoryToday, ...]:
    """Return the repositories by their newest day, the worst first."""
    if not found:
        return ()
    newest = max(found)
    rows = [
        scan_views.RepositoryToday(name=name, today=_day(newest, totals))
        for name, totals in trends.by_repository(connection, newest, names).items()
    ]
    rows.sort(key=lambda row: (*(-row.today.counts.of(level) for level in Severity), row.name))
    return tuple(rows)


def _day(day: dt.date, one: Totals) -> scan_views.Day:
    by_severity = {level.value: getattr(one, level.value) for level in Severity}
    return scan_views.Day(
        day=day,
        counts=Counts(
            **by_severity, fixable=one.fixable, exploited=one.exploited, answered=one.answered
        ),
        images=one.images,
        scanned=one.scanned,
        unsupported=one.unsupported,
        critical_age=one.critical_age_days,
        closed=one.closed,
        time_to_fix=one.days_to_close,
    )
