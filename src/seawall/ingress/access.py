"""Who is asking at the registry's door, and what the token in their hand allows.

Rights travel inside the token: they are the intersection of what was asked for and what was
granted when it was issued, so that the hot path needs no database. Refused: Basic (a password is
shown to the token service only), any other scheme, and a token that does not verify.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from seawall.core import actor as actors
from seawall.core.actor import Actor
from seawall.identity import model
from seawall.identity.errors import InvalidCredentialsError
from seawall.identity.model import Action, Grant
from seawall.oci.names import RepositoryName

__all__ = ["ANONYMOUS", "Action", "Authenticator", "Caller", "InvalidCredentialsError"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, with the rights they brought. Nothing listed means nothing allowed.

    `access` are the rights inside a token; `grants` are set only by
    `Authenticator.with_current_rights`. An administrator's *token* allows no more than what it
    lists: being an administrator matters where the token was asked for.
    """

    actor: Actor
    is_administrator: bool = False
    access: Mapping[str, frozenset[Action]] = field(default_factory=dict)
    grants: tuple[Grant, ...] = ()

    def may(self, action: Action, repository: RepositoryName) -> bool:
        """Tell whether the caller may do `action` to `repository`."""
        return action in self.access.get(repository, frozenset()) or model.may(
            self.grants, self.actor, action, repository
        )


ANONYMOUS = Caller(actor=actors.ANONYMOUS)
"""Nobody in particular, with no rights: the door answers 401 and the client fetches a token."""


class Authenticator(Protocol):
    """Tells who is asking. `seawall.testing.callers` holds the fake."""

    def caller_of(self, authorization: str | None) -> Caller:
        """Return the caller that the `Authorization` header proves; `ANONYMOUS` for None.

        Cheap enough for every request. Raises InvalidCredentialsError: answer 401 with
        `challenge(scope, error="invalid_token")`.
        """
        ...

    def challenge(self, scope: str, *, error: str = "") -> str:
        """Return the value of `WWW-Authenticate` for a 401.

        `scope` such as `repository:team/app:pull,push`, or several with spaces between, or "".
        `error` is "", `invalid_token` or `insufficient_scope` (RFC 6750 section 3.1).
        """
        ...

    def with_current_rights(self, caller: Caller) -> Caller:
        """Return `caller` with everything granted to them now, beyond what the token lists.

        For the few questions that no token can list: whether a blob may be mounted from elsewhere,
        which names a catalog shows. Blocks on the database: call it through `core.blocking.run`.
        A token that stands for no user (the gate's) gains nothing.
        """
        ...
