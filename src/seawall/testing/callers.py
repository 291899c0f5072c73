"""A fake `Authenticator`: the token *is* the caller's name.

callers = FakeAuthenticator()
callers.add("alice", {"team/app": {Action.PULL, Action.PUSH}})
request with `Authorization: Bearer alice`
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

import argon2

from seawall.core import actor as actors
from seawall.identity.model import ALL_ACTIONS, Grant, Pattern
from seawall.identity.passwords import Passwords
from seawall.ingress.access import ANONYMOUS, Action, Caller, InvalidCredentialsError


class FakeAuthenticator:
    """Knows the callers it was told of; refuses everyone else, like the real one."""

    realm = "https://registry.test/token"
    service = "registry.test"

    def __init__(self) -> None:
        self._callers: dict[str, Caller] = {}
        self._grants: dict[str, tuple[Grant, ...]] = {}

    def add(
        self,
        name: str,
        access: Mapping[str, Set[Action]] | None = None,
        *,
        is_administrator: bool = False,
        grants: Mapping[str, Set[Action]] | None = None,
    ) -> Caller:
        """Make `Bearer name` work. `access` is the token's list, `grants` maps patterns to rights
        that only `with_current_rights` adds (an administrator has all of them)."""
        caller = Caller(
            actor=actors.user(name),
            is_administrator=is_administrator,
            access={key: frozenset(actions) for key, actions in (access or {}).items()},
        )
        wider = {"**": ALL_ACTIONS} if is_administrator else (grants or {})
        self._callers[name] = caller
        self._grants[name] = tuple(
            Grant(subject=name, pattern=Pattern.parse(pattern), actions=frozenset(actions))
            for pattern, actions in wider.items()
        )
        return caller

    def caller_of(self, authorization: str | None) -> Caller:
        if authorization is None:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or token not in self._callers:
            raise InvalidCredentialsError("the token is not valid")
        return self._callers[token]

    def challenge(self, scope: str, *, error: str = "") -> str:
        parts = [f'Bearer realm="{self.realm}"', f'service="{self.service}"']
        parts += [f'scope="{scope}"'] if scope else []
        parts += [f'error="{error}"'] if error else []
        return ",".join(parts)

    def with_current_rights(self, caller: Caller) -> Caller:
        return replace(caller, grants=self._grants.get(caller.actor.name, ()))


def cheap_passwords() -> Passwords:
    """Return argon2id with the smallest cost that it allows."""
    return Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
