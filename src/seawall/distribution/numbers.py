"""Numbers and byte ranges in headers and queries.

Only ASCII digits count: `int()` alone would take `+5`, `1_000`, spaces and other scripts' digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from seawall.core.errors import InvalidInputError, LimitError

RANGES_MAX: Final = 16
"""A request for more parts is answered with the whole blob."""

_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_CONTENT_RANGE: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,18})", re.ASCII)
_BYTE_RANGE: Final = re.compile(r"([0-9]{0,18})-([0-9]{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """`count` bytes from `start` on."""

    start: int
    count: int

    @property
    def last(self) -> int:
        return self.start + self.count - 1


def parse_number(text: str, what: str) -> int:
    """Parse a non-negative number. Raises InvalidInputError."""
    if _NUMBER.fullmatch(text) is None:
        raise InvalidInputError(f"{what} {text[:40]!r} is not a number")
    return int(text)


def parse_content_range(text: str) -> Span:
    """Parse the `a-b` of a chunk (distribution-spec, "Pushing a blob in chunks").

    Raises InvalidInputError.
    """
    found = _CONTENT_RANGE.fullmatch(text)
    if found is None or int(found[2]) < int(found[1]):
        raise InvalidInputError(
            f"Content-Range {text[:60]!r} is not <first>-<last>", remedy="write it without 'bytes'"
        )
    return Span(int(found[1]), int(found[2]) - int(found[1]) + 1)


def parse_ranges(text: str, size: int) -> list[Span]:
    """Parse a `Range` header for content of `size` bytes (RFC 9110 section 14.1.2).

    An empty list means: ignore it and send everything. Raises LimitError (answer 416) when it is
    malformed or none of the parts exists.
    """
    unit, _, ranges = text.partition("=")
    if unit.strip().lower() != "bytes":
        return []
    parts = ranges.split(",")
    if len(parts) > RANGES_MAX:
        return []
    spans = [span for part in parts if (span := _span(part.strip(), size)) is not None]
    if not spans:
        raise _not_satisfiable(text, size)
    # Overlapping parts would make the answer larger than the blob.
    return spans if sum(span.count for span in spans) <= size else []


def _span(text: str, size: int) -> Span | None:
    """Return the part that exists, or None."""
    found = _BYTE_RANGE.fullmatch(text)
    if found is None or text == "-":
        raise _not_satisfiable(text, size)
    if not found[1]:
        count = min(int(found[2]), size)
        return Span(size - count, count) if count else None
    first = int(found[1])
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    return Span(first, last - first + 1) if first <= last else None


def _not_satisfiable(text: str, size: int) -> LimitError:
    return LimitError(f"range {text[:60]!r} is not within the {size} bytes of the blob")
