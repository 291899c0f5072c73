"""Orders of numbers between separators, where more components are more: CRAN and Hackage.

R compares the integers between `.` and `-` (`package_version`), Haskell those between `.` (PVP);
`1.0` is before `1.0.0` in both. What is no number is left out.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from seawall.scan.versions import _numbers

CACHE_KEYS: Final = 16_384

_COMPONENT: Final = re.compile(r"[0-9]+", re.ASCII)
_END, _MORE = b"\x01", b"\x02"


@functools.lru_cache(maxsize=CACHE_KEYS)
def key(version: str) -> bytes:
    """Return the sort key of a version that is a list of numbers."""
    parts = (_MORE + _numbers.encode(part) for part in _COMPONENT.findall(version))
    return b"".join(parts) + _END


def after(version: str) -> bytes:
    """Return the smallest key that is greater than that of `version`."""
    return key(version) + b"\x00"
