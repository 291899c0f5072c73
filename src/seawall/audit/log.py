"""The log: entry n holds SHA-256(hash of entry n-1 ‖ canonical bytes of entry n).

Whoever noted a head (`seq`, `hash`) can later prove that everything up to it is unchanged. What a
chain alone cannot show is a tail cut off before anybody noted a newer head; therefore `verify`
takes heads that were noted elsewhere.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import sqlalchemy as sa

from seawall import store
from seawall.audit import _sql
from seawall.core import clock, strictjson
from seawall.core.actor import Actor, ActorKind

GENESIS: Final = bytes(32)
"""The hash before the first entry."""

PAGE: Final = 500
BODY_MAX_BYTES: Final = 1024 * 1024


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="event"):
    """A fact in the past tense. Rooms derive their own, `class ManifestPushed(audit.Event)`.

    Fields must be plain JSON types. `repository` and `digest` are indexed for look-ups; give them
    where they apply.
    """

    repository: str | None = None
    digest: str | None = None

    @classmethod
    def kind(cls) -> str:
        """The name under which the event stands in the log."""
        return cls.__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the log."""

    seq: int
    at: str  # RFC 3339, UTC
    kind: str
    actor: Actor
    repository: str | None
    digest: str | None
    body: bytes  # JSON of the event
    hash: bytes

    def details(self) -> dict[str, strictjson.Json]:
        """Return the event's own fields."""
        fields = strictjson.decode_object(self.body, max_bytes=BODY_MAX_BYTES)
        return {k: v for k, v in fields.items() if k not in {"event", "repository", "digest"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries to read; every given condition must hold."""

    kinds: tuple[str, ...] = ()
    repository: str | None = None
    digest: str | None = None
    actor: str | None = None
    since: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest entry's number and hash: note it elsewhere to prove the log later."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBreak:
    """Where the chain stops being whole, and why."""

    seq: int
    reason: str


def record(connection: sa.Connection, event: Event, *, actor: Actor, at: dt.datetime) -> int:
    """Append `event` inside the caller's write transaction and return its number."""
    store.require_one_writer(connection)
    previous = head(connection)
    entry = _columns(previous.seq + 1, event, actor, at)
    entry["hash"] = _hash(previous.hash, entry)
    connection.execute(sa.insert(_sql.entries).values(entry))
    return previous.seq + 1


def record_all(
    connection: sa.Connection, events: Sequence[Event], *, actor: Actor, at: dt.datetime
) -> None:
    """Append many events at once, in their order, inside the caller's write transaction."""
    if not events:
        return
    store.require_one_writer(connection)
    previous = head(connection)
    entries: list[dict[str, object]] = []
    digest = previous.hash
    for seq, event in enumerate(events, start=previous.seq + 1):
        entry = _columns(seq, event, actor, at)
        entry["hash"] = digest = _hash(digest, entry)
        entries.append(entry)
    connection.execute(sa.insert(_sql.entries), entries)


def body_of(event: Event) -> bytes:
    """Return the bytes under which `event` stands in the log: equal events, equal bytes."""
    return msgspec.json.encode(event, order="sorted", enc_hook=_plain)


def head(connection: sa.Connection) -> Head:
    """Return the newest entry's number and hash; number 0 for an empty log."""
    row = connection.execute(
        sa.select(_sql.entries.c.seq, _sql.entries.c.hash)
        .order_by(_sql.entries.c.seq.desc())
        .limit(1)
    ).first()
    return Head(seq=0, hash=GENESIS) if row is None else Head(seq=row.seq, hash=row.hash)


def read(
    connection: sa.Connection,
    *,
    after: int = 0,
    limit: int = PAGE,
    only: Filter | None = None,
    newest_first: bool = False,
    before: int | None = None,
) -> list[Entry]:
    """Return up to `limit` entries with a number above `after`, in order (or newest first).

    With `before`, only entries with a number below it.
    """
    c = _sql.entries.c
    query = sa.select(_sql.entries).where(c.seq > after)
    if before is not None:
        query = query.where(c.seq < before)
    for condition in _conditions(only or Filter()):
        query = query.where(condition)
    query = query.order_by(c.seq.desc() if newest_first else c.seq).limit(limit)
    return [_entry(row) for row in connection.execute(query)]


def verify(connection: sa.Connection, *, noted: tuple[Head, ...] = ()) -> ChainBreak | Head:
    """Recompute the whole chain. Returns the head, or the first break.

    `noted` are heads kept outside of this database; each must be part of the chain.
    """
    waiting = {head.seq: head.hash for head in noted}
    seq, digest = 0, GENESIS
    for entry in _all(connection):
        seq += 1
        if entry.seq != seq:
            return ChainBreak(seq=seq, reason=f"entry {seq} is missing, {entry.seq} follows")
        digest = _hash(digest, _stored_columns(entry))
        if digest != entry.hash:
            return ChainBreak(seq=seq, reason="the entry was changed after it was written")
        if waiting.pop(seq, digest) != digest:
            return ChainBreak(seq=seq, reason="the entry differs from the head that was noted")
    for missing in sorted(waiting):
        return ChainBreak(seq=missing, reason="the log ends before the head that was noted")
    return Head(seq=seq, hash=digest)


def _columns(seq: int, event: Event, actor: Actor, at: dt.datetime) -> dict[str, object]:
    return {
        "seq": seq,
        "at": clock.to_text(at),
        "kind": event.kind(),
        "actor": f"{actor.kind.value}:{actor.name}",
        "repository": event.repository,
        "digest": event.digest,
        "body": body_of(event),
    }


def _stored_columns(entry: Entry) -> dict[str, object]:
    return {
        "seq": entry.seq,
        "at": entry.at,
        "kind": entry.kind,
        "actor": f"{entry.actor.kind.value}:{entry.actor.name}",
        "repository": entry.repository,
        "digest": entry.digest,
        "body": entry.body,
    }


def _plain(value: object) -> str:
    """Encode names and digests, which are texts of their own types."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"an event cannot hold a {type(value).__name__}")


def _hash(previous: bytes, columns: dict[str, object]) -> bytes:
    body = columns["body"]
    assert isinstance(body, bytes)
    head_fields = {key: value for key, value in columns.items() if key != "body"}
    # Lengths frame the variable parts, so that no two entries have the same bytes.
    framed = strictjson.encode(head_fields)
    return hashlib.sha256(previous + len(framed).to_bytes(8, "big") + framed + body).digest()


def _conditions(only: Filter) -> Iterator[sa.ColumnElement[bool]]:
    c = _sql.entries.c
    if only.kinds:
        yield c.kind.in_(only.kinds)
    if only.repository is not None:
        yield c.repository == only.repository
    if only.digest is not None:
        yield c.digest == only.digest
    if only.actor is not None:
        yield sa.or_(c.actor == only.actor, c.actor.endswith(f":{only.actor}", autoescape=True))
    if only.since is not None:
        yield c.at >= clock.to_text(only.since)


def _all(connection: sa.Connection) -> Iterator[Entry]:
    after = 0
    while page := read(connection, after=after, limit=PAGE):
        yield from page
        after = page[-1].seq


def _entry(row: sa.Row[tuple[object, ...]]) -> Entry:
    kind, _, name = row.actor.partition(":")
    return Entry(
        seq=row.seq,
        at=row.at,
        kind=row.kind,
        actor=Actor(kind=ActorKind(kind), name=name),
        repository=row.repository,
        digest=row.digest,
        body=row.body if isinstance(row.body, bytes) else str(row.body).encode(),
        hash=row.hash,
    )
