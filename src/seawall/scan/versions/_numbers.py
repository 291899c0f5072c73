"""Whole numbers and words as bytes that compare as they do, whatever their length."""

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


def word(text: str) -> bytes:
    """Return bytes for a text: prefix-free, and ordered as its UTF-8."""
    return text.replace("\x00", "").encode("utf-8", "replace") + b"\x00"
