"""Orders of Semantic Versioning and its relatives: npm, Cargo, Go, Pub and NuGet.

Read as leniently as the tools of these ecosystems read: a leading `v`, missing components (0), and
more than three, which belong to what does not count. Every text has a key.

 SemVer 2.0.0, 11   numbers, then identifiers of the pre-release; the build does not count
 Pub                the same, but a build sorts after its release (pub_semver)
 NuGet              four numbers, and identifiers without regard to case (NuGet docs, Versioning)
"""

from __future__ import annotations

import functools
import re
from typing import Final

from seawall.scan.versions import _numbers

CACHE_KEYS: Final = 65_536

_VERSION: Final = re.compile(
    r"\s*[vV=]?(?P<numbers>[0-9]+(?:\.[0-9]+)*|)(?P<rest>.*)", re.ASCII | re.DOTALL
)
_END, _NUMBER, _WORD = b"\x01", b"\x02", b"\x03"
_IS_PRE_RELEASE, _IS_RELEASE = b"\x01", b"\x02"


@functools.lru_cache(maxsize=CACHE_KEYS)
def key(version: str) -> bytes:
    """Return the sort key of a semantic version."""
    numbers, pre_release, _ = _split(version.strip(), 3)
    return numbers + pre_release


def after(version: str) -> bytes:
    """Return the smallest key that is greater than that of `version`."""
    return key(version) + b"\x00"


def clean_go(version: str) -> str:
    """Return a version of Go's toolchain (`go1.21.3 X:…`) or of a module as a number alone."""
    text = version.strip().partition(" ")[0]
    return text[2:] if text[:2] == "go" and text[2:3].isdigit() else text


@functools.lru_cache(maxsize=CACHE_KEYS)
def pub_key(version: str) -> bytes:
    """Return the sort key of a Dart package's version: builds count."""
    numbers, pre_release, build = _split(version.strip(), 3)
    return numbers + pre_release + (_NUMBER + _identifiers(build) if build else _END)


def pub_after(version: str) -> bytes:
    """Return the smallest key that is greater than that of `version`."""
    return pub_key(version) + b"\x00"


@functools.lru_cache(maxsize=CACHE_KEYS)
def nuget_key(version: str) -> bytes:
    """Return the sort key of a NuGet package's version."""
    numbers, pre_release, _ = _split(version.strip().lower(), 4)
    return numbers + pre_release


def nuget_after(version: str) -> bytes:
    """Return the smallest key that is greater than that of `version`."""
    return nuget_key(version) + b"\x00"


def _split(version: str, components: int) -> tuple[bytes, bytes, str]:
    """Return the keys of the numbers and of the pre-release, and the build as text."""
    match = _VERSION.fullmatch(version)
    assert match is not None  # it matches every text
    numbers = match["numbers"].split(".")
    key = b"".join(map(_numbers.encode, [*numbers, *[""] * components][:components]))
    rest, _, build = match["rest"].partition("+")
    if len(numbers) > components and not rest:
        return key, _IS_RELEASE, ".".join(numbers[components:])
    # `1.2rc1`, as Go's own releases are called, is a pre-release too
    pre_release = rest.removeprefix("-")
    return key, _IS_PRE_RELEASE + _identifiers(pre_release) if rest else _IS_RELEASE, build


def _identifiers(text: str) -> bytes:
    return b"".join(map(_identifier, text.split("."))) + _END


def _identifier(text: str) -> bytes:
    if text.isascii() and text.isdigit():
        return _NUMBER + _numbers.encode(text)
    return _WORD + _numbers.word(text)
