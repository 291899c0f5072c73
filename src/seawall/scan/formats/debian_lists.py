"""Debian's lists of advisories (DSA, DLA, DTSA), as text or as the JSON that was made of it.

    [29 Mar 2023] DSA-5380-1 xorg-server - security update
            {CVE-2023-1393}
            [bullseye] - xorg-server 2:1.20.11-1+deb11u6
            NOTE: …

Facts of the kind "fixed in" only. What stands in brackets is a release, `<end-of-life>` and the
like behind the package say that there is no fix: such a line is left out, since the advisory does
not say that the release is affected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from seawall.core import strictjson
from seawall.scan.advisory_model import Advisory
from seawall.scan.errors import BadRecordError
from seawall.scan.formats import debian_tracker, reading
from seawall.scan.formats.reading import Record

_HEAD: Final = re.compile(
    r"\[[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4}\] (D(?:SA|LA|TSA)-[0-9]+(?:-[0-9]+)?) (.*)"
)
_FIXED: Final = re.compile(r"\[([a-z]+)\] - (\S+) (\S+)")
_LINES_MAX: Final = 2_000


class _Entry(msgspec.Struct):
    id: str
    fixed: list[tuple[str, str, str]]
    title: str = ""
    cves: list[str] = []


def is_mine(value: strictjson.Json) -> bool:
    """Tell whether a document is a list of advisories as JSON."""
    if not isinstance(value, list) or not value:
        return False
    first = value[0]
    return isinstance(first, dict) and isinstance(first.get("fixed"), list) and "id" in first


def records(value: strictjson.Json) -> Iterator[tuple[str, Record]]:
    """Yield one record for each advisory."""
    for number, item in enumerate(value if isinstance(value, list) else [], start=1):
        yield f"record {number}", lambda item=item: _advisory(reading.converted(item, _Entry))  # type: ignore[misc]


def is_text(start: bytes) -> bool:
    """Tell whether a text begins as the lists do."""
    return _HEAD.match(start[:400].decode("utf-8", "replace")) is not None


def text_records(lines: Iterable[str]) -> Iterator[tuple[str, Record]]:
    """Yield one record for each advisory of the text."""
    block: list[str] = []
    begins = 1
    for number, line in enumerate(lines, start=1):
        if line.startswith("[") and block:
            yield f"line {begins}", _from_text(block)
            block = []
        if not block:
            begins = number
        if len(block) < _LINES_MAX:
            block.append(line.rstrip())
    if block:
        yield f"line {begins}", _from_text(block)


def _from_text(block: list[str]) -> Record:
    def read() -> Advisory:
        head = _HEAD.fullmatch(block[0])
        if head is None:
            raise BadRecordError("not the first line of an advisory")
        entry = _Entry(id=head[1], title=head[2], fixed=[])
        for line in map(str.strip, block[1:]):
            if line.startswith("{") and line.endswith("}"):
                entry.cves = line[1:-1].split()
            elif (fixed := _FIXED.match(line)) is not None and not fixed[3].startswith("<"):
                entry.fixed.append((fixed[1], fixed[2], fixed[3]))
        return _advisory(entry)

    return read


def _advisory(entry: _Entry) -> Advisory:
    affected = [
        reading.fixed_in(f"Debian:{number}", source, version)
        for release, source, version in entry.fixed
        if (number := debian_tracker.RELEASES.get(release)) is not None
    ]
    return Advisory(
        id=reading.identifier(entry.id),
        upstream=reading.cves(entry.cves),
        summary=reading.summary(entry.title),
        affected=tuple(affected),
    )
