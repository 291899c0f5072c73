"""The rules. Each looks at the evidence, says yes or no, and what would change its mind.

A rule never sees the network or the clock: what it may know stands in `Evidence`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from seawall.policy.model import Evidence, Finding, Severity

SHOWN: Final = 5
"""Findings or digests that a reason names before it says how many more there are."""

MAX_CLOCK_SKEW: Final = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a rule thinks, before its mode is applied."""

    is_passed: bool
    evidence: str
    remedy: str = ""
    waived: tuple[str, ...] = ()


class Rule(Protocol):
    """One rule with its parameters."""

    name: ClassVar[str]

    def check(
        self, evidence: Evidence, now: dt.datetime, waivers: Mapping[str, dt.datetime]
    ) -> Opinion:
        """Judge. `waivers` are ids of findings with the time at which each waiver ends."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentWhole:
    """Every byte of the image is there and is what its digest says. It cannot be switched off."""

    name: ClassVar[str] = "content-whole"

    def check(
        self, evidence: Evidence, now: dt.datetime, waivers: Mapping[str, dt.datetime]
    ) -> Opinion:
        content = evidence.content
        if content is None:
            return _no("nobody checked the stored bytes", "let Seawall check the image again")
        if content.corrupt:
            found = f"{_listed(content.corrupt)} differs from its digest"
            return _no(found, "push the image again")
        if content.missing:
            return _no(f"{_listed(content.missing)} is missing", "push the image again")
        return Opinion(is_passed=True, evidence="all content is there and matches its digests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Enough different trusted keys signed it; `by` limits whose signatures count."""

    name: ClassVar[str] = "signed"
    signers: int = 1
    by: tuple[str, ...] = ()  # names or ids of keys; empty: any trusted key
    must_name_repository: bool = False

    def check(
        self, evidence: Evidence, now: dt.datetime, waivers: Mapping[str, dt.datetime]
    ) -> Opinion:
        if evidence.signatures is None:
            return _no("nobody looked for signatures", "let Seawall verify the image")
        counted = {
            signer.key_id: signer.name
            for signer in evidence.signatures.signers
            if (not self.by or signer.name in self.by or signer.key_id in self.by)
            and (signer.is_bound_to_repository or not self.must_name_repository)
        }
        required = max(self.signers, 1)
        if len(counted) >= required:
            names = ", ".join(sorted(counted.values()))
            return Opinion(is_passed=True, evidence=f"signed by {names}")
        whom = f"one of {', '.join(self.by)}" if self.by else "a trusted key"
        if not counted:
            why = evidence.signatures.explanation
            found = f"not signed by {whom}" + (f": {why}" if why else "")
        else:
            found = f"signed by {len(counted)} of {required} required keys"
        return _no(found, f"let the holder of {whom} run: seawall sign IMAGE")


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingFixable:
    """No hole at or above a severity that a newer package would close."""

    name: ClassVar[str] = "nothing-fixable"
    severity: Severity = Severity.HIGH
    unknown_counts_as: Severity = Severity.HIGH

    def check(
        self, evidence: Evidence, now: dt.datetime, waivers: Mapping[str, dt.datetime]
    ) -> Opinion:
        if evidence.scan is None:
            return _no("the image was not scanned", _SCAN_REMEDY)
        counted = [finding for finding in evidence.scan.findings if self._counts(finding)]
        active = {finding_id for finding_id, end in waivers.items() if now < end}
        waived = [finding for finding in counted if _is_waived(finding, active)]
        left = [finding for finding in counted if not _is_waived(finding, active)]
        waived_ids = tuple(sorted({finding.id for finding in waived}))
        if not left:
            also = f", {len(waived_ids)} waived" if waived_ids else ""
            found = f"nothing fixable of severity {self.severity.label} or above{also}"
            return Opinion(is_passed=True, evidence=found, waived=waived_ids)
        left.sort(key=lambda finding: (-finding.severity, finding.id, finding.package))
        text = _listed([_described(finding) for finding in left])
        return Opinion(
            is_passed=False,
            evidence=f"{len(left)} fixable of severity {self.severity.label} or above: {text}",
            remedy=_upgrades(left),
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

    def check(
        self, evidence: Evidence, now: dt.datetime, waivers: Mapping[str, dt.datetime]
    ) -> Opinion:
        if evidence.scan is None:
            return _no("the image was not scanned", _SCAN_REMEDY)
        age = now - evidence.scan.scanned_at
        when = f"scanned on {evidence.scan.scanned_at:%Y-%m-%d %H:%M} UTC"
        if age > self.max_age:
            return _no(f"{when}, longer ago than {duration_text(self.max_age)}", _SCAN_REMEDY)
        if age < -MAX_CLOCK_SKEW:
            return _no(f"{when}, which is in the future", "set the clock right and scan again")
        return Opinion(is_passed=True, evidence=when)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanComplete:
    """Nothing in the image was left out of the scan."""

    name: ClassVar[str] = "scan-complete"

    def check(
        self, evidence: Evidence, now: dt.datetime, waivers: Mapping[str, dt.datetime]
    ) -> Opinion:
        if evidence.scan is None:
            return _no("the image was not scanned", _SCAN_REMEDY)
        if evidence.scan.gaps:
            return _no(
                f"the scan left out: {_listed(evidence.scan.gaps)}",
                "see the scan's report for what is in the way, then scan again",
            )
        return Opinion(is_passed=True, evidence="the scan covers the whole image")


def duration_text(duration: dt.timedelta) -> str:
    """Return `7 days` or `12 hours`."""
    hours = int(duration.total_seconds() // 3600)
    number, unit = (hours // 24, "day") if hours and hours % 24 == 0 else (hours, "hour")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


_SCAN_REMEDY: Final = "wait for the scan, or run: seawall scan IMAGE"


def _no(evidence: str, remedy: str) -> Opinion:
    return Opinion(is_passed=False, evidence=evidence, remedy=remedy)


def _is_waived(finding: Finding, active: Collection[str]) -> bool:
    return finding.id in active or any(alias in active for alias in finding.aliases)


def _described(finding: Finding) -> str:
    version = f" {finding.version}" if finding.version else ""
    return f"{finding.id} ({finding.severity.label}) in {finding.package}{version}"


def _upgrades(findings: Sequence[Finding]) -> str:
    wanted = sorted({f"{finding.package} {finding.fixed_version}" for finding in findings})
    return f"rebuild with {_listed(wanted)} or newer"


def _listed(items: Sequence[str]) -> str:
    shown = ", ".join(items[:SHOWN])
    more = len(items) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
