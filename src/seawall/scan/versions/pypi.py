"""The order of PEP 440 as a sort key of bytes, and the names of PEP 503.

A key is built once and compared with `memcmp`, also inside of SQL. A text that PEP 440 does not
know sorts below everything, as it always did in this ecosystem.

That order alone would be a bad judge: distributions make such texts of good versions
(`3.7.3~dfsg`, `2.6.0-NA`), and a package below everything matches every advisory ever written.
`clean` therefore gives the version that is meant: the longest valid beginning, with the rest as
its local part. Whoever judges, compares cleaned versions.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from packaging.version import InvalidVersion, Version

from seawall.scan.versions import _numbers

CACHE_KEYS: Final = 65_536

_LEGACY: Final = b"\x10"
_VALID: Final = b"\x20"
_LOWEST, _HERE, _HIGHEST = b"\x01", b"\x02", b"\x03"
_LOCAL_WORD, _LOCAL_NUMBER, _LOCAL_END = b"\x02", b"\x03", b"\x01"
_AFTER_LOCALS: Final = b"\xff"

_SEGMENT: Final = re.compile(r"[0-9]+|[a-z]+")
_NAME_SEPARATORS: Final = re.compile(r"[-_.]+")
_BOUNDARY: Final = re.compile(r"(?<=[A-Za-z0-9])(?=[^A-Za-z0-9])|(?<=[0-9])(?=[A-Za-z])")
_MAX_CUTS: Final = 24


def normalise_name(name: str) -> str:
    """Return the name as PEP 503 spells it."""
    return _NAME_SEPARATORS.sub("-", name.strip()).lower()


def clean(version: str) -> str:
    """Return the valid version that `version` stands for; itself where there is none.

    `3.7.3~dfsg` becomes `3.7.3+dfsg`: after 3.7.3, before everything later.
    """
    text = version.strip()
    if _parse(text) is not None:
        return text
    cuts = [match.start() for match in _BOUNDARY.finditer(text)][:_MAX_CUTS]
    for cut in reversed(cuts):
        if (beginning := _parse(text[:cut])) is not None:
            segments = _SEGMENT.findall(text[cut:].lower())
            local = ".".join(filter(None, (beginning.local, *segments)))
            return f"{beginning.public}+{local}" if local else beginning.public
    return text


@functools.lru_cache(maxsize=CACHE_KEYS)
def key(version: str) -> bytes:
    """Return the sort key: `key(a) < key(b)` exactly when PEP 440 orders `a` before `b`."""
    parsed = _parse(version)
    return _unknown(version) if parsed is None else _public(parsed) + _local(parsed.local)


def after(version: str) -> bytes:
    """Return a key above `version` and, when it is a public version, above its local versions.

    `2.6.0+cu124` is a build of 2.6.0: PEP 440 lets `<= 2.6.0` and `== 2.6.0` hold for it.
    """
    parsed = _parse(version)
    if parsed is None or parsed.local:
        return key(version) + b"\x00"
    return _public(parsed) + _AFTER_LOCALS


def _parse(text: str) -> Version | None:
    try:
        return Version(text)
    except (InvalidVersion, ValueError):  # ValueError: more digits than int() converts
        return None


def _unknown(version: str) -> bytes:
    segments = _SEGMENT.findall(version.lower())
    return _LEGACY + b"".join(map(_local_segment, segments)) + _LOCAL_END


def _public(version: Version) -> bytes:
    release = list(version.release)
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    return b"".join(
        (
            _VALID,
            _number(version.epoch),
            *(_HERE + _number(part) for part in release),
            _LOWEST,
            _pre(version),
            _LOWEST if version.post is None else _HERE + _number(version.post),
            _HIGHEST if version.dev is None else _HERE + _number(version.dev),
        )
    )


def _pre(version: Version) -> bytes:
    if version.pre is not None:
        letter, number = version.pre  # "a" < "b" < "rc"
        return _HERE + letter[0].encode("ascii") + _number(number)
    # 1.0.dev1 comes before 1.0a1.
    is_only_dev = version.post is None and version.dev is not None
    return _LOWEST if is_only_dev else _HIGHEST


def _local(local: str | None) -> bytes:
    if not local:
        return b""
    return b"".join(map(_local_segment, local.split("."))) + _LOCAL_END


def _local_segment(segment: str) -> bytes:
    if segment.isdigit():
        return _LOCAL_NUMBER + _numbers.encode(segment)
    return _LOCAL_WORD + segment.encode("ascii") + b"\x00"


def _number(value: int) -> bytes:
    return _numbers.encode(str(value))
