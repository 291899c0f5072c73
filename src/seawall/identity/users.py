"""Users and their passwords.

A name is never deleted or given to someone else, since the log speaks of it; a user is disabled.
The last administrator cannot be. Whoever changes a password or disables a user also ends the
user's sessions and voids the tokens issued until then, in the same transaction.
"""

from __future__ import annotations

import datetime as dt
import hmac
import secrets
import threading
from collections import OrderedDict
from typing import Final

import sqlalchemy as sa

from seawall import audit
from seawall.core import actor as actors
from seawall.core.actor import Actor
from seawall.core.clock import Clock, from_text, to_text
from seawall.core.errors import ConflictError, NotFoundError
from seawall.identity import _sql, events, passwords, standing
from seawall.identity.attempts import Attempts
from seawall.identity.errors import InvalidCredentialsError
from seawall.identity.model import User, parse_user_name
from seawall.identity.passwords import Passwords
from seawall.store import Database

FIRST_ADMINISTRATOR: Final = "admin"

RECENT: Final = dt.timedelta(minutes=1)
"""How long a password that was right is known to be right without hashing it again: clients such
as CI and nodes fetch dozens of tokens in a row with the same password."""
MAX_RECENT: Final = 1_024

FAILURES_RECORDED_PER_MINUTE: Final = 30

_WRONG: Final = "the name or the password is wrong"


