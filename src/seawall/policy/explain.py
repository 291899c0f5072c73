"""A verdict as text for a terminal: every rule, what it saw, and what would change its mind."""

from __future__ import annotations

from seawall.policy.decide import NO_RULES
from seawall.policy.model import Mode, RuleResult, Verdict

_NAME_WIDTH_MIN = 16


def explain(verdict: Verdict) -> str:
    """Return lines without colour and without a final line break."""
    answer = "ALLOWED" if verdict.is_allowed else "REFUSED"
    lines = [
        f"{answer}: {verdict.repository}@{verdict.digest}",
        f"policy: {verdict.policy}",
    ]
    if NO_RULES in verdict.reasons:
        lines += [f"  NO    {NO_RULES.evidence}", f"        → {NO_RULES.remedy}"]
    width = max([_NAME_WIDTH_MIN, *(len(result.rule) for result in verdict.results)])
    for result in verdict.results:
        lines += _lines(result, width)
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)


def _lines(result: RuleResult, width: int) -> list[str]:
    lines = [f"  {_mark(result):<5} {result.rule:<{width}} {result.evidence}"]
    if not result.is_passed:
        lines.append(f"        → {result.remedy}")
    if result.waived:
        lines.append(f"        waived: {', '.join(result.waived)}")
    return lines


def _mark(result: RuleResult) -> str:
    if result.is_passed:
        return "ok"
    return "NO" if result.mode is Mode.ENFORCE else result.mode.value
