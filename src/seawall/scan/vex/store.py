"""VEX documents that an administrator let in: only these suppress findings of this installation.

Whoever can push could otherwise empty the report of an image by a document beside it. Letting one
in, and taking it away again, is an event of the log.
"""

from __future__ import annotations

import sys
from typing import Final

import msgspec
import sqlalchemy as sa

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from seawall import audit
from seawall.core import clock as clocks
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import ConflictError, NotFoundError
from seawall.oci.digest import Digest
from seawall.scan import _sql
from seawall.scan.events import VexAccepted, VexRemoved
from seawall.scan.vex import documents
from seawall.scan.vex.model import Document
from seawall.store import Database
from seawall.store.watching import WhileUnchanged

MAX_DOCUMENTS: Final = 10_000
KEPT_MAX_BYTES: Final = 64 * 1024 * 1024
_ALL: Final = ""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was let in, without its statements."""

    digest: str
    format: str
    author: str
    issued_at: str
    approved_by: str
    approved_at: str
    source: str


class VexDocuments:
    """All of one installation. Blocking."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        kept: WhileUnchanged[str, tuple[Document, ...]] | None = None,
    ) -> None:
        """`kept` holds what was parsed, for as long as no document comes or goes."""
        self._database = database
        self._clock = clock
        self._kept = kept

    def accept(self, content: bytes, *, source: str, actor: Actor) -> Document:
        """Let a document in. Raises InvalidInputError, LimitError, ConflictError if it is there."""
        document = documents.parse(content)
        now = clocks.to_text(self._clock.now())
        c = _sql.vex.c
        with self._database.write() as connection:
            if connection.execute(sa.select(c.digest).where(c.digest == document.digest)).first():
                raise ConflictError(f"the VEX document {document.digest} is already let in")
            count = connection.execute(sa.select(sa.func.count()).select_from(_sql.vex)).scalar()
            if (count or 0) >= MAX_DOCUMENTS:
                raise ConflictError(
                    f"there are {MAX_DOCUMENTS} VEX documents", remedy="remove old ones first"
                )
            connection.execute(
                sa.insert(_sql.vex).values(
                    digest=document.digest,
                    format=document.format,
                    author=document.author,
                    issued_at=document.issued_at,
                    approved_by=str(actor),
                    approved_at=now,
                    source=source,
                    body=zstd.compress(content),
                )
            )
            event = VexAccepted(
                digest=document.digest,
                format=document.format,
                author=document.author,
                statements=len(document.statements),
                source=source,
            )
            audit.record(connection, event, actor=actor, at=self._clock.now())
        return document

    def remove(self, digest: Digest, *, actor: Actor) -> None:
        """Take a document away. Raises NotFoundError."""
        c = _sql.vex.c
        with self._database.write() as connection:
            gone = connection.execute(sa.delete(_sql.vex).where(c.digest == str(digest)))
            if gone.rowcount == 0:
                raise NotFoundError(
                    f"there is no VEX document {digest}", remedy="see: seawall vex list"
                )
            event = VexRemoved(digest=str(digest))
            audit.record(connection, event, actor=actor, at=self._clock.now())

    def listed(self) -> tuple[Accepted, ...]:
        """Return all documents, the newest first."""
        c = _sql.vex.c
        query = sa.select(
            c.digest, c.format, c.author, c.issued_at, c.approved_by, c.approved_at, c.source
        ).order_by(c.approved_at.desc(), c.digest)
        with self._database.read() as connection:
            return tuple(Accepted(**row._mapping) for row in connection.execute(query))

    def all(self) -> tuple[Document, ...]:
        """Return all documents with their statements."""
        if self._kept is None:
            return self._read()
        return self._kept.get(_ALL, self._read, weigh=_bytes_of)

    def _read(self) -> tuple[Document, ...]:
        c = _sql.vex.c
        with self._database.read() as connection:
            bodies = connection.execute(sa.select(c.body).order_by(c.digest)).scalars()
            return tuple(documents.parse(zstd.decompress(body)) for body in bodies)


def _bytes_of(found: tuple[Document, ...]) -> int:
    return 1024 + sum(512 * len(document.statements) for document in found)
