"""The order of dpkg as a sort key of bytes.

dpkg compares epoch, upstream version and revision; the latter two as alternating runs of
non-digits and digits, where `~` sorts before the end of a run, the end before letters and letters
before everything else (deb-version(7), dpkg `lib/dpkg/version.c`). All of that becomes one byte
string, built once, so that two versions compare with `memcmp`, also inside of SQL.

Every text has a key: what dpkg would refuse as a version still sorts somewhere fixed, because a
package with a strange version must not fall out of the judgement.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from seawall.scan.versions import _numbers

CACHE_KEYS: Final = 65_536

_TILDE: Final = "\x01"
_END: Final = b"\x02"
_OTHER: Final = 0x80  # added to what is neither letter nor digit, so that it sorts after letters
_NOT_ASCII: Final = b"\xfe"

_RUNS: Final = re.compile(r"([^0-9]*)([0-9]*)")
_ORDER: Final = {
    code: _TILDE if chr(code) == "~" else chr(code if chr(code).isalpha() else code + _OTHER)
    for code in range(0x7F)
    if not chr(code).isdigit()
}


@functools.lru_cache(maxsize=CACHE_KEYS)
def key(version: str) -> bytes:
    """Return the sort key: `key(a) < key(b)` exactly when dpkg says that `a` is earlier."""
    epoch, upstream, revision = _split(version.strip())
    return _numbers.encode(epoch) + _part(upstream) + _part(revision)


def after(version: str) -> bytes:
    """Return the smallest key that is greater than that of `version`."""
    return key(version) + b"\x00"


def fix_key(version: str) -> bytes:
    """Return the key from which a fix in `version` holds: that of its first rebuild.

    `1.2-3~deb12u1` is `1.2-3` built for an older release and sorts below it, though it contains
    what that contains. Only where there is a revision: `1.2~beta` is no rebuild of `1.2`.
    """
    return key(version + "~bpo") if "-" in version else key(version)


def _split(version: str) -> tuple[str, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon or not (epoch.isascii() and epoch.isdigit()):
        epoch, rest = "", version
    upstream, dash, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if dash else (epoch, rest, "")


def _part(text: str) -> bytes:
    # "" and "0" are equal for dpkg, as are "1a" and "1a0": a run of non-digits is always
    # followed by a number, and there is at least one pair.
    pairs = _RUNS.findall(text)
    key = b"".join(
        _letters(letters) + _END + _numbers.encode(digits)
        for letters, digits in pairs
        if letters or digits
    )
    return (key or _END + _numbers.encode("")) + _END


def _letters(text: str) -> bytes:
    if text.isascii():
        return text.translate(_ORDER).encode("latin-1")
    return b"".join(
        char.translate(_ORDER).encode("latin-1")
        if char.isascii()
        else b"".join(_NOT_ASCII + bytes((byte,)) for byte in char.encode("utf-8", "replace"))
        for char in text
    )
