"""The authorities whose certificates may vouch, each for some people and some repositories.

An authority that is not here names nobody. Distrusting takes effect with the transaction. What is
stored was checked before: certificates or a trusted root that parse, and at least one identity.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

from seawall import audit
from seawall.core import clock, limits
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import InvalidInputError, LimitError, NotFoundError
from seawall.oci import patterns
from seawall.oci.names import RepositoryName
from seawall.store import Database
from seawall.trust import _sql, certificates
from seawall.trust.events import AuthorityDistrusted, AuthorityTrusted
from seawall.trust.model import AuthorityKind, TrustedAuthority
from seawall.trust.notation import identity as notation_identity
from seawall.trust.sigstore import identity as sigstore_identity
from seawall.trust.sigstore import trusted_root

MAX_AUTHORITIES: Final = 64
MAX_IDENTITIES: Final = 64
MAX_PATTERNS: Final = 64
MAX_CONTENT_BYTES: Final = 256 * limits.KIB
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class TrustedAuthorities:
    """This installation's set of trusted authorities."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def trust(self, authority: TrustedAuthority, *, actor: Actor) -> TrustedAuthority:
        """Trust an authority; replaces the one of that name.

        Raises InvalidInputError for what does not parse, LimitError when there are too many.
        """
        wanted = checked(authority)
        with self._database.write() as connection:
            known = {row.name: row for row in _rows(connection)}
            former = known.get(wanted.name)
            if former == wanted:
                return wanted  # nothing changes, so nothing happened
            if former is None and len(known) >= MAX_AUTHORITIES:
                raise LimitError(f"{MAX_AUTHORITIES} authorities are trusted already")
            now = self._clock.now()
            _delete(connection, wanted.name)
            connection.execute(
                sa.insert(_sql.authorities).values(
                    name=wanted.name,
                    kind=wanted.kind.value,
                    content=wanted.content,
                    identities=msgspec.json.encode(wanted.identities),
                    patterns=msgspec.json.encode(wanted.patterns),
                    trusted_at=clock.to_text(now),
                )
            )
            event = AuthorityTrusted(
                name=wanted.name,
                kind_of_authority=wanted.kind.value,
                sha256=hashlib.sha256(wanted.content).hexdigest(),
                identities=wanted.identities,
                patterns=wanted.patterns,
                former_patterns=former.patterns if former else (),
            )
            audit.record(connection, event, actor=actor, at=now)
        return wanted

    def distrust(self, name: str, *, actor: Actor) -> TrustedAuthority:
        """Trust the authority no longer, and return what it was. Raises NotFoundError."""
        with self._database.write() as connection:
            former = next((row for row in _rows(connection) if row.name == name), None)
            if former is None:
                raise NotFoundError(
                    f"no trusted authority is called {name[:64]!r}",
                    remedy="see: seawall authority list",
                )
            _delete(connection, name)
            event = AuthorityDistrusted(
                name=name, kind_of_authority=former.kind.value, patterns=former.patterns
            )
            audit.record(connection, event, actor=actor, at=self._clock.now())
        return former

    def list(self) -> tuple[TrustedAuthority, ...]:
        """Return all trusted authorities, by name."""
        with self._database.read() as connection:
            return _rows(connection)

    def for_repository(self, repository: RepositoryName) -> tuple[TrustedAuthority, ...]:
        """Return the authorities that are trusted for `repository`, by name."""
        return tuple(
            authority
            for authority in self.list()
            if any(patterns.is_match(pattern, repository) for pattern in authority.patterns)
        )


def checked(authority: TrustedAuthority) -> TrustedAuthority:
    """Return the authority with its lists in order. Raises InvalidInputError or LimitError."""
    if _NAME.fullmatch(authority.name) is None:
        raise InvalidInputError(
            f"{authority.name[:80]!r} is not a name for an authority",
            remedy="use up to 64 letters, digits, . _ -",
        )
    _check_count(authority.patterns, MAX_PATTERNS, "patterns of repositories", '"**" for all')
    _check_count(authority.identities, MAX_IDENTITIES, "identities", "with --identity")
    for pattern in authority.patterns:
        patterns.check(pattern)
    if len(authority.content) > MAX_CONTENT_BYTES:
        raise LimitError(f"an authority of more than {MAX_CONTENT_BYTES} bytes")
    match authority.kind:
        case AuthorityKind.NOTATION:
            certificates.parse_pem(authority.content)
            for identity in authority.identities:
                notation_identity.check(identity)
        case AuthorityKind.SIGSTORE:
            trusted_root.parse(authority.content)
            for identity in authority.identities:
                sigstore_identity.parse(identity)
    return TrustedAuthority(
        name=authority.name,
        kind=authority.kind,
        content=authority.content,
        identities=tuple(sorted(set(authority.identities))),
        patterns=tuple(sorted(set(authority.patterns))),
    )


def _check_count(items: Sequence[str], most: int, what: str, hint: str) -> None:
    if not 1 <= len(items) <= most:
        raise InvalidInputError(
            f"an authority is trusted for 1 to {most} {what}", remedy=f"name them: {hint}"
        )


def _delete(connection: sa.Connection, name: str) -> None:
    connection.execute(sa.delete(_sql.authorities).where(_sql.authorities.c.name == name))


def _rows(connection: sa.Connection) -> tuple[TrustedAuthority, ...]:
    query = sa.select(_sql.authorities).order_by(_sql.authorities.c.name)
    return tuple(
        TrustedAuthority(
            name=row.name,
            kind=AuthorityKind(row.kind),
            content=bytes(row.content),
            identities=msgspec.json.decode(bytes(row.identities), type=tuple[str, ...]),
            patterns=msgspec.json.decode(bytes(row.patterns), type=tuple[str, ...]),
        )
        for row in connection.execute(query)
    )
