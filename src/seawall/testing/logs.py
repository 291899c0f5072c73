"""A transparency log over a fresh database, and signed envelopes to enter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seawall.core.clock import Clock
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.store import Database
from seawall.testing import signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.databases import fresh_database
from seawall.trust import bundle
from seawall.trust.at_rest import SealingKey
from seawall.trust.keys import PrivateKey
from seawall.trust.log import entries
from seawall.trust.log.entries import Kind, SignedEnvelope
from seawall.trust.log.following import SeenEntry
from seawall.trust.log.notes import Note
from seawall.trust.log.transparency import LoggedEntry, NewEntry, TransparencyLog

SEALING = SealingKey(b"s" * 32)
NAME = "log.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStage:
    """A log with its database and its key."""

    database: Database
    log: TransparencyLog
    key: PrivateKey
    clock: Clock

    def enter(self, envelope: SignedEnvelope, signer: PrivateKey) -> LoggedEntry:
        """Enter a signature, as one transaction."""
        new = signature_entry(envelope, signer)
        with self.database.write() as connection:
            return self.log.append(new, connection=connection)

    def enter_facts(self, count: int, repository: str = "team/app") -> None:
        """Enter tag moves, each in its own transaction."""
        for _ in range(count):
            with self.database.write() as connection:
                number = self.log.size_in(connection)
                self.log.add(fact_entry(number, repository), connection=connection)

    def read(self, start: int, end: int) -> Sequence[SeenEntry]:
        """Read as a follower does."""
        return [
            SeenEntry(
                number=one.number,
                leaf_hash=one.leaf_hash,
                body=one.body,
                statement=one.statement,
                repository=one.repository,
            )
            for one in self.log.entries(start, end)
        ]

    def checkpoint(self) -> Note:
        return self.log.checkpoint()


def log_in(directory: Path, key: PrivateKey | None = None, clock: Clock | None = None) -> LogStage:
    """Make an empty log; logs with one `key` can tell different stories."""
    directory.mkdir(parents=True, exist_ok=True)
    clock, key = clock or FakeClock(), key or signatures.new_key()
    database = fresh_database(directory)
    log = TransparencyLog(database, clock, signer=key, sealing=SEALING, name=NAME)
    return LogStage(database=database, log=log, key=key, clock=clock)


def envelope(
    key: PrivateKey, image: str = "host.example/team/app:v1", digest: Digest | None = None
) -> SignedEnvelope:
    """Return a signature of `image`, as `seawall sign` makes it."""
    statement = bundle.build_statement(
        digest or Digest.of(b"image"), Reference.parse(image), FakeClock().now()
    )
    return entries.parse_envelope(bundle.sign(statement, key))


def signature_entry(signed: SignedEnvelope, signer: PrivateKey) -> NewEntry:
    """Return the entry of a signature."""
    return NewEntry(
        body=entries.signature_body(signed, signer.public),
        kind=Kind.DSSE,
        repository="team/app",
        key_id=signer.public.key_id,
        statement=signed.payload,
    )


def tag_move(number: int, repository: str = "team/app") -> entries.TagMove:
    """Return the `number`-th of many tag moves."""
    return entries.TagMove(
        repository=repository,
        event=number,
        time="2026-01-01T12:00:00.000000Z",
        blind="00" * 16,
        tag="v1",
        digest=str(Digest.of(b"%d" % number)),
        previous=None,
    )


def fact_entry(number: int, repository: str = "team/app") -> NewEntry:
    """Return the entry of a tag move."""
    fact = tag_move(number, repository)
    return NewEntry(body=entries.fact_body(fact), kind=Kind.TAG, repository=repository)
