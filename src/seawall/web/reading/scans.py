"""What is made of a report: what to do, what is wrong with the image itself, who answers."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import msgspec

from seawall import audit
from seawall.core import clock as clocks
from seawall.oci.digest import Digest
from seawall.scan import advice
from seawall.scan.advice import Change, Place
from seawall.scan.events import FindingsChanged, ReportMade
from seawall.scan.model import Weakness
from seawall.scan.report_model import Report, Suppressed
from seawall.store import Database
from seawall.web import limits, scan_views
from seawall.web.reading import reports
from seawall.web.severities import Counts, Severity


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the events about an image have in common."""

    findings_by_severity: dict[str, int]
    fixable: int


def judgement(report: Report, *, has_layers: bool) -> scan_views.Judgement:
    """Return what is made of a report; without layers on the page nothing points to them."""
    plan = advice.of_report(report)
    weak = sorted(report.inventory.weaknesses, key=_worst_first)
    return scan_views.Judgement(
        plan=scan_views.Plan(
            rows=tuple(
                _change(one, has_layers=has_layers) for one in plan.changes[: limits.CHANGES_SHOWN]
            ),
            total=len(plan.changes),
            after=plan.rest_in_words,
        ),
        weaknesses=tuple(
            _weakness(one, has_layers=has_layers) for one in weak[: limits.WEAKNESSES_SHOWN]
        ),
        unexplained=tuple(
            scan_views.Unexplained(
                path=one.path,
                what=f"{one.format} {one.kind}".strip(),
                size=one.size,
                layer=one.layer_index + 1 if has_layers else None,
            )
            for one in report.inventory.unexplained[: limits.UNEXPLAINED_SHOWN]
        ),
        unexplained_total=len(report.inventory.unexplained),
        answers=tuple(map(_answer, islice(report.suppressed, limits.ANSWERS_SHOWN))),
        answers_total=len(report.suppressed),
        unapplied=report.unapplied[: limits.ANSWERS_SHOWN],
    )


def history(database: Database, digests: Iterable[Digest]) -> tuple[scan_views.Point, ...]:
    """Return what reports found in an image, as the log tells, the oldest first."""
    points = []
    with database.read() as connection:
        for digest in digests:
            kinds = (ReportMade.kind(), FindingsChanged.kind())
            only = audit.Filter(kinds=kinds, digest=str(digest))
            entries = audit.read(
                connection, limit=limits.HISTORY_POINTS, newest_first=True, only=only
            )
            points += [_point(entry) for entry in entries]
    points.sort(key=lambda point: point.at)
    return tuple(points[-limits.HISTORY_POINTS :])


def _point(entry: audit.Entry) -> scan_views.Point:
    made = msgspec.json.decode(entry.body, type=_Found)
    known = {level.value for level in Severity}
    counts = {name: n for name, n in made.findings_by_severity.items() if name in known}
    return scan_views.Point(
        at=clocks.from_text(entry.at), counts=Counts(**counts, fixable=made.fixable)
    )


def _worst_first(one: Weakness) -> tuple[int, str, str, int]:
    return -one.severity.rank, one.rule, one.path, one.line


def _change(one: Change, *, has_layers: bool) -> scan_views.Change:
    return scan_views.Change(
        package=one.package,
        installed=one.installed,
        to=one.to,
        clears=one.clears[: limits.CLEARED_SHOWN],
        more=max(0, len(one.clears) - limits.CLEARED_SHOWN),
        worst=Severity(one.worst.value),
        is_in_base=one.place is Place.BASE_IMAGE,
        layer=one.layer_index + 1 if has_layers else None,
        command=one.command,
    )


def _weakness(one: Weakness, *, has_layers: bool) -> scan_views.Weakness:
    place = one.path or ("the image's history" if one.layer_index >= 0 else "the image's config")
    return scan_views.Weakness(
        severity=Severity(one.severity.value),
        title=one.title,
        place=f"{place}:{one.line}" if one.line else place,
        evidence=one.evidence,
        remedy=one.remedy,
        layer=one.layer_index + 1 if has_layers and one.layer_index >= 0 else None,
    )


def _answer(one: Suppressed) -> scan_views.Answer:
    return scan_views.Answer(
        id=one.finding.id,
        package=one.finding.name,
        version=one.finding.version,
        status=one.status,
        reason=one.reason,
        author=one.author,
        until=one.until[:10],
        severity=Severity(one.finding.severity.value),
        rank=reports.rank(one.finding),
    )
