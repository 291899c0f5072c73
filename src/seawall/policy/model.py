"""The words of policy: the evidence that a rule may look at, and the verdict.

Evidence that was not looked for is None, and a rule that needs it says no: a check that cannot run
has failed.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass

from seawall.core.reason import Reason, Refusal


class Severity(enum.IntEnum):
    """How bad a finding is, in order. `UNKNOWN` is none of them: rules say what it counts as."""

    UNKNOWN = 0
    NEGLIGIBLE = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @property
    def label(self) -> str:
        return self.name.lower()


class Mode(enum.StrEnum):
    """What a rule's no means."""

    ENFORCE = "enforce"  # refused
    WARN = "warn"  # allowed, and whoever asks is told
    AUDIT = "audit"  # allowed, and only the verdict's record shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One known hole in one package."""

    id: str
    severity: Severity
    package: str
    aliases: tuple[str, ...] = ()
    version: str = ""
    fixed_version: str = ""
    """The first version without it; empty when there is none yet."""

    @property
    def is_fixable(self) -> bool:
        return bool(self.fixed_version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A trusted key that vouches for the image."""

    key_id: str
    name: str
    is_bound_to_repository: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """The outcome of the proof: whose valid signatures there are, or why there are none."""

    signers: tuple[Signer, ...] = ()
    explanation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The newest finished scan of the image."""

    scanned_at: dt.datetime
    findings: tuple[Finding, ...] = ()
    gaps: tuple[str, ...] = ()
    """What could not be looked at (a layer that does not unpack, no advisories …)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is wrong with the stored bytes, by digest."""

    missing: tuple[str, ...] = ()
    corrupt: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known about one image at the time of the question."""

    repository: str
    digest: str
    content: Content | None
    signatures: Signatures | None
    scan: Scan | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What one rule says."""

    rule: str
    mode: Mode
    is_passed: bool
    evidence: str
    remedy: str = ""
    """What would change its mind; empty when it passed."""
    waived: tuple[str, ...] = ()
    """Findings that it would have counted, were there no waiver."""

    @property
    def reason(self) -> Reason:
        return Reason(rule=self.rule, evidence=self.evidence, remedy=self.remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Yes or no for one image, and why."""

    is_allowed: bool
    repository: str
    digest: str
    policy: str
    results: tuple[RuleResult, ...]
    reasons: tuple[Reason, ...]
    """Why not; empty when it is allowed."""
    warnings: tuple[Reason, ...]
    """Rules in mode `warn` that said no."""

    @property
    def refusal(self) -> Refusal | None:
        return None if self.is_allowed else Refusal(reasons=self.reasons)
