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
from seawall.oci.names import REPOSITORY_MAX_CHARACTERS, RepositoryName

ANONYMOUS_SUBJECT: Final = "anonymous"
"""A grant to this word is for everyone, whether they say who they are or not."""

AUTHENTICATED_SUBJECT: Final = "authenticated"
"""A grant to this word is for everyone who proved who they are."""

RESERVED_NAMES: Final = frozenset(
    {ANONYMOUS_SUBJECT, AUTHENTICATED_SUBJECT, "operator", "system", "seawall"}
)
"""No user may be called so: a grant or an entry in the log would mean someone else."""

_USER_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", re.ASCII)
_LITERAL: Final = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*", re.ASCII)
_PREFIX: Final = re.compile(r"(?:[a-z0-9][a-z0-9._-]*)?", re.ASCII)


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
    """Which repositories a grant is for.

    A repository name in which `*` may stand in two places:

    - as a whole segment that is not the last: exactly one segment (`*/app`, `team/*/base`);
    - at the very end: any rest of the name, `/` included (`*` is every repository, `team/*` is
      everything below `team` but not `team` itself, `team/app*` is `team/app`, `team/apple` and
      `team/app/x`).
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Raises InvalidInputError unless `text` follows the rules above."""
        *inner, last = text.split("/")
        is_valid = (
            0 < len(text) <= REPOSITORY_MAX_CHARACTERS
            and all(part == "*" or _LITERAL.fullmatch(part) for part in inner)
            and (
                _LITERAL.fullmatch(last) is not None
                or (last.endswith("*") and _PREFIX.fullmatch(last[:-1]) is not None)
            )
        )
        if not is_valid:
            raise InvalidInputError(
                f"{text[:220]!r} is not a pattern of repositories",
                remedy="write a name, `*` for one whole segment, or one `*` at the end",
            )
        return cls(text)

    def matches(self, repository: RepositoryName) -> bool:
        """Tell whether `repository` is among those that the pattern means."""
        return _matches(self.split("/"), repository.split("/"))


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


def _matches(pattern: list[str], name: list[str]) -> bool:
    *inner, last = pattern
    if len(name) < len(pattern):
        return False
    if any(want not in ("*", have) for want, have in zip(inner, name, strict=False)):
        return False
    rest = "/".join(name[len(inner) :])
    return rest.startswith(last[:-1]) if last.endswith("*") else rest == last
