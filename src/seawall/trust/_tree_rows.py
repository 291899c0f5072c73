"""Reads and writes the rows of trees, inside the caller's transaction.

What is current is found by walking from the newest timestamp over hashes, as clients do, never by
asking for the newest row of a role: the walk is one consistent tree or it is damage.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from seawall.core import clock
from seawall.core.errors import IntegrityError, InvalidInputError, LimitError
from seawall.trust import _sql
from seawall.trust.tuf import metadata
from seawall.trust.tuf.model import File, Snapshot, Timestamp
from seawall.trust.tuf.names import ROOT, SNAPSHOT, TIMESTAMP, Gun, Role

UPDATE: Final = "update"
DELETION: Final = "deletion"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """The bytes of one version of one role, as uploaded."""

    role: Role
    version: int
    sha256: str
    content: bytes = field(repr=False)
    created_at: dt.datetime

    def parsed(self) -> File:
        """Return what it says. Raises IntegrityError: only what parses was ever stored."""
        try:
            return metadata.parse(self.role, self.content)
        except (InvalidInputError, LimitError) as error:
            raise _damaged(self.role) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of the change feed. A deletion has neither version nor hash."""

    number: int
    gun: str
    version: int
    sha256: str
    category: str
    created_at: dt.datetime


def newest(connection: sa.Connection, gun: Gun, role: Role) -> StoredFile | None:
    """Return the highest version of a role."""
    query = _of_role(gun, role).order_by(_sql.tuf_files.c.version.desc()).limit(1)
    return _first(connection, query)


def by_hash(connection: sa.Connection, gun: Gun, role: Role, sha256: str) -> StoredFile | None:
    """Return the file of a role that has this hash."""
    return _first(connection, _of_role(gun, role).where(_sql.tuf_files.c.sha256 == sha256))


def by_version(connection: sa.Connection, gun: Gun, role: Role, version: int) -> StoredFile | None:
    """Return one version of a role."""
    return _first(connection, _of_role(gun, role).where(_sql.tuf_files.c.version == version))


def names(connection: sa.Connection) -> tuple[Gun, ...]:
    """Return the names that have a tree, sorted."""
    c = _sql.tuf_files.c
    query = sa.select(c.gun).where(c.role == TIMESTAMP).distinct().order_by(c.gun)
    return tuple(map(Gun, connection.execute(query).scalars()))


def roots(connection: sa.Connection, gun: Gun, since: int) -> tuple[bytes, ...]:
    """Return all roots from version `since` on, ascending."""
    c = _sql.tuf_files.c
    query = _of_role(gun, ROOT).where(c.version >= since).order_by(c.version)
    return tuple(bytes(row.content) for row in connection.execute(query))


def tree(connection: sa.Connection, gun: Gun) -> dict[Role, File]:
    """Return every file of the current tree; empty when there is none.

    Raises IntegrityError when what is stored does not hold together.
    """
    timestamp = newest(connection, gun, TIMESTAMP)
    if timestamp is None:
        return {}
    found = {TIMESTAMP: timestamp.parsed()}
    sha256 = found[TIMESTAMP].said(Timestamp).snapshot.sha256.hex()
    found[SNAPSHOT] = required(connection, gun, SNAPSHOT, sha256).parsed()
    for role, meta in found[SNAPSHOT].said(Snapshot).meta.items():
        found[role] = required(connection, gun, role, meta.sha256.hex()).parsed()
    return found


def required(connection: sa.Connection, gun: Gun, role: Role, sha256: str) -> StoredFile:
    """Return the file that another one names. Raises IntegrityError when it is not there."""
    stored = by_hash(connection, gun, role, sha256)
    if stored is None:
        raise IntegrityError(
            f"the tree of {gun} names a {role} that is not stored", remedy="restore a backup"
        )
    return stored


def floors(connection: sa.Connection, gun: Gun) -> dict[Role, int]:
    """Return the highest version of each role that was ever stored."""
    c = _sql.tuf_files.c
    query = sa.select(c.role, sa.func.max(c.version)).where(c.gun == gun).group_by(c.role)
    return {Role(role): version for role, version in connection.execute(query)}


def add(connection: sa.Connection, gun: Gun, file: File, now: dt.datetime) -> None:
    """Store one more version of a role."""
    connection.execute(
        sa.insert(_sql.tuf_files).values(
            gun=gun,
            role=file.role,
            version=file.version,
            sha256=file.sha256,
            content=file.content,
            created_at=clock.to_text(now),
        )
    )


def forget(connection: sa.Connection, gun: Gun) -> bool:
    """Drop all files of `gun`; tell whether there were any."""
    c = _sql.tuf_files.c
    return connection.execute(sa.delete(_sql.tuf_files).where(c.gun == gun)).rowcount > 0


def add_change(
    connection: sa.Connection, gun: Gun, timestamp: File | None, now: dt.datetime
) -> None:
    """Append to the change feed: a new timestamp, or (None) the end of a tree."""
    connection.execute(
        sa.insert(_sql.tuf_changes).values(
            gun=gun,
            version=timestamp.version if timestamp else 0,
            sha256=timestamp.sha256 if timestamp else "",
            category=UPDATE if timestamp else DELETION,
            created_at=clock.to_text(now),
        )
    )


def newest_change(connection: sa.Connection, gun: Gun) -> int:
    """Return the number of the newest change of `gun`, 0 for none: it grows with every change."""
    c = _sql.tuf_changes.c
    return connection.execute(sa.select(sa.func.max(c.id)).where(c.gun == gun)).scalar() or 0


def changes(
    connection: sa.Connection, gun: Gun | None, after: int | None, count: int
) -> list[Change]:
    """Return up to `count` changes after number `after`, or (negative) so many before it.

    None for `after` begins at the newest and goes backwards. Always ordered old to new.
    """
    c = _sql.tuf_changes.c
    is_backwards = after is None or count < 0
    query = sa.select(_sql.tuf_changes).limit(abs(count))
    query = query.order_by(c.id.desc() if is_backwards else c.id)
    if after is not None:
        query = query.where(c.id < after if is_backwards else c.id > after)
    if gun is not None:
        query = query.where(c.gun == gun)
    found = [
        Change(
            number=row.id,
            gun=row.gun,
            version=row.version,
            sha256=row.sha256,
            category=row.category,
            created_at=clock.from_text(row.created_at),
        )
        for row in connection.execute(query)
    ]
    return found[::-1] if is_backwards else found


def _of_role(gun: Gun, role: Role) -> sa.Select[tuple[object, ...]]:
    c = _sql.tuf_files.c
    return sa.select(_sql.tuf_files).where(c.gun == gun, c.role == role)


def _first(connection: sa.Connection, query: sa.Select[tuple[object, ...]]) -> StoredFile | None:
    row = connection.execute(query).first()
    if row is None:
        return None
    if hashlib.sha256(row.content).hexdigest() != row.sha256:
        raise _damaged(Role(row.role))
    return StoredFile(
        role=Role(row.role),
        version=row.version,
        sha256=row.sha256,
        content=bytes(row.content),
        created_at=clock.from_text(row.created_at),
    )


def _damaged(role: Role) -> IntegrityError:
    return IntegrityError(f"a stored {role} is not what was uploaded", remedy="restore a backup")
