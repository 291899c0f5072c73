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
    """Findings by severity; `fixable` of them have a fixed version."""

    critical: int = 0
    high: int = 0
    medium: int = 0
    low: int = 0
    negligible: int = 0
    unknown: int = 0
    fixable: int = 0

    @property
    def total(self) -> int:
        return sum(self.of(severity) for severity in Severity)

    def of(self, severity: Severity) -> int:
        value: int = getattr(self, severity.value)
        return value
