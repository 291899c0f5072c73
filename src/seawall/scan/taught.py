"""A registry that teaches itself: what signed images hold is known where it was copied to.

The package database of an image is a claim of whoever built it. A hostile one can call malware
`openssl 3.0.15`, and whoever could make the registry believe that would hide the malware in every
other image. So:

    who teaches    only an image that a trusted key has signed, proven when it is judged; when the
                   signature counts no longer, what it taught is gone
    what           build ids of programs that a system package owns by its own list, with the
                   package and its distribution; no other files, so nothing is opened for it
    how much       `MAX_PER_IMAGE` and `MAX_ROWS`; beyond, nothing is learned
    what it says   a component with the evidence `taught` and half a confidence. It explains
                   nothing: the file stays among the unexplained, for that is what it is to whoever
                   has not learned the distribution's own packages
    disagreement   two products under one build id are both left unsaid
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa

from seawall.scan import _sql, staging
from seawall.scan.fingerprints.pack import LearnedPackage
from seawall.scan.inventory_facts import LayerFacts
from seawall.scan.inventory_view import View
from seawall.scan.model import PackageType
from seawall.store import Database

MAX_PER_IMAGE: Final = 20_000
MAX_ROWS: Final = 500_000
MIN_BUILD_ID: Final = 16
"""Hexadecimal digits; a shorter id could be anybody's."""

ROWS_PER_QUERY: Final = 300

Taught = tuple[str, LearnedPackage]


def programs_of(layers: Iterable[LayerFacts]) -> list[Taught]:
    """Return build id and package of the programs that packages own in an image of these layers,
    lowest first. Nothing without a distribution that has a name."""
    view = View()
    for layer in layers:
        view.lay(layer)
    release = view.distribution()
    if release is None:
        return []
    found: dict[str, LearnedPackage] = {}
    for executable, owner in view.owned_programs():
        if len(executable.build_id) < MIN_BUILD_ID or len(found) >= MAX_PER_IMAGE:
            continue
        found[executable.build_id] = LearnedPackage(
            type=owner.type,
            name=owner.name,
            version=owner.version,
            source_name=owner.source_name,
            source_version=owner.source_version,
            architecture=owner.architecture,
            distribution=str(release),
        )
    return list(found.items())


class TaughtPrograms:
    """What signed images taught, in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def has_taught(self, image: str) -> bool:
        with self._database.read() as connection:
            query = sa.select(_sql.taught.c.image).where(_sql.taught.c.image == image).limit(1)
            return connection.execute(query).scalar() is not None

    def teach(self, image: str, programs: Sequence[Taught]) -> int:
        """Keep what an image (`repository@digest`) teaches; return how much of it is new."""
        t = _sql.taught.c
        fresh = 0
        for batch in staging.batches(list(programs), ROWS_PER_QUERY):
            rows = [_row(image, build_id, package) for build_id, package in batch]
            wanted = t.build_id.in_([row["build_id"] for row in rows])
            query = sa.select(t.build_id, t.distribution, t.type, t.name, t.version).where(wanted)
            with self._database.read() as connection:
                known = {tuple(row) for row in connection.execute(query)}
            if not (rows := [row for row in rows if _key(row) not in known]):
                continue
            with self._database.write() as connection:
                known = {tuple(row) for row in connection.execute(query)}
                count = connection.execute(sa.select(sa.func.count(t.image))).scalar() or 0
                rows = [row for row in rows if _key(row) not in known][: max(0, MAX_ROWS - count)]
                if rows:
                    connection.execute(sa.insert(_sql.taught), rows)
            fresh += len(rows)
        return fresh

    def forget(self, image: str) -> None:
        """Drop what an image taught."""
        with self._database.write() as connection:
            connection.execute(sa.delete(_sql.taught).where(_sql.taught.c.image == image))

    def packages_with(self, build_id: str) -> list[LearnedPackage]:
        """Return the packages that were taught under a build id."""
        if len(build_id) < MIN_BUILD_ID:
            return []
        t = _sql.taught.c
        query = sa.select(_sql.taught).where(t.build_id == build_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(t.distribution, t.name, t.version)).all()
        return [
            LearnedPackage(
                type=PackageType(row.type),
                name=row.name,
                version=row.version,
                source_name=row.source_name,
                source_version=row.source_version,
                architecture=row.architecture,
                distribution=row.distribution,
            )
            for row in rows
        ]


def _row(image: str, build_id: str, package: LearnedPackage) -> dict[str, str]:
    return {
        "build_id": build_id,
        "distribution": package.distribution,
        "type": package.type.value,
        "name": package.name,
        "version": package.version,
        "source_name": package.source_name,
        "source_version": package.source_version,
        "architecture": package.architecture,
        "image": image,
    }


def _key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("build_id", "distribution", "type", "name", "version"))
