"""The order of RubyGems as a sort key of bytes (`Gem::Version#<=>`).

Segments are runs of digits or of letters; a missing segment counts as 0, and letters come before
every number. So `1.0.a` is before `1`, and what decides behind a run of zeros stands in the key
together with the length of that run.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from seawall.scan.versions import _numbers

CACHE_KEYS: Final = 65_536
MAX_SEGMENTS: Final = 128

_SEGMENT: Final = re.compile(r"[0-9]+|[A-Za-z]+", re.ASCII)
_PLATFORM: Final = re.compile(
    r"-(?:java|jruby|mswin|mingw|(?:x86|x64|x86_64|amd64|i[3-6]86|arm|armv[0-9]l?|arm64|aarch64"
    r"|ppc64le|powerpc64le|s390x|riscv64|universal)(?:-.*|_.*|))",
    re.ASCII,
)
_WORD, _ZEROS_THEN_WORD, _END, _ZEROS_THEN_NUMBER, _NUMBER = b"\x01", 2, b"\x03", 4, b"\x05"


@functools.lru_cache(maxsize=CACHE_KEYS)
def key(version: str) -> bytes:
    """Return the sort key: `key(a) < key(b)` exactly when RubyGems orders `a` before `b`."""
    parts, zeros = [], 0
    segments = _canonical(_SEGMENT.findall(version.strip().replace("-", ".pre.")))
    for segment in segments[:MAX_SEGMENTS]:
        if not segment.strip("0"):
            zeros += 1
            continue
        is_number = segment.isdigit()
        if zeros:
            more = (_ZEROS_THEN_NUMBER, 255 - zeros) if is_number else (_ZEROS_THEN_WORD, zeros)
            parts.append(bytes(more))
            zeros = 0
        parts.append(_NUMBER + _numbers.encode(segment) if is_number else _word(segment))
    return b"".join(parts) + _END


def after(version: str) -> bytes:
    """Return the smallest key that is greater than that of `version`."""
    return key(version) + b"\x00"


def clean(version: str) -> str:
    """Return the version without the platform that a gem with compiled code carries behind it."""
    return _PLATFORM.sub("", version.strip())


def _canonical(segments: list[str]) -> list[str]:
    """Drop the zeros at the end of the numbers before the first word."""
    first = next((at for at, part in enumerate(segments) if part.isalpha()), len(segments))
    numbers = segments[:first]
    while numbers and not numbers[-1].strip("0"):
        numbers.pop()
    return numbers + segments[first:]


def _word(segment: str) -> bytes:
    return _WORD + _numbers.word(segment)
