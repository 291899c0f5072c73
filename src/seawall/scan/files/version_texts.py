"""Find everything in a file that looks like a version, quickly.

Hyperscan where it is installed, else a plain pattern with the same answers.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from seawall.scan.files.literals import chunks_of
from seawall.scan.files.model import VersionText
from seawall.scan.readers import Content

MAX_STRINGS: Final = 50_000
MAX_PLACES: Final = 5_000
MAX_KEPT: Final = 256

_WHOLE: Final = rb"[^ -~]v?\d[0-9A-Za-z.+~_, -]{2,40}\x00"
_DOTTED: Final = rb"\d\.\d"
_OVERLAP: Final = 48
_BEFORE: Final = 24
_BEHIND: Final = 12
_TOKEN: Final = re.compile(
    rb"\d{1,8}(?:\.\d{1,8}){1,4}(?:[a-z]{1,2}(?![A-Za-z])|[-~+]?(?:rc|beta|alpha|[pP])\d{1,2})?"
)
_SYMBOL_VERSIONS: Final = (b"GLIBC_", b"GLIBCXX_", b"CXXABI_", b"GCC_")
_DIGITS: Final = b"0123456789"
_ALIKE: Final = bytes(code if 0x20 <= code < 0x7F else 0 for code in range(256))

Strings: TypeAlias = dict[int, bytes]
"""Where a string begins → the string."""


def whole(content: Content) -> Strings:
    """Return the version strings of a file, at most MAX_STRINGS.

    A version string is a whole string that begins with a digit and two more characters, perhaps
    behind a `v`: a non-printable byte before it, a zero byte behind it. Shorter ones are everywhere
    in machine code.
    """
    found: Strings = {}
    for base, chunk in chunks_of(content, _OVERLAP):
        for start, end in _find(_WHOLE, chunk):
            if len(found) >= MAX_STRINGS:
                return found
            found[base + start + 1] = chunk[start + 1 : end - 1]
    return found


def in_context(content: Content) -> tuple[VersionText, ...]:
    """Return versions with a key that stands for the text around them, digits left out.

    The same place of the same product in another version has the same key: so the place of the
    version is learned. At most MAX_KEPT; what is more telling comes first.
    """
    seen: dict[tuple[int, str], VersionText] = {}
    for place, run, start in _runs(content):
        for match in _TOKEN.finditer(run, max(0, start - 8)):
            if match.start() <= start < match.end():
                before = run[max(0, match.start() - _BEFORE) : match.start()]
                behind = run[match.end() : match.end() + _BEHIND]
                if before.endswith(_SYMBOL_VERSIONS):
                    break
                version = match[0].decode("ascii")
                key = key_of(before, behind)
                text = VersionText(key=key, version=version, offset=place + match.start())
                seen.setdefault((key, version), text)
                break
    ordered = sorted(seen.values(), key=lambda text: (text.key != ALONE, text.offset))
    return tuple(ordered[:MAX_KEPT])


def key_of(before: bytes, behind: bytes) -> int:
    """Return 32 bits for the text around a version."""
    parts = (before.translate(None, _DIGITS), behind.translate(None, _DIGITS))
    return zlib.crc32(b"\x01".join(parts))


ALONE: Final = key_of(b"", b"")
"""The key of versions that are whole strings."""


def _runs(content: Content) -> Iterator[tuple[int, bytes, int]]:
    """Yield where a printable run begins, the run, and where in it a dotted number begins.

    A run that ends in a byte other than zero gets a mark at its end: it is no whole string.
    """
    count = 0
    for base, chunk in chunks_of(content, 2 * _OVERLAP):
        text = chunk.translate(_ALIKE)
        done = -1
        for start, _ in _find(_DOTTED, chunk):
            if start < done:
                continue
            count += 1
            if count > MAX_PLACES:
                return
            left = max(text.rfind(b"\0", max(0, start - 40), start) + 1, start - 40, 0)
            right = text.find(b"\0", start, start + 40)
            run = chunk[left : right if right >= 0 else start + 40]
            if right >= 0 and chunk[right] != 0:
                run += b"\x7f"
            token = _TOKEN.match(chunk, start)
            done = token.end() if token else start + 1
            yield base + left, run, start - left


def _find(pattern: bytes, chunk: bytes) -> list[tuple[int, int]]:
    return _finder(pattern)(chunk)


@functools.cache
def _finder(pattern: bytes) -> Callable[[bytes], list[tuple[int, int]]]:
    return fast_finder(pattern) if importlib.util.find_spec("hyperscan") else plain_finder(pattern)


def plain_finder(pattern: bytes) -> Callable[[bytes], list[tuple[int, int]]]:
    """Return what finds `pattern` in a chunk: begin and end of every match."""
    cut = -4 if pattern.endswith(rb"\x00") else -2
    regex = re.compile(pattern[:cut] + b"(?=" + pattern[cut:] + b")")

    def find(chunk: bytes) -> list[tuple[int, int]]:
        return [(match.start(), match.end() + 1) for match in regex.finditer(chunk)]

    return find


def fast_finder(pattern: bytes) -> Callable[[bytes], list[tuple[int, int]]]:
    """Return the same on Hyperscan."""
    import hyperscan

    database = hyperscan.Database()
    flags = hyperscan.HS_FLAG_SOM_LEFTMOST | hyperscan.HS_FLAG_DOTALL
    database.compile(expressions=[pattern], ids=[0], elements=1, flags=[flags])

    def find(chunk: bytes) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []

        def matched(number: int, start: int, end: int, flags: int, context: object) -> None:
            found.append((start, end))

        database.scan(chunk, match_event_handler=matched)
        return found

    return find
