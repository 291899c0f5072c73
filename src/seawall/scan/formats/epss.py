"""EPSS (FIRST): how likely each CVE is exploited within 30 days, as CSV.

#model_version:v2025.03.14,score_date:2026-08-20T00:00:00+0000
cve,epss,percentile
CVE-1999-0001,0.01141,0.77701
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from seawall.scan.advisory_model import Signal, SignalKind
from seawall.scan.errors import BadRecordError
from seawall.scan.formats import reading
from seawall.scan.formats.reading import Record

_HEADER = "cve,epss,percentile"


def is_text(start: bytes) -> bool:
    """Tell whether a text begins as EPSS does."""
    return start.startswith((b"#model_version", _HEADER.encode()))


def text_records(lines: Iterable[str]) -> Iterator[tuple[str, Record]]:
    """Yield one signal for each line."""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith("#") and text != _HEADER:
            yield f"line {number}", _record(text)


def _record(text: str) -> Record:
    def read() -> Signal:
        parts = text[:200].split(",")
        if len(parts) != 3 or not reading.CVE.fullmatch(parts[0]):
            raise BadRecordError(f"not `CVE,probability,rank`: {text[:64]!r}")
        return Signal(
            id=parts[0], kind=SignalKind.EPSS, score=_share(parts[1]), rank=_share(parts[2])
        )

    return read


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise BadRecordError(f"not a number: {text[:32]!r}") from error
    if not 0.0 <= value <= 1.0:  # false for NaN, too
        raise BadRecordError(f"not from 0 to 1: {text[:32]!r}")
    return value
