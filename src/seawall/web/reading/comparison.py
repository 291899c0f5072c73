"""Two images beside each other: what one has that the other has not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seawall.core.errors import NotFoundError, SeawallError
from seawall.oci.names import Reference
from seawall.registry.service import Registry
from seawall.scan import differences
from seawall.scan.differences import FindingChange, PackageChange
from seawall.scan.report_model import Finding, Report
from seawall.web import limits, scan_views
from seawall.web.reading import reports
from seawall.web.reading.sight import Sight
from seawall.web.reading.verdicts import Verdicts
from seawall.web.severities import Severity

UNKNOWN = "there is no such image here, or you may not see it"
UNSCANNED = "there is no report about it yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparisons:
    """Reads the page for one viewer. `hosts` are the names of this registry."""

    registry: Registry
    verdicts: Verdicts
    sight: Sight
    hosts: frozenset[str]

    def make(self, query: scan_views.ComparisonQuery) -> scan_views.Comparison:
        """Return the comparison, as far as it can be made."""
        old, before = self._side(query.old)
        new, after = self._side(query.new)
        if before is None or after is None:
            return scan_views.Comparison(old=old, new=new)
        found = differences.between(before, after)
        shown = limits.DIFFERENCES_SHOWN
        return scan_views.Comparison(
            old=old,
            new=new,
            added=_all([_finding(one) for one in found.new[:shown]], len(found.new)),
            gone=_all([_finding(one) for one in found.gone[:shown]], len(found.gone)),
            changed=_all([_changed(one) for one in found.changed[:shown]], len(found.changed)),
            unchanged=found.unchanged,
            packages=tuple(map(_package, found.packages[:shown])),
            packages_total=len(found.packages),
            is_comparable=found.is_comparable,
        )

    def _side(self, name: str) -> tuple[scan_views.Side | None, Report | None]:
        if not name:
            return None, None
        try:
            return self._found(name)
        except SeawallError as error:
            problem = UNKNOWN if isinstance(error, NotFoundError) else error.message
            side = scan_views.Side(name=name, repository="", target="", problem=problem)
            return side, None

    def _found(self, name: str) -> tuple[scan_views.Side, Report | None]:
        reference = Reference.parse(name)
        is_here = reference.host is None or reference.host in self.hosts
        if not is_here or not self.sight.sees(reference.repository):
            raise NotFoundError(UNKNOWN)
        digest = self.registry.resolve(reference.repository, reference.target)
        tag = None if reference.digest else reference.tag
        judged = self.verdicts.of(reference.repository, digest, tag)
        report = None if judged is None else judged.judgement.report
        side = scan_views.Side(
            name=name,
            repository=str(reference.repository),
            target=reference.target,
            digest=str(digest),
            counts=None if report is None else reports.counts(report),
            support=() if report is None else reports.support(report),
            problem="" if report is not None else UNSCANNED,
        )
        return side, report


def _all(rows: Sequence[scan_views.Difference], total: int) -> scan_views.Differences:
    return scan_views.Differences(rows=tuple(rows), total=total)


def _finding(one: Finding) -> scan_views.Difference:
    return scan_views.Difference(
        id=one.id,
        severity=Severity(one.severity.value),
        package=one.name,
        detail=one.version,
        fixed=one.fixed_version,
        rank=reports.rank(one),
    )


def _changed(one: FindingChange) -> scan_views.Difference:
    told = ", ".join(
        f"{field.replace('_', ' ')} {getattr(one.before, field) or 'none'}"
        f" → {getattr(one.after, field) or 'none'}"
        for field in one.fields
    )
    return scan_views.Difference(
        id=one.after.id,
        severity=Severity(one.after.severity.value),
        package=one.after.name,
        detail=told,
        fixed=one.after.fixed_version,
        rank=reports.rank(one.after),
    )


def _package(one: PackageChange) -> scan_views.PackageDifference:
    return scan_views.PackageDifference(
        ecosystem=one.type,
        name=one.name,
        before=", ".join(one.before),
        after=", ".join(one.after),
    )
