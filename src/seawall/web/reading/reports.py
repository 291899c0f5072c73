"""A report for readers: findings by severity with one line to do, packages by name, layers."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Sequence
from typing import Final

import msgspec

from seawall.core import clock as clocks
from seawall.oci.manifests import Descriptor
from seawall.scan import advice, report_model, report_words
from seawall.scan.advisory_model import State
from seawall.scan.model import Component, Distribution, PackageType
from seawall.scan.report_model import Finding, Report
from seawall.web import limits, scan_views, views
from seawall.web.reading import paging
from seawall.web.views import Counts, Severity

NOTES_SHOWN: Final = 20

OSV: Final = "https://osv.dev/vulnerability/"


def scan(report: Report, query: views.ImageQuery, *, has_layers: bool) -> views.Scan:
    """Return the report; without layers on the page nothing points to them."""
    of_layer = [
        one
        for one in report.findings
        if query.layer is None or (has_layers and one.layer_index + 1 == query.layer)
    ]
    chosen = [one for one in of_layer if query.reach in (None, one.reach)]
    found = [_finding(one, has_layers=has_layers) for one in chosen]
    totals = counts(msgspec.structs.replace(report, findings=tuple(chosen)))
    return views.Scan(
        scanned_at=clocks.from_text(report.scanned_at),
        advisories_from=_advisories_from(report),
        findings=_findings(found, totals, query),
        packages=_packages(report, query.packages, has_layers=has_layers),
        notes=_notes(report),
        support=support(report),
        reached=tuple(
            scan_views.Reached(reach=reach, text=text)
            for reach, text in report_words.reaches(of_layer)
        ),
        answered=report_words.answers(report.suppressed),
    )


def counts(report: Report) -> Counts:
    """Return the open findings of a report in numbers, and beside them what is answered for."""
    summary = report_model.summarise(report)
    return Counts(
        **summary.findings_by_severity,
        fixable=summary.fixable,
        exploited=summary.exploited,
        answered=summary.answered,
    )


def support(report: Report) -> tuple[scan_views.Support, ...]:
    """Return what gets no fixes any more or soon will not, the distribution first."""
    return tuple(
        scan_views.Support(text=report_words.support(one), is_over=one.is_over)
        for one in report.end_of_life[: limits.ENDINGS_SHOWN]
    )


def rank(one: Finding) -> scan_views.Rank:
    """Return what ranks a finding beside its severity."""
    has_state = not one.is_fixable and one.state is not State.PLAIN
    return scan_views.Rank(
        exploited=report_words.exploitation(one),
        reached=report_words.reached(one),
        likelihood=report_words.likelihood(one),
        state=advice.without_fix(one) if has_state else "",
        rated_by=report_words.rated_by(one),
    )


def layers(
    found: Sequence[Descriptor], instructions: Sequence[str], report: Report | None
) -> tuple[views.Layer, ...]:
    """Return the layers of the manifest with what the report says about each."""
    components = () if report is None else report.inventory.components
    findings = () if report is None else report.findings
    base = report.inventory.base if report else None
    packages = collections.Counter(one.layer_index for one in components)
    holes = collections.Counter(one.layer_index for one in findings)
    return tuple(
        views.Layer(
            number=index + 1,
            digest=layer.digest,
            size=layer.size,
            instruction=instructions[index] if index < len(instructions) else "",
            packages=packages[index],
            findings=holes[index],
            is_base=base is not None and index < base.layers < len(found),
        )
        for index, layer in enumerate(found)
    )


def _findings(
    found: Sequence[views.Finding], totals: Counts, query: views.ImageQuery
) -> views.FindingList:
    by_severity: dict[Severity, list[views.Finding]] = {level: [] for level in Severity}
    for one in found:
        by_severity[one.severity].append(one)
    chosen = query.severity
    if chosen is None:
        groups = tuple(
            views.FindingGroup(
                severity=level, total=len(rows), rows=tuple(rows[: limits.FINDINGS_PER_GROUP])
            )
            for level, rows in by_severity.items()
        )
        return views.FindingList(counts=totals, groups=groups, layer=query.layer)
    rows = by_severity[chosen]
    page = paging.cut(rows, query.findings_page, limits.FINDINGS_PER_PAGE)
    group = views.FindingGroup(severity=chosen, total=len(rows), rows=page.rows)
    return views.FindingList(
        counts=totals, groups=(group,), page=page.page, pages=page.pages, layer=query.layer
    )


def _finding(one: Finding, *, has_layers: bool) -> views.Finding:
    return views.Finding(
        id=one.id,
        aliases=one.aliases,
        severity=Severity(one.severity.value),
        package=one.name,
        installed=one.version,
        fixed=one.fixed_version or None,
        fix=_fix(one),
        summary=one.summary,
        layer=one.layer_index + 1 if has_layers else None,
        url=f"{OSV}{one.id}" if one.id.replace("-", "").isalnum() and one.id.isascii() else "",
        rank=rank(one),
    )


def _fix(one: Finding) -> str:
    if not one.is_fixable:
        return f"{advice.without_fix(one)}; a waiver in the policy can accept it for a time"
    match one.type:
        case PackageType.DEB:
            source = "" if one.package == one.name else f" (source package {one.package})"
            return (
                f"apt-get install --only-upgrade {one.name}, or a newer base image: "
                f"{one.fixed_version} or later{source}; then build and push again"
            )
        case PackageType.PYPI:
            return f"require {one.name}>={one.fixed_version}, then build and push again"
        case _:
            return (
                f"update {one.package} to {one.fixed_version} or later; then build and push again"
            )


def _packages(report: Report, query: views.ListQuery, *, has_layers: bool) -> views.PackageList:
    every = report.inventory.components
    wanted = query.q.lower()
    found = [one for one in every if wanted in one.name.lower()]
    page = paging.cut(found, query.page, limits.PACKAGES_PER_PAGE)
    worst = _worst(report)
    distribution = report.inventory.distribution
    return views.PackageList(
        rows=tuple(
            views.Package(
                name=one.name,
                version=one.version,
                ecosystem=_universe(one, distribution),
                layer=one.layer_index + 1 if has_layers else None,
                worst=worst.get((one.purl, one.path)),
            )
            for one in page.rows
        ),
        total=len(every),
        matching=len(found),
        page=page.page,
        pages=page.pages,
    )


def _worst(report: Report) -> dict[tuple[str, str], Severity]:
    """Return the worst finding of each component, by its purl and the place where it was found."""
    order = list(Severity)  # worst first
    worst: dict[tuple[str, str], Severity] = {}
    for one in report.findings:
        level, key = Severity(one.severity.value), (one.purl, one.path)
        if key not in worst or order.index(level) < order.index(worst[key]):
            worst[key] = level
    return worst


def _universe(component: Component, distribution: Distribution | None) -> str:
    distribution = component.distribution or distribution
    if component.type.is_system and distribution is not None:
        return f"{distribution.id.capitalize()} {distribution.version_id}".strip()
    return component.type.value


def _advisories_from(report: Report) -> dt.datetime | None:
    """Return when the oldest of the feeds used was imported."""
    moments = [clocks.from_text(feed.imported_at) for feed in report.feeds if feed.imported_at]
    return min(moments, default=None)


def _notes(report: Report) -> tuple[str, ...]:
    notes = [*report.notices, *(notice.message for notice in report.inventory.notices)]
    if report.is_partial:
        notes.insert(0, "a part of the image could not be read, so there may be more findings")
    if not report.feeds:
        notes.insert(0, "there are no advisories, so nothing could be found: seawall feeds update")
    rest = len(notes) - NOTES_SHOWN
    return (*notes[:NOTES_SHOWN], *([f"and {rest} more"] if rest > 0 else []))
