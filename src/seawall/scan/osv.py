"""Advisories in OSV format (OSV schema 1.7), read into what the index needs.

Pure: bytes in, one `Advisory` out. A record must have its types right, an id of harmless
characters, and events that make sense; anything else is `BadRecordError`, so that a feed with one
broken record can tell which and go on. What is not needed is skipped, not kept.

Ranges become half-open intervals of sort keys, `lo <= key < hi`:

    introduced "0"     opens below everything
    fixed              closes before its version
    last_affected      closes after its version (and its local builds)
    limit              nothing at or above the highest limit is affected
    versions           one point each, where no range covers it

At one and the same version a closing and an opening event mean "goes on" when the range is open,
and "nothing" when it is closed. GIT ranges say nothing about versions, and an entry that has
nothing else matches nothing. Records of ecosystems without a version order keep their identity and
severity but no intervals.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Final

import msgspec

from seawall.core import strictjson
from seawall.core.errors import SeawallError
from seawall.core.limits import MIB
from seawall.scan import severity as severities
from seawall.scan import versions
from seawall.scan.errors import BadRecordError
from seawall.scan.severity import UNRATED, Rating

RECORD_MAX_BYTES: Final = 16 * MIB
SUMMARY_MAX_CHARS: Final = 300
INTERVALS_MAX: Final = 100_000
"""Intervals of one record, over all its packages."""

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/@-]{0,127}")
_ECOSYSTEM: Final = re.compile(r"[A-Za-z][A-Za-z0-9 ._:+-]{0,63}")
_LAST_KNOWN: Final = re.compile(r"(<=?)\s*(\S{1,128})")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Version = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Ids = Annotated[list[str], msgspec.Meta(max_length=2_000)]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Affected where `lo <= key < hi`. `fixed` is the version that ends it, or empty."""

    lo: bytes
    hi: bytes
    fixed: str = ""


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """What one package has to fear. `ecosystem` keeps its suffix: `Debian:12`."""

    ecosystem: str
    package: str
    intervals: tuple[Interval, ...]
    rating: Rating = UNRATED
    """What the distribution itself says about this package; UNRATED where it says nothing."""


class Advisory(msgspec.Struct, frozen=True, kw_only=True):
    """One record. `aliases` name the same hole; `upstream` the holes that this one covers."""

    id: str
    is_withdrawn: bool
    aliases: tuple[str, ...]
    upstream: tuple[str, ...]
    summary: str
    rating: Rating
    affected: tuple[Affected, ...]


class _RangeType(enum.StrEnum):
    GIT = "GIT"
    SEMVER = "SEMVER"
    ECOSYSTEM = "ECOSYSTEM"


class _Event(msgspec.Struct):
    introduced: _Version | None = None
    fixed: _Version | None = None
    last_affected: _Version | None = None
    limit: _Version | None = None


class _Range(msgspec.Struct):
    type: _RangeType
    events: Annotated[list[_Event], msgspec.Meta(max_length=20_000)]


class _Package(msgspec.Struct):
    ecosystem: _Name
    name: _Name


class _Severity(msgspec.Struct):
    type: str = ""
    score: str = ""


class _Affected(msgspec.Struct):
    package: _Package | None = None
    ranges: Annotated[list[_Range], msgspec.Meta(max_length=2_000)] | None = None
    versions: Annotated[list[_Version], msgspec.Meta(max_length=50_000)] | None = None
    severity: Annotated[list[_Severity], msgspec.Meta(max_length=50)] | None = None
    ecosystem_specific: object = None
    database_specific: object = None


class _Record(msgspec.Struct):
    id: str
    aliases: _Ids | None = None
    upstream: _Ids | None = None
    withdrawn: str | None = None
    summary: str | None = None
    details: str | None = None
    severity: Annotated[list[_Severity], msgspec.Meta(max_length=50)] | None = None
    affected: Annotated[list[_Affected], msgspec.Meta(max_length=20_000)] | None = None
    database_specific: object = None


class _Words(msgspec.Struct):
    """The free-form fields that are worth reading, if they are texts."""

    severity: str | None = None
    urgency: str | None = None
    last_known_affected_version_range: str | None = None


def parse(body: bytes) -> Advisory:
    """Parse one record of untrusted JSON. Raises BadRecordError, and nothing else."""
    try:
        value = strictjson.decode_object(body, max_bytes=RECORD_MAX_BYTES)
    except SeawallError as error:
        raise BadRecordError(error.message) from error
    return from_json(value)


def from_json(value: strictjson.Json) -> Advisory:
    """Read one record from strictly decoded JSON. Raises BadRecordError, and nothing else."""
    try:
        record = msgspec.convert(value, _Record)
    except msgspec.ValidationError as error:
        raise BadRecordError(f"not an OSV record: {error}") from error
    words, affected = _words(record.database_specific), _all_affected(record)
    if any("\0" in text for one in affected for text in _texts(one)):
        raise BadRecordError("a name or version holds the character U+0000")
    return Advisory(
        id=_checked_id(record.id),
        # An empty date is still a statement that the record was withdrawn.
        is_withdrawn=record.withdrawn is not None,
        aliases=_ids(record.aliases, but=record.id),
        upstream=_ids(record.upstream, but=record.id),
        summary=_summary(record),
        rating=_rating(record, words),
        affected=affected,
    )


