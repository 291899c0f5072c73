"""The order of rpm as a sort key of bytes (rpm `rpmvercmp.c`, `rpmver.c`).

Epoch, version and release are compared in turn, each as runs of digits or of ASCII letters; all
else separates. At each place, lowest first: `~`, the end, `^`, letters, a number. A version
without a release is before the same with one.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from seawall.scan.versions import _numbers

CACHE_KEYS: Final = 65_536

_SEGMENT: Final = re.compile(r"[0-9]+|[A-Za-z]+|~|\^", re.ASCII)
_TILDE, _END, _CARET, _WORD, _NUMBER = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
_NO_RELEASE, _RELEASE = b"\x01", b"\x02"


@functools.lru_cache(maxsize=CACHE_KEYS)
def key(version: str) -> bytes:
    """Return the sort key: `key(a) < key(b)` exactly when rpm says that `a` is older."""
    epoch, colon, rest = version.strip().partition(":")
    if not colon:
        epoch, rest = "0", epoch
    upstream, dash, release = rest.rpartition("-")
    end = _RELEASE + _part(release) if dash else _NO_RELEASE
    return _part(epoch or "0") + _part(upstream if dash else rest) + end


def after(version: str) -> bytes:
    """Return the smallest key that is greater than that of `version`."""
    return key(version) + b"\x00"


def _part(text: str) -> bytes:
    return b"".join(map(_segment, _SEGMENT.findall(text))) + _END


def _segment(segment: str) -> bytes:
    if segment == "~":
        return _TILDE
    if segment == "^":
        return _CARET
    if segment.isdigit():
        return _NUMBER + _numbers.encode(segment)
    return _WORD + _numbers.word(segment)
