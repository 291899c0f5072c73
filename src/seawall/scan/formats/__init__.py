"""Formats of advisories: pure functions from a document to records, known by their shape.

Each module here reads one source's format and offers

    is_mine(value)   whether a decoded JSON document has its shape; cheap, never raises
    records(value)   (place, record) for each entry; a record is read when it is called, and raises
                     BadRecordError alone, so that a bad one is named and the others stand

XML and text formats are told by their beginning. The bytes are hostile: sizes are bounded by the
caller, the depth of JSON by `strictjson`, and XML may declare no entities and no document type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from seawall.core import strictjson
from seawall.core.errors import LimitError, SeawallError
from seawall.core.limits import MIB
from seawall.scan import osv
from seawall.scan.advisory_model import Advisory
from seawall.scan.errors import BadFeedError, BadRecordError
from seawall.scan.formats import (
    cpes,
    csaf,
    debian_lists,
    debian_tracker,
    endoflife,
    epss,
    kev,
    node_core,
    secdb,
    ubuntu_vex,
    updateinfo,
    vulnrichment,
)
from seawall.scan.formats.reading import Record

__all__ = ["Record", "is_text", "of_bytes", "of_line", "of_text"]

DOCUMENT_MAX_BYTES: Final = 128 * MIB

_FORMATS: Final = (
    csaf,
    ubuntu_vex,
    vulnrichment,
    kev,
    secdb,
    endoflife,
    node_core,
    debian_lists,
    cpes,
    debian_tracker,
)
"""In the order in which they are asked; the one that is told by least comes last."""


def of_bytes(body: bytes, place: str) -> Iterator[tuple[str, Record]]:
    """Yield the records of one whole document. `place` is its name within the feed.

    Raises BadFeedError when the feed is nothing but this document and it is none, LimitError.
    """
    if body.lstrip()[:1] == b"<":
        yield from _placed(place, updateinfo.records(body))
        return
    if place:  # one of many: it may be bad alone
        yield from of_line(body, place, max_bytes=DOCUMENT_MAX_BYTES)
        return
    try:
        value = strictjson.decode(body, max_bytes=DOCUMENT_MAX_BYTES)
    except LimitError:
        raise
    except SeawallError as error:
        raise BadFeedError(f"the file is {error.message}") from error
    yield from _of_value(value)


def of_line(
    body: bytes, place: str, *, max_bytes: int = osv.RECORD_MAX_BYTES
) -> Iterator[tuple[str, Record]]:
    """Yield the record, or the records, of one JSON text among many."""
    try:
        value = strictjson.decode(body, max_bytes=max_bytes)
    except SeawallError as error:
        yield place, _bad(error.message)
        return
    if isinstance(value, dict) and not _is_osv(value):
        for form in _FORMATS:
            if form.is_mine(value):
                yield from _placed(place, form.records(value))
                return
    yield place, _osv(value)


def is_text(start: bytes) -> bool:
    """Tell whether a file that is neither JSON nor XML has a beginning that is known."""
    return any(form.is_text(start) for form in (epss, kev, debian_lists))


def of_text(lines: Iterable[str]) -> Iterator[tuple[str, Record]]:
    """Yield the records of a file for which `is_text` holds."""
    iterator = iter(lines)
    first = next(iterator, "")
    for form in (epss, kev, debian_lists):
        if form.is_text(first.encode()):
            yield from form.text_records(_all(first, iterator))
            return


def _of_value(value: strictjson.Json) -> Iterator[tuple[str, Record]]:
    if not (isinstance(value, dict) and _is_osv(value)):
        for form in _FORMATS:
            if form.is_mine(value):
                yield from form.records(value)
                return
    for number, item in enumerate(value if isinstance(value, list) else [value], start=1):
        yield f"record {number}", _osv(item)


def _is_osv(value: dict[str, strictjson.Json]) -> bool:
    return isinstance(value.get("id"), str) and ("affected" in value or "modified" in value)


def _osv(value: strictjson.Json) -> Record:
    if not isinstance(value, dict):
        return _bad("a record must be a JSON object")
    return lambda: osv.from_json(value)


def _bad(reason: str) -> Record:
    def refuse() -> Advisory:
        raise BadRecordError(reason)

    return refuse


def _placed(place: str, found: Iterable[tuple[str, Record]]) -> Iterator[tuple[str, Record]]:
    for inner, record in found:
        yield f"{place}, {inner}" if place else inner, record


def _all(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
