"""Reports: made once per image, put together again from inventory and verdicts when they are read.

The newest report of each image is kept; what older ones found stands in the audit log. Findings are
not kept per image: the verdict on a version of a package is one row for all images (`verdicts`),
and when advisories change only those rows are judged again (`rematching`). A report is stored only
while the feeds that judged it are still the ones in use, so that no row is older than it says.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
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
from seawall.scan import (
    _sql,
    ecosystems,
    holes,
    lifecycles,
    matching,
    report_model,
    staging,
    verdicts,
)
from seawall.scan.ecosystems import Question
from seawall.scan.errors import FeedsMovedError
from seawall.scan.events import ReportMade
from seawall.scan.holes import Hole
from seawall.scan.inventory_facts import FACTS_VERSION
from seawall.scan.lookup import StoredAdvisories
from seawall.scan.model import Inventory, Reach
from seawall.scan.report_model import Report, Summary
from seawall.store import Database

FORMAT: Final = 2
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A report, with what storing it needs."""

    report: Report
    fresh: Mapping[Question, tuple[Hole, ...]]
    """The verdicts that were worked out for it; the others stand in the database."""
    components: Mapping[Question, int]
    """How many components each verdict is about."""


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
            judgement = self.weigh(digest, inventory)
            with contextlib.suppress(FeedsMovedError), self._database.write() as connection:
                self.store(connection, judgement, actor=actor, repository=repository)
                return judgement.report
        raise FeedsMovedError(
            f"the advisories changed {ATTEMPTS} times while {digest} was judged",
            remedy="try again when the imports are done",
        )

    def rematch(self, digest: Digest, *, actor: Actor, repository: str | None = None) -> Report:
        """Judge an image again from its stored inventory; no layer is opened.

        Raises NotFoundError when the image was never scanned, or only by a scanner that saw less.
        """
        inventory = self._inventory(digest)
        if inventory is None or inventory.facts < FACTS_VERSION:
            raise NotFoundError(f"{digest} was not scanned yet", remedy="scan it")
        return self.make(digest, inventory, actor=actor, repository=repository)

    def judge(
        self, digest: Digest, inventory: Inventory, *, is_comprehensive: bool = False
    ) -> Report:
        """Return what the feeds in use say about an inventory; nothing is stored."""
        return self.weigh(digest, inventory, is_comprehensive=is_comprehensive).report

    def weigh(
        self, digest: Digest, inventory: Inventory, *, is_comprehensive: bool = False
    ) -> Judgement:
        """Judge an inventory and keep the reasons; nothing is stored."""
        with self._database.read() as connection:
            advisories = StoredAdvisories(connection)
            plan = matching.Plan(
                inventory, advisories.ecosystems(), is_comprehensive=is_comprehensive
            )
            asked = plan.questions()
            stored = _current_verdicts(connection, asked)
            fresh = holes.judge([one for one in asked if one not in stored], advisories)
            report = Report(
                digest=str(digest),
                inventory=inventory,
                findings=(),
                scanned_at=clocks.to_text(self._clock.now()),
                feeds=advisories.feeds(),
                scanner_version=seawall.__version__,
                is_partial=inventory.is_partial,
            )
            return Judgement(
                report=self._put_together(report, plan, stored | fresh, advisories),
                fresh=fresh,
                components=asked,
            )

    def store(
        self,
        connection: sa.Connection,
        judgement: Judgement,
        *,
        actor: Actor,
        repository: str | None = None,
    ) -> None:
        """Keep a report with its inventory, in the caller's write transaction.

        Raises FeedsMovedError when other editions of the feeds are in use by now.
        """
        report = judgement.report
        if StoredAdvisories(connection).feeds() != report.feeds:
            raise FeedsMovedError(
                f"the advisories changed while {report.digest} was judged", remedy="judge it again"
            )
        summary = report_model.summarise(report)
        _replace_rows(connection, judgement, summary)
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
            row = connection.execute(
                sa.select(c.body, c.scanned_at).where(c.digest == str(digest), c.format == FORMAT)
            ).first()
            inventory = _stored_inventory(connection, digest)
            if row is None or inventory is None:
                return None
            advisories = StoredAdvisories(connection)
            report = _REPORTS.decode(zstd.decompress(row.body))
            is_current = verdicts.are_current(connection)
            report = msgspec.structs.replace(
                report,
                inventory=inventory,
                scanned_at=row.scanned_at,
                # What is put together here was judged by these, whenever the report was made.
                feeds=advisories.feeds() if is_current else report.feeds,
            )
            plan = matching.Plan(inventory, advisories.ecosystems())
            found = verdicts.of_image(connection, str(digest))
            return self._put_together(report, plan, found, advisories)

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
        if packages is None:
            with self._database.read() as connection:
                rows = connection.execute(sa.select(_sql.inventories.c.digest))
                return frozenset(map(Digest, rows.scalars()))
        n = _sql.package_names.c
        found: set[Digest] = set()
        for batch in staging.batches(sorted(packages), PACKAGES_PER_QUERY):
            found |= self._holders(sa.tuple_(n.ecosystem, n.package).in_(batch))
        return frozenset(found)

    def images_of(self, bases: Iterable[str]) -> frozenset[Digest]:
        """Return the images that hold any package of these ecosystems (without suffix)."""
        return self._holders(_sql.package_names.c.ecosystem.in_(sorted(bases)))

    def _holders(self, condition: sa.ColumnElement[bool]) -> frozenset[Digest]:
        n, c, i = _sql.package_names.c, _sql.contents.c, _sql.images.c
        query = (
            sa.select(i.digest)
            .join_from(_sql.package_names, _sql.contents, c.package == n.id)
            .join(_sql.images, i.id == c.image)
            .where(condition)
            .distinct()
        )
        with self._database.read() as connection:
            return frozenset(map(Digest, connection.execute(query).scalars()))

    def forget(self, connection: sa.Connection, digest: Digest) -> None:
        """Drop what is known about an image that no longer exists, in the caller's transaction."""
        c, i = _sql.contents.c, _sql.images.c
        held = (
            sa.select(c.package).join(_sql.images, i.id == c.image).where(i.digest == str(digest))
        )
        packages = list(connection.execute(held).scalars())
        for table in (_sql.reports, _sql.inventories, _sql.images):  # contents by cascade
            connection.execute(sa.delete(table).where(table.c.digest == str(digest)))
        verdicts.drop_unheld(connection, packages)

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

    def _put_together(
        self,
        report: Report,
        plan: matching.Plan,
        found: Mapping[Question, tuple[Hole, ...]],
        advisories: StoredAdvisories,
    ) -> Report:
        judged = matching.put_together(plan, found, advisories)
        today = self._clock.now().date()
        return msgspec.structs.replace(
            report,
            findings=judged.findings,
            informational=judged.informational,
            unjudged=sum(spot.components for spot in judged.blind),
            notices=tuple(map(_told, judged.blind)),
            gaps=tuple(_told(spot) for spot in judged.blind if spot.is_gap),
            end_of_life=lifecycles.endings(report.inventory, advisories.lifecycles, today),
        )

    def _inventory(self, digest: Digest) -> Inventory | None:
        with self._database.read() as connection:
            return _stored_inventory(connection, digest)


