"""Login sessions of the pages.

A session's id is 256 random bits that only the browser knows: the table holds its hash. It ends
twelve hours after it began, one hour after it was last used, at logout, when the user is disabled
and when the password changes, whichever is first. It always begins with a new id.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from seawall import audit
from seawall.core.clock import Clock, from_text, to_text
from seawall.core.secret import Secret
from seawall.identity import _sql, events
from seawall.identity.errors import InvalidCredentialsError
from seawall.identity.model import User
from seawall.store import Database

ABSOLUTE_LIFE: Final = dt.timedelta(hours=12)
IDLE_LIFE: Final = dt.timedelta(hours=1)
TOUCH_EVERY: Final = dt.timedelta(minutes=1)
ID_BYTES: Final = 32
ID_MAX_CHARACTERS: Final = 64
MAX_PER_USER: Final = 20
"""Of more sessions of one user, the oldest end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A living session. `csrf` stands in every form of its pages."""

    user: User
    csrf: Secret
    created: dt.datetime
    expires: dt.datetime


class Sessions:
    """The sessions. Every method blocks."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def begin(self, user: User) -> Secret:
        """Begin a session for a user who just proved who they are; return its id, for the cookie.

        Raises InvalidCredentialsError when the user was disabled meanwhile.
        """
        session_id, now = secrets.token_urlsafe(ID_BYTES), self._clock.now()
        with self._database.write() as connection:
            if _is_disabled(connection, user.name):
                raise InvalidCredentialsError("the user cannot sign in")
            _drop_ended(connection, now)
            _drop_oldest(connection, user.name, keep=MAX_PER_USER - 1)
            connection.execute(
                sa.insert(_sql.sessions).values(
                    id_hash=_hash(session_id),
                    user=user.name,
                    csrf=secrets.token_urlsafe(ID_BYTES),
                    created=to_text(now),
                    expires=to_text(now + ABSOLUTE_LIFE),
                    last_seen=to_text(now),
                )
            )
            event = events.LoginSucceeded(name=user.name)
            audit.record(connection, event, actor=user.actor, at=now)
        return Secret(session_id)

    def find(self, session_id: str) -> Session | None:
        """Return the living session with this id, and note that it was used; None if it ended."""
        if not 0 < len(session_id) <= ID_MAX_CHARACTERS:
            return None
        now = self._clock.now()
        with self._database.read() as connection:
            row = _row(connection, session_id)
        if row is None or row.is_disabled or not _is_alive(row, now):
            return None
        if now - from_text(row.last_seen) >= TOUCH_EVERY:
            self._touch(session_id, now)
        return Session(
            user=User(
                name=row.user,
                is_administrator=bool(row.is_administrator),
                is_disabled=False,
                created=from_text(row.user_created),
            ),
            csrf=Secret(row.csrf),
            created=from_text(row.created),
            expires=from_text(row.expires),
        )

    def end(self, session_id: str) -> None:
        """End the session with this id, if there is one."""
        c = _sql.sessions.c
        with self._database.write() as connection:
            connection.execute(sa.delete(_sql.sessions).where(c.id_hash == _hash(session_id)))

    def _touch(self, session_id: str, now: dt.datetime) -> None:
        c = _sql.sessions.c
        with self._database.write_beside() as connection:
            connection.execute(
                sa.update(_sql.sessions)
                .where(c.id_hash == _hash(session_id))
                .values(last_seen=to_text(now))
            )


def _row(connection: sa.Connection, session_id: str) -> sa.Row[tuple[object, ...]] | None:
    s, u = _sql.sessions.c, _sql.users.c
    query = (
        sa.select(_sql.sessions, u.is_administrator, u.is_disabled, u.created.label("user_created"))
        .join_from(_sql.sessions, _sql.users, s.user == u.name)
        .where(s.id_hash == _hash(session_id))
    )
    return connection.execute(query).first()


def _is_alive(row: sa.Row[tuple[object, ...]], now: dt.datetime) -> bool:
    created, last_seen = from_text(row.created), from_text(row.last_seen)
    # A moment long before the session began is a clock that was set back: when in doubt, end it.
    return created - TOUCH_EVERY <= now < from_text(row.expires) and now - last_seen < IDLE_LIFE


def _drop_ended(connection: sa.Connection, now: dt.datetime) -> None:
    c = _sql.sessions.c
    connection.execute(
        sa.delete(_sql.sessions).where(
            sa.or_(c.expires <= to_text(now), c.last_seen <= to_text(now - IDLE_LIFE))
        )
    )


def _drop_oldest(connection: sa.Connection, user: str, *, keep: int) -> None:
    c = _sql.sessions.c
    newest = sa.select(c.id_hash).where(c.user == user).order_by(c.created.desc()).limit(keep)
    connection.execute(sa.delete(_sql.sessions).where(c.user == user, c.id_hash.not_in(newest)))


def _is_disabled(connection: sa.Connection, user: str) -> bool:
    c = _sql.users.c
    query = sa.select(c.is_disabled).where(c.name == user)
    return bool(connection.execute(query).scalar_one_or_none() is not False)


def _hash(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).digest()
