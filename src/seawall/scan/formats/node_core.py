"""Holes of Node.js itself, as its security working group lists them.

    {"1": {"cve": ["CVE-2017-1000381"], "vulnerable": "8.x || 7.x", "patched": "^8.1.4 || ^7.10.1"}}

Ranges are npm's. Affected is what is `vulnerable` and not `patched`: each line (major version) that
is named is affected from its beginning to the first patched version of the same line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from seawall.core import strictjson
from seawall.scan import severity as severities
from seawall.scan.advisory_model import Advisory
from seawall.scan.errors import BadRecordError
from seawall.scan.formats import reading
from seawall.scan.formats.reading import Record

ECOSYSTEM: Final = "Node.js"
PACKAGE: Final = "node"

_NUMBER: Final = re.compile(r"[0-9]{1,6}")
_COMPARATOR: Final = re.compile(r"(\^|~|>=|<=|>|<|=|)\s*v?([0-9]+(?:\.[0-9x*]+){0,2})", re.ASCII)
_MARKS_MAX: Final = 200


class _Entry(msgspec.Struct):
    vulnerable: str
    patched: str = ""
    cve: list[str] = []
    description: str = ""
    overview: str = ""
    severity: str | None = None


def is_mine(value: strictjson.Json) -> bool:
    """Tell whether a document is the list."""
    if not reading.is_object_of(value, _NUMBER, dict):
        return False
    assert isinstance(value, dict)
    first = next(iter(value.values()))
    return isinstance(first, dict) and {"vulnerable", "patched"} <= first.keys()


def records(value: strictjson.Json) -> Iterator[tuple[str, Record]]:
    """Yield one record for each entry."""
    for number, item in reading.entries(value):
        yield f"record {reading.place(number)}", _record(number, item)


def _record(number: str, item: strictjson.Json) -> Record:
    def read() -> Advisory:
        entry = reading.converted(item, _Entry)
        spans = list(_spans(entry.vulnerable, entry.patched))
        if not spans:
            raise BadRecordError(f"no range that is understood: {entry.vulnerable[:64]!r}")
        found = reading.cves(entry.cve)
        rating = severities.of_word(entry.severity or "", source="Node.js")
        return Advisory(
            id=reading.identifier(f"NODE-CORE-{number}"),
            aliases=found if len(found) == 1 else (),
            upstream=found if len(found) > 1 else (),
            summary=reading.summary(entry.description or entry.overview),
            rating=rating,
            affected=(reading.between(ECOSYSTEM, PACKAGE, spans),),
        )

    return read


def _spans(vulnerable: str, patched: str) -> Iterator[tuple[str, str, bool]]:
    fixes = {fix.partition(".")[0]: fix for fix in _patched(patched)}
    for part in vulnerable[:4_000].split("||")[:_MARKS_MAX]:
        start, end, is_inclusive = _bounds(part)
        if not start and not end:
            continue
        major = start.partition(".")[0]
        if major in fixes and (not end or end.partition(".")[0] != major):
            end, is_inclusive = fixes[major], False
        yield start, end, is_inclusive


def _patched(text: str) -> Iterator[str]:
    for part in text[:4_000].split("||")[:_MARKS_MAX]:
        found = _COMPARATOR.search(part.strip())
        if found is not None and found[1] in ("^", "~", ">=", "=", ""):
            yield _whole(found[2])


def _bounds(part: str) -> tuple[str, str, bool]:
    """Return (from, to, whether `to` is inside) of one set of comparators."""
    start = end = ""
    is_inclusive = False
    for operator, version in _COMPARATOR.findall(part):
        whole = _whole(version)
        major, minor, *_ = whole.split(".")
        if operator in (">=", ">"):
            start = whole
        elif operator in ("<", "<="):
            end, is_inclusive = whole, operator == "<="
        elif operator == "^" or version.count(".") == 0 or version.endswith((".x", ".*")):
            is_minor = version.count(".") == 2 and operator != "^"
            start = whole
            end = f"{major}.{int(minor) + 1}.0-0" if is_minor else f"{int(major) + 1}.0.0-0"
        elif operator == "~":
            start, end = whole, f"{major}.{int(minor) + 1}.0-0"
        else:
            start, end, is_inclusive = whole, whole, True
    return start, end, is_inclusive


def _whole(version: str) -> str:
    parts = [part if part.isdigit() else "0" for part in version.split(".")]
    return ".".join([*parts, "0", "0"][:3])
