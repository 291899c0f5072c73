"""The order of Maven as a sort key of bytes (`ComparableVersion`; POM reference, "Version Order").

A version is cut at `.`, `-` and between digits and letters, which counts as `-`. Zeros and empty
qualifiers (`ga`, `final`, `release`) at the end of the version, and before each `-`, do not count.
At each place, lowest first: alpha, beta, milestone, rc, snapshot (all those behind `.`, then those
behind `-`), the end, sp and other words (in the same way), a number behind `-`, one behind `.`.

A missing place counts as a zero, so what decides behind zeros stands in the key: `1.0.alpha` is
before `1`, behind `1-alpha`. Maven's own comparison runs in circles there (2.9.0.RC1 < 2.9.0 <
2.9.0-1 < 2.9.0.RC1); ours keeps the release behind its candidate.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from seawall.scan.versions import _numbers

CACHE_KEYS: Final = 65_536

_TOKEN: Final = re.compile(r"([.\-]?)([0-9]+|[^0-9.\-]+|)", re.ASCII)
_ZEROS, _END, _WORD, _HYPHEN_NUMBER, _NUMBER = b"\x20", b"\x30", 0x40, b"\x50", b"\x60"
_BEHIND_DOT, _BEHIND_HYPHEN = 0, 8
_QUALIFIERS: Final = {
    "alpha": 0x11,
    "beta": 0x12,
    "milestone": 0x13,
    "rc": 0x14,
    "cr": 0x14,
    "snapshot": 0x15,
    "sp": _WORD,
}
_SHORT: Final = {"a": "alpha", "b": "beta", "m": "milestone"}  # before a digit
_EMPTY: Final = frozenset({"", "ga", "final", "release"})


@functools.lru_cache(maxsize=CACHE_KEYS)
def key(version: str) -> bytes:
    """Return the sort key: `key(a) < key(b)` exactly when Maven orders `a` before `b`."""
    tokens = _trimmed(_tokens(version.strip().lower()))
    parts, zeros = [], 0
    for separator, token in tokens:
        if not token.strip("0"):
            zeros += 1
            continue
        part = _part(separator, token)
        if zeros and part < _ZEROS:
            parts.append(_ZEROS + bytes((min(zeros, 255),)))
        else:
            parts.extend([_NUMBER + _numbers.encode("")] * zeros)
        parts.append(part)
        zeros = 0
    return b"".join(parts) + _END


def after(version: str) -> bytes:
    """Return the smallest key that is greater than that of `version`."""
    return key(version) + b"\x00"


def _tokens(version: str) -> list[tuple[str, str]]:
    """Return pairs of separator and token; the first has no separator."""
    found: list[tuple[str, str]] = []
    for match in _TOKEN.finditer(version):
        separator, word = match.groups()
        if not separator and not word:
            break
        if not word:
            word = "0"
        elif word in _SHORT and version[match.end() : match.end() + 1].isdigit():
            word = _SHORT[word]
        is_dot = separator == "." or not found
        found.append(("." if is_dot else "-", "" if word in _EMPTY else word))
    return found


def _trimmed(tokens: list[tuple[str, str]]) -> list[tuple[str, str]]:
    kept: list[tuple[str, str]] = []
    is_at_end = True
    for separator, token in reversed(tokens):
        if is_at_end and not token.strip("0"):
            continue
        kept.append((separator, token))
        is_at_end = separator == "-"
    return kept[::-1]


def _part(separator: str, token: str) -> bytes:
    is_behind_dot = separator == "."
    if token.isascii() and token.isdigit():
        return (_NUMBER if is_behind_dot else _HYPHEN_NUMBER) + _numbers.encode(token)
    shift = _BEHIND_DOT if is_behind_dot else _BEHIND_HYPHEN
    known = _QUALIFIERS.get(token)
    if known is None:
        return bytes((_WORD + 1 + shift,)) + _numbers.word(token)
    return bytes((known + shift,))
