"""What a rule is: it looks at the evidence, says yes or no, and what would change its mind.

A rule never sees the network or the clock: what it may know stands in `Evidence`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from seawall.policy.model import Evidence, Waiver

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

    def check(self, evidence: Evidence, now: dt.datetime, waivers: Sequence[Waiver]) -> Opinion:
        """Judge. `waivers` are all of the policy, also those that ended."""
        ...


def no(evidence: str, remedy: str) -> Opinion:
    """Say no, on this evidence, and what would change it."""
    return Opinion(is_passed=False, evidence=evidence, remedy=remedy)


def listed(items: Sequence[str]) -> str:
    """Name the first few, and say how many more there are."""
    shown = ", ".join(items[:SHOWN])
    more = len(items) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def duration_text(duration: dt.timedelta) -> str:
    """Return `7 days` or `12 hours`."""
    hours = int(duration.total_seconds() // 3600)
    number, unit = (hours // 24, "day") if hours and hours % 24 == 0 else (hours, "hour")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
