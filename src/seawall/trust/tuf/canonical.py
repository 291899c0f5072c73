"""Canonical JSON in OLPC's form: what signatures and key ids of Notary v1 are computed over.

Keys sorted, no white space, raw UTF-8 with only `\\` and `"` escaped, integers only. It is not the
form of RFC 8785, and not the one of `core.strictjson`: control characters stay as they are.
"""

from __future__ import annotations

from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json


def encode(value: Json) -> bytes:
    """Return the canonical bytes. Raises InvalidInputError for a number that is no integer."""
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts).encode()


def _write(value: Json, parts: list[str]) -> None:
    match value:
        case None:
            parts.append("null")
        case bool():
            parts.append("true" if value else "false")
        case int():
            parts.append(str(value))
        case float():
            raise InvalidInputError(f"{value} is not an integer, and metadata holds no others")
        case str():
            parts.append(_text(value))
        case list():
            _write_list(value, parts)
        case dict():
            _write_object(value, parts)


def _write_list(value: list[Json], parts: list[str]) -> None:
    parts.append("[")
    for number, item in enumerate(value):
        if number:
            parts.append(",")
        _write(item, parts)
    parts.append("]")


def _write_object(value: dict[str, Json], parts: list[str]) -> None:
    parts.append("{")
    for number, key in enumerate(sorted(value)):
        parts.append(f"{',' if number else ''}{_text(key)}:")
        _write(value[key], parts)
    parts.append("}")


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