class Users:
    """The users. Every method blocks; those that hash take a tenth of a second."""

    def __init__(
        self, database: Database, clock: Clock, *, hashing: Passwords | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = hashing or Passwords()
        self._attempts = Attempts(clock)
        self._recent = _RecentlyRight(clock)
        self._failure_log = _FailureLog(clock)

    def create(
        self, name: str, password: str, *, is_administrator: bool = False, actor: Actor
    ) -> User:
        """Add a user. Raises InvalidInputError, or ConflictError when the name was ever taken."""
        parse_user_name(name)
        passwords.check_new(password, name=name)
        password_hash = self._passwords.hash(password)
        with self._database.write() as connection:
            if _row(connection, name) is not None:
                raise ConflictError(f"a user called {name} exists", remedy="choose another name")
            return self._insert(connection, name, password_hash, is_administrator, actor)

    def ensure_first_administrator(self, *, actor: Actor = actors.SYSTEM) -> str | None:
        """Create the administrator `admin` when there is no user at all.

        Returns the random password, to be shown once and kept nowhere; None when users exist.
        """
        if self.list():
            return None
        password = passwords.generate()
        password_hash = self._passwords.hash(password)
        with self._database.write() as connection:
            if connection.execute(sa.select(_sql.users.c.name).limit(1)).first() is not None:
                return None
            self._insert(connection, FIRST_ADMINISTRATOR, password_hash, True, actor)
        return password

    def authenticate(self, name: str, password: str) -> User:
        """Return the user whom `name` and `password` prove.

        Raises InvalidCredentialsError for a wrong or disabled user and a wrong password alike, in
        the same time; TooManyAttemptsError while the name has to wait after failures.
        """
        self._attempts.check(name)
        with self._database.read() as connection:
            row = _row(connection, name)
        password_hash = None if row is None else str(row.password_hash)
        if not self._recent.holds(name, password, password_hash):
            is_right = self._passwords.is_right(password, password_hash)
            # Guesses sent side by side all passed the first check: none of them learns anything
            # once enough of the others have failed.
            self._attempts.check(name)
            if not is_right:
                self._note_failure(name, is_known=row is not None)
                raise InvalidCredentialsError(_WRONG)
            self._recent.add(name, password, password_hash)
        if row is None or row.is_disabled:
            raise InvalidCredentialsError(_WRONG)
        self._attempts.succeeded(name)
        return _user(row)

    def set_password(self, name: str, password: str, *, actor: Actor) -> None:
        """Change a password, end the user's sessions and void their tokens."""
        passwords.check_new(password, name=name)
        password_hash = self._passwords.hash(password)
        with self._database.write() as connection:
            self._require(connection, name)
            self._update(connection, name, password_hash=password_hash)
            self._end_everything(connection, name)
            self._record(connection, events.PasswordChanged(name=name), actor)
        self._attempts.succeeded(name)

    def disable(self, name: str, *, actor: Actor) -> None:
        """Shut a user out everywhere: passwords, sessions, tokens, client certificates.

        Raises NotFoundError, or ConflictError for the last administrator.
        """
        with self._database.write() as connection:
            user = self._require(connection, name)
            if user.is_disabled:
                return
            if user.is_administrator and _enabled_administrators(connection) == {name}:
                raise ConflictError(
                    f"{name} is the last administrator", remedy="make another one first"
                )
            self._update(connection, name, is_disabled=True)
            self._end_everything(connection, name)
            self._record(connection, events.UserDisabled(name=name), actor)

    def enable(self, name: str, *, actor: Actor) -> None:
        """Let a disabled user in again."""
        with self._database.write() as connection:
            if self._require(connection, name).is_disabled:
                self._update(connection, name, is_disabled=False)
                self._record(connection, events.UserEnabled(name=name), actor)

    def get(self, name: str) -> User:
        """Return the user called `name`. Raises NotFoundError."""
        with self._database.read() as connection:
            return self._require(connection, name)

    def list(self) -> list[User]:
        """Return all users by name."""
        with self._database.read() as connection:
            query = sa.select(_sql.users).order_by(_sql.users.c.name)
            return [_user(row) for row in connection.execute(query)]

    def _insert(
        self,
        connection: sa.Connection,
        name: str,
        password_hash: str,
        is_administrator: bool,
        actor: Actor,
    ) -> User:
        user = User(
            name=name,
            is_administrator=is_administrator,
            is_disabled=False,
            created=self._clock.now(),
        )
        connection.execute(
            sa.insert(_sql.users).values(
                name=name,
                password_hash=password_hash,
                is_administrator=is_administrator,
                is_disabled=False,
                created=to_text(user.created),
            )
        )
        event = events.UserCreated(name=name, is_administrator=is_administrator)
        self._record(connection, event, actor)
        return user

    def _require(self, connection: sa.Connection, name: str) -> User:
        row = _row(connection, name)
        if row is None:
            raise NotFoundError(f"there is no user called {name[:80]!r}")
        return _user(row)

    def _update(self, connection: sa.Connection, name: str, **values: object) -> None:
        connection.execute(sa.update(_sql.users).where(_sql.users.c.name == name).values(**values))

    def _end_everything(self, connection: sa.Connection, name: str) -> None:
        connection.execute(sa.delete(_sql.sessions).where(_sql.sessions.c.user == name))
        standing.void_tokens_until(connection, name, self._clock.now())

    def _record(self, connection: sa.Connection, event: audit.Event, actor: Actor) -> None:
        audit.record(connection, event, actor=actor, at=self._clock.now())

    def _note_failure(self, name: str, *, is_known: bool) -> None:
        failures = self._attempts.failed(name)
        unrecorded = self._failure_log.admit(failures)
        if unrecorded is None:
            return
        event = events.LoginFailed(
            name=name if is_known else "", failures=failures, unrecorded=unrecorded
        )
        with self._database.write() as connection:
            self._record(connection, event, actors.ANONYMOUS)


class _RecentlyRight:
    """Remembers, as keyed hashes under a key that dies with the process, what was just right."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[str, tuple[bytes, dt.datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def holds(self, name: str, password: str, password_hash: str | None) -> bool:
        with self._lock:
            seal, since = self._known.get(name, (b"", self._clock.now()))
        is_fresh = dt.timedelta(0) <= self._clock.now() - since < RECENT
        return is_fresh and hmac.compare_digest(seal, self._seal(password, password_hash))

    def add(self, name: str, password: str, password_hash: str | None) -> None:
        with self._lock:
            self._known[name] = (self._seal(password, password_hash), self._clock.now())
            self._known.move_to_end(name)
            while len(self._known) > MAX_RECENT:
                self._known.popitem(last=False)

    def _seal(self, password: str, password_hash: str | None) -> bytes:
        # Bound to the stored hash: a changed password is not right any more at once.
        stored = (password_hash or "").encode()
        text = password.encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, len(stored).to_bytes(4, "big") + stored + text, "sha256")


class _FailureLog:
    """Decides which failures stand in the log, so that nobody can flood it from outside."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minute = clock.now()
        self._recorded = 0
        self._unrecorded = 0
        self._lock = threading.Lock()

    def admit(self, failures: int) -> int | None:
        """Return how many were left out before this one, or None to leave this one out too."""
        now = self._clock.now()
        with self._lock:
            if not dt.timedelta(0) <= now - self._minute < dt.timedelta(minutes=1):
                self._minute, self._recorded = now, 0
            is_power_of_two = failures & (failures - 1) == 0
            if not is_power_of_two or self._recorded >= FAILURES_RECORDED_PER_MINUTE:
                self._unrecorded += 1
                return None
            self._recorded += 1
            unrecorded, self._unrecorded = self._unrecorded, 0
            return unrecorded


def _row(connection: sa.Connection, name: str) -> sa.Row[tuple[object, ...]] | None:
    return connection.execute(sa.select(_sql.users).where(_sql.users.c.name == name)).first()


def _user(row: sa.Row[tuple[object, ...]]) -> User:
    return User(
        name=row.name,
        is_administrator=bool(row.is_administrator),
        is_disabled=bool(row.is_disabled),
        created=from_text(row.created),
    )


def _enabled_administrators(connection: sa.Connection) -> set[str]:
    c = _sql.users.c
    query = sa.select(c.name).where(c.is_administrator, sa.not_(c.is_disabled))
    return set(connection.execute(query).scalars())
