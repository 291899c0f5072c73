"""Why something was refused, in the three parts that every refusal shows.

A refusal is a value, not an exception: it is what the gate, the policy and the pages hand on until
a person reads it in the docker client's error line.
"""

from __future__ import annotations

import msgspec


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that said no: which, on what evidence, and what would change its mind."""

    rule: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.evidence} — {self.remedy}"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A no with at least one reason. An empty list of reasons is still a no."""

    reasons: tuple[Reason, ...]

    def __str__(self) -> str:
        return "; ".join(map(str, self.reasons)) or "refused"
