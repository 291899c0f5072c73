"""Find many fixed texts in a file at once: the engine under the version signatures.

Two engines with the same answers: Hyperscan where it is installed (the extra `fast`; gigabytes a
second on one core), else an Aho-Corasick automaton. A test holds them together.
"""

from __future__ import annotations

import importlib.util
import mmap
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol, TypeAlias

import ahocorasick_rs

from seawall.core.limits import MIB
from seawall.scan.readers import Content

MAX_HITS: Final = 64
"""Places kept for one text; more of them say nothing new."""

_CHUNK: Final = 8 * MIB

Hits: TypeAlias = dict[int, list[int]]
"""Number of a text → where it stands, ascending, at most MAX_HITS."""

_Sink: TypeAlias = Callable[[int, int], None]


class Engine(Protocol):
    """Looks through one chunk of a file."""

    def scan(self, chunk: bytes, sink: _Sink) -> None:
        """Call `sink(number of the text, where it ends)` for every occurrence."""


class Literals:
    """A fixed set of texts to look for."""

    def __init__(
        self, texts: Sequence[bytes], build: Callable[[Sequence[bytes]], Engine] | None = None
    ) -> None:
        if not texts or not all(texts):
            raise ValueError("an empty text stands everywhere")
        self._lengths = [len(text) for text in texts]
        self._overlap = max(self._lengths) - 1
        self._engine = (build or best_engine())(texts)

    def find(self, content: Content) -> Hits:
        """Return where each text stands; texts that do not occur are left out."""
        hits: Hits = {}
        lengths = self._lengths
        for base, chunk in chunks_of(content, self._overlap):

            def note(number: int, end: int, base: int = base) -> None:
                places = hits.setdefault(number, [])
                start = base + end - lengths[number]
                if len(places) < MAX_HITS and (not places or places[-1] < start):
                    places.append(start)

            self._engine.scan(chunk, note)
        return hits


def chunks_of(content: Content, overlap: int) -> Iterator[tuple[int, bytes]]:
    """Yield pieces of a few megabytes with their offsets; each repeats the last one's tail."""
    base = 0
    while True:
        chunk = content[base : base + _CHUNK]
        yield base, chunk
        forget(content, base, _CHUNK)
        if len(chunk) < _CHUNK:
            return
        base += _CHUNK - overlap


def forget(content: Content, start: int, size: int) -> None:
    """Give the pages of a mapped file back, which are read again when they are needed.

    Without this, every byte that was looked at counts as memory of this process until the file is
    closed. A file in memory stays as it is.
    """
    if isinstance(content, mmap.mmap):
        begin = start - start % mmap.PAGESIZE
        content.madvise(mmap.MADV_DONTNEED, begin, min(start + size, len(content)) - begin)


class AhoCorasick:
    """The engine that is always there."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._automaton = ahocorasick_rs.BytesAhoCorasick(
            list(texts), implementation=ahocorasick_rs.Implementation.DFA
        )

    def scan(self, chunk: bytes, sink: _Sink) -> None:
        for number, _, end in self._automaton.find_matches_as_indexes(chunk, overlapping=True):
            sink(number, end)


class Hyperscan:
    """The fast engine, for x86-64 and arm64.

    Its binding cuts texts at a zero byte in its literal mode, so they are written as patterns.
    """

    def __init__(self, texts: Sequence[bytes]) -> None:
        import hyperscan

        self._database = hyperscan.Database()
        self._database.compile(
            expressions=[b"".join(b"\\x%02x" % byte for byte in text) for text in texts],
            ids=list(range(len(texts))),
            elements=len(texts),
            flags=[0] * len(texts),
        )

    def scan(self, chunk: bytes, sink: _Sink) -> None:
        def matched(number: int, start: int, end: int, flags: int, context: object) -> None:
            sink(number, end)

        self._database.scan(chunk, match_event_handler=matched)


def best_engine() -> Callable[[Sequence[bytes]], Engine]:
    """Return the fastest engine of this installation."""
    return Hyperscan if importlib.util.find_spec("hyperscan") else AhoCorasick
