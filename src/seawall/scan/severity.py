"""How bad: one scale for all sources, and the scores of CVSS vectors.

Sources in order of trust: the distribution that built the package, a database that reviewed the
advisory, then the formula of CVSS. Version 2 and 3 are computed as FIRST's specifications say.
Version 4 scores come from a table of expert opinions that is not carried here: such a vector is
read as its nearest version 3.1 vector, gives no score, and its source says "estimated".
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from typing import Final

import msgspec

VECTOR_MAX_CHARS: Final = 512


class Severity(enum.StrEnum):
    """From nothing known to worst; `rank` orders them."""

    UNKNOWN = "unknown"
    NEGLIGIBLE = "negligible"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}


class Rating(msgspec.Struct, frozen=True, kw_only=True):
    """A severity with who says so. `score` is CVSS, 0.0–10.0, or None where there is none."""

    severity: Severity = Severity.UNKNOWN
    score: float | None = None
    source: str = ""


UNRATED: Final = Rating()

_WORDS: Final[Mapping[str, Severity]] = {
    "none": Severity.NEGLIGIBLE,
    "negligible": Severity.NEGLIGIBLE,
    "unimportant": Severity.NEGLIGIBLE,
    "low": Severity.LOW,
    "medium": Severity.MEDIUM,
    "moderate": Severity.MEDIUM,
    "high": Severity.HIGH,
    "important": Severity.HIGH,
    "critical": Severity.CRITICAL,
}


def of_word(word: str, *, source: str) -> Rating:
    """Rate a database's own word; "not yet assigned" and words nobody knows are UNRATED."""
    severity = _WORDS.get(word.strip().rstrip("*").lower())
    return UNRATED if severity is None else Rating(severity=severity, source=source)


def of_vector(vector: str) -> Rating:
    """Rate a CVSS vector of version 2, 3.0, 3.1 or 4.0; UNRATED when it is not a whole vector."""
    if len(vector) > VECTOR_MAX_CHARS:
        return UNRATED
    head, _, rest = vector.strip().partition("/")
    try:
        if head in {"CVSS:3.0", "CVSS:3.1"}:
            score = _score_3(_metrics(rest))
            return Rating(severity=_band(score), score=score, source=head)
        if head == "CVSS:4.0":
            score = _score_3(_as_3(_metrics(rest)))
            return Rating(severity=_band(score), source=f"{head}, estimated")
        score = _score_2(_metrics(vector.strip().strip("()")))
    except (KeyError, ValueError):
        return UNRATED
    # Version 2 knows no "critical" (NVD: high from 7.0).
    severity = min(_band(score), Severity.HIGH, key=lambda band: band.rank)
    return Rating(severity=severity, score=score, source="CVSS:2.0")


def _metrics(text: str) -> dict[str, str]:
    pairs = [part.split(":") for part in text.split("/") if part]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("not a CVSS metric")
    return {pair[0]: pair[1] for pair in pairs}


def _band(score: float) -> Severity:
    # CVSS v3.1 specification, section 5, "Qualitative Severity Rating Scale".
    if score >= 9.0:
        return Severity.CRITICAL
    if score >= 7.0:
        return Severity.HIGH
    if score >= 4.0:
        return Severity.MEDIUM
    return Severity.LOW if score > 0 else Severity.NEGLIGIBLE


def _score_3(m: Mapping[str, str]) -> float:
    # CVSS v3.1 specification, sections 7.1 and 7.4.
    impact_weight = {"H": 0.56, "L": 0.22, "N": 0.0}
    is_changed = {"U": False, "C": True}[m["S"]]
    privileges = (
        {"N": 0.85, "L": 0.68, "H": 0.5} if is_changed else {"N": 0.85, "L": 0.62, "H": 0.27}
    )
    base = 1 - math.prod(1 - impact_weight[m[name]] for name in ("C", "I", "A"))
    exploitability = (
        8.22
        * {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}[m["AV"]]
        * {"L": 0.77, "H": 0.44}[m["AC"]]
        * privileges[m["PR"]]
        * {"N": 0.85, "R": 0.62}[m["UI"]]
    )
    if is_changed:
        impact = 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15
        total = 1.08 * (impact + exploitability)
    else:
        impact = 6.42 * base
        total = impact + exploitability
    return _round_up(min(total, 10.0)) if impact > 0 else 0.0


def _round_up(value: float) -> float:
    # CVSS v3.1 specification, appendix A: whole numbers, since 0.1 is not a binary fraction.
    scaled = round(value * 100_000)
    return scaled / 100_000 if scaled % 10_000 == 0 else (scaled // 10_000 + 1) / 10


def _score_2(m: Mapping[str, str]) -> float:
    # CVSS v2 complete guide, section 3.2.1.
    weight = {"N": 0.0, "P": 0.275, "C": 0.660}
    impact = 10.41 * (1 - math.prod(1 - weight[m[name]] for name in ("C", "I", "A")))
    exploitability = (
        20
        * {"L": 0.395, "A": 0.646, "N": 1.0}[m["AV"]]
        * {"H": 0.35, "M": 0.61, "L": 0.71}[m["AC"]]
        * {"M": 0.45, "S": 0.56, "N": 0.704}[m["Au"]]
    )
    factor = 0.0 if impact == 0 else 1.176
    return round((0.6 * impact + 0.4 * exploitability - 1.5) * factor, 1)


def _as_3(m: Mapping[str, str]) -> dict[str, str]:
    # 4.0 splits "complexity" into AC and AT, and "scope" into the subsequent system's impact.
    spreads = any(m[name] != "N" for name in ("SC", "SI", "SA"))
    own = {"C": m["VC"], "I": m["VI"], "A": m["VA"]}
    if all(value == "N" for value in own.values()):
        own = {"C": m["SC"], "I": m["SI"], "A": m["SA"]}
    return {
        "AV": m["AV"],
        "AC": "H" if m["AC"] == "H" or m["AT"] == "P" else "L",
        "PR": m["PR"],
        "UI": "N" if m["UI"] == "N" else "R",
        "S": "C" if spreads else "U",
        **own,
    }
