"""Debian's security tracker: one JSON document with the state of every hole in every release.

    {"openssl": {"CVE-2023-0001": {"description": …, "scope": "remote", "releases": {"bookworm":
        {"status": "open" | "resolved" | "undetermined", "fixed_version": "3.0.9-1",
         "urgency": "unimportant", "nodsa": …, "nodsa_reason": "ignored" | "postponed" | ""}}}}}

    resolved, `0`        never affected
    resolved, version    affected before it
    open                 affected, no fix; `nodsa` and its reason say what to expect
    undetermined         unknown: kept with that state, and not reported
    unimportant          affected, of no consequence

A version is trusted over a stale `nodsa`. The release's own line counts; the tracker has worked out
already what holds for a release without one. `sid` is nobody's release and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from seawall.core import strictjson
from seawall.scan import severity as severities
from seawall.scan.advisory_model import Advisory, Affected, State
from seawall.scan.errors import BadRecordError
from seawall.scan.formats import reading
from seawall.scan.formats.reading import Record
from seawall.scan.severity import UNRATED

RELEASES: Final[Mapping[str, str]] = {
    "hamm": "2.0", "slink": "2.1", "potato": "2.2", "woody": "3.0", "sarge": "3.1",
    "etch": "4", "lenny": "5", "squeeze": "6", "wheezy": "7", "jessie": "8", "stretch": "9",
    "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14",
    "duke": "15",
}  # fmt: skip

_SOURCE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]{0,127}")
_HOLE: Final = re.compile(r"(?:CVE|TEMP|DSA|DLA)-[A-Z0-9-]{1,60}")
_NODSA: Final = {
    "ignored": State.IGNORED,
    "postponed": State.POSTPONED,
    "end-of-life": State.END_OF_LIFE,
}


class _Release(msgspec.Struct):
    status: str = ""
    fixed_version: str | None = None
    urgency: str = ""
    nodsa: str | None = None
    nodsa_reason: str | None = None


class _Hole(msgspec.Struct):
    releases: dict[str, _Release]
    description: str = ""


def is_mine(value: strictjson.Json) -> bool:
    """Tell whether a document is the tracker's."""
    if not reading.is_object_of(value, _SOURCE, dict):
        return False
    assert isinstance(value, dict)
    first = next(iter(value.values()))
    if not reading.is_object_of(first, _HOLE, dict):
        return False
    assert isinstance(first, dict)
    entry = next(iter(first.values()))
    return isinstance(entry, dict) and isinstance(entry.get("releases"), dict)


def records(value: strictjson.Json) -> Iterator[tuple[str, Record]]:
    """Yield one record for each source package and hole."""
    for source, holes in reading.entries(value):
        for hole, said in reading.entries(holes):
            yield f"{reading.place(source)} {reading.place(hole)}", _record(source, hole, said)


def _record(source: str, hole: str, said: strictjson.Json) -> Record:
    def read() -> Advisory:
        entry = reading.converted(said, _Hole)
        affected = [
            _affected(f"Debian:{number}", source, release)
            for name, release in entry.releases.items()
            if (number := RELEASES.get(name)) is not None
        ]
        return Advisory(
            id=reading.identifier(f"DEBIAN-{source}-{hole}"),
            aliases=(reading.identifier(hole),),
            summary=reading.summary(entry.description),
            affected=tuple(affected),
        )

    return read


def _affected(ecosystem: str, source: str, release: _Release) -> Affected:
    urgency = release.urgency.strip().rstrip("*").lower()
    rating = severities.of_word(urgency, source=f"{ecosystem} urgency") if urgency else UNRATED
    fixed = release.fixed_version or ""
    if release.status == "resolved" and not fixed:
        raise BadRecordError(f"{ecosystem}: resolved in no version")
    if release.status not in ("resolved", "open", "undetermined"):
        raise BadRecordError(f"{ecosystem}: the status {release.status[:32]!r} is not known")
    return reading.fixed_in(
        ecosystem,
        source,
        fixed if release.status == "resolved" else "",
        rating=rating,
        state=_state(release, urgency),
    )


def _state(release: _Release, urgency: str) -> State:
    if release.status == "undetermined":
        return State.UNDETERMINED
    if urgency == "unimportant":
        return State.UNIMPORTANT
    if urgency == "end-of-life":
        return State.END_OF_LIFE
    if release.status == "open" and release.nodsa is not None:
        return _NODSA.get(release.nodsa_reason or "", State.NO_DSA)
    return State.PLAIN
