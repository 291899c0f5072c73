"""A registry that teaches itself: what signed images hold is known where it was copied to.

The package database of an image is a claim of whoever built it. A hostile one can call malware
`openssl 3.0.15`, and whoever could make the registry believe that would hide the malware in every
other image. So:

    who teaches    only an image that a trusted key has signed, proven when it is judged; its word
                   counts as long as the key is trusted
    what           build ids of programs that a system package owns by its own list, with the
                   package and its distribution; no other files, so nothing is opened for it
    how much       `MAX_PER_IMAGE` and `MAX_ROWS`; beyond, nothing is learned
    what it says   a component with the evidence `taught` and half a confidence. It explains
                   nothing: the file stays among the unexplained, for that is what it is to whoever
                   has not learned the distribution's own packages
    disagreement   two products under one build id are both left unsaid
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
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

_KEY: Final = ("build_id", "distribution", "type", "name", "version", "key_id")

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

    def has_taught(self, image: str, key_id: str) -> bool:
        """Tell whether an image (`repository@digest`) was learned from by this key's word."""
        c = _sql.teachers.c
        query = sa.select(c.image).where(c.image == image, c.key_id == key_id)
        with self._database.read() as connection:
            return connection.execute(query).scalar() is not None

    def teach(self, image: str, key_id: str, programs: Sequence[Taught]) -> int:
        """Keep what an image teaches that this key has signed; return how much of it is new."""
        fresh = sum(
            self._keep([_row(key_id, build_id, package) for build_id, package in batch])
            for batch in staging.batches(list(programs), ROWS_PER_QUERY)
        )
        if not self.has_taught(image, key_id):
            with self._database.write() as connection:
                row = {"image": image, "key_id": key_id}
                connection.execute(sa.delete(_sql.teachers).filter_by(**row))
                connection.execute(sa.insert(_sql.teachers).values(row))
        return fresh

    def trusting(self, key_ids: Collection[str]) -> Callable[[str], list[LearnedPackage]]:
        """Return what finds the packages under a build id, by the word of these keys alone."""
        return lambda build_id: self._packages_with(build_id, sorted(key_ids))

    def _packages_with(self, build_id: str, key_ids: Sequence[str]) -> list[LearnedPackage]:
        if len(build_id) < MIN_BUILD_ID:
            return []
        t = _sql.taught.c
        query = sa.select(_sql.taught).where(t.build_id == build_id, t.key_id.in_(key_ids))
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

    def _keep(self, rows: Sequence[dict[str, str]]) -> int:
        t = _sql.taught.c
        columns = [t[name] for name in _KEY]
        query = sa.select(*columns).where(t.build_id.in_([row["build_id"] for row in rows]))
        with self._database.read() as connection:
            known = {tuple(row) for row in connection.execute(query)}
        if all(_key(row) in known for row in rows):
            return 0
        with self._database.write() as connection:
            known = {tuple(row) for row in connection.execute(query)}
            count = connection.execute(sa.select(sa.func.count(t.build_id))).scalar() or 0
            fresh = [row for row in rows if _key(row) not in known][: max(0, MAX_ROWS - count)]
            if fresh:
                connection.execute(sa.insert(_sql.taught), fresh)
        return len(fresh)


def _row(key_id: str, build_id: str, package: LearnedPackage) -> dict[str, str]:
    return {
        "build_id": build_id,
        "distribution": package.distribution,
        "type": package.type.value,
        "name": package.name,
        "version": package.version,
        "key_id": key_id,
        "source_name": package.source_name,
        "source_version": package.source_version,
        "architecture": package.architecture,
    }


def _key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in _KEY)
