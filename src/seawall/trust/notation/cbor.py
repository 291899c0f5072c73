"""The part of CBOR (RFC 8949) that COSE envelopes use, read in one way only.

Refused: lengths left open, numbers not in their shortest form, a key twice in one map, floats,
undefined and simple values, anything after the one item, too deep nesting. Tags stay tags: no
dates, regular expressions, shared references or big numbers come to life while reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from seawall.core.errors import InvalidInputError, LimitError

MAX_DEPTH: Final = 8
MAX_ITEMS: Final = 64
"""Entries of one array or map."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged value."""

    number: int
    value: Cbor


Key: TypeAlias = "int | str"
Cbor: TypeAlias = "int | str | bytes | bool | list[Cbor] | dict[Key, Cbor] | Tag | None"

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_SIMPLE_BYTES: Final = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}
_SIMPLE_VALUES: Final[dict[int, bool | None]] = {20: False, 21: True, 22: None}


def decode(content: bytes, *, max_bytes: int) -> Cbor:
    """Read exactly one item. Raises InvalidInputError or LimitError."""
    if len(content) > max_bytes:
        raise LimitError(f"CBOR of {len(content)} bytes, more than the {max_bytes} allowed")
    reader = _Reader(content)
    value = reader.item(1)
    if reader.at != len(content):
        raise InvalidInputError("CBOR: bytes follow the value")
    return value


def encode(value: Cbor) -> bytes:
    """Write deterministically: shortest forms, map keys in the order of their bytes (4.2.1)."""
    if value is None or isinstance(value, bool):
        return _SIMPLE_BYTES[value]
    if isinstance(value, int):
        return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
    if isinstance(value, bytes | str):
        content = value.encode() if isinstance(value, str) else value
        return _head(_TEXT if isinstance(value, str) else _BYTES, len(content)) + content
    if isinstance(value, Tag):
        return _head(_TAG, value.number) + encode(value.value)
    if isinstance(value, dict):
        parts = sorted(encode(key) + encode(item) for key, item in value.items())
    else:
        parts = [encode(item) for item in value]
    return _head(_MAP if isinstance(value, dict) else _ARRAY, len(value)) + b"".join(parts)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for step, octets in enumerate((1, 2, 4, 8)):
        if number < 1 << 8 * octets:
            return bytes([major << 5 | 24 + step]) + number.to_bytes(octets, "big")
    raise ValueError("a number of more than 64 bits")


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 0

    def item(self, depth: int) -> Cbor:
        if depth > MAX_DEPTH:
            raise LimitError(f"CBOR is nested deeper than {MAX_DEPTH}")
        first = self._take(1)[0]
        major, short = first >> 5, first & 31
        if major == _SIMPLE:
            if short not in _SIMPLE_VALUES:
                raise InvalidInputError("CBOR: a float or a simple value where none is expected")
            return _SIMPLE_VALUES[short]
        return self._of(major, self._number(short), depth)

    def _of(self, major: int, number: int, depth: int) -> Cbor:
        if major in (_UNSIGNED, _NEGATIVE):
            return number if major == _UNSIGNED else -1 - number
        if major in (_BYTES, _TEXT):
            content = self._take(number)
            return content if major == _BYTES else _text(content)
        if major == _TAG:
            return Tag(number, self.item(depth + 1))
        if number > MAX_ITEMS:
            raise LimitError(f"CBOR: more than {MAX_ITEMS} entries")
        if major == _MAP:
            return self._map(number, depth)
        return [self.item(depth + 1) for _ in range(number)]

    def _number(self, short: int) -> int:
        if short < 24:
            return short
        if short > 27:
            raise InvalidInputError("CBOR: a length that is left open")
        octets = 1 << short - 24
        number = int.from_bytes(self._take(octets), "big")
        if number < (24 if octets == 1 else 1 << 4 * octets):
            raise InvalidInputError("CBOR: a number that is not in its shortest form")
        return number

    def _map(self, length: int, depth: int) -> dict[Key, Cbor]:
        found: dict[Key, Cbor] = {}
        for _ in range(length):
            key = self.item(depth + 1)
            if isinstance(key, bool) or not isinstance(key, int | str):
                raise InvalidInputError("CBOR: a key of a map is neither a number nor a text")
            if key in found:
                raise InvalidInputError(f"CBOR: the key {str(key)[:80]!r} twice in one map")
            found[key] = self.item(depth + 1)
        return found

    def _take(self, length: int) -> bytes:
        piece = self._content[self.at : self.at + length]
        if len(piece) != length:
            raise InvalidInputError("CBOR: the value ends too early")
        self.at += length
        return piece


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError("CBOR: a text is not UTF-8") from error
