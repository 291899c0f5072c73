"""Patterns of repositories, the same for grants, trusted keys and policies.

`team/app`, `team/*`, `team/app-*`, `team/**`, `**`:
`*` stands for any characters within one component, at most once in each; `**` is a component by
itself, at most once in a pattern, and stands for one or more components. Matching is linear.
"""

from __future__ import annotations

import re
from typing import Final

from seawall.core.errors import InvalidInputError

MAX_CHARACTERS: Final = 200
_COMPONENT: Final = re.compile(r"[a-z0-9._-]*\*?[a-z0-9._-]*", re.ASCII)
_ANY: Final = "**"


def check(pattern: str) -> None:
    """Raises InvalidInputError unless `pattern` is well-formed."""
    parts = pattern.split("/")
    is_sane = (
        0 < len(pattern) <= MAX_CHARACTERS
        and parts.count(_ANY) <= 1
        and all(p == _ANY or (p and _COMPONENT.fullmatch(p)) for p in parts)
    )
    if not is_sane:
        raise InvalidInputError(
            f"{pattern[:MAX_CHARACTERS]!r} is not a pattern of repositories",
            remedy="write a name such as team/app, team/*, team/** or **",
        )


def is_match(pattern: str, repository: str) -> bool:
    """Tell whether `pattern` covers `repository`."""
    wanted, parts = pattern.split("/"), repository.split("/")
    if _ANY not in wanted:
        return len(wanted) == len(parts) and all(map(_is_component_match, wanted, parts))
    at = wanted.index(_ANY)
    head, tail = wanted[:at], wanted[at + 1 :]
    if len(parts) < len(head) + len(tail) + 1:
        return False
    return all(map(_is_component_match, head, parts)) and all(
        map(_is_component_match, reversed(tail), reversed(parts))
    )


def _is_component_match(wanted: str, part: str) -> bool:
    before, star, after = wanted.partition("*")
    if not star:
        return wanted == part
    return (
        len(part) >= len(before) + len(after) and part.startswith(before) and part.endswith(after)
    )


def specificity(pattern: str) -> tuple[bool, bool, int, str]:
    """Return a key by which the more specific of two patterns sorts last; no two are equal."""
    literal = len(pattern) - pattern.count("*")
    return ("*" not in pattern, _ANY not in pattern.split("/"), literal, pattern)
