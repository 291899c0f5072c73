"""Names in Notary v1: the GUN of a collection and the roles of its tree."""

from __future__ import annotations

import re
from typing import Final

from seawall.core.errors import InvalidInputError
from seawall.oci.names import Reference, RepositoryName

ROLE_MAX_CHARACTERS: Final = 255
_DELEGATION: Final = re.compile(r"targets(?:/[-a-z0-9_]+)+", re.ASCII)


class Gun(str):
    """Globally unique name: host, port and repository of an image, without tag."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Gun:
        """Raises InvalidInputError unless it is `HOST[:PORT]/REPOSITORY`."""
        reference = Reference.parse(text)
        if reference.host is None or text != f"{reference.host}/{reference.repository}":
            raise InvalidInputError(
                f"{text[:260]!r} is not the name of a collection",
                remedy="it is HOST[:PORT]/REPOSITORY, without a tag",
            )
        return cls(text)

    @classmethod
    def of(cls, host: str, repository: RepositoryName) -> Gun:
        return cls(f"{host}/{repository}")

    @property
    def host(self) -> str:
        return self.partition("/")[0]

    @property
    def repository(self) -> RepositoryName:
        return RepositoryName(self.partition("/")[2])


class Role(str):
    """One of the four base roles, or a delegation `targets/NAME[/NAME…]`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Role:
        """Raises InvalidInputError for anything that clients would not take for a role."""
        if text in _BASE:
            return cls(text)
        return cls.parse_delegation(text)

    @classmethod
    def parse_delegation(cls, text: str) -> Role:
        """Like `parse`, for delegations alone."""
        if len(text) > ROLE_MAX_CHARACTERS or _DELEGATION.fullmatch(text) is None:
            raise InvalidInputError(f"{text[:80]!r} is not a role")
        return cls(text)

    @property
    def is_delegation(self) -> bool:
        return "/" in self

    @property
    def is_targets(self) -> bool:
        """Whether its file lists targets: `targets` itself, or a delegation."""
        return self == TARGETS or self.is_delegation

    @property
    def parent(self) -> Role | None:
        """The role whose file must declare this one; None for the base roles."""
        return Role(self.rpartition("/")[0]) if self.is_delegation else None

    @property
    def depth(self) -> int:
        return self.count("/")


ROOT: Final = Role("root")
TARGETS: Final = Role("targets")
SNAPSHOT: Final = Role("snapshot")
TIMESTAMP: Final = Role("timestamp")
RELEASES: Final = Role("targets/releases")
"""Where stock docker looks for a tag first, and where every signer's tags are repeated."""

BASE_ROLES: Final = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)
_BASE: Final = frozenset(BASE_ROLES)
