"""Ranges by CPE: the overrides of anchore/nvd-data-overrides, and NVD's own API documents.

Used for programs that no package manager installed, and only for products that `products` lists:
the rest of the dictionary is about hardware, services and names that are not unique.

    official override   {"cve": {"configurations": [{"nodes": [{"cpeMatch": [{"criteria",
                         "versionStartIncluding", "versionEndExcluding", …}]}]}]}}
    NVD API 2.0         {"vulnerabilities": [{"cve": {"id", "configurations", "metrics"}}]}
    short               {CVE: [[cpe without "cpe:2.3:", start, end, vulnerable 0/1]]}; a start that
                        begins with `(` is exclusive, an end that ends with `]` inclusive

What a configuration demands beside the product ("running on") is not carried: only entries that are
marked vulnerable count. An entry without a version is left out, since "all versions, for ever" is
what the source says when it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from seawall.core import strictjson
from seawall.scan import products, versions
from seawall.scan.advisory_model import Advisory, Affected
from seawall.scan.errors import BadRecordError
from seawall.scan.formats import reading
from seawall.scan.formats.reading import Record

ECOSYSTEM: Final = "CPE"
MATCHES_MAX: Final = 20_000

_PREFIX: Final = "cpe:2.3:"


class _Match(msgspec.Struct):
    criteria: str
    vulnerable: bool = True
    start_including: str = msgspec.field(default="", name="versionStartIncluding")
    start_excluding: str = msgspec.field(default="", name="versionStartExcluding")
    end_including: str = msgspec.field(default="", name="versionEndIncluding")
    end_excluding: str = msgspec.field(default="", name="versionEndExcluding")


class _Node(msgspec.Struct):
    matches: list[_Match] = msgspec.field(default_factory=list, name="cpeMatch")


class _Configuration(msgspec.Struct):
    nodes: list[_Node] = []


class _Cve(msgspec.Struct):
    id: str = ""
    configurations: list[_Configuration] = []
    status: str = msgspec.field(default="", name="vulnStatus")


class _Annotation(msgspec.Struct):
    id: str = msgspec.field(default="", name="cve_id")


class _Document(msgspec.Struct):
    cve: _Cve
    annotation: _Annotation = msgspec.field(default_factory=_Annotation, name="_annotation")


def is_mine(value: strictjson.Json) -> bool:
    """Tell whether a document has ranges by CPE."""
    if not isinstance(value, dict):
        return False
    listed = value.get("vulnerabilities")
    if isinstance(listed, list):
        return bool({"format", "resultsPerPage"} & value.keys()) and "catalogVersion" not in value
    if isinstance(value.get("cve"), dict):
        return "_annotation" in value
    if not reading.is_object_of(value, reading.CVE, list):
        return False
    first = next(iter(value.values()))
    return isinstance(first, list) and all(isinstance(each, list) for each in first)


def records(value: strictjson.Json) -> Iterator[tuple[str, Record]]:
    """Yield one record for each CVE that is about a known product."""
    assert isinstance(value, dict)
    listed = value.get("vulnerabilities")
    if isinstance(listed, list):
        for number, item in enumerate(listed, start=1):
            yield from _official(f"record {number}", item)
    elif isinstance(value.get("cve"), dict):
        yield from _official("record", value)
    else:
        for name, item in value.items():
            yield from _short(name, item)


def _official(place: str, item: strictjson.Json) -> Iterator[tuple[str, Record]]:
    try:
        document = reading.converted(item, _Document)
    except BadRecordError as error:
        yield place, reading.refusing(error)
        return
    if document.cve.status.lower() == "rejected":
        return
    found = [
        match
        for configuration in document.cve.configurations
        for node in configuration.nodes
        for match in node.matches
    ]
    name = document.cve.id or document.annotation.id
    if any(_product(match.criteria) for match in found):
        yield place, lambda: _advisory(name, found)


def _short(name: str, item: strictjson.Json) -> Iterator[tuple[str, Record]]:
    try:
        rows = reading.converted(item, list[tuple[str, str, str, int]])
    except BadRecordError as error:
        yield reading.place(name), reading.refusing(error)
        return
    found = [
        _Match(
            criteria=_PREFIX + cpe,
            vulnerable=bool(vulnerable),
            start_including="" if start.startswith("(") else start,
            start_excluding=start[1:] if start.startswith("(") else "",
            end_including=end[:-1] if end.endswith("]") else "",
            end_excluding="" if end.endswith("]") else end,
        )
        for cpe, start, end, vulnerable in rows
    ]
    if any(_product(match.criteria) for match in found):
        yield reading.place(name), lambda: _advisory(name, found)


def _advisory(name: str, found: list[_Match]) -> Advisory:
    if not reading.CVE.fullmatch(name):
        raise BadRecordError(f"not a CVE: {name[:64]!r}")
    if len(found) > MATCHES_MAX:
        raise BadRecordError(f"more than {MATCHES_MAX} ranges")
    by_product: dict[str, list[_Match]] = {}
    for match in found:
        if match.vulnerable and (product := _product(match.criteria)):
            by_product.setdefault(product, []).append(match)
    affected = [_affected(product, matches) for product, matches in by_product.items()]
    # The rating of a CVE comes from other feeds under the CVE's own name; this one needs another.
    return Advisory(id=f"CPE-{name}", aliases=(name,), affected=tuple(affected))


def _affected(product: str, matches: Iterable[_Match]) -> Affected:
    order = versions.ORDERS[ECOSYSTEM]
    found = Affected(ecosystem=ECOSYSTEM, package=product, intervals=())
    spans: list[tuple[str, str, bool]] = []
    for match in matches:
        exact = _version(match.criteria)
        if exact:
            spans.append((exact, exact, True))
        elif match.end_including or match.end_excluding:
            end = match.end_including or match.end_excluding
            outside = f"({match.start_excluding}" if match.start_excluding else ""
            start = match.start_including or outside
            spans.append((start, end, bool(match.end_including)))
    if not spans:
        return found
    return reading.between(order.ecosystem, product, spans)


def _parts(criteria: str) -> list[str]:
    return criteria.removeprefix(_PREFIX).replace("\\:", "\0").split(":")


def _product(criteria: str) -> str:
    parts = _parts(criteria)
    name = ":".join(parts[1:3]).lower() if len(parts) > 3 and parts[0] == "a" else ""
    return name if name in products.CPE_PRODUCTS else ""


def _version(criteria: str) -> str:
    parts = _parts(criteria)
    version, update = parts[3], parts[4] if len(parts) > 4 else "*"
    if version in ("*", "-", ""):
        return ""
    text = version if update in ("*", "-", "") else version + update
    return text.replace("\0", ":").replace("\\", "")
