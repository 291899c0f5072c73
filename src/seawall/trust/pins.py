"""What this installation remembers of the trees of its repositories: the pinned root, how far each
tree has come.

A pin is made on purpose, by somebody who knows the root; nothing is believed at first sight.
Versions only go up, in the transaction of the event that says so: who restores an old database
loses what was learnt since, and the log's head tells (`seawall audit verify --noted`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import sqlalchemy as sa

from seawall import audit
from seawall.core import clock as clocks
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import ConflictError, InvalidInputError, LimitError, NotFoundError
from seawall.oci.names import RepositoryName
from seawall.store import Database
from seawall.store.watching import Numbering, Watch, WhileUnchanged
from seawall.trust import _sql
from seawall.trust.events import RootPinned, RootUnpinned, TreeAdvanced, TreeRefused
from seawall.trust.tuf import metadata
from seawall.trust.tuf.chain import Pin
from seawall.trust.tuf.model import Root
from seawall.trust.tuf.names import ROOT, Role

MAX_ROOT_KEYS: Final = 64
KEPT_MAX_BYTES: Final = 8 * 1024 * 1024
MAX_ROLES: Final = 1100
"""More than the proof reads of one tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A pin, and who made it when."""

    pin: Pin
    pinned_by: str
    pinned_at: dt.datetime


class Pins:
    """The pins of this installation, one for each repository that has one."""

    def __init__(self, database: Database, clock: Clock, *, watch: Numbering | None = None) -> None:
        """`watch` tells when pins must be read again; without it, after every commit."""
        self._database = database
        self._clock = clock
        self._kept: WhileUnchanged[RepositoryName, Remembered | None] = WhileUnchanged(
            watch or Watch(database), max_weight=KEPT_MAX_BYTES
        )

    def get(self, repository: RepositoryName) -> Remembered | None:
        """Return what is pinned for the repository."""
        return self._kept.get(repository, lambda: self._get(repository), weigh=_bytes_of)

    def pin(
        self, repository: RepositoryName, pin: Pin, *, actor: Actor, may_replace: bool = False
    ) -> None:
        """Pin a root. What was seen of the tree under another pin is forgotten.

        The caller has made sure that `actor` may, and that the pin holds for the tree.
        Raises ConflictError for another pin, unless it may be replaced, and InvalidInputError.
        """
        _check(pin)
        with self._database.write() as connection:
            known = _read(connection, repository)
            if known is not None and known.pin.root_key_ids == pin.root_key_ids:
                return  # the same keys: what was learnt with them stays
            if known is not None and not may_replace:
                raise ConflictError(
                    f"another root is pinned for {repository}: {_named(known.pin)}",
                    remedy="make sure that the new one is right, then replace it on purpose",
                )
            now = self._clock.now()
            _write(connection, repository, pin, pinned_by=str(actor), pinned_at=now)
            event = RootPinned(
                repository=repository,
                root_keys=_sorted(pin.root_key_ids),
                root_version=_root_version(pin),
                former_root_keys=_sorted(known.pin.root_key_ids) if known else (),
            )
            audit.record(connection, event, actor=actor, at=now)

    def unpin(self, repository: RepositoryName, *, actor: Actor) -> None:
        """Forget the pin. Raises NotFoundError."""
        with self._database.write() as connection:
            known = _read(connection, repository)
            if known is None:
                raise NotFoundError(f"no root is pinned for {repository}")
            connection.execute(_delete(repository))
            event = RootUnpinned(repository=repository, root_keys=_sorted(known.pin.root_key_ids))
            audit.record(connection, event, actor=actor, at=self._clock.now())

    def advance(self, repository: RepositoryName, *, before: Pin, after: Pin, actor: Actor) -> None:
        """Remember how far a proof came that began at `before`.

        When somebody else was quicker nothing is written: the next proof begins at what they wrote,
        so a version never goes down.
        """
        if _is_same(before, after):
            return
        with self._database.write() as connection:
            known = _read(connection, repository)
            if known is None or not _is_same(known.pin, before):
                return
            _write(
                connection,
                repository,
                after,
                pinned_by=known.pinned_by,
                pinned_at=known.pinned_at,
            )
            event = TreeAdvanced(
                repository=repository,
                root_keys=_sorted(after.root_key_ids),
                seen={str(role): version for role, version in sorted(after.seen.items())},
            )
            audit.record(connection, event, actor=actor, at=self._clock.now())

    def refuse(self, repository: RepositoryName, *, step: str, why: str, actor: Actor) -> None:
        """Write down that a pinned tree does not verify; once, however often it is asked."""
        event = TreeRefused(repository=repository, step=step, why=why)
        if self._is_newest(event):
            return
        with self._database.write() as connection:
            audit.record(connection, event, actor=actor, at=self._clock.now())

    def _get(self, repository: RepositoryName) -> Remembered | None:
        with self._database.read() as connection:
            return _read(connection, repository)

    def _is_newest(self, event: TreeRefused) -> bool:
        kinds = tuple(one.kind() for one in (RootPinned, TreeAdvanced, TreeRefused))
        only = audit.Filter(kinds=kinds, repository=event.repository)
        with self._database.read() as connection:
            newest = next(iter(audit.read(connection, limit=1, newest_first=True, only=only)), None)
        return newest is not None and newest.body == audit.body_of(event)


def of_root(content: bytes) -> Pin:
    """Return the pin of a root file: its keys, and that nothing older counts.

    Raises InvalidInputError for what is not a root. Who signed it is for the proof to say.
    """
    file = metadata.parse(ROOT, content)
    body = file.said(Root)
    ids = frozenset(body.keys[one].canonical_id for one in body.roles[ROOT].key_ids)
    return Pin(root_key_ids=ids, root=content, seen={ROOT: file.version})


def _bytes_of(found: Remembered | None) -> int:
    return 256 if found is None else 1024 + len(found.pin.root or b"")


def _check(pin: Pin) -> None:
    if not pin.root_key_ids:
        raise InvalidInputError("a pin names at least one root key")
    if len(pin.root_key_ids) > MAX_ROOT_KEYS or len(pin.seen) > MAX_ROLES:
        raise LimitError(f"a pin of {len(pin.root_key_ids)} root keys and {len(pin.seen)} roles")
    for key_id in pin.root_key_ids:
        if len(key_id) != 64 or not set(key_id) <= set("0123456789abcdef"):
            raise InvalidInputError(
                f"{key_id[:80]!r} is not the id of a root key",
                remedy="it is 64 hexadecimal digits: seawall trust show REPO",
            )


def _root_version(pin: Pin) -> int | None:
    return None if pin.root is None else metadata.parse(ROOT, pin.root).version


def _is_same(one: Pin, other: Pin) -> bool:
    return (
        one.root_key_ids == other.root_key_ids
        and one.root == other.root
        and dict(one.seen) == dict(other.seen)
    )


def _sorted(ids: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(ids))


def _named(pin: Pin) -> str:
    return ", ".join(one[:12] for one in _sorted(pin.root_key_ids))


def _delete(repository: RepositoryName) -> sa.Delete:
    return sa.delete(_sql.pins).where(_sql.pins.c.repository == str(repository))


def _write(
    connection: sa.Connection,
    repository: RepositoryName,
    pin: Pin,
    *,
    pinned_by: str,
    pinned_at: dt.datetime,
) -> None:
    connection.execute(_delete(repository))
    seen: Mapping[str, int] = {str(role): version for role, version in pin.seen.items()}
    connection.execute(
        sa.insert(_sql.pins).values(
            repository=str(repository),
            root_key_ids=msgspec.json.encode(_sorted(pin.root_key_ids)),
            root=pin.root or b"",
            seen=msgspec.json.encode(seen),
            pinned_by=pinned_by,
            pinned_at=clocks.to_text(pinned_at),
        )
    )


def _read(connection: sa.Connection, repository: RepositoryName) -> Remembered | None:
    query = sa.select(_sql.pins).where(_sql.pins.c.repository == str(repository))
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    ids = msgspec.json.decode(bytes(row.root_key_ids), type=tuple[str, ...])
    seen = msgspec.json.decode(bytes(row.seen), type=dict[str, int])
    pin = Pin(
        root_key_ids=frozenset(ids),
        root=bytes(row.root) or None,
        seen={Role.parse(role): version for role, version in seen.items()},
    )
    return Remembered(pin=pin, pinned_by=row.pinned_by, pinned_at=clocks.from_text(row.pinned_at))
