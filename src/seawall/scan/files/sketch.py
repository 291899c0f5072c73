"""A short summary of a file's texts, by which rebuilt files and other versions are known again.

The texts of a file — runs of eight and more printable characters, digits removed so that versions
do not count — are hashed to 32 bits. Of large files the smallest hashes are kept: which texts are
kept depends on the text alone, so two summaries can be compared below the smaller one's limit
(the bottom-k sketch of Broder, 1997).
"""

from __future__ import annotations

import heapq
import re
import zlib
from array import array
from collections.abc import Sequence
from typing import Final

from seawall.core.limits import MIB
from seawall.scan.files import version_texts
from seawall.scan.files.model import Sketch
from seawall.scan.readers import Content

MAX_HASHES: Final = 4_096
MIN_HASHES: Final = 12
"""A file with fewer texts is not known by them."""

_LONG: Final = 200
_DIGITS: Final = b"0123456789"
_TEXT: Final = re.compile(rb"[ -~]{8,}")
_WORDS: Final = re.compile(rb"[A-Za-z_]{8,64}")
_CHUNK: Final = 32 * MIB


def take(content: Content, parts: Sequence[tuple[int, int]]) -> Sketch | None:
    """Return the summary of what stands in `parts` (offset, size); None for too few texts."""
    hashes: set[int] = set()
    for offset, size in parts:
        for start in range(offset, offset + size, _CHUNK):
            hashes |= hashes_of(content[start : min(start + _CHUNK, offset + size)])
    if len(hashes) < MIN_HASHES:
        return None
    kept = array("I", heapq.nsmallest(MAX_HASHES, hashes))
    return Sketch(
        total=len(hashes), hashes=kept.tobytes(), versions=version_texts.in_context(content)
    )


def hashes_of(chunk: bytes) -> set[int]:
    """Return the hashes of all texts in `chunk`; long runs count by their words."""
    texts = set(_TEXT.findall(chunk.translate(None, _DIGITS)))
    found = {zlib.crc32(text) for text in texts if len(text) <= _LONG}
    for text in texts:
        if len(text) > _LONG:
            found.update(map(zlib.crc32, _WORDS.findall(text)))
    return found
