"""The order of Composer's packages as a sort key of bytes (PHP's `version_compare`).

A version is cut at separators and between digits and letters. At each place, lowest first: an
unknown word, `dev`, `alpha`, `beta`, `rc`, the end, a number, `pl`. Case counts, as for PHP.

`#` is left out: for PHP `1.#` equals both `1` and `1.1`, of which one is less than the other.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from seawall.scan.versions import _numbers

CACHE_KEYS: Final = 65_536

_PART: Final = re.compile(r"[0-9]+|[^0-9.\-_+#\s]+", re.ASCII)
_UNKNOWN, _END, _NUMBER = b"\x01", b"\x06", b"\x07"
_FORMS: Final = (
    ("dev", b"\x02"),
    ("a", b"\x03"),
    ("b", b"\x04"),
    ("RC", b"\x05"),
    ("rc", b"\x05"),
    ("p", b"\x08"),
)
"""By their beginning, as PHP compares them."""


@functools.lru_cache(maxsize=CACHE_KEYS)
def key(version: str) -> bytes:
    """Return the sort key: `key(a) < key(b)` exactly when PHP orders `a` before `b`."""
    text = version.strip()
    parts = _PART.findall(text[1:] if text[:1] in ("v", "V") else text)
    return b"".join(map(_part, parts)) + _END


def after(version: str) -> bytes:
    """Return the smallest key that is greater than that of `version`."""
    return key(version) + b"\x00"


def _part(part: str) -> bytes:
    if part.isdigit():
        return _NUMBER + _numbers.encode(part)
    return next((mark for form, mark in _FORMS if part.startswith(form)), _UNKNOWN)
