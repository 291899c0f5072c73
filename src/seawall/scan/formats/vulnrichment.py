"""CISA's vulnrichment: decision points (SSVC) and ratings for CVEs.

Official: CVE records of version 5 with a container of the ADP `CISA-ADP`. Short: a map from CVE to
`{"cvss": vector, "ssvc": [exploitation, automatable, impact]}`.

A rating becomes an advisory without packages: it is lent to advisories that have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from seawall.core import strictjson
from seawall.scan import severity as severities
from seawall.scan.advisory_model import Advisory, Signal, SignalKind
from seawall.scan.errors import BadRecordError
from seawall.scan.formats import reading
from seawall.scan.formats.reading import Record


class _Short(msgspec.Struct):
    cvss: str | None = None
    ssvc: tuple[str, str, str] | None = None


class _Content(msgspec.Struct):
    options: list[dict[str, str]] = []


class _Other(msgspec.Struct):
    type: str = ""
    content: object = None


class _Vector(msgspec.Struct):
    vector: str = msgspec.field(default="", name="vectorString")


class _Metric(msgspec.Struct):
    other: _Other | None = None
    v4: _Vector | None = msgspec.field(default=None, name="cvssV4_0")
    v31: _Vector | None = msgspec.field(default=None, name="cvssV3_1")
    v30: _Vector | None = msgspec.field(default=None, name="cvssV3_0")


class _Container(msgspec.Struct):
    metrics: list[_Metric] = []


class _Containers(msgspec.Struct):
    adp: list[_Container] = []


class _Metadata(msgspec.Struct):
    id: str = msgspec.field(name="cveId")


class _Official(msgspec.Struct):
    containers: _Containers
    metadata: _Metadata = msgspec.field(name="cveMetadata")


def is_mine(value: strictjson.Json) -> bool:
    """Tell whether a document is a CVE record, or the short map."""
    if not isinstance(value, dict):
        return False
    if value.get("dataType") == "CVE_RECORD":
        return True
    if not reading.is_object_of(value, reading.CVE, dict):
        return False
    first = next(iter(value.values()))
    return isinstance(first, dict) and bool({"cvss", "ssvc", "kev", "cwe", "cpe"} & first.keys())


def records(value: strictjson.Json) -> Iterator[tuple[str, Record]]:
    """Yield a signal and a rating, where they are given, for each CVE."""
    assert isinstance(value, dict)
    if value.get("dataType") == "CVE_RECORD":
        try:
            official = reading.converted(value, _Official)
        except BadRecordError as error:
            yield "record", reading.refusing(error)
            return
        vector, points = _of_official(official)
        yield from _both(official.metadata.id, vector, points)
        return
    for name, item in value.items():
        try:
            short = reading.converted(item, _Short)
        except BadRecordError as error:
            yield reading.place(name), reading.refusing(error)
            continue
        yield from _both(name, short.cvss or "", short.ssvc or ())


def _of_official(record: _Official) -> tuple[str, Sequence[str]]:
    vector, points = "", {}
    for container in record.containers.adp:
        for metric in container.metrics:
            for given in (metric.v31, metric.v30, metric.v4):
                vector = vector or (given.vector if given else "")
            if metric.other is not None and metric.other.type == "ssvc":
                content = reading.converted(metric.other.content, _Content)
                points = {k.lower(): v for option in content.options for k, v in option.items()}
    names = ("exploitation", "automatable", "technical impact")
    return vector, tuple(points[name] for name in names) if points.keys() >= set(names) else ()


def _both(name: str, vector: str, points: Sequence[str]) -> Iterator[tuple[str, Record]]:
    if points:
        yield reading.place(name), lambda: _ssvc(name, points)
    if vector:
        yield reading.place(name), lambda: _rating(name, vector)


def _ssvc(name: str, points: Sequence[str]) -> Signal:
    words = [word.strip().lower() for word in points]
    if not all(word.isascii() and word.replace("-", "").isalpha() for word in words):
        raise BadRecordError(f"not a decision point: {words!r:.64}")
    return Signal(id=_cve(name), kind=SignalKind.SSVC, text=",".join(words)[:64])


def _rating(name: str, vector: str) -> Advisory:
    rating = severities.of_vector(vector)
    if rating == severities.UNRATED:
        raise BadRecordError(f"not a CVSS vector: {vector[:64]!r}")
    return Advisory(id=_cve(name), rating=rating)


def _cve(name: str) -> str:
    if not reading.CVE.fullmatch(name):
        raise BadRecordError(f"not a CVE: {name[:64]!r}")
    return name
