"""The real `Authenticator`: bearer tokens of `identity.tokens`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from seawall.core.errors import InvalidInputError
from seawall.identity.errors import InvalidCredentialsError
from seawall.identity.grants import Grants
from seawall.identity.tokens import TOKEN_MAX_BYTES, Tokens
from seawall.ingress.access import ANONYMOUS, Caller

_QUOTABLE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e ]*", re.ASCII)


class BearerAuthenticator:
    """Tells who is asking by the bearer token. See `access.Authenticator`.

    `realm` is the absolute address of the token service, `service` the audience of the tokens.
    """

    def __init__(self, *, tokens: Tokens, grants: Grants, realm: str, service: str) -> None:
        self._tokens = tokens
        self._grants = grants
        self._prefix = f"Bearer realm={_quoted(realm)},service={_quoted(service)}"

    def caller_of(self, authorization: str | None) -> Caller:
        if authorization is None:
            return ANONYMOUS
        scheme, _, text = authorization[: TOKEN_MAX_BYTES + 16].partition(" ")
        if scheme.lower() != "bearer":
            raise InvalidCredentialsError(
                "only bearer tokens are accepted here",
                remedy="show name and password to the token service, for example by `docker login`",
            )
        token = self._tokens.verify(text.strip(" "))
        return Caller(
            actor=token.actor, is_administrator=token.is_administrator, access=token.access
        )

    def challenge(self, scope: str, *, error: str = "") -> str:
        # Clients read the first scheme only and want every value in quotes.
        parts = [self._prefix]
        if scope:
            parts.append(f"scope={_quoted(scope)}")
        if error:
            parts.append(f"error={_quoted(error)}")
        return ",".join(parts)

    def with_current_rights(self, caller: Caller) -> Caller:
        return replace(caller, grants=self._grants.of(caller.actor))


def _quoted(text: str) -> str:
    if _QUOTABLE.fullmatch(text) is None:
        raise InvalidInputError("a challenge cannot hold quotes, backslashes or control characters")
    return f'"{text}"'
