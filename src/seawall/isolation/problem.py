"""What one rule found wrong, before it carries the name of the field."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Final, NamedTuple

from seawall.core.reason import Reason

REASONS_MAX_COUNT: Final = 20
"""A body of megabytes could hold a hundred thousand wrong entries; nobody reads so many lines."""

TEXT_MAX_CHARACTERS: Final = 300


class Problem(NamedTuple):
    """`evidence` holds the value; `remedy` says which flag to drop or change."""

    evidence: str
    remedy: str

    def under(self, rule: str) -> Reason:
        """Return the reason that people see, cut to a length that fits a terminal."""
        return Reason(
            rule=rule,
            evidence=_cut(self.evidence),
            remedy=_cut(self.remedy),
        )


def first(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return the first `REASONS_MAX_COUNT` reasons."""
    return tuple(itertools.islice(reasons, REASONS_MAX_COUNT))


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX_CHARACTERS else f"{text[: TEXT_MAX_CHARACTERS - 1]}…"
