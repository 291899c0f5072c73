"""The little of DER (X.690) that key files need: definite lengths, bounded, nothing clever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

INTEGER: Final = 0x02
OCTETS: Final = 0x04
OBJECT: Final = 0x06
SEQUENCE: Final = 0x30


def children(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and value of each element. Raises ValueError for what is cut off."""
    at = 0
    while at < len(content):
        if at + 2 > len(content):
            raise ValueError("truncated")
        tag, length, at = content[at], content[at + 1], at + 2
        if length >= 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= 3:
                raise ValueError("length")
            length, at = int.from_bytes(content[at : at + octets], "big"), at + octets
        if at + length > len(content):
            raise ValueError("truncated")
        yield tag, content[at : at + length]
        at += length


def element(tag: int, *parts: bytes) -> bytes:
    """Return one element around `parts`, up to 64 KiB."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    octets = (len(content).bit_length() + 7) // 8
    return bytes([tag, 0x80 | octets]) + len(content).to_bytes(octets, "big") + content
