"""Strict JSON for everything that comes from outside.

Parsers disagree about duplicate keys, NaN, lone surrogates and trailing data; whoever decides on
one reading and forwards the bytes to another reader has decided about something else. So: strict
UTF-8, no duplicate keys, no NaN or infinity, no lone surrogates, bounds on size and depth
(RFC 8259, RFC 7493 I-JSON).

`encode` is the canonical form in which Seawall writes JSON: sorted keys, no white space, UTF-8.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Never, TypeAlias

from seawall.core.errors import InvalidInputError, LimitError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def decode(body: bytes, *, max_bytes: int, max_depth: int = 32) -> Json:
    """Parse `body` strictly.

    Raises LimitError when it is too large or too deep, InvalidInputError for anything that two
    parsers could read in two ways.
    """
    if len(body) > max_bytes:
        raise LimitError(f"JSON of {len(body)} bytes, more than the {max_bytes} allowed")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"JSON is not UTF-8: {error.reason} at byte {error.start}"
        ) from error
    try:
        value: Json = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"not valid JSON: {error}") from error
    if text.count("[") + text.count("{") > max_depth:
        _check_depth(value, max_depth)
    if "\\u" in text:
        _refuse_lone_surrogates(value)
    return value


def decode_object(body: bytes, *, max_bytes: int, max_depth: int = 32) -> dict[str, Json]:
    """Like `decode`, and refuse anything but an object at the top."""
    value = decode(body, max_bytes=max_bytes, max_depth=max_depth)
    if not isinstance(value, dict):
        raise InvalidInputError("JSON: an object is expected at the top level")
    return value


def encode(value: object) -> bytes:
    """Return canonical bytes: sorted keys, no white space, UTF-8, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8")


def _check_depth(value: Json, max_depth: int) -> None:
    todo: list[tuple[Json, int]] = [(value, 1)]
    while todo:
        item, depth = todo.pop()
        if isinstance(item, dict):
            children: Iterable[Json] = item.values()
        elif isinstance(item, list):
            children = item
        else:
            continue
        if depth > max_depth:
            raise LimitError(f"JSON is nested deeper than {max_depth}")
        todo.extend((child, depth + 1) for child in children)


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"duplicate key {key!r}")
            seen.add(key)
    return result


def _constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("number out of range")
    return value


def _int(text: str) -> int:
    if len(text) > 20 or not INT64_MIN <= (value := int(text)) <= INT64_MAX:
        raise ValueError("integer out of range")
    return value


def _refuse_lone_surrogates(value: Json) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInputError("JSON holds a lone surrogate") from error
