"""The log itself, over its tables: entries are added, never changed, and each can be proven.

Entries are added inside the caller's write transaction, so there is one writer at a time (the
number of an entry is its key, which holds that too), and an entry stands or falls with what it
tells of. Adding the same body again gives back the entry that is there. For every size there is
one checkpoint at most, kept for ever: the log cannot come to sign two.

Reads are O(log n): complete nodes of the tree are kept (`merkle`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from seawall.core import clock, files
from seawall.core.clock import Clock
from seawall.core.errors import IntegrityError, InvalidInputError, LimitError, NotFoundError
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.store import Database
from seawall.trust import _sql, bundle
from seawall.trust.at_rest import SealingKey
from seawall.trust.keys import KeyId
from seawall.trust.log import entries, merkle, notes, verify
from seawall.trust.log.entries import Kind
from seawall.trust.log.merkle import Node
from seawall.trust.log.trusted_roots import TrustedLog
from seawall.trust.signing import Signer

KEY_FILE_NAME: Final = "transparency-log.sealed"
PURPOSE: Final = "transparency-log"
STATEMENT_KEPT_BYTES: Final = 64 * 1024
"""A larger statement is in the log by its hash alone."""
PAGE: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What is to be added. All but `body` says where to find it again, and is not in the tree."""

    body: bytes
    kind: Kind
    repository: str
    tag: Tag | None = None
    digest: Digest | None = None
    key_id: KeyId | None = None
    statement: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """An entry as it stands in the log."""

    number: int
    leaf_hash: bytes
    body: bytes
    kind: Kind
    repository: str
    tag: str | None
    digest: str | None
    key_id: str | None
    integrated_at: int  # Unix seconds
    statement: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """The proof that an entry stands in the tree of a checkpoint."""

    number: int
    checkpoint: notes.Checkpoint
    note: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEntry:
    """An entry with all that proves it offline."""

    entry: StoredEntry
    log_id: bytes
    promise: bytes
    inclusion: Inclusion

    def to_bundle_json(self) -> dict[str, Json]:
        """Return the `tlogEntries` item of a Sigstore bundle."""
        proof = self.inclusion
        return {
            "logIndex": str(self.entry.number),
            "logId": {"keyId": bundle.encode_base64(self.log_id)},
            "kindVersion": {"kind": self.entry.kind.value, "version": entries.API_VERSION},
            "integratedTime": str(self.entry.integrated_at),
            "inclusionPromise": {"signedEntryTimestamp": bundle.encode_base64(self.promise)},
            "inclusionProof": {
                "logIndex": str(proof.number),
                "rootHash": bundle.encode_base64(proof.checkpoint.root),
                "treeSize": str(proof.checkpoint.size),
                "hashes": [bundle.encode_base64(one) for one in proof.path],
                "checkpoint": {"envelope": proof.note.decode()},
            },
            "canonicalizedBody": bundle.encode_base64(self.entry.body),
        }


