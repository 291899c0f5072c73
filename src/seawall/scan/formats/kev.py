"""CISA's catalogue of exploited vulnerabilities (KEV): official JSON and CSV, and a short map.

{"catalogVersion": …, "vulnerabilities": [{"cveID", "dateAdded", "knownRansomwareCampaignUse"}]}
cveID,vendorProject,product,vulnerabilityName,dateAdded,…,knownRansomwareCampaignUse,…
{"CVE-2025-48384": ["2025-08-25", "Known" | "Unknown", name]}
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from seawall.core import strictjson
from seawall.scan.advisory_model import Signal, SignalKind
from seawall.scan.errors import BadFeedError, BadRecordError
from seawall.scan.formats import reading
from seawall.scan.formats.reading import Record


class _Entry(msgspec.Struct, rename={"id": "cveID", "added": "dateAdded"}):
    id: str
    added: str
    ransomware: str = msgspec.field(default="", name="knownRansomwareCampaignUse")


def is_mine(value: strictjson.Json) -> bool:
    """Tell whether a document is the catalogue."""
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("vulnerabilities"), list):
        return "catalogVersion" in value
    if not reading.is_object_of(value, reading.CVE, list):
        return False
    first = next(iter(value.values()))
    return isinstance(first, list) and len(first) == 3 and all(isinstance(x, str) for x in first)


def records(value: strictjson.Json) -> Iterator[tuple[str, Record]]:
    """Yield one signal for each entry."""
    assert isinstance(value, dict)
    listed = value.get("vulnerabilities")
    if isinstance(listed, list):
        for number, item in enumerate(listed, start=1):
            yield f"record {number}", lambda item=item: _signal(reading.converted(item, _Entry))  # type: ignore[misc]
        return
    for name, item in value.items():
        yield reading.place(name), _short(name, item)


def is_text(start: bytes) -> bool:
    """Tell whether a text begins as the catalogue's CSV does."""
    return start.removeprefix(b"\xef\xbb\xbf").lstrip(b'"').startswith(b"cveID")


def text_records(lines: Iterable[str]) -> Iterator[tuple[str, Record]]:
    """Yield one signal for each line of the CSV. Raises BadFeedError."""
    rows = csv.DictReader(line.removeprefix("\ufeff") for line in lines)
    try:
        for number, row in enumerate(rows, start=2):
            yield f"line {number}", _row(row)
    except csv.Error as error:
        raise BadFeedError(f"the list of exploited holes is no CSV: {error}") from error


def _row(row: Mapping[str | None, object]) -> Record:
    return lambda: _signal(reading.converted({k: v for k, v in row.items() if k}, _Entry))


def _short(name: str, item: strictjson.Json) -> Record:
    def read() -> Signal:
        added, ransomware, _ = reading.converted(item, tuple[str, str, str])
        return _signal(_Entry(id=name, added=added, ransomware=ransomware))

    return read


def _signal(entry: _Entry) -> Signal:
    if not reading.CVE.fullmatch(entry.id):
        raise BadRecordError(f"not a CVE: {entry.id[:64]!r}")
    try:
        day = dt.date.fromisoformat(entry.added).isoformat()
    except ValueError as error:
        raise BadRecordError(f"not a day: {entry.added[:32]!r}") from error
    mark = " ransomware" if entry.ransomware.lower() == "known" else ""
    return Signal(id=entry.id, kind=SignalKind.KEV, text=day + mark)
