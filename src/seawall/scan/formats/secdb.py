"""secdb: what apk distributions fixed, by origin package and version (Alpine, Wolfi, Chainguard).

    {"distroversion": "v3.18", "reponame": "main", "packages": [{"pkg":
        {"name": "openssl", "secfixes": {"3.1.1-r0": ["CVE-2023-2650 CVE-…"], "0": ["CVE-…"]}}}]}

A version `0` says that the package was never affected. An entry may name several ids, separated by
white space, and ids that are no CVEs. One record is made for each package and id; its name says
where it comes from (`ALPINE-v3.18-main-openssl-CVE-2023-2650`).

The same facts read from APKBUILDs, as `{"v3.18@2026-01-01": [{"pkg", "secfixes"}]}`, are known too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from seawall.core import strictjson
from seawall.scan.advisory_model import Advisory
from seawall.scan.errors import BadRecordError
from seawall.scan.formats import reading
from seawall.scan.formats.reading import Record

_BRANCH: Final = re.compile(r"(v[0-9]+\.[0-9]+|edge)@[0-9-]{10}")
_RELEASE: Final = re.compile(r"v[0-9]+\.[0-9]+|edge")
_NAMES: Final = {"wolfi": "Wolfi", "chainguard": "Chainguard", "os": "Wolfi"}

_Fixes = dict[str, list[str] | None]


class _Inner(msgspec.Struct):
    name: str
    secfixes: _Fixes | None = None


class _Entry(msgspec.Struct):
    pkg: _Inner


class _Flat(msgspec.Struct):
    pkg: str
    repo: str = ""
    secfixes: _Fixes | None = None


def is_mine(value: strictjson.Json) -> bool:
    """Tell whether a document is a secdb, or the facts of APKBUILDs."""
    if not isinstance(value, dict):
        return False
    is_secdb = isinstance(value.get("packages"), list) and bool(
        {"distroversion", "reponame", "urlprefix"} & value.keys()
    )
    return is_secdb or reading.is_object_of(value, _BRANCH, list)


def records(value: strictjson.Json) -> Iterator[tuple[str, Record]]:
    """Yield one record for each package and hole."""
    assert isinstance(value, dict)
    packages = value.get("packages")
    if isinstance(packages, list):
        ecosystem, repository = _ecosystem(value), str(value.get("reponame") or "")[:32]
        for number, item in enumerate(packages, start=1):
            yield from _package(f"package {number}", ecosystem, repository, item, is_nested=True)
        return
    for branch, found in value.items():
        ecosystem = f"Alpine:{branch.partition('@')[0]}"
        for number, item in enumerate(found if isinstance(found, list) else [], start=1):
            place = f"{reading.place(branch)}, package {number}"
            yield from _package(place, ecosystem, "", item, is_nested=False)


def _ecosystem(value: Mapping[str, strictjson.Json]) -> str:
    release = str(value.get("distroversion") or "")
    if _RELEASE.fullmatch(release):
        return f"Alpine:{release}"
    said = f"{value.get('urlprefix') or ''} {value.get('reponame') or ''}".lower()
    return next((name for word, name in _NAMES.items() if word in said), "Wolfi")


def _package(
    place: str, ecosystem: str, repository: str, item: strictjson.Json, *, is_nested: bool
) -> Iterator[tuple[str, Record]]:
    try:
        if is_nested:
            inner = reading.converted(item, _Entry).pkg
            name, fixes = inner.name, inner.secfixes
        else:
            flat = reading.converted(item, _Flat)
            name, fixes, repository = flat.pkg, flat.secfixes, flat.repo
    except BadRecordError as error:
        yield place, reading.refusing(error)
        return
    holes: dict[str, list[str]] = {}
    for version, texts in (fixes or {}).items():
        for text in texts or ():
            for hole in filter(str.isascii, text.replace("/", " ").split()):
                holes.setdefault(hole, []).append(version)
    for hole, found in holes.items():
        yield f"{place}, {reading.place(hole)}", _record(ecosystem, repository, name, hole, found)


def _record(ecosystem: str, repository: str, name: str, hole: str, found: list[str]) -> Record:
    def read() -> Advisory:
        base, _, release = ecosystem.partition(":")
        parts = (base.upper(), release, repository, name, hole)
        # Fixed twice is fixed for good in the later version only: a hole may come back.
        last = max(found, key=lambda version: reading.key_of(ecosystem, version))
        return Advisory(
            id=reading.identifier("-".join(filter(None, parts))),
            aliases=(reading.identifier(hole),),
            affected=(reading.fixed_in(ecosystem, name, last),),
        )

    return read
