"""Who issues the registry's tokens, and in which words: all processes and commands agree on it."""

from __future__ import annotations

from typing import Final

from seawall.config import Settings
from seawall.core.clock import Clock
from seawall.identity.standing import Standing
from seawall.identity.tokens import SigningKey, Tokens
from seawall.store import Database

ISSUER: Final = "seawall"
SERVICE: Final = "seawall-registry"


def tokens_of(settings: Settings, database: Database, clock: Clock) -> Tokens:
    """Return what issues and checks tokens. Creates the key when it is missing."""
    return Tokens(
        key=SigningKey.open(settings.keys / "tokens.pem"),
        issuer=ISSUER,
        audience=SERVICE,
        standing=Standing(database, clock),
        clock=clock,
    )
