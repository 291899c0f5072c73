"""A server of trees over a fresh database, with publishers in front of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seawall import audit
from seawall.core import actor as actors
from seawall.core.clock import Clock
from seawall.oci.names import RepositoryName
from seawall.store import Database
from seawall.testing.clocks import FakeClock
from seawall.testing.databases import fresh_database
from seawall.testing.publishing import Publisher
from seawall.testing.signatures import new_key
from seawall.trust.at_rest import SealingKey
from seawall.trust.keys import PrivateKey
from seawall.trust.server_keys import HELD_ROLES, ServerKeys
from seawall.trust.trees import Trees
from seawall.trust.tuf.names import Gun

HOST: Final = "registry.test:5000"
GUN: Final = Gun.of(HOST, RepositoryName("team/app"))
ADA: Final = actors.user("ada")
SEALING_KEY: Final = bytes(range(32))


@dataclass(slots=True, kw_only=True)
class TreeServer:
    """Trees, with what tests do to them."""

    database: Database
    clock: FakeClock = field(default_factory=FakeClock)

    @classmethod
    def in_folder(cls, directory: Path) -> TreeServer:
        return cls(database=fresh_database(directory))

    @property
    def keys(self) -> ServerKeys:
        return ServerKeys(SealingKey(SEALING_KEY))

    def trees(self, clock: Clock | None = None) -> Trees:
        """Return the trees as one more process sees them."""
        hosts = frozenset({HOST})
        return Trees(self.database, clock or self.clock, self.keys, hosts=hosts)

    def publisher(
        self, gun: Gun = GUN, *, root_keys: Sequence[PrivateKey] = (), keeps_snapshot: bool = False
    ) -> Publisher:
        """Return somebody who has asked the server for its keys."""
        trees = self.trees()
        return Publisher(
            gun=gun,
            clock=self.clock,
            server={role: trees.public_key(gun, role, actor=ADA) for role in HELD_ROLES},
            root_keys=list(root_keys) or [new_key()],
            snapshot_key=new_key() if keeps_snapshot else None,
        )

    def events(self, kind: str) -> list[audit.Entry]:
        """Return what the log holds of one kind, oldest first."""
        with self.database.read() as connection:
            return audit.read(connection, only=audit.Filter(kinds=(kind,)))
