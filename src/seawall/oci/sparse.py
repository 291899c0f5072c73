"""Sparse files in tar: which parts of a file are stored, the rest being zeros.

Four spellings exist: old GNU (`S` entries), and PAX 0.0, 0.1 and 1.0 (GNU tar manual, "Sparse
Formats"). A scanner must expand them: a package database stored sparsely is still one. Maps that
overlap, run backwards or lead out of the file are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from seawall.oci.bounds import ArchiveLimitError, Budget, MalformedArchiveError

_BLOCK: Final = 512
_MAX_SIZE: Final = 1 << 62
_MAX_DIGITS: Final = 19


@dataclass(frozen=True, slots=True)
class Region:
    """Stored bytes: `size` of them belong at `offset` of the file."""

    offset: int
    size: int


def decimal(text: bytes) -> int:
    """Parse a non-negative decimal number. Raises MalformedArchiveError."""
    if not text.isdigit() or len(text) > _MAX_DIGITS or (value := int(text)) > _MAX_SIZE:
        raise MalformedArchiveError("tar: a PAX value is not a number")
    return value


def number(field: bytes) -> int:
    """Return an octal or base-256 number; the latter has the high bit set (GNU, star)."""
    if field[0] & 0x80:
        value = (
            -1 if field[0] & 0x40 else int.from_bytes(field, "big") - (0x80 << 8 * len(field) - 8)
        )
    else:
        digits = field.strip(b" \0").partition(b"\0")[0]
        if not digits:
            return 0
        is_octal = digits.isdigit() and b"8" not in digits and b"9" not in digits
        value = int(digits, 8) if is_octal else -1
    if not 0 <= value <= _MAX_SIZE:
        raise MalformedArchiveError("tar: a header holds something that is not a number")
    return value


def expand(regions: Iterable[Region], wanted: int, take: Callable[[int], bytes]) -> bytes:
    """Return the first `wanted` bytes of the file; `take` gives the stored bytes in order."""
    parts: list[bytes] = []
    at = 0
    for region in regions:
        if at >= wanted:
            break
        hole = min(region.offset, wanted) - at
        parts.append(bytes(hole))
        at += hole
        stored = min(region.size, wanted - at)
        parts.append(take(stored))
        at += stored
    parts.append(bytes(max(0, wanted - at)))
    return b"".join(parts)


def pieces(
    regions: Iterable[Region], size: int, take: Callable[[int], bytes], max_bytes: int
) -> Iterator[bytes]:
    """Yield the whole file of `size` bytes in pieces of at most `max_bytes`."""
    at = 0
    for region in (*regions, Region(size, 0)):
        for piece in _parts(region.offset - at, max_bytes):
            yield bytes(piece)
        for piece in _parts(region.size, max_bytes):
            yield take(piece)
        at = region.offset + region.size


def _parts(size: int, max_bytes: int) -> Iterator[int]:
    while size > 0:
        yield min(size, max_bytes)
        size -= max_bytes


def old_gnu_map(
    block: bytes, take: Callable[[int], bytes], budget: Budget
) -> tuple[tuple[Region, ...], int]:
    """Read the map of an `S` header and its continuation blocks; return it and the real size."""
    if block[257:265] != b"ustar  \0":
        raise MalformedArchiveError("tar: a sparse entry without a GNU header")
    size = number(block[483:495])
    pairs = _gnu_pairs(block[386:482], 4)
    is_extended = block[482]
    read = 0
    while is_extended:
        read += _BLOCK
        _check_size(read, budget.limits.max_header_bytes)
        more = take(_BLOCK)
        pairs += _gnu_pairs(more[:504], 21)
        is_extended = more[504]
    return _checked(pairs, size), size


def is_pax_sparse(pax: Mapping[str, bytes]) -> bool:
    return "GNU.sparse.map" in pax or pax.get("GNU.sparse.major") == b"1"


def pax_map(
    pax: Mapping[str, bytes], take: Callable[[int], bytes], max_bytes: int
) -> tuple[tuple[Region, ...], int]:
    """Return the map of a PAX sparse entry and the real size; 1.0 reads it from the content."""
    size_text = pax.get("GNU.sparse.realsize") or pax.get("GNU.sparse.size")
    if size_text is None:
        raise MalformedArchiveError("tar: a sparse entry without its real size")
    size = decimal(size_text)
    if pax.get("GNU.sparse.major") == b"1":
        numbers = _numbers_of_content(take, max_bytes)
    else:
        fields = pax["GNU.sparse.map"]
        numbers = [decimal(field) for field in fields.split(b",")] if fields else []
    if len(numbers) % 2:
        raise MalformedArchiveError("tar: a sparse map with an odd number of fields")
    return _checked(list(zip(numbers[::2], numbers[1::2], strict=True)), size), size


def _numbers_of_content(take: Callable[[int], bytes], max_bytes: int) -> list[int]:
    """Read `COUNT\\n` and that many pairs of lines, padded to whole blocks."""
    lines: list[bytes] = []
    rest = b""
    read = 0
    wanted = 1
    while len(lines) < wanted:
        read += _BLOCK
        _check_size(read, max_bytes)
        *whole, rest = (rest + take(_BLOCK)).split(b"\n")
        if len(rest) > _BLOCK:
            raise MalformedArchiveError("tar: a sparse map does not parse")
        if whole and not lines:
            wanted = 1 + 2 * decimal(whole[0])
        lines += whole
    return [decimal(line) for line in lines[1:wanted]]


def _check_size(read: int, max_bytes: int) -> None:
    if read > max_bytes:
        raise ArchiveLimitError(
            f"a sparse map of more than {max_bytes} bytes", limit="max_header_bytes"
        )


def _gnu_pairs(field: bytes, count: int) -> list[tuple[int, int]]:
    """Read pairs of 12-byte numbers; the first whose offset is empty ends the list."""
    pairs = []
    for start in range(0, count * 24, 24):
        if not field[start]:
            break
        pairs.append((number(field[start : start + 12]), number(field[start + 12 : start + 24])))
    return pairs


def _checked(pairs: list[tuple[int, int]], size: int) -> tuple[Region, ...]:
    at = 0
    for offset, length in pairs:
        if offset < at or offset + length > size:
            raise MalformedArchiveError("tar: a sparse map overlaps or leads out of the file")
        at = offset + length
    return tuple(Region(offset, length) for offset, length in pairs)