def _told(spot: matching.Blind) -> str:
    return f"{spot.components} not judged: {spot.reason}"


def _current_verdicts(
    connection: sa.Connection, asked: Iterable[Question]
) -> dict[Question, tuple[Hole, ...]]:
    """Return the verdicts that are known already and that no new edition waits to change."""
    if not verdicts.are_current(connection):
        return {}
    found = verdicts.of_questions(connection, asked)
    return {question: verdicts.decode(body) for question, (_, body) in found.items()}


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


def _replace_rows(connection: sa.Connection, judgement: Judgement, summary: Summary) -> None:
    report = judgement.report
    body = _encode(
        msgspec.structs.replace(
            report,
            inventory=_NOTHING,
            findings=(),
            informational=(),
            notices=(),
            gaps=(),
            end_of_life=(),
        )
    )
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
    if _stored_inventory(connection, Digest(report.digest)) != report.inventory:
        inventories = _sql.inventories
        connection.execute(sa.delete(inventories).where(inventories.c.digest == report.digest))
        connection.execute(
            sa.insert(inventories).values(
                digest=report.digest,
                format=FORMAT,
                body=zstd.compress(_encode(report.inventory)),
            )
        )
    _replace_contents(connection, judgement)


def _replace_contents(connection: sa.Connection, judgement: Judgement) -> None:
    """Write which packages the image holds, and what is said about them now."""
    report, now = judgement.report, judgement.report.scanned_at
    distribution = report.inventory.distribution
    reaches: dict[Question, int] = {}
    for component in report.inventory.components:
        question = ecosystems.question(component, distribution)
        if question is not None:
            reaches[question] = max(reaches.get(question, 0), component.reach.rank)
    held: dict[Question, Collection[Hole]] = dict.fromkeys(reaches, ())
    verdicts.change(connection, judgement.fresh, now=now, but=report.digest)
    numbers = verdicts.add(connection, held | dict(judgement.fresh), now=now)
    image = _image_number(connection, report.digest, now)
    rows = {
        number: {
            "package": number,
            "image": image,
            "components": judgement.components.get(question, 0),
            "reach": reaches.get(question, Reach.UNKNOWN.rank),
        }
        for question, number in numbers.items()
    }
    c, u = _sql.contents.c, _sql.unsettled.c
    known = sa.select(c.package, c.components, c.reach).where(c.image == image)
    stored = {row.package: (row.components, row.reach) for row in connection.execute(known)}
    # What this report says is counted whole: nothing is left to settle.
    connection.execute(sa.delete(_sql.unsettled).where(u.image == image))
    if stored == {number: (row["components"], row["reach"]) for number, row in rows.items()}:
        return  # a new judgement of a known inventory, by far the most frequent case
    connection.execute(sa.delete(_sql.contents).where(c.image == image))
    for batch in staging.batches(list(rows.values()), ROWS_PER_INSERT):
        connection.execute(sa.insert(_sql.contents), batch)
    verdicts.drop_unheld(connection, sorted(stored.keys() - rows.keys()))


def _image_number(connection: sa.Connection, digest: str, now: str) -> int:
    i = _sql.images.c
    number = connection.execute(sa.select(i.id).where(i.digest == digest)).scalar()
    if number is not None:
        return int(number)
    inserted = connection.execute(
        sa.insert(_sql.images).values(digest=digest, scanned_at=now)
    ).inserted_primary_key
    assert inserted is not None
    return int(inserted[0])
