"""Grants: who may do what to which repositories.

They only add. Revoking one voids the tokens that may carry its right within seconds; clients fetch
new ones by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from seawall import audit
from seawall.core.actor import Actor, ActorKind
from seawall.core.clock import Clock
from seawall.core.errors import InvalidInputError, NotFoundError
from seawall.identity import _sql, events, model, standing
from seawall.identity.model import (
    ALL_ACTIONS,
    ANONYMOUS_SUBJECT,
    AUTHENTICATED_SUBJECT,
    Action,
    Grant,
    Pattern,
)
from seawall.oci.names import RepositoryName
from seawall.store import Database


class Grants:
    """The grants. Every method blocks."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def grant(
        self, subject: str, pattern: str, actions: Iterable[Action], *, actor: Actor
    ) -> Grant:
        """Give `subject` the `actions` on `pattern`, in place of what it had on that pattern.

        `subject` is the name of a user, `anonymous` or `authenticated`. Raises InvalidInputError,
        NotFoundError for an unknown user.
        """
        grant = Grant(subject=subject, pattern=Pattern.parse(pattern), actions=frozenset(actions))
        if not grant.actions:
            raise InvalidInputError(
                "a grant of no action", remedy="name at least one of pull, push, delete"
            )
        if subject == ANONYMOUS_SUBJECT and grant.actions != {Action.PULL}:
            raise InvalidInputError(
                "anonymous callers can be granted nothing but pull",
                remedy="grant push and delete to users, or to `authenticated`",
            )
        with self._database.write() as connection:
            _require_subject(connection, subject)
            if self._delete(connection, subject, grant.pattern):
                standing.void_tokens_until(connection, subject, self._clock.now())
            connection.execute(
                sa.insert(_sql.grants).values(
                    subject=subject, pattern=str(pattern), actions=",".join(sorted(grant.actions))
                )
            )
            event = events.GrantAdded(
                subject=subject, pattern=str(pattern), actions=sorted(grant.actions)
            )
            audit.record(connection, event, actor=actor, at=self._clock.now())
        return grant

    def revoke(self, subject: str, pattern: str, *, actor: Actor) -> None:
        """Take back the grant of `subject` on exactly `pattern`. Raises NotFoundError."""
        with self._database.write() as connection:
            if not self._delete(connection, subject, pattern):
                raise NotFoundError(f"{subject[:80]!r} has no grant on {pattern[:220]!r}")
            standing.void_tokens_until(connection, subject, self._clock.now())
            event = events.GrantRemoved(subject=subject, pattern=pattern)
            audit.record(connection, event, actor=actor, at=self._clock.now())

    def list(self) -> list[Grant]:
        """Return all grants, by subject and pattern."""
        c = _sql.grants.c
        with self._database.read() as connection:
            query = sa.select(_sql.grants).order_by(c.subject, c.pattern)
            return [_grant(row) for row in connection.execute(query)]

    def of(self, actor: Actor) -> tuple[Grant, ...]:
        """Return all that `actor` is granted now.

        Everything for an administrator, nothing for a disabled or unknown user. The operator of
        the machine and Seawall itself need no grants and have none: see `may`.
        """
        c = _sql.grants.c
        subjects = [ANONYMOUS_SUBJECT]
        with self._database.read() as connection:
            match actor.kind:
                case ActorKind.OPERATOR | ActorKind.SYSTEM:
                    return ()
                case ActorKind.USER:
                    user = connection.execute(
                        sa.select(_sql.users).where(_sql.users.c.name == actor.name)
                    ).first()
                    if user is None or user.is_disabled:
                        return ()
                    if user.is_administrator:
                        return (_everything(actor),)
                    subjects += [AUTHENTICATED_SUBJECT, actor.name]
                case ActorKind.ANONYMOUS:
                    pass
            query = sa.select(_sql.grants).where(c.subject.in_(subjects))
            return tuple(_grant(row) for row in connection.execute(query))

    def may(self, actor: Actor, action: Action, repository: RepositoryName) -> bool:
        """Tell whether `actor` may do `action` to `repository` now.

        The operator and Seawall itself may everything: they can read the disk anyway.
        """
        return _is_root(actor) or model.may(self.of(actor), actor, action, repository)

    def _delete(self, connection: sa.Connection, subject: str, pattern: str) -> bool:
        c = _sql.grants.c
        result = connection.execute(
            sa.delete(_sql.grants).where(c.subject == subject, c.pattern == pattern)
        )
        return result.rowcount > 0


def _is_root(actor: Actor) -> bool:
    return actor.kind in (ActorKind.OPERATOR, ActorKind.SYSTEM)


def _everything(actor: Actor) -> Grant:
    return Grant(subject=actor.name, pattern=Pattern("**"), actions=ALL_ACTIONS)


def _require_subject(connection: sa.Connection, subject: str) -> None:
    if subject in (ANONYMOUS_SUBJECT, AUTHENTICATED_SUBJECT):
        return
    query = sa.select(_sql.users.c.name).where(_sql.users.c.name == subject)
    if connection.execute(query).first() is None:
        raise NotFoundError(
            f"there is no user called {subject[:80]!r}",
            remedy="create the user first, or grant to `anonymous` or `authenticated`",
        )


def _grant(row: sa.Row[tuple[object, ...]]) -> Grant:
    return Grant(
        subject=row.subject,
        pattern=Pattern(row.pattern),
        actions=frozenset(map(Action, row.actions.split(","))),
    )
