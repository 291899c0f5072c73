"""The feeds with their age: an old feed finds nothing new, and nobody would notice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from seawall.core import clock as clocks
from seawall.scan.feeds import Feed
from seawall.web import limits, scan_views


def page(
    found: Iterable[Feed], now: dt.datetime, *, stale_after: dt.timedelta, with_errors: bool
) -> scan_views.FeedsPage:
    """Return all feeds by name."""
    rows = (_feed(one, now, stale_after, with_errors=with_errors) for one in found)
    return scan_views.FeedsPage(
        feeds=tuple(sorted(rows, key=lambda feed: (not feed.is_stale, feed.name.lower()))),
        stale_after_days=stale_after.days,
    )


def _feed(
    one: Feed, now: dt.datetime, stale_after: dt.timedelta, *, with_errors: bool
) -> scan_views.Feed:
    known = sorted(one.ecosystems, key=lambda name: (-one.ecosystems[name], name))
    return scan_views.Feed(
        name=one.name,
        advisories=one.live_records,
        withdrawn=one.withdrawn,
        ecosystems=tuple(known[: limits.ECOSYSTEMS_SHOWN]),
        more_ecosystems=max(0, len(known) - limits.ECOSYSTEMS_SHOWN),
        digest=one.digest,
        imported_at=_moment(one.imported_at),
        checked_at=_moment(one.checked_at),
        error=one.error if with_errors or not one.error else "the last update failed",
        failed_at=_moment(one.failed_at),
        is_stale=one.is_stale(now, after=stale_after),
    )


def _moment(text: str) -> dt.datetime | None:
    return clocks.from_text(text) if text else None