def _texts(affected: Affected) -> Iterator[str]:
    """All that is stored of it as text, where not every database keeps U+0000."""
    yield affected.ecosystem
    yield affected.package
    for interval in affected.intervals:
        yield interval.fixed


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
            point = points.setdefault(_key(order, text), _Point())
            point.closes, point.fixed = True, text
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
        point = points[key]
        if lo is None and point.opens and not point.closes:
            lo = key
        elif lo is not None and point.closes and not point.opens:
            yield Interval(lo=lo, hi=key, fixed=point.fixed)
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


def _all_affected(record: _Record) -> tuple[Affected, ...]:
    result: list[Affected] = []
    budget = INTERVALS_MAX
    for entry in record.affected or ():
        if entry.package is None:
            continue
        affected = _affected(entry, entry.package)
        budget -= len(affected.intervals)
        if budget < 0:
            raise BadRecordError(f"more than {INTERVALS_MAX} ranges and versions")
        result.append(affected)
    return tuple(result)


def _affected(entry: _Affected, package: _Package) -> Affected:
    if not _ECOSYSTEM.fullmatch(package.ecosystem):
        raise BadRecordError(f"not the name of an ecosystem: {package.ecosystem[:64]!r}")
    order = versions.order_of(package.ecosystem)
    urgency = _words(entry.ecosystem_specific).urgency or ""
    return Affected(
        ecosystem=package.ecosystem,
        package=order.normalise_name(package.name) if order else package.name,
        intervals=_entry_intervals(order, entry) if order else (),
        rating=severities.of_word(urgency, source=f"{package.ecosystem} urgency"),
    )


def _entry_intervals(order: versions.Order, entry: _Affected) -> tuple[Interval, ...]:
    found: dict[Interval, None] = {}
    last_known = _words(entry.database_specific).last_known_affected_version_range or ""
    for span in entry.ranges or ():
        if span.type is not _RangeType.GIT:
            events = _bounded([_kind(event) for event in span.events], last_known)
            found.update(dict.fromkeys(intervals(order, events)))
    ranges = tuple(found)
    for text in entry.versions or ():
        version = order.clean(text)
        point = Interval(lo=order.key(version), hi=order.after(version))
        if not any(span.lo <= point.lo and point.hi <= span.hi for span in ranges):
            found[point] = None
    return tuple(found)


def _bounded(events: list[tuple[str, str]], last_known: str) -> list[tuple[str, str]]:
    """Apply GitHub's bound for holes without a fix (`<= 1.2`, `< 1.3`) to a range without end."""
    bound = _LAST_KNOWN.fullmatch(last_known.strip())
    if bound is None or any(kind != "introduced" for kind, _ in events):
        return events
    return [*events, ("last_affected" if bound[1] == "<=" else "limit", bound[2])]


def _kind(event: _Event) -> tuple[str, str]:
    given = [
        (kind, text)
        for kind, text in (
            ("introduced", event.introduced),
            ("fixed", event.fixed),
            ("last_affected", event.last_affected),
            ("limit", event.limit),
        )
        if text is not None
    ]
    if len(given) != 1:
        raise BadRecordError(f"an event must say exactly one thing, this one says {len(given)}")
    return given[0]


def _checked_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise BadRecordError(f"not an id: {text[:64]!r}")
    return text


def _ids(texts: list[str] | None, *, but: str) -> tuple[str, ...]:
    return tuple(sorted({_checked_id(text) for text in texts or ()} - {but}))


def _summary(record: _Record) -> str:
    # Bounded before and after: the text may be megabytes of white space.
    text = (record.summary or record.details or "")[: 4 * SUMMARY_MAX_CHARS]
    text = _UNPRINTABLE.sub(" ", text).strip()
    if len(text) <= SUMMARY_MAX_CHARS:
        return text
    return text[: SUMMARY_MAX_CHARS - 1].rstrip() + "…"


def _rating(record: _Record, words: _Words) -> Rating:
    vectors = list(record.severity or ())
    for entry in record.affected or ():
        if not vectors:
            vectors = list(entry.severity or ())
    computed = _best([severities.of_vector(vector.score) for vector in vectors])
    said = severities.of_word(words.severity or "", source="advisory database")
    if said == UNRATED:
        return computed
    return Rating(severity=said.severity, score=computed.score, source=said.source)


def _best(ratings: list[Rating]) -> Rating:
    # A computed score before an estimate, the newest version before older ones.
    return max(
        ratings, key=lambda rating: (rating.score is not None, rating.source), default=UNRATED
    )


def _words(value: object) -> _Words:
    try:
        return msgspec.convert(value, _Words)
    except msgspec.ValidationError:
        return _Words()
