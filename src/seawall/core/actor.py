"""Who does something: the subject of every event."""

from __future__ import annotations

import enum

import msgspec


class ActorKind(enum.StrEnum):
    USER = "user"  # a person or robot that proved who it is
    ANONYMOUS = "anonymous"  # nobody in particular
    OPERATOR = "operator"  # a shell on the server's own machine, with access to the state directory
    SYSTEM = "system"  # Seawall itself: workers, supervisor


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """A subject. `name` is unique within its kind."""

    kind: ActorKind
    name: str

    def __str__(self) -> str:
        return self.name if self.kind is ActorKind.USER else f"{self.kind}:{self.name}"


ANONYMOUS = Actor(kind=ActorKind.ANONYMOUS, name="anonymous")
SYSTEM = Actor(kind=ActorKind.SYSTEM, name="seawall")


def user(name: str) -> Actor:
    """Return the actor for the user called `name`."""
    return Actor(kind=ActorKind.USER, name=name)


def operator(name: str) -> Actor:
    """Return the actor for a local shell of the operating-system user `name`."""
    return Actor(kind=ActorKind.OPERATOR, name=name)
