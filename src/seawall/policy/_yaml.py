"""YAML, of which only the harmless part exists: mappings, lists and texts.

Every scalar stays text, so `no`, `1e3` and `2026-01-01` mean what they look like. Refused:
duplicate keys, aliases and anchors (an alias can blow up, CVE-2003-1564 in other clothes), tags,
several documents, deep nesting, large files. The tree is built from the parser's events, whose
depth is counted, so that no nesting can exhaust the stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import yaml

from seawall.core.errors import InvalidInputError, LimitError

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree] | None"

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 12
_NULLS: Final = frozenset({"", "~", "null"})


def parse(content: bytes) -> Tree:
    """Return the one document. Raises InvalidInputError (with the line) or LimitError."""
    if len(content) > MAX_BYTES:
        raise LimitError(f"YAML of {len(content)} bytes, more than the {MAX_BYTES} allowed")
    try:
        events = yaml.parse(content.decode("utf-8"), Loader=yaml.SafeLoader)
        return _document(events)
    except UnicodeDecodeError as error:
        raise InvalidInputError("YAML is not UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise InvalidInputError(f"{where}not valid YAML: {problem}") from error


def _document(events: Iterator[yaml.Event]) -> Tree:
    tree: Tree = None
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refused(event, "more than one document")
            tree = _node(next(events), events, 1)
    return tree


def _node(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Tree:
    if depth > MAX_DEPTH:
        raise LimitError(f"YAML is nested deeper than {MAX_DEPTH}")
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _refused(event, "anchors and aliases are not allowed")
    if getattr(event, "tag", None):
        raise _refused(event, "tags are not allowed")
    if isinstance(event, yaml.ScalarEvent):
        is_null = event.style is None and event.value in _NULLS
        return None if is_null else str(event.value)
    if isinstance(event, yaml.SequenceStartEvent):
        return _sequence(events, depth)
    return _mapping(events, depth)


def _sequence(events: Iterator[yaml.Event], depth: int) -> list[Tree]:
    items: list[Tree] = []
    while not isinstance(event := next(events), yaml.SequenceEndEvent):
        items.append(_node(event, events, depth + 1))
    return items


def _mapping(events: Iterator[yaml.Event], depth: int) -> dict[str, Tree]:
    items: dict[str, Tree] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _node(event, events, depth + 1)
        if not isinstance(key, str):
            raise _refused(event, "a key must be a text")
        if key in items:
            raise _refused(event, f"duplicate key {key!r}")
        items[key] = _node(next(events), events, depth + 1)
    return items


def _refused(event: yaml.Event, what: str) -> InvalidInputError:
    line = event.start_mark.line + 1 if event.start_mark else 0
    return InvalidInputError(f"line {line}: {what}")
