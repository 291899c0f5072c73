"""Find many fixed texts, and all version-like strings, in a file: the engine under the signatures.

Two engines with the same answers: Hyperscan where it is installed (the extra `fast`; gigabytes a
second on one core), else an Aho-Corasick automaton and a plain pattern. A test holds them together.

A *version string* is a whole string of the file that begins with a digit, or with `v` and a digit:
non-printable bytes before it, a zero byte behind it.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol, TypeAlias

import ahocorasick_rs

from seawall.core.limits import MIB
from seawall.scan.readers import Content

MAX_HITS: Final = 64
"""Places kept for one text; more of them say nothing new."""

MAX_STRINGS: Final = 50_000

_CHUNK: Final = 8 * MIB
_VERSION: Final = rb"[^ -~]v?\d[0-9A-Za-z.+~_, -]{0,40}\x00"
_VERSION_OVERLAP: Final = 48

Hits: TypeAlias = dict[int, list[int]]
"""Number of a text → where it stands, ascending, at most MAX_HITS."""

Strings: TypeAlias = dict[int, bytes]
"""Where a version string begins → the string."""

_Sink: TypeAlias = Callable[[int, int], None]


class Engine(Protocol):
    """Looks through one chunk of a file."""

    def scan(self, chunk: bytes, sink: _Sink) -> None:
        """Call `sink(number of the text, where it ends)` for every occurrence."""

    def versions(self, chunk: bytes, sink: _Sink) -> None:
        """Call `sink(where it begins, where it ends)` for every version string."""


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
        for base, chunk in _chunks(content, self._overlap):

            def note(number: int, end: int, base: int = base) -> None:
                places = hits.setdefault(number, [])
                start = base + end - lengths[number]
                if len(places) < MAX_HITS and (not places or places[-1] < start):
                    places.append(start)

            self._engine.scan(chunk, note)
        return hits

    def versions(self, content: Content) -> Strings:
        """Return all version strings, at most MAX_STRINGS."""
        found: Strings = {}
        for base, chunk in _chunks(content, _VERSION_OVERLAP):

            def note(start: int, end: int, base: int = base, chunk: bytes = chunk) -> None:
                if len(found) < MAX_STRINGS:
                    found[base + start] = chunk[start:end]

            self._engine.versions(chunk, note)
        return found


def _chunks(content: Content, overlap: int) -> Iterator[tuple[int, bytes]]:
    base = 0
    while True:
        chunk = content[base : base + _CHUNK]
        yield base, chunk
        if len(chunk) < _CHUNK:
            return
        base += _CHUNK - overlap


class AhoCorasick:
    """The engine that is always there."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._automaton = ahocorasick_rs.BytesAhoCorasick(
            list(texts), implementation=ahocorasick_rs.Implementation.DFA
        )
        self._version = re.compile(_VERSION[:-4] + rb"(?=\x00)")

    def scan(self, chunk: bytes, sink: _Sink) -> None:
        for number, _, end in self._automaton.find_matches_as_indexes(chunk, overlapping=True):
            sink(number, end)

    def versions(self, chunk: bytes, sink: _Sink) -> None:
        for match in self._version.finditer(chunk):
            sink(match.start() + 1, match.end())


class Hyperscan:
    """The fast engine, for x86-64 and arm64."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        import hyperscan

        self._database = hyperscan.Database()
        self._database.compile(
            expressions=list(texts),
            ids=list(range(len(texts))),
            elements=len(texts),
            flags=[0] * len(texts),
            literal=True,
        )
        self._versions = hyperscan.Database()
        self._versions.compile(
            expressions=[_VERSION],
            ids=[0],
            elements=1,
            flags=[hyperscan.HS_FLAG_SOM_LEFTMOST | hyperscan.HS_FLAG_DOTALL],
        )

    def scan(self, chunk: bytes, sink: _Sink) -> None:
        def matched(number: int, start: int, end: int, flags: int, context: object) -> None:
            sink(number, end)

        self._database.scan(chunk, match_event_handler=matched)

    def versions(self, chunk: bytes, sink: _Sink) -> None:
        def matched(number: int, start: int, end: int, flags: int, context: object) -> None:
            sink(start + 1, end - 1)

        self._versions.scan(chunk, match_event_handler=matched)


def best_engine() -> Callable[[Sequence[bytes]], Engine]:
    """Return the fastest engine of this installation."""
    return Hyperscan if importlib.util.find_spec("hyperscan") else AhoCorasick
