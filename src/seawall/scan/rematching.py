"""After new advisories: judge again what they speak about, once for all images that hold it.

    1. the packages about which a feed says something else: their versions in the fleet
    2. one verdict for each, whatever the number of images; those that differ are written, together
       with a note for each image that it does not know yet                       (one transaction)
    3. image by image the notes are counted into its numbers, and an event tells what changed for
       it                                                                   (many small ones)

Steps 2 and 3 may each die at any moment: what is written is true, what is left is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
import sqlalchemy as sa

from seawall import audit
from seawall.core import actor as actors
from seawall.core import clock as clocks
from seawall.core.clock import Clock
from seawall.oci.digest import Digest
from seawall.scan import _sql, holes, reports, staging, verdicts
from seawall.scan.advisory_model import Informational
from seawall.scan.ecosystems import Question
from seawall.scan.errors import FeedsMovedError
from seawall.scan.events import FindingsChanged
from seawall.scan.holes import Hole
from seawall.scan.lookup import StoredAdvisories
from seawall.scan.report_model import Summary
from seawall.scan.severity import Severity
from seawall.store import Database

IMAGES_PER_TRANSACTION: Final = 500
IDS_PER_EVENT: Final = 50
CHANGES_PER_QUERY: Final = 500

Places: TypeAlias = Callable[[Sequence[Digest]], Iterable[tuple[str, Digest]]]
"""Gives (repository, digest) of every place where these images are."""

_SUMMARIES: Final = msgspec.json.Decoder(Summary)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of a verdict means for an image that holds the package once."""

    appeared: tuple[str, ...]
    gone: tuple[str, ...]
    fixed: tuple[str, ...]
    """Those for which a fixed version is named now."""
    by_severity: Mapping[str, int]
    fixable_by_severity: Mapping[str, int]
    exploited: int
    informational: int


