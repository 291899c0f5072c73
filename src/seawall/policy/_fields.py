"""Values of the policy file, read strictly. All of these raise InvalidInputError, saying where."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Final, TypeVar

from seawall.core.errors import InvalidInputError
from seawall.policy._yaml import Tree

T = TypeVar("T")

MAX_ENTRIES: Final = 1024
"""Patterns, names or waivers in one list."""

MAX_TEXT_CHARACTERS: Final = 500
MAX_AGE: Final = dt.timedelta(days=365)
BOOLEANS: Final = {"true": True, "false": False}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([hd])", re.ASCII)


def duration(tree: Tree, where: str) -> dt.timedelta:
    """Return a time such as `12h` or `7d`."""
    written = text(tree, where)
    match = _DURATION.fullmatch(written)
    if match is None:
        raise wrong(where, f"{written[:40]!r} is not like 12h or 7d")
    hours = int(match[1]) * (24 if match[2] == "d" else 1)
    if (age := dt.timedelta(hours=hours)) > MAX_AGE:
        raise wrong(where, f"at most {MAX_AGE.days}d")
    return age


def number(tree: Tree, where: str, smallest: int, largest: int) -> int:
    """Return a whole number within these bounds."""
    written = text(tree, where)
    is_number = written.isascii() and written.isdigit()
    if not (is_number and smallest <= int(written[:4]) <= largest and len(written) <= 4):
        raise wrong(where, f"a number from {smallest} to {largest} is expected")
    return int(written)


def moment(written: str, where: str) -> dt.datetime:
    """Return a date, which is the beginning of that day in UTC, or a time with its zone."""
    try:
        found = dt.datetime.fromisoformat(written)
    except ValueError as error:
        raise wrong(where, f"{written[:40]!r} is not a date like 2026-12-31") from error
    if found.tzinfo is None:
        if len(written) > len("2026-12-31"):
            raise wrong(where, "a time needs its zone, as in 2026-12-31T12:00:00Z")
        found = found.replace(tzinfo=dt.UTC)
    return found.astimezone(dt.UTC)


def mapping(tree: Tree, where: str) -> dict[str, Tree]:
    """Return `tree` as a mapping."""
    if not isinstance(tree, dict):
        raise wrong(where, "a mapping is expected")
    return tree


def sequence(tree: Tree, where: str, limit: int) -> list[Tree]:
    """Return `tree` as a list of at most `limit` entries."""
    if not isinstance(tree, list):
        raise wrong(where, "a list is expected")
    if len(tree) > limit:
        raise wrong(where, f"more than {limit} entries")
    return tree


def text(tree: Tree, where: str) -> str:
    """Return `tree` as a text that is not empty."""
    if not isinstance(tree, str) or not tree.strip():
        raise wrong(where, "a text is expected")
    if len(tree) > MAX_TEXT_CHARACTERS:
        raise wrong(where, f"longer than {MAX_TEXT_CHARACTERS} characters")
    return tree


def texts(tree: Tree, where: str) -> tuple[str, ...]:
    """Return `tree` as texts."""
    return tuple(text(item, where) for item in sequence(tree, where, MAX_ENTRIES))


def choice(tree: Tree, where: str, choices: Mapping[str, T]) -> T:
    """Return what `tree` stands for among `choices`."""
    written = text(tree, where)
    if written not in choices:
        raise wrong(where, f"{written[:40]!r} is not one of {', '.join(choices)}")
    return choices[written]


def only(
    fields: Mapping[str, Tree],
    where: str,
    *,
    required: set[str] | None = None,
    optional: set[str] | None = None,
) -> None:
    """Refuse unknown and missing keys."""
    known = (required or set()) | (optional or set())
    for name in fields:
        if name not in known:
            raise wrong(where, f"unknown key {name[:80]!r}")
    for name in sorted(required or set()):
        if name not in fields:
            raise wrong(where, f"{name!r} is missing")


def refuse_doubles(names: list[str], what: str) -> None:
    """Refuse a name that stands there twice."""
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError(f"{what} {name!r} stands there twice")


def wrong(where: str, what: str) -> InvalidInputError:
    """Return the error that says where, and what is wrong."""
    return InvalidInputError(f"policy: {where}: {what}", remedy="see docs/reference/policy.md")