class TransparencyLog:
    """The log of one installation. Every method blocks. Thread-safe, and safe for processes."""

    def __init__(
        self, database: Database, clock: Clock, *, signer: Signer, sealing: SealingKey, name: str
    ) -> None:
        self._database = database
        self._clock = clock
        self._signer = signer
        self._sealing = sealing
        self.trusted = TrustedLog(key=signer.public, name=notes.check_name(name))

    @classmethod
    def open(
        cls, database: Database, clock: Clock, *, keys: Path, sealing: SealingKey, name: str
    ) -> TransparencyLog:
        """Open the log whose key is in the folder `keys`; a new key is made when there is none."""
        sealed = files.read_or_create_private(
            keys / KEY_FILE_NAME, lambda: sealing.generate_p256(purpose=PURPOSE)
        )
        signer = sealing.open_p256(sealed, purpose=PURPOSE)
        return cls(database, clock, signer=signer, sealing=sealing, name=name)

    def blind(self, event: int) -> str:
        """Return what keeps the entry about an event of the audit log from being guessed."""
        blind = self._sealing.blind(str(event).encode(), purpose=PURPOSE)
        return blind[: entries.BLIND_BYTES].hex()

    # -- writing

    def append(self, entry: NewEntry, *, connection: sa.Connection) -> LoggedEntry:
        """Add `entry`, or find it when it is there, and prove it in the tree as it is now.

        `connection` is inside a write transaction.
        """
        number = self.add(entry, connection=connection)
        checkpoint, note = self._checkpoint(connection, _size(connection))
        return self._logged(connection, number, checkpoint, note)

    def add(self, entry: NewEntry, *, connection: sa.Connection) -> int:
        """Like `append`, without making proofs; returns the number of the entry."""
        leaf = merkle.leaf_hash(entry.body)
        c = _sql.log_entries.c
        known = connection.execute(sa.select(c.number).where(c.leaf_hash == leaf)).scalar()
        if known is not None:
            return int(known)
        number = _size(connection)
        statement = entry.statement
        connection.execute(
            sa.insert(_sql.log_entries).values(
                number=number,
                leaf_hash=leaf,
                body=entry.body,
                kind=entry.kind.value,
                repository=entry.repository,
                tag=entry.tag,
                digest=entry.digest,
                key_id=entry.key_id,
                integrated_at=int(self._clock.now().timestamp()),
                statement=statement
                if statement is not None and len(statement) <= STATEMENT_KEPT_BYTES
                else None,
            )
        )
        self._grow(connection, number, leaf)
        return number

    def checkpoint(self) -> notes.Note:
        """Return the newest checkpoint with the co-signatures it has; signs it when it is new."""
        with self._database.read() as connection:
            size = _size(connection)
            stored = _stored_note(connection, size)
            if stored is not None:
                return _with_cosignatures(connection, size, stored)
        with self._database.write() as connection:
            size = _size(connection)
            _, note = self._checkpoint(connection, size)
            return _with_cosignatures(connection, size, note)

    def witnessed_checkpoint(self) -> notes.Note:
        """Return the newest checkpoint that a witness has co-signed. Raises NotFoundError."""
        with self._database.read() as connection:
            size = connection.execute(sa.select(sa.func.max(_sql.log_cosignatures.c.size))).scalar()
            stored = None if size is None else _stored_note(connection, size)
            if size is None or stored is None:
                raise NotFoundError("no witness has co-signed a checkpoint yet")
            return _with_cosignatures(connection, size, stored)

    # -- reading

    def size(self) -> int:
        """Return how many entries there are."""
        with self._database.read() as connection:
            return _size(connection)

    def size_in(self, connection: sa.Connection) -> int:
        """Return how many entries there are, as `connection` sees it."""
        return _size(connection)

    def entries(self, start: int, end: int) -> tuple[StoredEntry, ...]:
        """Return the entries from `start` on, before `end`, at most `PAGE`."""
        c = _sql.log_entries.c
        last = min(end, start + PAGE)
        query = sa.select(_sql.log_entries).where(c.number >= start, c.number < last)
        with self._database.read() as connection:
            return tuple(_entry(row) for row in connection.execute(query.order_by(c.number)))

    def of_repository(
        self, repository: RepositoryName, *, limit: int = 50
    ) -> tuple[StoredEntry, ...]:
        """Return the newest entries about a repository, newest first."""
        c = _sql.log_entries.c
        query = sa.select(_sql.log_entries).where(c.repository == repository)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(c.number.desc()).limit(limit))
            return tuple(_entry(row) for row in rows)

    def find(self, leaf_hash: bytes) -> int:
        """Return the number of the entry with this hash. Raises NotFoundError."""
        c = _sql.log_entries.c
        with self._database.read() as connection:
            query = sa.select(c.number).where(c.leaf_hash == leaf_hash)
            number = connection.execute(query).scalar()
        if number is None:
            raise NotFoundError("the log has no entry with this hash")
        return int(number)

    def prove(self, number: int) -> LoggedEntry:
        """Prove an entry in the newest tree. Raises NotFoundError."""
        with self._database.write() as connection:
            size = _size(connection)
            if not 0 <= number < size:
                raise NotFoundError(f"the log has no entry {number}, it has {size}")
            checkpoint, note = self._checkpoint(connection, size)
            return self._logged(connection, number, checkpoint, note)

    def prove_inclusion(self, number: int, size: int) -> tuple[bytes, ...]:
        """Return the path of entry `number` in the tree of `size`. Raises NotFoundError."""
        with self._database.read() as connection:
            if not 0 <= number < size <= _size(connection):
                raise NotFoundError(f"the log has no tree of {size} with an entry {number}")
            return merkle.prove_inclusion(number, size, _reader(connection))

    def prove_consistency(self, first: int, second: int) -> tuple[bytes, ...]:
        """Return the proof between two of the log's trees. Raises NotFoundError."""
        with self._database.read() as connection:
            if not 0 < first <= second <= _size(connection):
                raise NotFoundError(f"the log cannot prove anything from {first} to {second}")
            return merkle.prove_consistency(first, second, _reader(connection))

    def _logged(
        self, connection: sa.Connection, number: int, checkpoint: notes.Checkpoint, note: bytes
    ) -> LoggedEntry:
        c = _sql.log_entries.c
        row = connection.execute(sa.select(_sql.log_entries).where(c.number == number)).one()
        entry = _entry(row)
        message = verify.promised_bytes(
            entry.body,
            integrated_at=entry.integrated_at,
            index=number,
            log_id=self.trusted.log_id,
        )
        path = merkle.prove_inclusion(number, checkpoint.size, _reader(connection))
        return LoggedEntry(
            entry=entry,
            log_id=self.trusted.log_id,
            promise=self._signer.sign(message),
            inclusion=Inclusion(number=number, checkpoint=checkpoint, note=note, path=path),
        )

    def _checkpoint(self, connection: sa.Connection, size: int) -> tuple[notes.Checkpoint, bytes]:
        stored = _stored_note(connection, size)
        if stored is not None:
            return notes.parse_checkpoint(notes.parse(stored).text), stored
        root = merkle.root(size, _reader(connection))
        checkpoint = notes.Checkpoint(origin=self.trusted.origin, size=size, root=root)
        note = str(notes.sign(checkpoint, self._signer, name=self.trusted.name)).encode()
        connection.execute(
            sa.insert(_sql.log_checkpoints).values(
                size=size, root=root, note=note, created_at=clock.to_text(self._clock.now())
            )
        )
        return checkpoint, note

    def _grow(self, connection: sa.Connection, number: int, leaf: bytes) -> None:
        made = merkle.grow(number, leaf, _reader(connection))
        rows = [
            {"level": node.level, "number": node.number, "hash": value}
            for node, value in made.items()
            if node.level  # the leaves are in their own table
        ]
        if rows:
            connection.execute(sa.insert(_sql.log_nodes), rows)


