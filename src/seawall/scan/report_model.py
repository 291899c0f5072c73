"""What is wrong with an image: the words of the report."""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Iterable

import msgspec

import seawall
from seawall.core import clock
from seawall.scan.advisory_model import Informational, State
from seawall.scan.holes import Claim
from seawall.scan.model import Inventory, PackageType, Reach, Role
from seawall.scan.severity import Severity


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One hole in one installed component, under all the names that it has.

    Texts come from images and feeds: bounded, without control characters, and still to be escaped
    where they are shown.
    """

    id: str
    """The CVE where there is one, else the best-known other name."""
    aliases: tuple[str, ...]
    type: PackageType
    name: str
    version: str
    purl: str
    path: str
    layer: str
    layer_index: int
    package: str
    """The package that the advisory names: for Debian the source package."""
    fixed_version: str
    """The version that ends it, in the terms of `package`; empty where none is known."""
    severity: Severity
    severity_source: str
    score: float | None
    summary: str
    feeds: tuple[str, ...]
    inside: str = ""
    """Where in the file at `path`, for members of archives."""
    role: Role = Role.INSTALLED
    """`declared`: only a lock file names the package; its files were not seen."""
    reach: Reach = Reach.UNKNOWN
    """Whether the package runs when a container starts. It ranks, and hides nothing."""
    load_path: tuple[str, ...] = ()
    """The files that lead to it from the entry point."""
    state: State = State.PLAIN
    """What the source adds where it names no fix: deferred, will not be fixed, no longer
    supported …"""
    informational: Informational = Informational.NONE
    """Set only in `Report.informational`."""
    is_known_exploited: bool = False
    """CISA lists it as exploited."""
    exploited_since: str = ""
    """The day of that listing: `2025-08-25`."""
    is_used_by_ransomware: bool = False
    epss: float | None = None
    """The probability (0–1) that it is exploited within 30 days (FIRST's EPSS)."""
    epss_rank: float | None = None
    """The share of all CVEs with an EPSS score of at most this one."""
    ssvc: str = ""
    """CISA's decision points: `exploitation,automatable,impact`."""
    claims: tuple[Claim, ...] = ()
    """What each advisory says, so that disagreement stays visible."""
    symbols: tuple[str, ...] = ()
    """The functions that have the hole, where the source names them: `net/http#Server.Serve`."""

    @property
    def is_fixable(self) -> bool:
        return self.fixed_version != ""


class Suppressed(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that somebody answers for: it stays in the report and counts for nothing."""

    finding: Finding
    status: str
    """`not_affected` or `fixed` (VEX), or `waived`."""
    reason: str
    """The justification or statement, as it was given."""
    author: str
    """Who says so: the author of the VEX document, or the owner of the waiver."""
    document: str = ""
    """Digest of the VEX document; empty for a waiver."""
    until: str = ""
    """When it ends, RFC 3339; empty where it does not."""


class FeedUsed(msgspec.Struct, frozen=True, kw_only=True):
    """The edition of a feed by which a report was judged."""

    name: str
    digest: str
    """SHA-256 of the imported file."""
    imported_at: str
    generation: int


class EndOfLife(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution or product in the image that gets no fixes any more, or soon will not."""

    product: str
    cycle: str
    ends: str
    """The day: `2026-07-11`; empty where only the fact is known."""
    is_over: bool
    component: str = ""
    """The package URL of the component; empty for the distribution itself."""
    latest: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement of one platform image at one moment.

    No findings mean "clean" only where `unjudged` is 0 and `is_partial` is false.
    """

    digest: str
    """Of the image's manifest."""
    inventory: Inventory
    findings: tuple[Finding, ...]
    scanned_at: str
    """RFC 3339, UTC."""
    feeds: tuple[FeedUsed, ...]
    scanner_version: str
    is_partial: bool
    unjudged: int = 0
    """Components that no feed speaks about."""
    notices: tuple[str, ...] = ()
    """Why they were not judged."""
    gaps: tuple[str, ...] = ()
    """Those of the notices that somebody can close: a feed is missing, or a distribution is not
    supported. The others are about what no feed can judge, such as a version that nobody wrote
    down, or a product recognised in a program; like all that is unexplained, they are shown."""
    informational: tuple[Finding, ...] = ()
    """Advisories that are no vulnerabilities: unmaintained, unsound, notices."""
    end_of_life: tuple[EndOfLife, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    """Findings that VEX or a waiver answers for; they are not among `findings`."""
    unapplied: tuple[str, ...] = ()
    """Why statements about this image did not apply."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A report in numbers: what lists and events show."""

    digest: str
    scanned_at: str
    findings_by_severity: dict[str, int]
    """Worst first; severities without any are left out."""
    fixable_by_severity: dict[str, int]
    components: int
    unjudged: int
    is_partial: bool
    exploited: int = 0
    """Findings that CISA lists as exploited."""
    informational: int = 0
    end_of_life: int = 0
    answered: int = 0
    """Findings that somebody answers for; the other numbers are without them."""

    @property
    def findings(self) -> int:
        return sum(self.findings_by_severity.values())

    @property
    def fixable(self) -> int:
        return sum(self.fixable_by_severity.values())


def unjudged(inventory: Inventory, *, digest: str, now: dt.datetime) -> Report:
    """Return a report that says what is in an image and nothing about what is wrong with it."""
    return Report(
        digest=str(digest),
        inventory=inventory,
        findings=(),
        scanned_at=clock.to_text(now),
        feeds=(),
        scanner_version=seawall.__version__,
        is_partial=inventory.is_partial,
        unjudged=len(inventory.components),
        notices=("nothing was judged",),
        gaps=("nothing was judged",),
    )


def summarise(report: Report) -> Summary:
    """Count what a report says."""
    return Summary(
        digest=report.digest,
        scanned_at=report.scanned_at,
        findings_by_severity=_count(report.findings),
        fixable_by_severity=_count(f for f in report.findings if f.is_fixable),
        components=len(report.inventory.components),
        unjudged=report.unjudged,
        is_partial=report.is_partial,
        exploited=sum(finding.is_known_exploited for finding in report.findings),
        informational=len(report.informational),
        end_of_life=sum(each.is_over for each in report.end_of_life),
        answered=len(report.suppressed),
    )


def _count(findings: Iterable[Finding]) -> dict[str, int]:
    counts = collections.Counter(finding.severity for finding in findings)
    worst_first = sorted(counts, key=lambda severity: severity.rank, reverse=True)
    return {severity.value: counts[severity] for severity in worst_first}
