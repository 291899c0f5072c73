"""The words of policy: the evidence that a rule may look at, and the verdict.

Evidence that was not looked for is None, and a rule that needs it says no: a check that cannot run
has failed.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Collection
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
    source: str = ""
    """What advisories call the package, where that is another name."""
    aliases: tuple[str, ...] = ()
    version: str = ""
    fixed_version: str = ""
    """The first version without it; empty when there is none yet."""
    is_exploited: bool = False
    """Attackers are known to use it (CISA's catalogue)."""
    epss: float | None = None
    """The probability (0–1) that it is used within 30 days; None where nobody says."""

    @property
    def is_fixable(self) -> bool:
        return bool(self.fixed_version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weakness:
    """Something wrong with the image itself: a secret, a mistake, a malicious program."""

    rule: str
    severity: Severity
    path: str = ""
    """Absolute inside the image; empty for its config."""

    @property
    def where(self) -> str:
        return f"at {self.path}" if self.path else "in its config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Somebody answers for one finding, for a time."""

    finding: str
    reason: str
    owner: str
    expires: dt.datetime
    """From this moment on it is void."""
    package: str = ""
    """Only in this package, or in those that are built from it; empty: in every one."""

    def covers(self, ids: Collection[str], packages: Collection[str], now: dt.datetime) -> bool:
        """Tell whether it stands now for a finding with these ids in a package of these names."""
        is_meant = self.finding in ids and (not self.package or self.package in packages)
        return is_meant and now < self.expires


class Format(enum.StrEnum):
    """The forms in which a signature can be had."""

    COSIGN_TAG = "cosign-tag"
    SIGSTORE_BUNDLE = "sigstore-bundle"
    NOTATION_JWS = "notation-jws"
    NOTATION_COSE = "notation-cose"
    TUF = "tuf"
    """The signature on a file of the pinned tree that names the image's tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Somebody who is trusted, and one valid signature of theirs."""

    key_id: str
    name: str
    is_bound_to_repository: bool = True
    format: Format = Format.COSIGN_TAG
    authority: str = ""
    """Whose certificate says who it is; empty for a key that is trusted by itself."""
    identity: str = ""
    """What that certificate says."""
    signed_at: dt.datetime | None = None
    """By the signer's own clock; None when the form gives no time."""
    is_on_hardware: bool = False
    """It was attested that the key was made on a token and cannot leave it."""
    is_logged: bool = False
    """The transparency log holds it, and that was proven."""
    witnesses: int = 0
    """Different witnesses of the log's checkpoint that the proof leads to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """The outcome of the proof: the valid signatures, or why there are none.

    One signer may stand there several times, once for each signature: what a rule asks of a
    signature must be true of one and the same.
    """

    signers: tuple[Signer, ...] = ()
    explanation: str = ""


class TreeState(enum.StrEnum):
    """How far a proof by the repository's tree came."""

    UNPINNED = "unpinned"  # nobody said which root is the right one: the tree proves nothing
    MISSING = "missing"  # pinned, and there is no tree
    BROKEN = "broken"  # it does not verify from the pinned root, or was rolled back
    MOVED = "moved"  # it holds, and names another digest for the tag
    EXPIRED = "expired"  # it holds, but its time is over
    UNNAMED = "unnamed"  # it holds, and does not name the tag, or a digest asked for by itself
    PROVEN = "proven"  # it holds and names exactly this image


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The outcome of the proof from the pinned root to the tag."""

    state: TreeState
    explanation: str = ""
    refreshed_at: dt.datetime | None = None
    """When its timestamp was signed; None when that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A signed statement about the image, of one predicate type, and who made it."""

    predicate_type: str
    signer: Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The newest finished scan of the image."""

    scanned_at: dt.datetime
    findings: tuple[Finding, ...] = ()
    gaps: tuple[str, ...] = ()
    """What could not be looked at (a layer that does not unpack, no advisories …)."""
    unexplained: tuple[str, ...] = ()
    """Paths of programs and libraries of which nothing says what they are."""
    weaknesses: tuple[Weakness, ...] = ()


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
    tree: Tree | None = None
    attestations: tuple[Attestation, ...] | None = None


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
