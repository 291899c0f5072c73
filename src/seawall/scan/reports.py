"""Reports: made once per image, made again from the stored inventory when advisories change.

The newest report of each image is kept; what older ones found stands in the audit log. A report is
stored only while the feeds that judged it are still the ones in use: otherwise an edition that came
in between would have been applied to every image but this one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec
import sqlalchemy as sa

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

import seawall
from seawall import audit
from seawall.core import clock as clocks
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import NotFoundError
from seawall.oci.digest import Digest
from seawall.scan import _sql, matching, report_model, staging
from seawall.scan.errors import FeedsMovedError
from seawall.scan.events import ReportMade
from seawall.scan.lookup import StoredAdvisories
from seawall.scan.model import Inventory
from seawall.scan.report_model import Report, Summary
from seawall.store import Database

FORMAT: Final = 1
"""Raised when a stored report or inventory can no longer be read: images are then scanned again."""

ATTEMPTS: Final = 5
"""How often an image is judged again because the feeds moved meanwhile."""

PACKAGES_PER_QUERY: Final = 300
ROWS_PER_INSERT: Final = 5_000

_REPORTS: Final = msgspec.json.Decoder(Report)
_INVENTORIES: Final = msgspec.json.Decoder(Inventory)
_SUMMARIES: Final = msgspec.json.Decoder(Summary)
_NOTHING: Final = Inventory(
    components=(), distribution=None, notices=(), layers=(), is_partial=False
)


class Reports:
    """All reports of one installation. Blocking: call it from a worker's thread."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def make(
        self,
        digest: Digest,
        inventory: Inventory,
        *,
        actor: Actor,
        repository: str | None = None,
    ) -> Report:
        """Judge an image by the feeds in use and store the report.

        Raises FeedsMovedError when the feeds change faster than this can judge.
        """
        for _ in range(ATTEMPTS):
            report = self.judge(digest, inventory)
            with contextlib.suppress(FeedsMovedError), self._database.write() as connection:
                self.store(connection, report, actor=actor, repository=repository)
                return report
        raise FeedsMovedError(
            f"the advisories changed {ATTEMPTS} times while {digest} was judged",
            remedy="try again when the imports are done",
        )

    def rematch(self, digest: Digest, *, actor: Actor, repository: str | None = None) -> Report:
        """Judge an image again from its stored inventory; no layer is opened.

        Raises NotFoundError when the image was never scanned.
        """
        inventory = self._inventory(digest)
        if inventory is None:
            raise NotFoundError(f"{digest} was not scanned yet", remedy="scan it")
        return self.make(digest, inventory, actor=actor, repository=repository)

    def judge(self, digest: Digest, inventory: Inventory) -> Report:
        """Return what the feeds in use say about an inventory; nothing is stored."""
        with self._database.read() as connection:
            advisories = StoredAdvisories(connection)
            blind = matching.blind_spots(inventory, advisories)
            return Report(
                digest=str(digest),
                inventory=inventory,
                findings=matching.match(inventory, advisories),
                scanned_at=clocks.to_text(self._clock.now()),
                feeds=advisories.feeds(),
                scanner_version=seawall.__version__,
                is_partial=inventory.is_partial,
                unjudged=sum(spot.components for spot in blind),
                notices=tuple(f"{spot.components} not judged: {spot.reason}" for spot in blind),
            )

    def store(
        self,
        connection: sa.Connection,
        report: Report,
        *,
        actor: Actor,
        repository: str | None = None,
    ) -> None:
        """Keep a report with its inventory, in the caller's write transaction.

        Raises FeedsMovedError when other editions of the feeds are in use by now.
        """
        if StoredAdvisories(connection).feeds() != report.feeds:
            raise FeedsMovedError(
                f"the advisories changed while {report.digest} was judged", remedy="judge it again"
            )
        summary = report_model.summarise(report)
        _replace_rows(connection, report, summary)
        event = ReportMade(
            repository=repository,
            digest=report.digest,
            findings_by_severity=summary.findings_by_severity,
            fixable=summary.fixable,
            fixable_by_severity=summary.fixable_by_severity,
            components=summary.components,
            unjudged=summary.unjudged,
            is_partial=summary.is_partial,
            feeds=[f"{feed.name}@{feed.digest}" for feed in report.feeds],
        )
        audit.record(connection, event, actor=actor, at=self._clock.now())

    def latest(self, digest: Digest) -> Report | None:
        """Return the newest report of an image, or None when it was not scanned."""
        c = _sql.reports.c
        with self._database.read() as connection:
            body = connection.execute(
                sa.select(c.body).where(c.digest == str(digest), c.format == FORMAT)
            ).scalar()
            inventory = _stored_inventory(connection, digest)
        if body is None or inventory is None:
            return None
        report = _REPORTS.decode(zstd.decompress(body))
        return msgspec.structs.replace(report, inventory=inventory)

    def summaries(self, digests: Collection[Digest]) -> Mapping[Digest, Summary]:
        """Return the newest report of each image in numbers; images without one are left out."""
        c = _sql.reports.c
        found: dict[Digest, Summary] = {}
        with self._database.read() as connection:
            for batch in staging.batches(sorted(set(digests)), PACKAGES_PER_QUERY):
                rows = connection.execute(
                    sa.select(c.digest, c.summary).where(
                        c.digest.in_(list(map(str, batch))), c.format == FORMAT
                    )
                )
                found |= {Digest(row.digest): _SUMMARIES.decode(row.summary) for row in rows}
        return found

    def stale(self, before: dt.datetime) -> list[Digest]:
        """Return the images whose newest report was made before this moment, oldest first."""
        c = _sql.reports.c
        query = sa.select(c.digest).where(c.scanned_at < clocks.to_text(before))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(c.scanned_at, c.digest))
            return list(map(Digest, rows.scalars()))

    def images_with(self, packages: Iterable[staging.Package] | None) -> frozenset[Digest]:
        """Return the images that hold any of the packages; None stands for every image."""
        c = _sql.contents.c
        with self._database.read() as connection:
            if packages is None:
                return frozenset(
                    map(Digest, connection.execute(sa.select(_sql.inventories.c.digest)).scalars())
                )
            found: set[Digest] = set()
            for batch in staging.batches(sorted(packages), PACKAGES_PER_QUERY):
                query = sa.select(c.digest).where(sa.tuple_(c.ecosystem, c.package).in_(batch))
                found.update(map(Digest, connection.execute(query.distinct()).scalars()))
        return frozenset(found)

    def forget(self, connection: sa.Connection, digest: Digest) -> None:
        """Drop what is known about an image that no longer exists, in the caller's transaction."""
        for table in (_sql.reports, _sql.inventories, _sql.contents):
            connection.execute(sa.delete(table).where(table.c.digest == str(digest)))

    def layer_facts(self, digest: Digest, *, format: int) -> bytes | None:  # noqa: A002
        """Return what was stored about a layer in this format, or None."""
        c = _sql.layer_facts.c
        with self._database.read() as connection:
            body = connection.execute(
                sa.select(c.body).where(c.digest == str(digest), c.format == format)
            ).scalar()
        return None if body is None else zstd.decompress(body)

    def store_layer_facts(self, digest: Digest, facts: bytes, *, format: int) -> None:  # noqa: A002
        """Keep what was read from a layer; older formats of it are dropped."""
        table = _sql.layer_facts
        with self._database.write() as connection:
            connection.execute(
                sa.delete(table).where(table.c.digest == str(digest), table.c.format <= format)
            )
            connection.execute(
                sa.insert(table).values(
                    digest=str(digest),
                    format=format,
                    body=zstd.compress(facts),
                    stored_at=clocks.to_text(self._clock.now()),
                )
            )

    def _inventory(self, digest: Digest) -> Inventory | None:
        with self._database.read() as connection:
            return _stored_inventory(connection, digest)


