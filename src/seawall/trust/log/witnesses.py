"""Witnesses: who may co-sign the log's checkpoints, and what they co-signed.

A witness co-signs a checkpoint only after it has seen that the log has grown from what it co-signed
before. So a log that shows two histories needs the help of every witness that its readers ask for.
"""

from __future__ import annotations

import sqlalchemy as sa

from seawall import audit
from seawall.core import actor as actors
from seawall.core import clock
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import ConflictError, DeniedError, LimitError, NotFoundError
from seawall.store import Database
from seawall.trust import _sql
from seawall.trust.events import CheckpointCosigned, WitnessAccepted, WitnessDropped
from seawall.trust.log import notes, transparency
from seawall.trust.log.notes import WitnessKey

MAX_WITNESSES = 32


class Witnesses:
    """The witnesses of this installation's log. Every method blocks."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def accept(self, key: WitnessKey, *, actor: Actor) -> None:
        """Take co-signatures by `key` from now on. Raises ConflictError or LimitError."""
        with self._database.write() as connection:
            known = {one.name: one for one in _rows(connection)}
            if known.get(key.name) == key:
                return
            if key.name in known:
                raise ConflictError(
                    f"another key is the witness {key.name}", remedy="drop that one first"
                )
            if len(known) >= MAX_WITNESSES:
                raise LimitError(f"the log has {MAX_WITNESSES} witnesses already")
            now = self._clock.now()
            row = {"name": key.name, "public": key.public, "added_at": clock.to_text(now)}
            connection.execute(sa.insert(_sql.log_witnesses).values(row))
            audit.record(
                connection, WitnessAccepted(name=key.name, key=str(key)), actor=actor, at=now
            )

    def drop(self, name: str, *, actor: Actor) -> None:
        """Take no more co-signatures by the witness; those that are there stay.

        Raises NotFoundError.
        """
        c = _sql.log_witnesses.c
        with self._database.write() as connection:
            gone = connection.execute(sa.delete(_sql.log_witnesses).where(c.name == name))
            if not gone.rowcount:
                raise NotFoundError(f"there is no witness {name[:80]!r}")
            audit.record(connection, WitnessDropped(name=name), actor=actor, at=self._clock.now())

    def list(self) -> tuple[WitnessKey, ...]:
        """Return all, by name."""
        with self._database.read() as connection:
            return _rows(connection)

    def cosign(self, line: notes.Signature, *, size: int) -> bool:
        """Keep the line of a witness below the checkpoint of `size`; tell whether it is news.

        Raises DeniedError for one that is no witness of this log, NotFoundError when there is no
        such checkpoint, InvalidInputError when the line does not hold.
        """
        with self._database.write() as connection:
            key = next((one for one in _rows(connection) if one.name == line.name), None)
            if key is None:
                raise DeniedError(
                    f"{line.name[:80]!r} is no witness of this log",
                    remedy="its operator accepts one with: seawall log accept-witness",
                )
            now = self._clock.now()
            is_new = transparency.add_cosignature(connection, line, size=size, key=key, now=now)
            if is_new:
                event = CheckpointCosigned(witness=key.name, size=size)
                audit.record(connection, event, actor=actors.SYSTEM, at=now)
            return is_new


def _rows(connection: sa.Connection) -> tuple[WitnessKey, ...]:
    query = sa.select(_sql.log_witnesses).order_by(_sql.log_witnesses.c.name)
    return tuple(
        WitnessKey(name=row.name, public=bytes(row.public)) for row in connection.execute(query)
    )
