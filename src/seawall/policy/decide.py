"""The one decision: evidence and policy in, verdict out. No I/O, no clock of its own.

 1. A policy without rules refuses: what nobody asked for, nobody vouches for.
 2. Integrity is always asked for and always enforced, whatever the policy says: `content-whole`
    and `tree-intact`.
 3. Every rule is asked, so that a person sees all that is wrong at once.
 4. Allowed is what no enforced rule refuses.

So a rule that is added never widens what a policy allows, and the order of rules does not matter.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from seawall.core.reason import Reason
from seawall.policy.model import Evidence, Mode, RuleResult, Verdict
from seawall.policy.policies import Moded, Policy
from seawall.policy.rules import ContentWhole
from seawall.policy.trust_rules import TreeIntact

NO_RULES: Final = Reason(
    rule="no-rules",
    evidence="the policy holds no rules, so nothing can be allowed by it",
    remedy="add at least one rule to the policy, or delete the policy to use the built-in one",
)

INTEGRITY: Final = (ContentWhole, TreeIntact)


def decide(evidence: Evidence, policy: Policy, now: dt.datetime) -> Verdict:
    """Judge one image. Raises ValueError for a `now` without time zone, and nothing else."""
    if now.tzinfo is None:
        raise ValueError("a decision needs a time with its zone")
    others = [moded for moded in policy.rules if not isinstance(moded.rule, INTEGRITY)]
    asked = [*(Moded(rule=rule(), mode=Mode.ENFORCE) for rule in INTEGRITY), *others]
    results = sorted((_ask(moded, evidence, policy, now) for moded in asked), key=_position)
    refused = [result.reason for result in results if _says_no(result, Mode.ENFORCE)]
    if not policy.rules:
        refused.insert(0, NO_RULES)
    return Verdict(
        is_allowed=not refused,
        repository=evidence.repository,
        digest=evidence.digest,
        policy=policy.name,
        results=tuple(results),
        reasons=tuple(refused),
        warnings=tuple(result.reason for result in results if _says_no(result, Mode.WARN)),
    )


def _ask(moded: Moded, evidence: Evidence, policy: Policy, now: dt.datetime) -> RuleResult:
    opinion = moded.rule.check(evidence, now, policy.waivers)
    return RuleResult(
        rule=moded.rule.name,
        mode=moded.mode,
        is_passed=opinion.is_passed,
        evidence=opinion.evidence,
        remedy=opinion.remedy,
        waived=opinion.waived,
    )


def _says_no(result: RuleResult, mode: Mode) -> bool:
    return result.mode is mode and not result.is_passed


def _position(result: RuleResult) -> tuple[str, str, bool, str, str]:
    return (result.rule, result.mode.value, result.is_passed, result.evidence, result.remedy)
