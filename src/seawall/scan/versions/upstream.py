"""The order in which projects number their own releases, as a sort key of bytes.

For what no package manager installed: OpenSSL, nginx, OpenSSH, PHP, SQLite. They agree on runs of
numbers, and on words that come before a release; every other word comes after it. A number comes
before a word, so `1.1.1` < `1.1.1a` < `1.1.1z` < `1.1.1za` < `1.1.2`, and `9.3` < `9.3p1` < `9.4`.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from seawall.scan.versions import _numbers

CACHE_KEYS: Final = 65_536

_TOKEN: Final = re.compile(r"[0-9]+|[a-z]+")
_BEFORE, _END, _WORD, _NUMBER = b"\x01", b"\x02", b"\x03", b"\x04"
_PRE_RELEASES: Final = {
    "dev": b"\x01",
    "snapshot": b"\x01",
    "alpha": b"\x02",
    "beta": b"\x03",
    "pre": b"\x04",
    "preview": b"\x04",
    "milestone": b"\x04",
    "rc": b"\x05",
    "cr": b"\x05",
}
_SHORT: Final = {"a": "alpha", "b": "beta", "c": "rc", "m": "milestone"}


@functools.lru_cache(maxsize=CACHE_KEYS)
def key(version: str) -> bytes:
    """Return the sort key of a project's own version; what follows `+` does not count."""
    text = version.strip().lower().partition("+")[0]
    tokens = _TOKEN.findall(text[1:] if text[:2].startswith("v") else text)
    first = next((at for at, token in enumerate(tokens) if not token.isdigit()), len(tokens))
    numbers, rest = tokens[:first], tokens[first:]
    while len(numbers) > 1 and not numbers[-1].strip("0"):  # 3.0 is 3, and 3.0rc1 before both
        numbers.pop()
    parts = [_NUMBER + _numbers.encode(number) for number in numbers]
    parts += [_part(token, rest[at + 1 : at + 2]) for at, token in enumerate(rest)]
    return b"".join(parts) + _END


def after(version: str) -> bytes:
    """Return the smallest key that is greater than that of `version`."""
    return key(version) + b"\x00"


def _part(token: str, following: list[str]) -> bytes:
    if token.isdigit():
        return _NUMBER + _numbers.encode(token)
    if following and following[0].isdigit():
        token = _SHORT.get(token, token)  # 3.13.0a1, but 1.1.1a
    if (rank := _PRE_RELEASES.get(token)) is not None:
        return _BEFORE + rank
    return _WORD + _numbers.word(token)
