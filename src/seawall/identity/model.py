"""The words of this room: users, grants, and the patterns that grants name repositories by.

`may` is the whole evaluator. It is pure and only ever adds: no grant, no right; one more grant
never takes a right away.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seawall.core import actor as actors
from seawall.core.actor import Actor
from seawall.core.errors import InvalidInputError
from seawall.oci import patterns
from seawall.oci.names import RepositoryName

ANONYMOUS_SUBJECT: Final = "anonymous"
"""A grant to this word is for everyone, whether they say who they are or not."""

AUTHENTICATED_SUBJECT: Final = "authenticated"
"""A grant to this word is for everyone who proved who they are."""

RESERVED_NAMES: Final = frozenset(
    {ANONYMOUS_SUBJECT, AUTHENTICATED_SUBJECT, "operator", "system", "seawall"}
)
"""No user may be called so: a grant or an entry in the log would mean someone else."""

_USER_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", re.ASCII)


class Action(enum.StrEnum):
    """What can be done to a repository."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"


ALL_ACTIONS: Final = frozenset(Action)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or robot. `name` is unique and never given to anyone else."""

    name: str
    is_administrator: bool
    is_disabled: bool
    created: dt.datetime

    @property
    def actor(self) -> Actor:
        return actors.user(self.name)


class Pattern(str):
    """Which repositories a grant is for, well-formed (see `seawall.oci.patterns`)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Raises InvalidInputError unless `text` is a pattern of repositories."""
        patterns.check(text)
        return cls(text)

    def matches(self, repository: RepositoryName) -> bool:
        """Tell whether `repository` is among those that the pattern means."""
        return patterns.is_match(self, repository)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A right. `subject` is a user's name, `anonymous` or `authenticated`."""

    subject: str
    pattern: Pattern
    actions: frozenset[Action]

    def is_for(self, actor: Actor) -> bool:
        """Tell whether the grant's subject includes `actor`."""
        if self.subject == ANONYMOUS_SUBJECT:
            return True
        if actor.kind is not actors.ActorKind.USER:
            return False
        return self.subject in (AUTHENTICATED_SUBJECT, actor.name)


def may(grants: Iterable[Grant], actor: Actor, action: Action, repository: RepositoryName) -> bool:
    """Tell whether one of `grants` gives `actor` the right to do `action` to `repository`."""
    return any(
        action in grant.actions and grant.is_for(actor) and grant.pattern.matches(repository)
        for grant in grants
    )


def parse_user_name(text: str) -> str:
    """Return `text` if it can name a user. Raises InvalidInputError."""
    if _USER_NAME.fullmatch(text) is None or text in RESERVED_NAMES:
        raise InvalidInputError(
            f"{text[:80]!r} cannot be the name of a user",
            remedy="use 1 to 64 of a-z 0-9 . _ - with a letter or digit at both ends, and none of "
            + ", ".join(sorted(RESERVED_NAMES)),
        )
    return text
