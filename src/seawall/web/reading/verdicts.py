"""Today's verdict about an image, for one page: the policy is read once, an image judged once.

Nothing is written down: to look at a page is not to ask for an image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from seawall import policy
from seawall.core.clock import Clock
from seawall.core.errors import IntegrityError, NotFoundError, SeawallError
from seawall.core.reason import Reason
from seawall.flows import scanning
from seawall.flows.judging import Judge, Judgement
from seawall.jobs import queue
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.policy.decide import NO_RULES
from seawall.policy.model import Mode, RuleResult
from seawall.policy.policies import Policies
from seawall.store import Database
from seawall.web import views
from seawall.web.views import Outcome

AWAITING_SCAN: Final = frozenset(
    {
        "scan-fresh",
        "scan-complete",
        "nothing-fixable",
        "nothing-exploited",
        "nothing-unexplained",
        "nothing-weak",
    }
)
"""Rules that cannot say yes before the image is scanned."""

PATTERNS_SHOWN: Final = 3

WHY_MAX_CHARACTERS: Final = 90
"""Of the evidence, in a list; the image's own page has all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What policy says now. `problem` is set when the policy itself cannot be read."""

    judgement: Judgement
    is_pending: bool
    problem: Reason | None
    scan_error: str
    """Why the last try to scan it failed; empty when there is a report, or none failed."""

    @property
    def outcome(self) -> Outcome:
        if self.problem is not None:
            return Outcome.REFUSED
        if self.judgement.verdict.is_allowed:
            return Outcome.ALLOWED
        return Outcome.PENDING if self.is_pending else Outcome.REFUSED

    @property
    def why(self) -> str:
        """One line: the first reason; empty when it is allowed."""
        if self.outcome is Outcome.PENDING:
            return "the scan has not finished yet"
        reasons = (self.problem,) if self.problem else self.judgement.verdict.reasons
        if not reasons or self.outcome is Outcome.ALLOWED:
            return ""
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        evidence = reasons[0].evidence
        if len(evidence) > WHY_MAX_CHARACTERS:
            evidence = f"{evidence[: WHY_MAX_CHARACTERS - 1].rstrip()}…"
        return f"{reasons[0].rule}: {evidence}{more}"


class Verdicts:
    """Judges for one page."""

    def __init__(self, judge: Judge, database: Database, clock: Clock) -> None:
        self._problem, self._policies = _read_policies(judge)
        self._judge = replace(judge, policies=lambda: self._policies)
        self._database = database
        self._now = clock.now()
        self._known: dict[tuple[str, str, str | None], Judged | None] = {}

    def of(
        self,
        repository: RepositoryName,
        digest: Digest,
        tag: Tag | None,
    ) -> Judged | None:
        """Judge an image; None when it is not here (any more) or its manifest is damaged."""
        key = (str(repository), str(digest), tag)
        if key not in self._known:
            self._known[key] = self._judge_one(repository, digest, tag)
        return self._known[key]

    def page(self, judged: Judged, repository: RepositoryName) -> views.Verdict:
        """Return the whole decision for a reader, what says no first."""
        return views.Verdict(
            outcome=judged.outcome,
            policy=self._policy_name(repository),
            judged_at=None if judged.outcome is Outcome.PENDING else self._now,
            rules=tuple(sorted(_rules(judged), key=lambda rule: rule.outcome is Outcome.ALLOWED)),
        )

    def _judge_one(
        self, repository: RepositoryName, digest: Digest, tag: Tag | None
    ) -> Judged | None:
        try:
            judgement = self._judge.judge(repository, digest, tag=tag)
        except (NotFoundError, IntegrityError):
            return None
        has_report = judgement.report is not None
        is_waiting, error = (False, "") if has_report else self._scan(repository, judgement.scanned)
        return Judged(
            judgement=judgement, is_pending=is_waiting, problem=self._problem, scan_error=error
        )

    def _scan(self, repository: RepositoryName, digest: Digest) -> tuple[bool, str]:
        """Return whether a scan waits or runs, and why the last try failed."""
        job = scanning.image_job(scanning.SCAN, str(repository), str(digest))
        with self._database.read() as connection:
            return (
                queue.is_waiting(connection, kind=job.kind, key=job.key),
                queue.last_error(connection, kind=job.kind, key=job.key) or "",
            )

    def _policy_name(self, repository: RepositoryName) -> str:
        if self._problem is not None:
            return "a policy that cannot be read"
        chosen = self._policies.for_repository(repository)
        more = "" if len(chosen.patterns) <= PATTERNS_SHOWN else ", …"
        return f"policy {chosen.name} for {', '.join(chosen.patterns[:PATTERNS_SHOWN])}{more}"


def _read_policies(judge: Judge) -> tuple[Reason | None, Policies]:
    try:
        return None, judge.policies()
    except SeawallError as error:
        problem = Reason(rule="policy", evidence=error.message, remedy=error.remedy)
        return problem, policy.Policies()


def _rules(judged: Judged) -> Iterator[views.Rule]:
    if judged.problem is not None:
        # What the built-in policy would say is not what holds: only the problem is shown.
        yield _refused(judged.problem)
        return
    if NO_RULES in judged.judgement.verdict.reasons:
        yield _refused(NO_RULES)
    for result in judged.judgement.verdict.results:
        yield _rule(result, is_pending=judged.is_pending)


def _refused(reason: Reason) -> views.Rule:
    return views.Rule(
        name=reason.rule, outcome=Outcome.REFUSED, evidence=reason.evidence, remedy=reason.remedy
    )


def _rule(result: RuleResult, *, is_pending: bool) -> views.Rule:
    waived = f"; waived: {', '.join(result.waived)}" if result.waived else ""
    mode = "" if result.mode is Mode.ENFORCE or result.is_passed else f" [{result.mode} only]"
    return views.Rule(
        name=result.rule,
        outcome=_outcome(result, is_pending=is_pending),
        evidence=f"{result.evidence}{waived}{mode}",
        remedy=result.remedy,
    )


def _outcome(result: RuleResult, *, is_pending: bool) -> Outcome:
    if result.is_passed:
        return Outcome.ALLOWED
    return Outcome.PENDING if is_pending and result.rule in AWAITING_SCAN else Outcome.REFUSED
