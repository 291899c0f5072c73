"""Advisories in OSV format (OSV schema 1.7), read into what the index needs.

Pure: bytes in, one `Advisory` out. A record must have its types right, an id of harmless
characters, and events that make sense; anything else is `BadRecordError`, so that a feed with one
broken record can tell which and go on. What is not needed is skipped, not kept.

What ranges mean is the matter of `advisory_ranges`. GIT ranges say nothing about versions, and an
entry that has nothing else matches nothing. Records of ecosystems without a version order keep
their identity and severity but no intervals, as do bug fixes and enhancements (`ALBA`, `ALEA`).

Feeds of rpms that are older than OSV's `upstream` name their CVEs in `related`. They fix a modular
package in several streams at once: see `modules`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from seawall.core import strictjson
from seawall.core.errors import SeawallError
from seawall.core.limits import MIB
from seawall.scan import advisory_ranges, modules, versions
from seawall.scan import severity as severities
from seawall.scan.advisory_model import Advisory, Affected, Informational, Interval, State
from seawall.scan.errors import BadRecordError
from seawall.scan.severity import UNRATED, Rating

RECORD_MAX_BYTES: Final = 16 * MIB
SUMMARY_MAX_CHARS: Final = 300
SYMBOLS_MAX: Final = 200
INTERVALS_MAX: Final = 100_000
"""Intervals of one record, over all its packages."""

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/@-]{0,127}")
_ECOSYSTEM: Final = re.compile(r"[A-Za-z][A-Za-z0-9 ._:+/~()-]{0,127}")
_NO_VULNERABILITY: Final = re.compile(r"(?:AL|RL|RH|EL)(?:BA|EA)-")
_CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,12}")
_LAST_KNOWN: Final = re.compile(r"(<=?)\s*(\S{1,128})")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Version = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Ids = Annotated[list[str], msgspec.Meta(max_length=2_000)]


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
    related: _Ids | None = None
    withdrawn: str | None = None
    summary: str | None = None
    details: str | None = None
    severity: Annotated[list[_Severity], msgspec.Meta(max_length=50)] | None = None
    affected: Annotated[list[_Affected], msgspec.Meta(max_length=20_000)] | None = None
    database_specific: object = None


class _Import(msgspec.Struct):
    path: str = ""
    symbols: list[str] | None = None


class _Affects(msgspec.Struct):
    functions: list[str] | None = None


class _Symbols(msgspec.Struct):
    """Where Go's database and RustSec name functions."""

    imports: Annotated[list[_Import], msgspec.Meta(max_length=2_000)] | None = None
    functions: list[str] | None = None
    affects: _Affects | None = None


class _Words(msgspec.Struct):
    """The free-form fields that are worth reading, if they are texts."""

    severity: str | None = None
    urgency: str | None = None
    informational: str | None = None
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
    identifier = _checked_id(record.id)
    return Advisory(
        id=identifier,
        # An empty date is still a statement that the record was withdrawn.
        is_withdrawn=record.withdrawn is not None,
        aliases=_ids(record.aliases, but=record.id),
        upstream=_upstream(record, affected),
        summary=_summary(record),
        rating=_rating(record, words),
        informational=_informational(record),
        affected=() if _NO_VULNERABILITY.match(identifier) else affected,
    )


def _texts(affected: Affected) -> Iterator[str]:
    """All that is stored of it as text, where not every database keeps U+0000."""
    yield affected.ecosystem
    yield affected.package
    for interval in affected.intervals:
        yield interval.fixed


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
    return modules.within_streams(result, title=record.summary or "")


def _affected(entry: _Affected, package: _Package) -> Affected:
    ecosystem = versions.ecosystem(package.ecosystem)
    if not _ECOSYSTEM.fullmatch(ecosystem):
        raise BadRecordError(f"not the name of an ecosystem: {ecosystem[:64]!r}")
    order = versions.order_of(ecosystem)
    urgency = _words(entry.ecosystem_specific).urgency or ""
    return Affected(
        ecosystem=ecosystem,
        package=order.normalise_name(package.name) if order else package.name,
        intervals=_entry_intervals(order, entry) if order else (),
        rating=severities.of_word(urgency, source=f"{ecosystem} urgency"),
        state=_STATES.get(urgency.strip().rstrip("*").lower(), State.PLAIN),
        symbols=_symbols(entry.ecosystem_specific),
    )


_STATES: Final = {"unimportant": State.UNIMPORTANT, "end-of-life": State.END_OF_LIFE}


def _symbols(value: object) -> tuple[str, ...]:
    """Return the functions that Go's and Rust's databases name."""
    try:
        said = msgspec.convert(value, _Symbols)
    except msgspec.ValidationError:
        return ()
    found = [
        f"{one.path}#{symbol}" if one.path else symbol
        for one in said.imports or ()
        for symbol in one.symbols or ()
    ]
    found += [*said.functions] if said.functions else []
    found += [*said.affects.functions] if said.affects and said.affects.functions else []
    harmless = {text for text in found if text and not _UNPRINTABLE.search(text)}
    return tuple(sorted(text for text in harmless if len(text) <= 256)[:SYMBOLS_MAX])


def _entry_intervals(order: versions.Order, entry: _Affected) -> tuple[Interval, ...]:
    found: dict[Interval, None] = {}
    last_known = _words(entry.database_specific).last_known_affected_version_range or ""
    for span in entry.ranges or ():
        if span.type is not _RangeType.GIT:
            events = _bounded([_kind(event) for event in span.events], last_known)
            found.update(dict.fromkeys(advisory_ranges.intervals(order, events)))
    ranges = tuple(found)
    for text in entry.versions or ():
        point = advisory_ranges.point(order, text)
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


def _upstream(record: _Record, affected: tuple[Affected, ...]) -> tuple[str, ...]:
    said = set(_ids(record.upstream, but=record.id))
    if not said and not record.aliases and any(_is_rpm(one.ecosystem) for one in affected):
        said = {name for name in record.related or () if _CVE.fullmatch(name)}
    return tuple(sorted(said))


def _is_rpm(ecosystem: str) -> bool:
    return ecosystem.partition(":")[0] in versions.RPM


def _informational(record: _Record) -> Informational:
    """Return RustSec's mark; it counts when every entry of the record has it."""
    marks = {_words(entry.database_specific).informational for entry in record.affected or ()}
    said = marks.pop() if len(marks) == 1 else None
    return _INFORMATIONAL.get(said or "", Informational.NONE)


_INFORMATIONAL: Final = {mark.value: mark for mark in Informational}


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
