"""The keys that the server holds for its trees: one for snapshots, one for timestamps of each name.

Private halves lie in the database, sealed under a key that lies in a file of its own: who copies
the database alone cannot sign. Each is sealed for its place (name, role, key), so that rows cannot
be swapped. Every key that was ever issued is remembered: a root may name any of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ed25519

from seawall.core import clock
from seawall.trust import _sql, at_rest
from seawall.trust.at_rest import SealingKey
from seawall.trust.tuf import build
from seawall.trust.tuf.build import TufSigner
from seawall.trust.tuf.names import SNAPSHOT, TIMESTAMP, Gun, Role

HELD_ROLES: Final = (SNAPSHOT, TIMESTAMP)


class ServerKeys:
    """Issues and opens the server's keys, inside the caller's transaction."""

    def __init__(self, sealing: SealingKey) -> None:
        self._sealing = sealing

    @classmethod
    def open(cls, folder: Path) -> ServerKeys:
        """Use the sealing key in `folder`, which is made when it is missing."""
        return cls(SealingKey.open(folder / at_rest.FILE_NAME))

    def issue(self, connection: sa.Connection, gun: Gun, role: Role, now: dt.datetime) -> TufSigner:
        """Make a key for `role`, remember it and return it."""
        private = ed25519.Ed25519PrivateKey.generate()
        signer = build.ed25519_signer(private)
        purpose = _purpose(gun, role, signer.key.key_id)
        connection.execute(
            sa.insert(_sql.tuf_keys).values(
                gun=gun,
                role=role,
                key_id=signer.key.key_id,
                sealed=self._sealing.seal(private.private_bytes_raw(), purpose=purpose),
                created_at=clock.to_text(now),
            )
        )
        return signer

    def held(self, connection: sa.Connection, gun: Gun) -> Mapping[Role, tuple[TufSigner, ...]]:
        """Return all keys of `gun`, oldest first. Raises IntegrityError when one does not open."""
        c = _sql.tuf_keys.c
        query = sa.select(_sql.tuf_keys).where(c.gun == gun).order_by(c.created_at, c.key_id)
        found: dict[Role, list[TufSigner]] = {role: [] for role in HELD_ROLES}
        for row in connection.execute(query):
            role = Role.parse(row.role)
            purpose = _purpose(gun, role, row.key_id)
            private = self._sealing.unseal(bytes(row.sealed), purpose=purpose)
            key = ed25519.Ed25519PrivateKey.from_private_bytes(private)
            found[role].append(build.ed25519_signer(key))
        return {role: tuple(signers) for role, signers in found.items()}


def forget(connection: sa.Connection, gun: Gun) -> None:
    """Drop all keys of `gun`, inside the caller's transaction."""
    connection.execute(sa.delete(_sql.tuf_keys).where(_sql.tuf_keys.c.gun == gun))


def _purpose(gun: Gun, role: Role, key_id: str) -> str:
    return f"tree key\n{gun}\n{role}\n{key_id}"
