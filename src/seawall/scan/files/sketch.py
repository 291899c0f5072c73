"""A short summary of a file's texts, by which rebuilt files and other versions are known again.

The texts of a file — runs of eight and more printable characters, digits removed so that versions
do not count — are hashed to 32 bits. Of large files the smallest hashes are kept: which texts are
kept depends on the text alone, so two summaries can be compared below the smaller one's limit
(the bottom-k sketch of Broder, 1997).
"""

from __future__ import annotations

import re
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Final

from seawall.core.limits import MIB
from seawall.scan.files import version_texts
from seawall.scan.files.model import Sketch
from seawall.scan.readers import Content

MIN_TEXT: Final = 8
MAX_HASHES: Final = 4_096
MIN_HASHES: Final = 12
"""A file with fewer texts is not known by them."""

_LONG: Final = 200
_DIGITS: Final = b"0123456789"
_PRINTABLE: Final = bytes(code if 0x20 <= code < 0x7F else 0 for code in range(256))
_WORDS: Final = re.compile(rb"[A-Za-z_]{8,64}")
_CHUNK: Final = 32 * MIB


def take(content: Content, leave_out: Sequence[tuple[int, int]] = ()) -> Sketch | None:
    """Return the summary; None when there are too few texts.

    `leave_out` are ranges (offset, size), ascending, that hold machine code.
    """
    hashes: set[int] = set()
    for chunk in _chunks(content, leave_out):
        hashes |= hashes_of(chunk)
    if len(hashes) < MIN_HASHES:
        return None
    kept = array("I", sorted(hashes)[:MAX_HASHES])
    return Sketch(
        total=len(hashes), hashes=kept.tobytes(), versions=version_texts.in_context(content)
    )


def hashes_of(chunk: bytes) -> set[int]:
    """Return the hashes of all texts in `chunk`; long runs count by their words."""
    texts = set(chunk.translate(_PRINTABLE, _DIGITS).split(b"\0"))
    found: set[int] = set()
    for text in texts:
        if len(text) < MIN_TEXT:
            continue
        if len(text) <= _LONG:
            found.add(zlib.crc32(text))
        else:
            found.update(map(zlib.crc32, _WORDS.findall(text)))
    return found


def _chunks(content: Content, leave_out: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    start = 0
    for offset, size in (*leave_out, (len(content), 0)):
        while start < offset:
            end = min(offset, start + _CHUNK)
            yield content[start:end]
            start = end
        start = max(start, offset + size)
