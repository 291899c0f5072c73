"""What all formats share: how a record is read, checked and bounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias, TypeVar

import msgspec

from seawall.core import strictjson
from seawall.scan import advisory_ranges, versions
from seawall.scan.advisory_model import Affected, Interval, Item, State
from seawall.scan.errors import BadRecordError
from seawall.scan.severity import UNRATED, Rating

Record: TypeAlias = Callable[[], Item]
"""Reads one record when called; raises BadRecordError."""

TEXT_MAX_CHARS: Final = 256
SUMMARY_MAX_CHARS: Final = 300

CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,12}")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/@-]{0,127}")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\u202a-\u202e\u2066-\u2069]+")

T = TypeVar("T")


def converted(value: object, kind: type[T]) -> T:
    """Return `value` as a struct. Raises BadRecordError when it is none."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise BadRecordError(str(error)) from error


def identifier(text: str) -> str:
    """Raises BadRecordError unless `text` is a harmless id."""
    if not _ID.fullmatch(text):
        raise BadRecordError(f"not an id: {text[:64]!r}")
    return text


def word(text: str) -> str:
    """Return a name or version. Raises BadRecordError for an empty, long or unprintable one."""
    stripped = text.strip()
    if not stripped or len(stripped) > TEXT_MAX_CHARS or _UNPRINTABLE.search(stripped):
        raise BadRecordError(f"neither a name nor a version: {text[:64]!r}")
    return stripped


def summary(text: str) -> str:
    """Return bounded text on one line."""
    line = _UNPRINTABLE.sub(" ", text[: 4 * SUMMARY_MAX_CHARS]).strip()
    if len(line) <= SUMMARY_MAX_CHARS:
        return line
    return line[: SUMMARY_MAX_CHARS - 1].rstrip() + "…"


def cves(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the CVE ids among some texts, in order, each once."""
    return tuple(sorted({text for text in texts if CVE.fullmatch(text)}))


def fixed_in(
    ecosystem: str,
    package: str,
    fixed: str,
    *,
    state: State = State.PLAIN,
    rating: Rating = UNRATED,
    module: str = "",
) -> Affected:
    """Return "affected before `fixed`": all versions when it is empty, none when it is `0`."""
    order = versions.order_of(ecosystem)
    if order is None:
        raise BadRecordError(f"an ecosystem without an order of versions: {ecosystem[:64]!r}")
    return Affected(
        ecosystem=ecosystem,
        package=order.normalise_name(word(package)),
        intervals=advisory_ranges.until(order, word(fixed) if fixed else ""),
        state=state,
        rating=rating,
        module=module,
    )


def between(ecosystem: str, package: str, spans: Iterable[tuple[str, str, bool]]) -> Affected:
    """Return what is affected from (inclusive) to (exclusive, or inclusive where the flag says so).

    An empty start is before everything, an empty end never comes. A start that begins with `(` is
    not inside.
    """
    order = versions.order_of(ecosystem)
    if order is None:
        raise BadRecordError(f"an ecosystem without an order of versions: {ecosystem[:64]!r}")
    found: dict[Interval, None] = {}
    for start, end, is_inclusive in spans:
        events = [("introduced", word(start.removeprefix("(")) if start else "0")]
        if end:
            events.append(("last_affected" if is_inclusive else "fixed", word(end)))
        whole = advisory_ranges.intervals(order, events)
        if start.startswith("("):
            first = order.after(order.clean(word(start[1:])))
            whole = tuple(
                Interval(lo=max(first, one.lo), hi=one.hi, fixed=one.fixed)
                for one in whole
                if first < one.hi
            )
        found.update(dict.fromkeys(whole))
    name = order.normalise_name(word(package))
    return Affected(ecosystem=ecosystem, package=name, intervals=tuple(found))


def entries(value: strictjson.Json) -> Iterator[tuple[str, strictjson.Json]]:
    """Yield the members of an object with a place that is safe to show."""
    if isinstance(value, dict):
        yield from value.items()


def place(text: str) -> str:
    """Return a key of the document as it may be shown."""
    return ascii(text)[1:129]


def is_object_of(value: object, key: re.Pattern[str], kind: type | tuple[type, ...]) -> bool:
    """Tell whether a JSON object is a map from such keys to such values, by its first entry."""
    if not isinstance(value, Mapping) or not value:
        return False
    name, first = next(iter(value.items()))
    return bool(key.fullmatch(name)) and isinstance(first, kind)


def refusing(error: BadRecordError) -> Record:
    """Return a record that raises this error when it is read."""

    def refuse() -> Item:
        raise error

    return refuse


def key_of(ecosystem: str, version: str) -> bytes:
    """Return the sort key of a version; `0` is before everything."""
    order = versions.order_of(ecosystem)
    if order is None or version == "0":
        return versions.BEFORE_ALL
    return order.key(order.clean(version))
