"""The order of apk as a sort key of bytes (apk-tools `version.c`).

Numbers, one letter, suffixes, a build `-rN`; what cannot be read makes a version lower than the
part that can. A later number that begins with 0 compares as a fraction does: 1.05 before 1.1.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from seawall.scan.versions import _numbers

CACHE_KEYS: Final = 65_536

_VERSION: Final = re.compile(
    r"(?P<numbers>[0-9.]*)(?P<letter>[a-zA-Z]?)"
    r"(?P<suffixes>(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*)"
    r"(?:~[0-9a-f]+)?(?:-r(?P<build>[0-9]*))?(?P<rest>.*)",
    re.ASCII | re.DOTALL,
)
_SUFFIX: Final = re.compile(r"_([a-z]+)([0-9]*)", re.ASCII)
_RANKS: Final = {
    name: bytes((rank,))
    for rank, name in enumerate(
        ("alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"), start=1
    )
}
_EMPTY, _END, _FRACTION, _NUMBER = b"\x01", b"\x02", b"\x03", b"\x04"
_IS_BROKEN, _IS_WHOLE = b"\x01", b"\x02"
_REST: Final = re.compile(r"([0-9]*)(?:-r([0-9]+))?", re.ASCII)


@functools.lru_cache(maxsize=CACHE_KEYS)
def key(version: str) -> bytes:
    """Return the sort key: `key(a) < key(b)` exactly when apk says that `a` is older."""
    match = _VERSION.fullmatch(version.strip())
    assert match is not None  # it matches every text
    first, *others = match["numbers"].split(".")
    suffixes = _SUFFIX.findall(match["suffixes"])
    return b"".join(
        (
            _numbers.encode(first),
            *map(_number, others),
            _END,
            match["letter"].encode("ascii") + b"\x00",
            *(_RANKS[name] + _numbers.encode(digits) for name, digits in suffixes),
            _RANKS[""],
            _numbers.encode(match["build"] or ""),
            _rest(match["rest"]),
        )
    )


def after(version: str) -> bytes:
    """Return the smallest key that is greater than that of `version`."""
    return key(version) + b"\x00"


def _number(digits: str) -> bytes:
    if not digits:
        return _EMPTY
    if digits.startswith("0"):
        return _FRACTION + digits.encode("ascii") + b"\x00"
    return _NUMBER + _numbers.encode(digits)


def _rest(text: str) -> bytes:
    if not text:
        return _IS_WHOLE
    match = _REST.match(text)
    assert match is not None  # it matches the empty text
    return _IS_BROKEN + b"".join(_numbers.encode(digits or "") for digits in match.groups())
