"""What one rule found wrong, before it carries the name of the field."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """`evidence` holds the value; `remedy` says which flag to drop or change."""

    evidence: str
    remedy: str
