"""From the events of a range to half-open intervals of sort keys, `lo <= key < hi`.

    introduced "0"     opens below everything
    fixed              closes before its version (Debian: before its rebuilds, too)
    last_affected      closes after its version (and its local builds)
    limit              nothing at or above the highest limit is affected
    versions           one point each, where no range covers it

At one and the same version a closing and an opening event mean "goes on" when the range is open,
and "nothing" when it is closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seawall.scan import versions
from seawall.scan.advisory_model import Interval
from seawall.scan.errors import BadRecordError


def intervals(order: versions.Order, events: Sequence[tuple[str, str]]) -> tuple[Interval, ...]:
    """Turn the events of one range, as (kind, version), into disjoint intervals in order.

    Raises BadRecordError when nothing was introduced.
    """
    if not any(kind == "introduced" for kind, _ in events):
        raise BadRecordError("a range in which nothing is introduced")
    limit = _limit(order, events)
    points: dict[bytes, _Point] = {}
    # Closings by `last_affected` come last: they look at the other events.
    for kind, text in sorted(events, key=lambda event: event[0] == "last_affected"):
        _add_event(order, points, kind, text)
    return tuple(_capped(_sweep(points), limit))


def until(order: versions.Order, fixed: str) -> tuple[Interval, ...]:
    """Return what is affected before `fixed`; all of it when that is empty, nothing for `0`."""
    events = [("introduced", "0"), *([("fixed", fixed)] if fixed else [])]
    return intervals(order, events)


def point(order: versions.Order, text: str) -> Interval:
    """Return what is affected when one version is named."""
    version = order.clean(text)
    return Interval(lo=order.key(version), hi=order.after(version))


class _Point:
    """What happens at one key."""

    __slots__ = ("closes", "fixed", "opens")

    def __init__(self) -> None:
        self.opens = False
        self.closes = False
        self.fixed = ""


def _add_event(order: versions.Order, points: dict[bytes, _Point], kind: str, text: str) -> None:
    match kind:
        case "introduced":
            points.setdefault(_key(order, text), _Point()).opens = True
        case "fixed":
            at = _key(order, text) if text == "0" else order.fix_key(order.clean(text))
            ending = points.setdefault(at, _Point())
            ending.closes, ending.fixed = True, text
        case "last_affected":
            points.setdefault(_after(order, text, points), _Point()).closes = True
        case _:
            pass


def _key(order: versions.Order, text: str) -> bytes:
    # "0" is before everything, also as a fix: Debian says so of what was never affected.
    return versions.BEFORE_ALL if text == "0" else order.key(order.clean(text))


def _after(order: versions.Order, text: str, points: Iterable[bytes]) -> bytes:
    version = order.clean(text)
    key, after = order.key(version), order.after(version)
    # A record that speaks of local builds of this version itself means this version exactly.
    return key + b"\x00" if any(key < point < after for point in points) else after


def _sweep(points: dict[bytes, _Point]) -> Iterable[Interval]:
    lo: bytes | None = None
    for key in sorted(points):
        here = points[key]
        if lo is None and here.opens and not here.closes:
            lo = key
        elif lo is not None and here.closes and not here.opens:
            yield Interval(lo=lo, hi=key, fixed=here.fixed)
            lo = None
    if lo is not None:
        yield Interval(lo=lo, hi=versions.BEYOND_ALL)


def _limit(order: versions.Order, events: Sequence[tuple[str, str]]) -> bytes:
    limits = [text for kind, text in events if kind == "limit"]
    if not limits or "*" in limits:
        return versions.BEYOND_ALL
    return max(order.key(order.clean(text)) for text in limits)


def _capped(found: Iterable[Interval], limit: bytes) -> Iterable[Interval]:
    for interval in found:
        if interval.hi <= limit:
            yield interval
        elif interval.lo < limit:
            yield Interval(lo=interval.lo, hi=limit)