class Rematching:
    """Keeps the verdicts on a fleet up to date. Blocking: call it from a worker's thread."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._differences: dict[int, Difference] = {}

    def rejudge(self, packages: Iterable[staging.Package], *, generation: int) -> int:
        """Judge again every version of the packages that a generation speaks differently about.

        Returns how many verdicts changed. Raises FeedsMovedError when the feeds change faster than
        this can judge.
        """
        asked = sorted(packages)
        for _ in range(reports.ATTEMPTS):
            with self._database.read() as connection:
                advisories = StoredAdvisories(connection)
                feeds = advisories.feeds()
                fresh = holes.judge(_questions(connection, asked), advisories)
            now = clocks.to_text(self._clock.now())
            with self._database.write() as connection:
                if StoredAdvisories(connection).feeds() == feeds:
                    g = _sql.generations.c
                    connection.execute(
                        sa.update(_sql.generations)
                        .where(g.id == generation)
                        .values(is_rejudged=True)
                    )
                    return verdicts.change(connection, fresh, now=now)
        raise FeedsMovedError(
            "the advisories changed while packages were judged again", remedy="try again"
        )

    def settle(self, places: Places) -> int:
        """Count what changed into the numbers of every image, with an event for each place.

        Returns how many images were settled.
        """
        settled = 0
        while batch := self._unsettled():
            at = dict(_grouped(places([digest for _, digest, _ in batch])))
            with self._database.write() as connection:
                self._settle(connection, batch, at)
            settled += len(batch)
        self._differences.clear()
        with self._database.write() as connection:
            waiting = sa.select(_sql.unsettled.c.change)
            changes = _sql.verdict_changes
            connection.execute(sa.delete(changes).where(changes.c.id.not_in(waiting)))
        return settled

    def _unsettled(self) -> list[tuple[int, Digest, list[tuple[int, int]]]]:
        """Return the next images as (number, digest, [(change, components)])."""
        u, i = _sql.unsettled.c, _sql.images.c
        first = sa.select(u.image).distinct().order_by(u.image).limit(IMAGES_PER_TRANSACTION)
        with self._database.read() as connection:
            numbers = list(connection.execute(first).scalars())
            if not numbers:
                return []
            digests = {
                row.id: Digest(row.digest)
                for row in connection.execute(
                    sa.select(i.id, i.digest).where(i.id.between(numbers[0], numbers[-1]))
                )
            }
            rows = connection.execute(
                sa.select(u.image, u.change, u.components)
                .where(u.image.between(numbers[0], numbers[-1]))
                .order_by(u.image, u.change)
            ).all()
            self._learn(connection, {row.change for row in rows})
        found: dict[int, list[tuple[int, int]]] = {}
        for row in rows:
            found.setdefault(row.image, []).append((row.change, row.components))
        return [(number, digests[number], changes) for number, changes in found.items()]

    def _learn(self, connection: sa.Connection, changes: Collection[int]) -> None:
        c = _sql.verdict_changes.c
        for batch in staging.batches(sorted(set(changes) - set(self._differences)), 500):
            rows = connection.execute(sa.select(_sql.verdict_changes).where(c.id.in_(batch)))
            for row in rows:
                self._differences[row.id] = difference(
                    verdicts.decode(row.before), verdicts.decode(row.after)
                )

    def _settle(
        self,
        connection: sa.Connection,
        batch: Sequence[tuple[int, Digest, list[tuple[int, int]]]],
        at: Mapping[Digest, Sequence[str]],
    ) -> None:
        now = self._clock.now()
        r, u = _sql.reports.c, _sql.unsettled.c
        stored = {
            row.digest: row
            for row in connection.execute(
                sa.select(r.digest, r.summary).where(
                    r.digest.in_([str(digest) for _, digest, _ in batch]),
                    r.format == reports.FORMAT,
                )
            )
        }
        updates: list[dict[str, object]] = []
        events: list[audit.Event] = []
        for _, digest, changes in batch:
            if (row := stored.get(str(digest))) is None:
                continue
            counted = [(self._differences[change], n) for change, n in changes]
            summary = settled_summary(_SUMMARIES.decode(row.summary), counted, clocks.to_text(now))
            updates.append(
                {
                    "of": str(digest),
                    "scanned_at": summary.scanned_at,
                    "summary": msgspec.json.encode(summary),
                }
            )
            events += [_event(place, digest, counted, summary) for place in at.get(digest, ())]
        if updates:
            connection.execute(
                sa.update(_sql.reports)
                .where(r.digest == sa.bindparam("of"))
                .values(
                    scanned_at=sa.bindparam("scanned_at"),
                    summary=sa.bindparam("summary"),
                ),
                updates,
            )
        # Only what was counted: another change may have come since it was read.
        connection.execute(
            sa.delete(_sql.unsettled).where(
                u.image == sa.bindparam("of_image"), u.change == sa.bindparam("of_change")
            ),
            [{"of_image": n, "of_change": c} for n, _, changes in batch for c, _ in changes],
        )
        audit.record_all(connection, events, actor=actors.SYSTEM, at=now)


def difference(before: Collection[Hole], after: Collection[Hole]) -> Difference:
    """Return what changed between two verdicts on the same version."""
    old = {hole.ids[0]: hole for hole in before}
    new = {hole.ids[0]: hole for hole in after}
    # A hole that only has another headline now is the same one.
    were, are = ({i for hole in found for i in _own_names(hole)} for found in (before, after))
    return Difference(
        appeared=tuple(sorted(i for i in _real(new) if were.isdisjoint(_own_names(new[i])))),
        gone=tuple(sorted(i for i in _real(old) if are.isdisjoint(_own_names(old[i])))),
        fixed=tuple(
            sorted(i for i in _real(new) & _real(old) if new[i].fixed and not old[i].fixed)
        ),
        by_severity=_minus(_counts(new.values()), _counts(old.values())),
        fixable_by_severity=_minus(
            _counts(h for h in new.values() if h.fixed), _counts(h for h in old.values() if h.fixed)
        ),
        exploited=_exploited(new.values()) - _exploited(old.values()),
        informational=(len(new) - len(_real(new))) - (len(old) - len(_real(old))),
    )


def settled_summary(
    summary: Summary, changes: Sequence[tuple[Difference, int]], now: str
) -> Summary:
    """Return the numbers of an image after these changes, each with its number of components."""
    by_severity, fixable = dict(summary.findings_by_severity), dict(summary.fixable_by_severity)
    exploited, informational = summary.exploited, summary.informational
    for change, components in changes:
        for total, part in (
            (by_severity, change.by_severity),
            (fixable, change.fixable_by_severity),
        ):
            for name, count in part.items():
                total[name] = total.get(name, 0) + count * components
        exploited += change.exploited * components
        informational += change.informational * components
    return msgspec.structs.replace(
        summary,
        scanned_at=now,
        findings_by_severity=_tidy(by_severity),
        fixable_by_severity=_tidy(fixable),
        exploited=exploited,
        informational=informational,
    )


def _questions(connection: sa.Connection, packages: Sequence[staging.Package]) -> list[Question]:
    p, n = _sql.packages.c, _sql.package_names.c
    found: dict[int, Question] = {}
    for batch in staging.batches(packages, CHANGES_PER_QUERY):
        rows = connection.execute(
            sa.select(p.id, p.question)
            .join_from(_sql.package_names, _sql.packages, p.id == n.id)
            .where(sa.tuple_(n.ecosystem, n.package).in_(batch))
        )
        found |= {row.id: verdicts.question_of(row.question) for row in rows}
    return list(found.values())


def _grouped(places: Iterable[tuple[str, Digest]]) -> dict[Digest, list[str]]:
    found: dict[Digest, list[str]] = {}
    for repository, digest in places:
        found.setdefault(digest, []).append(repository)
    return found


def _event(
    repository: str, digest: Digest, changes: Sequence[tuple[Difference, int]], summary: Summary
) -> FindingsChanged:
    appeared = {name for change, _ in changes for name in change.appeared}
    gone = {name for change, _ in changes for name in change.gone}
    fixed = {name for change, _ in changes for name in change.fixed}
    return FindingsChanged(
        repository=repository,
        digest=str(digest),
        newly_vulnerable=sorted(appeared - gone)[:IDS_PER_EVENT],
        newly_fixed=sorted(fixed)[:IDS_PER_EVENT],
        withdrawn=sorted(gone - appeared)[:IDS_PER_EVENT],
        changes=len(appeared | gone | fixed),
        findings_by_severity=summary.findings_by_severity,
        fixable=summary.fixable,
        exploited=summary.exploited,
    )


def _own_names(hole: Hole) -> tuple[str, ...]:
    """Return the names that are this hole's alone: not those of advisories over several."""
    return tuple(name for name in hole.ids if name.startswith("CVE-")) or hole.ids


def _real(found: Mapping[str, Hole]) -> set[str]:
    return {i for i, hole in found.items() if hole.informational is Informational.NONE}


def _counts(found: Iterable[Hole]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for hole in found:
        if hole.informational is Informational.NONE:
            name = hole.rating.severity.value
            counts[name] = counts.get(name, 0) + 1
    return counts


def _exploited(found: Iterable[Hole]) -> int:
    return sum(h.is_exploited for h in found if h.informational is Informational.NONE)


def _minus(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    both = {name: one.get(name, 0) - other.get(name, 0) for name in {*one, *other}}
    return {name: count for name, count in sorted(both.items()) if count}


def _tidy(counts: Mapping[str, int]) -> dict[str, int]:
    worst_first = sorted(Severity, key=lambda severity: severity.rank, reverse=True)
    return {s.value: counts[s.value] for s in worst_first if counts.get(s.value, 0) > 0}
