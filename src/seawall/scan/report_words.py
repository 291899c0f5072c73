"""What reports say in words: the same sentence in every output and on every page.

Texts that come from feeds or images are not escaped here: whoever shows them does that.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from seawall.scan.model import Reach
from seawall.scan.report_model import EndOfLife, Finding, Suppressed

_STATUSES = {"not_affected": "not affected", "fixed": "fixed", "waived": "waived"}


REACHES: Final[Mapping[Reach, str]] = {
    Reach.UNKNOWN: "",
    Reach.STARTED: "runs at start",
    Reach.LOADABLE: "can be loaded",
    Reach.PRESENT: "not on the load path",
}
_REACHES_OF_MANY: Final[Mapping[Reach, str]] = {
    **REACHES,
    Reach.STARTED: "run at start",
    Reach.UNKNOWN: "unknown",
}


class Signalled(Protocol):
    """A finding, or the signals of a hole."""

    @property
    def exploited_since(self) -> str: ...
    @property
    def is_used_by_ransomware(self) -> bool: ...
    @property
    def epss(self) -> float | None: ...
    @property
    def epss_rank(self) -> float | None: ...


def exploitation(of: Signalled) -> str:
    """Say since when it is known to be exploited, and by whom; empty when it is not known."""
    if not of.exploited_since:
        return ""
    return f"exploited since {of.exploited_since}{', by ransomware' * of.is_used_by_ransomware}"


def likelihood(of: Signalled) -> str:
    """Say how likely it is to be exploited within 30 days; empty when nobody said."""
    if of.epss is None:
        return ""
    rank = "" if of.epss_rank is None else f", percentile {floored(100 * of.epss_rank)}"
    return f"EPSS {percent(of.epss)} %{rank}"


def reached(finding: Finding) -> str:
    """Say whether the package runs when a container starts, and what leads to it."""
    told = REACHES[finding.reach]
    way = (
        finding.load_path
        if len(finding.load_path) < 4
        else (*finding.load_path[:1], "…", *finding.load_path[-2:])
    )
    return f"{told}: {' → '.join(way)}" if way else told


def reaches(findings: Iterable[Finding]) -> list[tuple[Reach, str]]:
    """Count how findings are reached, `3 run at start` first; empty when it is not known of any."""
    counts = collections.Counter(one.reach for one in findings)
    if not counts.total() - counts[Reach.UNKNOWN]:
        return []
    by_rank = sorted(counts, key=lambda reach: -reach.rank)
    return [(one, f"{counts[one]} {_REACHES_OF_MANY[one]}") for one in by_rank]


def rated_by(finding: Finding) -> str:
    """Say who called it so severe: `CVSS:3.1, 9.8`; empty when nobody did."""
    if not finding.severity_source:
        return ""
    score = "" if finding.score is None else f", {finding.score:.1f}"
    return f"{finding.severity_source}{score}"


def support(one: EndOfLife) -> str:
    """Say that a product gets no fixes any more, or until when it gets them."""
    if one.is_over and not one.ends:
        return f"support of {one.product} {one.cycle} is over"
    return f"support of {one.product} {one.cycle} {'ended' if one.is_over else 'ends'} {one.ends}"


def answers(suppressed: Iterable[Suppressed]) -> str:
    """Count what somebody answers for: `2 answered for: 1 fixed, 1 waived`; empty for none."""
    counts = collections.Counter(one.status for one in suppressed)
    if not counts:
        return ""
    told = ", ".join(f"{counts[one]} {_STATUSES.get(one, one)}" for one in sorted(counts))
    return f"{counts.total()} answered for: {told}"


def percent(share: float) -> str:
    """Return a probability (0–1) in percent: to a tenth, and what is rare to a hundredth."""
    return f"{100 * share:.2f}" if share < 0.01 else f"{100 * share:.1f}"


def floored(value: float) -> str:
    """Return a number to a tenth, never rounded up: no percentile becomes 100 by that."""
    return f"{math.floor(10 * value + 1e-6) / 10:.1f}"
