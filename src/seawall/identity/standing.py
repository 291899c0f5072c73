"""Whether a token that was fine when it was issued still is.

Tokens carry their rights, so the hot path asks no database. What must end them early — a disabled
user, a changed password, a revoked grant — is a short list, read again at most every
`MAX_AGE`: that is how long a token survives its end.
"""

from __future__ import annotations

import datetime as dt
import threading
from typing import Final

import sqlalchemy as sa

from seawall.core.actor import Actor, ActorKind
from seawall.core.clock import Clock, from_text, to_text
from seawall.identity import _sql
from seawall.identity.model import ANONYMOUS_SUBJECT, AUTHENTICATED_SUBJECT
from seawall.store import Database

MAX_AGE: Final = dt.timedelta(seconds=3)
"""Together with the time of a request below the promised 5 s."""

TOKEN_LONGEST_LIFE: Final = dt.timedelta(hours=1)
"""A floor older than this voids nothing that has not expired by itself. One further ahead was set
by a clock that was wrong, and would lock its subject out until then."""


class Standing:
    """Answers from the list, and reads it again when it is old. Thread-safe."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._read_at: dt.datetime | None = None
        self._disabled: frozenset[str] = frozenset()
        self._floors: dict[str, dt.datetime] = {}
        self._lock = threading.Lock()

    def is_void(self, actor: Actor, issued: dt.datetime) -> bool:
        """Tell whether a token that `actor` got at `issued` was ended early.

        Blocks for one small query every `MAX_AGE`. Raises UnavailableError when the database does
        not answer: then nobody is let in.
        """
        self._refresh()
        if actor.kind is ActorKind.USER and actor.name in self._disabled:
            return True
        return any(
            issued <= self._floors[subject]
            for subject in _subjects(actor)
            if subject in self._floors
        )

    def _refresh(self) -> None:
        now = self._clock.now()
        # A negative age is a clock that was set back: read again too.
        if self._read_at is not None and dt.timedelta(0) <= now - self._read_at < MAX_AGE:
            return
        with self._lock, self._database.read() as connection:
            users, floors = _sql.users.c, _sql.token_floors.c
            disabled = connection.execute(sa.select(users.name).where(users.is_disabled))
            self._disabled = frozenset(disabled.scalars())
            recent = connection.execute(
                sa.select(floors.subject, floors.not_before).where(
                    floors.not_before.between(
                        to_text(now - TOKEN_LONGEST_LIFE), to_text(now + TOKEN_LONGEST_LIFE)
                    )
                )
            )
            self._floors = {row.subject: from_text(row.not_before) for row in recent}
            self._read_at = now


def void_tokens_until(connection: sa.Connection, subject: str, moment: dt.datetime) -> None:
    """End, inside the caller's transaction, the tokens of `subject` issued until `moment`."""
    floors = _sql.token_floors
    connection.execute(sa.delete(floors).where(floors.c.subject == subject))
    connection.execute(sa.insert(floors).values(subject=subject, not_before=to_text(moment)))


def _subjects(actor: Actor) -> tuple[str, ...]:
    match actor.kind:
        case ActorKind.USER:
            return actor.name, AUTHENTICATED_SUBJECT, ANONYMOUS_SUBJECT
        case ActorKind.ANONYMOUS:
            return (ANONYMOUS_SUBJECT,)
        case ActorKind.OPERATOR | ActorKind.SYSTEM:
            return ()
