"""The rules about what the scanner found besides holes that a newer package closes."""

from __future__ import annotations

import datetime as dt
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from seawall.policy.model import Evidence, Finding, Severity, Waiver
from seawall.policy.rule import Opinion, listed, no
from seawall.policy.rules import NOT_SCANNED, described, is_waived, upgrades


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingExploited:
    """No hole that attackers are known to use, whether or not there is a fix.

    With `likely`, a percentage, also none that FIRST expects to be used within 30 days with this
    probability (EPSS).
    """

    name: ClassVar[str] = "nothing-exploited"
    likely: int | None = None

    def check(self, evidence: Evidence, now: dt.datetime, waivers: Sequence[Waiver]) -> Opinion:
        if evidence.scan is None:
            return NOT_SCANNED
        counted = [finding for finding in evidence.scan.findings if self._counts(finding)]
        left = [finding for finding in counted if not is_waived(finding, waivers, now)]
        waived = tuple(sorted({finding.id for finding in counted} - {one.id for one in left}))
        if not left:
            return Opinion(is_passed=True, evidence="nothing known to be exploited", waived=waived)
        left.sort(key=lambda finding: (not finding.is_exploited, finding.id, finding.package))
        also = "" if self.likely is None else f" or likely to be (EPSS {self.likely} % and above)"
        texts = [described(finding) for finding in left]
        return Opinion(
            is_passed=False,
            evidence=f"{len(left)} known to be exploited{also}: {listed(texts)}",
            remedy=_way_out(left),
            waived=waived,
        )

    def _counts(self, finding: Finding) -> bool:
        is_likely = (
            self.likely is not None
            and finding.epss is not None
            and 100 * finding.epss >= self.likely
        )
        return finding.is_exploited or is_likely


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingUnexplained:
    """Every program and library in the image is a package's, or a product that was recognised."""

    name: ClassVar[str] = "nothing-unexplained"
    exceptions: tuple[str, ...] = ()
    """Patterns of paths; `*` stands for any characters, also `/`."""

    def check(self, evidence: Evidence, now: dt.datetime, waivers: Sequence[Waiver]) -> Opinion:
        if evidence.scan is None:
            return NOT_SCANNED
        paths = [path for path in evidence.scan.unexplained if not _fits(path, self.exceptions)]
        if not paths:
            return Opinion(is_passed=True, evidence="it is known what every program is")
        return no(
            f"{_programs(len(paths))} nobody can explain: {listed(sorted(paths))}",
            "learn the packages that they come from (seawall fingerprints learn), or except their"
            " paths in the policy",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingWeak:
    """No secret, mistake or malicious program in the image itself, at or above a severity."""

    name: ClassVar[str] = "nothing-weak"
    severity: Severity = Severity.HIGH
    exceptions: tuple[str, ...] = ()
    """Patterns of paths; `*` stands for any characters, also `/`."""

    def check(self, evidence: Evidence, now: dt.datetime, waivers: Sequence[Waiver]) -> Opinion:
        if evidence.scan is None:
            return NOT_SCANNED
        left = [
            weakness
            for weakness in evidence.scan.weaknesses
            if weakness.severity >= self.severity and not _fits(weakness.path, self.exceptions)
        ]
        if not left:
            found = f"no secret or mistake of severity {self.severity.label} or above"
            return Opinion(is_passed=True, evidence=found)
        left.sort(key=lambda one: (-one.severity, one.rule, one.path))
        texts = [f"{one.rule} ({one.severity.label}) {one.where}" for one in left]
        return no(
            f"{len(left)} of severity {self.severity.label} or above: {listed(texts)}",
            "the report says what to do about each: seawall scan IMAGE",
        )


def _programs(count: int) -> str:
    return "1 program that" if count == 1 else f"{count} programs that"


def _fits(path: str, patterns: Sequence[str]) -> bool:
    return bool(path) and any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def _way_out(findings: Sequence[Finding]) -> str:
    fixable = [finding for finding in findings if finding.is_fixable]
    if len(fixable) == len(findings):
        return upgrades(fixable)
    rest = "take out what has no fix, or let somebody answer for it with a waiver"
    return f"{upgrades(fixable)}; {rest}" if fixable else rest
