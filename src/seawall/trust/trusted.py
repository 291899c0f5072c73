"""The keys that this installation trusts, each for the repositories that its patterns match.

A key that is not here vouches for nothing. Distrusting takes effect with the transaction: the next
proof does not know the key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

from seawall import audit
from seawall.core import clock
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import ConflictError, InvalidInputError, LimitError, NotFoundError
from seawall.oci import patterns
from seawall.oci.names import RepositoryName
from seawall.store import Database
from seawall.trust import _sql, keys
from seawall.trust.events import KeyDistrusted, KeyTrusted
from seawall.trust.keys import KeyId
from seawall.trust.model import TrustedKey

MAX_KEYS: Final = 256
MAX_PATTERNS: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}", re.ASCII)


class TrustedKeys:
    """This installation's set of trusted keys."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def trust(
        self, public_pem: bytes, *, name: str, patterns: Sequence[str], actor: Actor
    ) -> TrustedKey:
        """Trust a key for the repositories that `patterns` match; replaces its former patterns.

        Raises KeyFormatError or InvalidInputError for what does not parse, ConflictError when
        another key has the name, LimitError when there are too many keys.
        """
        key = _checked(public_pem, name, patterns)
        with self._database.write() as connection:
            known = {row.key_id: row for row in _rows(connection)}
            if known.get(key.key_id) == key:
                return key  # nothing changes, so nothing happened
            if any(row.name == name and row.key_id != key.key_id for row in known.values()):
                raise ConflictError(
                    f"another trusted key is called {name!r}", remedy="choose another name"
                )
            if key.key_id not in known and len(known) >= MAX_KEYS:
                raise LimitError(f"{MAX_KEYS} keys are trusted already")
            now = self._clock.now()
            columns = _sql.trusted_keys.c
            connection.execute(sa.delete(_sql.trusted_keys).where(columns.key_id == key.key_id))
            connection.execute(
                sa.insert(_sql.trusted_keys).values(
                    key_id=key.key_id,
                    name=name,
                    public_pem=key.public_pem,
                    patterns=msgspec.json.encode(key.patterns),
                    trusted_at=clock.to_text(now),
                )
            )
            former = known.get(key.key_id)
            event = KeyTrusted(
                key_id=key.key_id,
                name=name,
                patterns=key.patterns,
                former_patterns=former.patterns if former else (),
            )
            audit.record(connection, event, actor=actor, at=now)
        return key

    def distrust(self, key_id: str, *, actor: Actor) -> TrustedKey:
        """Trust the key no longer, and return what it was. Raises NotFoundError."""
        with self._database.write() as connection:
            key = next((row for row in _rows(connection) if row.key_id == key_id), None)
            if key is None:
                raise NotFoundError(
                    f"no trusted key has the id {key_id[:64]!r}", remedy="see: seawall key list"
                )
            columns = _sql.trusted_keys.c
            connection.execute(sa.delete(_sql.trusted_keys).where(columns.key_id == key_id))
            event = KeyDistrusted(key_id=key.key_id, name=key.name, patterns=key.patterns)
            audit.record(connection, event, actor=actor, at=self._clock.now())
        return key

    def list(self) -> tuple[TrustedKey, ...]:
        """Return all trusted keys, by name."""
        with self._database.read() as connection:
            return _rows(connection)

    def for_repository(self, repository: RepositoryName) -> tuple[TrustedKey, ...]:
        """Return the keys that are trusted for `repository`, by name."""
        return tuple(
            key
            for key in self.list()
            if any(patterns.is_match(pattern, repository) for pattern in key.patterns)
        )


def _checked(public_pem: bytes, name: str, wanted: Sequence[str]) -> TrustedKey:
    if _NAME.fullmatch(name) is None:
        raise InvalidInputError(
            f"{name[:80]!r} is not a name for a key", remedy="use up to 64 letters, digits, . _ @ -"
        )
    if not wanted or len(wanted) > MAX_PATTERNS:
        raise InvalidInputError(
            f"a key is trusted for 1 to {MAX_PATTERNS} patterns of repositories",
            remedy='use "**" to trust it for every repository',
        )
    for pattern in wanted:
        patterns.check(pattern)
    key = keys.parse_public(public_pem)
    return TrustedKey(
        key_id=key.key_id, name=name, public_pem=key.pem, patterns=tuple(sorted(set(wanted)))
    )


def _rows(connection: sa.Connection) -> tuple[TrustedKey, ...]:
    query = sa.select(_sql.trusted_keys).order_by(_sql.trusted_keys.c.name)
    return tuple(
        TrustedKey(
            key_id=KeyId(row.key_id),
            name=row.name,
            public_pem=bytes(row.public_pem),
            patterns=msgspec.json.decode(bytes(row.patterns), type=tuple[str, ...]),
        )
        for row in connection.execute(query)
    )
