"""Where in the fleet a hole is, and since when: from its id to the images that hold it.

No report is opened. Advisories lead to the names of packages, those to the versions that images
hold, their verdicts say whether the hole is in them, and each version knows its images.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
import sqlalchemy as sa

from seawall.oci.digest import Digest
from seawall.scan import _sql, holes, staging, verdicts
from seawall.scan.holes import QUIET, Hole, Signals
from seawall.scan.lookup import StoredAdvisories
from seawall.scan.model import Reach
from seawall.store import Database

HOLDERS_MAX: Final = 100_000
"""Rows that are told; how many there are in all is counted."""

NAMES_PER_QUERY: Final = 300
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{2,99}", re.ASCII)


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one package with the hole, in one image."""

    digest: Digest
    package: str
    version: str
    since: str
    """When this installation first knew it of this image, RFC 3339."""
    hole: Hole
    reach: Reach = Reach.UNKNOWN
    """Of the package in that image."""


class Whereabouts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one hole. No ids: no advisory that is imported speaks of it."""

    ids: tuple[str, ...] = ()
    """All its names, the one that was asked for first."""
    holders: tuple[Holder, ...] = ()
    """The oldest first."""
    total: int = 0
    summary: str = ""
    """The longest that an advisory gives."""
    signals: Signals = QUIET


def is_id(text: str) -> bool:
    """Tell whether a text can be the id of an advisory."""
    return _ID.fullmatch(text) is not None


def of_hole(database: Database, identifier: str) -> Whereabouts:
    """Return where the hole with this id or alias is."""
    with database.read() as connection:
        advisories = _advisories(connection, identifier)
        if not advisories:
            return Whereabouts()
        found = [
            holder
            for number, hole, package, version, since in _packages(
                connection, identifier, _names(connection, advisories)
            )
            for holder in _holders(connection, number, hole, (package, version, since))
        ]
        names = {name for one in found for name in one.hole.ids}
        ids = (identifier, *sorted(names - {identifier}))
        listed = StoredAdvisories(connection).signals(set(ids))
        summary = _summary(connection, advisories)
    found.sort(key=lambda one: (one.since, one.digest, one.package, one.version))
    return Whereabouts(
        ids=ids,
        holders=tuple(found[:HOLDERS_MAX]),
        total=len(found),
        summary=summary,
        signals=holes.merged([listed[one] for one in ids if one in listed]),
    )


def _advisories(connection: sa.Connection, identifier: str) -> list[int]:
    a, n = _sql.advisories.c, _sql.aliases.c
    own = sa.select(a.key).where(a.id == identifier)
    others = sa.select(n.advisory).where(n.alias == identifier)
    return sorted(set(connection.execute(sa.union(own, others)).scalars()))


def _summary(connection: sa.Connection, advisories: list[int]) -> str:
    a = _sql.advisories.c
    texts = connection.execute(
        sa.select(a.summary).where(a.key.in_(advisories[:NAMES_PER_QUERY]))
    ).scalars()
    return max(texts, key=len, default="")


def _names(connection: sa.Connection, advisories: list[int]) -> list[tuple[str, str]]:
    """Return (ecosystem without suffix, package) of what the advisories are about."""
    r = _sql.ranges.c
    found: set[tuple[str, str]] = set()
    for batch in staging.batches(advisories, NAMES_PER_QUERY):
        rows = connection.execute(
            sa.select(r.ecosystem, r.package).where(r.advisory.in_(batch)).distinct()
        )
        found |= {(row.ecosystem.partition(":")[0], row.package) for row in rows}
    return sorted(found)


def _packages(
    connection: sa.Connection, identifier: str, names: list[tuple[str, str]]
) -> list[tuple[int, Hole, str, str, str]]:
    """Return (row, hole, package, version, since when) of the versions that have the hole."""
    p, n = _sql.packages.c, _sql.package_names.c
    found: dict[tuple[int, str], tuple[int, Hole, str, str, str]] = {}
    for batch in staging.batches(names, NAMES_PER_QUERY):
        rows = connection.execute(
            sa.select(p.id, p.question, p.verdict, p.since)
            .join_from(_sql.package_names, _sql.packages, p.id == n.id)
            .where(sa.tuple_(n.ecosystem, n.package).in_(batch))
            .distinct()
        )
        for row in rows:
            name, version = verdicts.question_of(row.question).names[0]
            since = verdicts.decode_since(row.since)
            for hole in verdicts.decode(row.verdict):
                if identifier in hole.ids:
                    told = since.get(hole.ids[0], "")
                    found[row.id, hole.ids[0]] = (row.id, hole, name, version, told)
    return list(found.values())


def _holders(
    connection: sa.Connection, number: int, hole: Hole, told: tuple[str, str, str]
) -> list[Holder]:
    c, i = _sql.contents.c, _sql.images.c
    package, version, since = told
    rows = connection.execute(
        sa.select(i.digest, i.scanned_at, c.reach)
        .join_from(_sql.contents, _sql.images, i.id == c.image)
        .where(c.package == number, c.components > 0)
    )
    return [
        Holder(
            digest=Digest(row.digest),
            package=package,
            version=version,
            since=max(since, row.scanned_at),
            hole=hole,
            reach=Reach.of_rank(row.reach),
        )
        for row in rows
    ]