def add_cosignature(
    connection: sa.Connection,
    line: notes.Signature,
    *,
    size: int,
    key: notes.WitnessKey,
    now: dt.datetime,
) -> bool:
    """Keep a witness's line for the checkpoint of `size`; tell whether it is news.

    `connection` is inside a write transaction. Raises NotFoundError when there is no such
    checkpoint, InvalidInputError when the line is not the witness's.
    """
    stored = _stored_note(connection, size)
    if stored is None:
        raise NotFoundError(f"the log has published no checkpoint of {size} entries")
    if notes.cosigned_at(notes.parse(stored).text, line, key) is None:
        raise InvalidInputError(f"the co-signature is not one by {key.name} of this checkpoint")
    c = _sql.log_cosignatures.c
    same = sa.and_(c.size == size, c.witness == key.name)
    if connection.execute(sa.select(c.size).where(same)).first() is not None:
        return False
    count = sa.select(sa.func.count()).where(c.size == size)
    if (connection.execute(count).scalar() or 0) >= notes.MAX_SIGNATURES - 1:
        raise LimitError("the checkpoint has as many co-signatures as a note may hold")
    connection.execute(
        sa.insert(_sql.log_cosignatures).values(
            size=size, witness=key.name, line=line.line.encode(), created_at=clock.to_text(now)
        )
    )
    return True


def _reader(connection: sa.Connection) -> merkle.Read:
    def read(wanted: Sequence[Node]) -> Mapping[Node, bytes]:
        found = {**_leaves(connection, wanted), **_inner(connection, wanted)}
        if len(found) != len(set(wanted)):
            raise IntegrityError("the log's tree has lost a node", remedy="restore a backup")
        return found

    return read


def _leaves(connection: sa.Connection, wanted: Sequence[Node]) -> dict[Node, bytes]:
    numbers = [node.number for node in wanted if node.level == 0]
    if not numbers:
        return {}
    c = _sql.log_entries.c
    query = sa.select(c.number, c.leaf_hash).where(c.number.in_(numbers))
    return {Node(0, row.number): bytes(row.leaf_hash) for row in connection.execute(query)}


def _inner(connection: sa.Connection, wanted: Sequence[Node]) -> dict[Node, bytes]:
    keys = [(node.level, node.number) for node in wanted if node.level]
    if not keys:
        return {}
    c = _sql.log_nodes.c
    query = sa.select(_sql.log_nodes).where(sa.tuple_(c.level, c.number).in_(keys))
    return {Node(row.level, row.number): bytes(row.hash) for row in connection.execute(query)}


def _size(connection: sa.Connection) -> int:
    newest = connection.execute(sa.select(sa.func.max(_sql.log_entries.c.number))).scalar()
    return 0 if newest is None else int(newest) + 1


def _stored_note(connection: sa.Connection, size: int) -> bytes | None:
    c = _sql.log_checkpoints.c
    note = connection.execute(sa.select(c.note).where(c.size == size)).scalar()
    return None if note is None else bytes(note)


def _with_cosignatures(connection: sa.Connection, size: int, stored: bytes) -> notes.Note:
    c = _sql.log_cosignatures.c
    lines = connection.execute(sa.select(c.line).where(c.size == size).order_by(c.witness))
    return notes.parse(stored + b"".join(bytes(line) for line in lines.scalars()))


def _entry(row: sa.Row[tuple[object, ...]]) -> StoredEntry:
    return StoredEntry(
        number=row.number,
        leaf_hash=bytes(row.leaf_hash),
        body=bytes(row.body),
        kind=Kind(row.kind),
        repository=row.repository,
        tag=row.tag,
        digest=row.digest,
        key_id=row.key_id,
        integrated_at=row.integrated_at,
        statement=None if row.statement is None else bytes(row.statement),
    )
