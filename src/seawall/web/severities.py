"""How bad, for readers: the words and the counts that all pages share."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Severity(enum.StrEnum):
    """Worst first. `UNKNOWN` is an advisory that names no severity; it is never "none"."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NEGLIGIBLE = "negligible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Open findings by severity; `fixable` of them have a fixed version, `exploited` are known to
    be exploited. `answered` are those that somebody answers for: they are in no other number."""

    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0
    negligible: int = 0
    unknown: int = 0
    fixable: int = 0
    exploited: int = 0
    answered: int = 0

    @property
    def total(self) -> int:
        return sum(self.of(severity) for severity in Severity)

    def of(self, severity: Severity) -> int:
        value: int = getattr(self, severity.value)
        return value
