"""The rules about content, fixable holes and the scan itself.

Those about trust stand in `trust_rules`, those about other findings in `scan_rules`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from seawall.policy.model import Evidence, Finding, Severity, Waiver
from seawall.policy.rule import MAX_CLOCK_SKEW, Opinion, duration_text, listed, no

_SCAN_REMEDY: Final = "wait for the scan, or run: seawall scan IMAGE"
NOT_SCANNED: Final = no("the image was not scanned", _SCAN_REMEDY)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentWhole:
    """Every byte of the image is there and is what its digest says. It cannot be switched off."""

    name: ClassVar[str] = "content-whole"

    def check(self, evidence: Evidence, now: dt.datetime, waivers: Sequence[Waiver]) -> Opinion:
        content = evidence.content
        if content is None:
            return no("nobody checked the stored bytes", "let Seawall check the image again")
        if content.corrupt:
            found = f"{listed(content.corrupt)} differs from its digest"
            return no(found, "push the image again")
        if content.missing:
            return no(f"{listed(content.missing)} is missing", "push the image again")
        return Opinion(is_passed=True, evidence="all content is there and matches its digests")


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingFixable:
    """No hole at or above a severity that a newer package would close."""

    name: ClassVar[str] = "nothing-fixable"
    severity: Severity = Severity.HIGH
    unknown_counts_as: Severity = Severity.HIGH

    def check(self, evidence: Evidence, now: dt.datetime, waivers: Sequence[Waiver]) -> Opinion:
        if evidence.scan is None:
            return NOT_SCANNED
        counted = [finding for finding in evidence.scan.findings if self._counts(finding)]
        waived = [finding for finding in counted if is_waived(finding, waivers, now)]
        left = [finding for finding in counted if not is_waived(finding, waivers, now)]
        waived_ids = tuple(sorted({finding.id for finding in waived}))
        if not left:
            also = f", {len(waived_ids)} waived" if waived_ids else ""
            found = f"nothing fixable of severity {self.severity.label} or above{also}"
            return Opinion(is_passed=True, evidence=found, waived=waived_ids)
        left.sort(key=lambda finding: (-finding.severity, finding.id, finding.package))
        text = listed([described(finding) for finding in left])
        return Opinion(
            is_passed=False,
            evidence=f"{len(left)} fixable of severity {self.severity.label} or above: {text}",
            remedy=upgrades(left),
            waived=waived_ids,
        )

    def _counts(self, finding: Finding) -> bool:
        severity = finding.severity
        if severity is Severity.UNKNOWN:
            severity = self.unknown_counts_as
        return finding.is_fixable and severity >= self.severity


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFresh:
    """The scan is not older than this: yesterday's clean image may have a known hole today."""

    name: ClassVar[str] = "scan-fresh"
    max_age: dt.timedelta = dt.timedelta(days=7)

    def check(self, evidence: Evidence, now: dt.datetime, waivers: Sequence[Waiver]) -> Opinion:
        if evidence.scan is None:
            return NOT_SCANNED
        age = now - evidence.scan.scanned_at
        when = f"scanned on {evidence.scan.scanned_at:%Y-%m-%d %H:%M} UTC"
        if age > self.max_age:
            return no(f"{when}, longer ago than {duration_text(self.max_age)}", _SCAN_REMEDY)
        if age < -MAX_CLOCK_SKEW:
            return no(f"{when}, which is in the future", "set the clock right and scan again")
        return Opinion(is_passed=True, evidence=when)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanComplete:
    """Nothing in the image was left out of the scan."""

    name: ClassVar[str] = "scan-complete"

    def check(self, evidence: Evidence, now: dt.datetime, waivers: Sequence[Waiver]) -> Opinion:
        if evidence.scan is None:
            return NOT_SCANNED
        if evidence.scan.gaps:
            return no(
                f"the scan left out: {listed(evidence.scan.gaps)}",
                "see the scan's report for what is in the way, then scan again",
            )
        return Opinion(is_passed=True, evidence="the scan covers the whole image")


def is_waived(finding: Finding, waivers: Sequence[Waiver], now: dt.datetime) -> bool:
    """Tell whether somebody answers for a finding now."""
    ids, packages = (finding.id, *finding.aliases), (finding.package, finding.source)
    return any(waiver.covers(ids, packages, now) for waiver in waivers)


def described(finding: Finding) -> str:
    """Return what a finding is, for a reason."""
    version = f" {finding.version}" if finding.version else ""
    return f"{finding.id} ({finding.severity.label}) in {finding.package}{version}"


def upgrades(findings: Sequence[Finding]) -> str:
    """Return the remedy for findings that all have a fix."""
    wanted = sorted({f"{finding.package} {finding.fixed_version}" for finding in findings})
    return f"rebuild with {listed(wanted)} or newer"
