"""Whole numbers as bytes that compare like numbers, whatever their length."""

from __future__ import annotations

from typing import Final

_LONG: Final = 0xF0


def encode(digits: str) -> bytes:
    """Return bytes for a run of ASCII digits ("" is 0): prefix-free, and ordered by `memcmp`."""
    significant = digits.lstrip("0").encode("ascii")
    length = len(significant)
    if length < _LONG:
        return bytes((length,)) + significant
    return bytes((_LONG,)) + length.to_bytes(4, "big") + significant
