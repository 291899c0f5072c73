"""Ends of life (endoflife.date): release cycles of products.

short      {product: {"identifiers": […], "releases": [{"releaseCycle", "eol": day or true}]}}
official   {"schema_version", "result": [{"name", "identifiers", "releases":
            [{"name", "eolFrom", "isEol", "latest": {"name"}}]}]}
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from seawall.core import strictjson
from seawall.scan.advisory_model import Lifecycle
from seawall.scan.errors import BadRecordError
from seawall.scan.formats import reading
from seawall.scan.formats.reading import Record

NAMES_MAX: Final = 50

_PRODUCT: Final = re.compile(r"[a-z0-9][a-z0-9+._-]{0,99}")


class _Latest(msgspec.Struct):
    name: str | None = None


class _Release(msgspec.Struct):
    cycle: str | None = msgspec.field(default=None, name="releaseCycle")
    name: str | None = None
    eol: str | bool | None = None
    eol_from: str | None = msgspec.field(default=None, name="eolFrom")
    is_eol: bool = msgspec.field(default=False, name="isEol")
    latest: str | _Latest | None = None


def is_mine(value: strictjson.Json) -> bool:
    """Tell whether a document is about release cycles."""
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("result"), list):
        return "schema_version" in value
    if not reading.is_object_of(value, _PRODUCT, dict):
        return False
    first = next(iter(value.values()))
    return isinstance(first, dict) and isinstance(first.get("releases"), list)


def records(value: strictjson.Json) -> Iterator[tuple[str, Record]]:
    """Yield one lifecycle for each release."""
    assert isinstance(value, dict)
    listed = value.get("result")
    products = (
        [(str(one.get("name") or ""), one) for one in listed if isinstance(one, dict)]
        if isinstance(listed, list)
        else [(name, one) for name, one in value.items() if isinstance(one, dict)]
    )
    for product, one in products:
        names = tuple(_names(one))
        releases = one.get("releases")
        for number, item in enumerate(releases if isinstance(releases, list) else [], start=1):
            yield f"{reading.place(product)}, release {number}", _record(product, item, names)


def _names(product: Mapping[str, strictjson.Json]) -> Iterator[str]:
    found = product.get("identifiers")
    for one in found[:NAMES_MAX] if isinstance(found, list) else ():
        if isinstance(one, dict):
            text = one.get("purl") or (one.get("id") if one.get("type") == "purl" else "")
            if isinstance(text, str) and text.startswith("pkg:") and len(text) <= 256:
                yield text


def _record(product: str, item: strictjson.Json, names: tuple[str, ...]) -> Record:
    def read() -> Lifecycle:
        release = reading.converted(item, _Release)
        end = release.eol_from or (release.eol if isinstance(release.eol, str) else "")
        latest = release.latest
        text = latest.name if isinstance(latest, _Latest) else latest
        return Lifecycle(
            product=reading.word(product),
            cycle=reading.word(release.cycle or release.name or ""),
            ends=_day(end),
            is_ended=release.is_eol or release.eol is True,
            latest=reading.summary(text or "")[:64],
            names=names,
        )

    return read


def _day(text: str) -> str:
    if not text:
        return ""
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BadRecordError(f"not a day: {text[:32]!r}") from error
