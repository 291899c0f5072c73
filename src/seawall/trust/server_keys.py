"""The keys that the server holds for its trees: one for snapshots, one for timestamps of each name.

Private halves lie in the database, sealed under a key that lies in a file of its own: who copies
the database alone cannot sign. Each is sealed for its place (name, role, key), so that rows cannot
be swapped. Every key that was ever issued is remembered: a root may name any of them.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from seawall.core import clock, files
from seawall.core.errors import IntegrityError, UnavailableError
from seawall.trust import _sql
from seawall.trust.tuf import build
from seawall.trust.tuf.build import TufSigner
from seawall.trust.tuf.names import SNAPSHOT, TIMESTAMP, Gun, Role

SEALING_KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
HELD_ROLES: Final = (SNAPSHOT, TIMESTAMP)


class ServerKeys:
    """Issues and opens the server's keys, inside the caller's transaction."""

    def __init__(self, sealing_key: bytes) -> None:
        self._cipher = ChaCha20Poly1305(sealing_key)

    @classmethod
    def open(cls, path: Path) -> ServerKeys:
        """Read the sealing key at `path`; create it, readable by its owner alone, if missing."""
        content = files.read_or_create_private(path, lambda: secrets.token_bytes(SEALING_KEY_BYTES))
        if len(content) != SEALING_KEY_BYTES:
            raise UnavailableError(
                f"{path.name} is not a key of {SEALING_KEY_BYTES} bytes",
                remedy="restore it from the backup of the state directory",
            )
        return cls(content)

    def issue(self, connection: sa.Connection, gun: Gun, role: Role, now: dt.datetime) -> TufSigner:
        """Make a key for `role`, remember it and return it."""
        private = ed25519.Ed25519PrivateKey.generate()
        signer = build.ed25519_signer(private)
        place = _place(gun, role, signer.key.key_id)
        nonce = secrets.token_bytes(NONCE_BYTES)
        connection.execute(
            sa.insert(_sql.tuf_keys).values(
                gun=gun,
                role=role,
                key_id=signer.key.key_id,
                sealed=nonce + self._cipher.encrypt(nonce, private.private_bytes_raw(), place),
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
            place = _place(gun, role, row.key_id)
            found[role].append(self._opened(bytes(row.sealed), place))
        return {role: tuple(signers) for role, signers in found.items()}

    def _opened(self, sealed: bytes, place: bytes) -> TufSigner:
        try:
            private = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except InvalidTag as error:
            raise IntegrityError(
                "a key that this server holds does not open",
                remedy="restore the sealing key of trust from the backup of the state directory",
            ) from error
        return build.ed25519_signer(ed25519.Ed25519PrivateKey.from_private_bytes(private))


def forget(connection: sa.Connection, gun: Gun) -> None:
    """Drop all keys of `gun`, inside the caller's transaction."""
    connection.execute(sa.delete(_sql.tuf_keys).where(_sql.tuf_keys.c.gun == gun))


def _place(gun: Gun, role: Role, key_id: str) -> bytes:
    return f"{gun}\n{role}\n{key_id}".encode()
