"""Receipts: which image, judged by which verdict, became which container, for whom.

A container without a receipt did not come through the gate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from seawall import audit
from seawall.core import clock
from seawall.core.actor import Actor
from seawall.core.errors import ConflictError, InvalidInputError
from seawall.fleet import _sql
from seawall.fleet.events import ContainerCreated
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.store import Database

LATEST_MAX: Final = 1000

_CONTAINER_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One container. `created_at` is RFC 3339 in UTC, `actor` is `kind:name`."""

    container_id: str
    engine: str
    repository: str
    digest: Digest
    image_asked: str
    actor: str
    verdict: int
    created_at: str


class Receipts:
    """The receipts of all engines."""

    def __init__(self, database: Database, clock: clock.Clock) -> None:
        self._database = database
        self._clock = clock

    def record(
        self,
        *,
        container_id: str,
        engine: str,
        repository: RepositoryName,
        digest: Digest,
        image_asked: str,
        verdict: int,
        actor: Actor,
        confinement: Mapping[str, object] | None = None,
    ) -> Receipt:
        """Write the receipt and its event, both or neither.

        `confinement` is what was added to the container, as plain JSON: it stands in the event.
        Raises InvalidInputError for something that is not a full container id, ConflictError when
        the container has a receipt already.
        """
        if _CONTAINER_ID.fullmatch(container_id) is None:
            raise InvalidInputError(f"{container_id[:80]!r} is not a full container id")
        now = self._clock.now()
        receipt = Receipt(
            container_id=container_id,
            engine=engine,
            repository=repository,
            digest=digest,
            image_asked=image_asked,
            actor=f"{actor.kind.value}:{actor.name}",
            verdict=verdict,
            created_at=clock.to_text(now),
        )
        event = ContainerCreated(
            repository=str(repository),
            digest=str(digest),
            container=container_id,
            engine=engine,
            image=image_asked,
            verdict=verdict,
            confinement=dict(confinement or {}),
        )
        with self._database.write() as connection:
            _insert(connection, receipt)
            audit.record(connection, event, actor=actor, at=now)
        return receipt

    def for_container(self, container_id: str) -> Receipt | None:
        """Return the receipt of the container with this full id."""
        found = self._select(_sql.receipts.c.container_id == container_id, limit=1)
        return found[0] if found else None

    def by_digest(self, digest: Digest) -> tuple[Receipt, ...]:
        """Return the receipts of an image's containers, newest first, at most `LATEST_MAX`."""
        return self._select(_sql.receipts.c.digest == digest, limit=LATEST_MAX)

    def latest(self, n: int) -> tuple[Receipt, ...]:
        """Return the `n` newest receipts (at most `LATEST_MAX`), newest first."""
        return self._select(sa.true(), limit=max(0, min(n, LATEST_MAX)))

    def _select(self, condition: sa.ColumnElement[bool], *, limit: int) -> tuple[Receipt, ...]:
        query = (
            sa.select(_sql.receipts)
            .where(condition)
            .order_by(_sql.receipts.c.number.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return tuple(_receipt(row) for row in connection.execute(query))


def _insert(connection: sa.Connection, receipt: Receipt) -> None:
    names = (column.name for column in _sql.receipts.c if column.name != "number")
    try:
        connection.execute(
            sa.insert(_sql.receipts).values({name: getattr(receipt, name) for name in names})
        )
    except sa.exc.IntegrityError as error:
        raise ConflictError(f"container {receipt.container_id} has a receipt already") from error


def _receipt(row: sa.Row[tuple[object, ...]]) -> Receipt:
    return Receipt(
        container_id=row.container_id,
        engine=row.engine,
        repository=row.repository,
        digest=Digest(row.digest),
        image_asked=row.image_asked,
        actor=row.actor,
        verdict=row.verdict,
        created_at=row.created_at,
    )
