"""The keys that this installation trusts, each for the repositories that its patterns match.

A key that is not here vouches for nothing. Distrusting takes effect with the transaction: the next
proof does not know the key.
"""

from __future__ import annotations

import dataclasses
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
from seawall.trust.model import Hardware, TrustedKey
from seawall.trust.tokens.attestation import Attestation

MAX_KEYS: Final = 256
MAX_PATTERNS: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}", re.ASCII)


class TrustedKeys:
    """This installation's set of trusted keys."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def trust(
        self,
        public_pem: bytes,
        *,
        name: str,
        patterns: Sequence[str],
        actor: Actor,
        attestation: Attestation | None = None,
    ) -> TrustedKey:
        """Trust a key for the repositories that `patterns` match; replaces its former patterns.

        A proven `attestation` of this key marks it as kept by hardware; without one a former mark
        stays, since a key that cannot leave its device does not learn to.

        Raises KeyFormatError or InvalidInputError for what does not parse or fit, ConflictError
        when another key has the name, LimitError when there are too many keys.
        """
        key = _checked(public_pem, name, patterns, attestation)
        with self._database.write() as connection:
            known = {row.key_id: row for row in _rows(connection)}
            former = known.get(key.key_id)
            evidence = attestation.chain if attestation else None
            if former is not None and attestation is None:
                key = dataclasses.replace(key, hardware=former.hardware)
                evidence = _evidence(connection, key.key_id)
            if former == key:
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
                    hardware=msgspec.json.encode(key.hardware) if key.hardware else None,
                    attestation=evidence,
                )
            )
            event = KeyTrusted(
                key_id=key.key_id,
                name=name,
                patterns=key.patterns,
                former_patterns=former.patterns if former else (),
                hardware=str(key.hardware) if key.hardware else "",
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

    def attestation_of(self, key_id: KeyId) -> bytes | None:
        """Return the evidence that hardware keeps the key: PEM from the key to the root, or None.

        Raises NotFoundError for a key that is not trusted.
        """
        with self._database.read() as connection:
            if all(row.key_id != key_id for row in _rows(connection)):
                raise NotFoundError(f"no trusted key has the id {key_id[:64]!r}")
            return _evidence(connection, key_id)

    def for_repository(self, repository: RepositoryName) -> tuple[TrustedKey, ...]:
        """Return the keys that are trusted for `repository`, by name."""
        return tuple(
            key
            for key in self.list()
            if any(patterns.is_match(pattern, repository) for pattern in key.patterns)
        )


def _checked(
    public_pem: bytes, name: str, wanted: Sequence[str], attestation: Attestation | None
) -> TrustedKey:
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
    if attestation is not None and attestation.public.key_id != key.key_id:
        raise InvalidInputError(
            f"the attestation is for the key {attestation.public.key_id[:12]}, "
            f"not for {key.key_id[:12]}",
            remedy="give the attestation of the slot that holds this key",
        )
    return TrustedKey(
        key_id=key.key_id,
        name=name,
        public_pem=key.pem,
        patterns=tuple(sorted(set(wanted))),
        hardware=attestation.hardware if attestation else None,
    )


def _evidence(connection: sa.Connection, key_id: KeyId) -> bytes | None:
    columns = _sql.trusted_keys.c
    query = sa.select(columns.attestation).where(columns.key_id == key_id)
    found = connection.execute(query).scalar_one()
    return None if found is None else bytes(found)


def _rows(connection: sa.Connection) -> tuple[TrustedKey, ...]:
    query = sa.select(_sql.trusted_keys).order_by(_sql.trusted_keys.c.name)
    return tuple(
        TrustedKey(
            key_id=KeyId(row.key_id),
            name=row.name,
            public_pem=bytes(row.public_pem),
            patterns=msgspec.json.decode(bytes(row.patterns), type=tuple[str, ...]),
            hardware=msgspec.json.decode(bytes(row.hardware), type=Hardware)
            if row.hardware is not None
            else None,
        )
        for row in connection.execute(query)
    )