def _stored_inventory(connection: sa.Connection, digest: Digest) -> Inventory | None:
    c = _sql.inventories.c
    body = connection.execute(
        sa.select(c.body).where(c.digest == str(digest), c.format == FORMAT)
    ).scalar()
    return None if body is None else _INVENTORIES.decode(zstd.decompress(body))


def _encode(value: Report | Inventory) -> bytes:
    return msgspec.json.encode(value, enc_hook=_plain)


def _plain(value: object) -> str:
    # A digest is a kind of `str`, which the encoder does not take for one.
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError(type(value).__name__)


def _replace_rows(connection: sa.Connection, report: Report, summary: Summary) -> None:
    body = _encode(msgspec.structs.replace(report, inventory=_NOTHING))
    connection.execute(sa.delete(_sql.reports).where(_sql.reports.c.digest == report.digest))
    connection.execute(
        sa.insert(_sql.reports).values(
            digest=report.digest,
            scanned_at=report.scanned_at,
            summary=msgspec.json.encode(summary),
            format=FORMAT,
            body=zstd.compress(body),
        )
    )
    # A new judgement of a known inventory, by far the most frequent case, writes the report only.
    if _stored_inventory(connection, Digest(report.digest)) != report.inventory:
        _replace_inventory(connection, report)


def _replace_inventory(connection: sa.Connection, report: Report) -> None:
    for table in (_sql.inventories, _sql.contents):
        connection.execute(sa.delete(table).where(table.c.digest == report.digest))
    connection.execute(
        sa.insert(_sql.inventories).values(
            digest=report.digest,
            format=FORMAT,
            body=zstd.compress(_encode(report.inventory)),
        )
    )
    packages = sorted(set(map(matching.advisory_name, report.inventory.components)))
    for batch in staging.batches(packages, ROWS_PER_INSERT):
        connection.execute(
            sa.insert(_sql.contents),
            [{"ecosystem": e, "package": p, "digest": report.digest} for e, p in batch],
        )
