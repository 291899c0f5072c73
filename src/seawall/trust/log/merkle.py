"""The tree of RFC 6962 (and RFC 9162, section 2.1): hashes, proofs, and what verifies them. Pure.

Only *complete* nodes are kept: (level, number) covers the leaves from `number << level` on,
`1 << level` of them, and never changes. Every hash of every tree and proof is folded from a few of
them, so making a proof reads O(log n) nodes, in one go.

Refused: proofs of the wrong length, hashes of the wrong length, indexes outside of the tree, and
the trees that nobody can prove anything about (a proof *from* the empty tree says nothing).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

HASH_BYTES: Final = 32
MAX_SIZE: Final = 2**62
"""More leaves than that are not a log."""

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of the tree without leaves (RFC 9162, 2.1.1)."""


class Node(NamedTuple):
    """A complete node. Level 0 are the leaves."""

    level: int
    number: int


Read: TypeAlias = Callable[[Sequence[Node]], Mapping[Node, bytes]]
"""Gives the hashes of complete nodes, all that are asked for."""


def leaf_hash(body: bytes) -> bytes:
    """Return the hash of a leaf: 0x00 before the entry, so that no node can pass for one."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


# -- making


def grow(number: int, leaf: bytes, read: Read) -> dict[Node, bytes]:
    """Return the complete nodes that come into being with leaf `number`, itself included."""
    lefts = [Node(level, (number >> level) - 1) for level in range(_trailing_ones(number))]
    known = read(lefts) if lefts else {}
    made = {Node(0, number): leaf}
    current = leaf
    for left in lefts:
        current = node_hash(known[left], current)
        made[Node(left.level + 1, number >> (left.level + 1))] = current
    return made


def root(size: int, read: Read) -> bytes:
    """Return the root of the tree of the first `size` leaves."""
    if size == 0:
        return EMPTY_ROOT
    nodes = cover(0, size)
    known = read(nodes)
    return fold([known[node] for node in nodes])


def prove_inclusion(index: int, size: int, read: Read) -> tuple[bytes, ...]:
    """Return the audit path of leaf `index` in the tree of `size` leaves, from the leaf up.

    Raises ValueError when there is no such leaf.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    return _gather(_inclusion_ranges(index, 0, size), read)


def prove_consistency(first: int, second: int, read: Read) -> tuple[bytes, ...]:
    """Return the proof that the tree of `second` leaves begins with that of `first`.

    Empty for equal sizes. Raises ValueError unless 0 < first <= second.
    """
    if not 0 < first <= second <= MAX_SIZE:
        raise ValueError(f"nothing can be proven from {first} to {second}")
    return _gather(_consistency_ranges(first, 0, second, True), read)


def cover(start: int, end: int) -> tuple[Node, ...]:
    """Return the complete nodes, left to right, that make up the subtree of leaves start … end-1.

    `start` must be the beginning of a subtree, as the RFC's own splits are.
    """
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return tuple(nodes)


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over the complete nodes of a `cover`; of none, that of the empty tree."""
    if not hashes:
        return EMPTY_ROOT
    *before, result = hashes
    for left in reversed(before):
        result = node_hash(left, result)
    return result


# -- verifying


def is_included(leaf: bytes, *, index: int, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Tell whether `path` proves that `leaf` stands at `index` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size <= MAX_SIZE or not _are_hashes([leaf, root, *path]):
        return False
    first, last, current = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if first & 1 or first == last:
            current = node_hash(sibling, current)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        first, last = first >> 1, last >> 1
    return last == 0 and hmac.compare_digest(current, root)


def is_consistent(
    *, first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Tell whether `path` proves that the second tree begins with the first (RFC 9162, 2.1.4.2).

    A first tree without leaves begins every tree, which proves nothing; it counts only with an
    empty path and the empty tree's own root.
    """
    if not 0 <= first <= second <= MAX_SIZE:
        return False
    if not _are_hashes([first_root, second_root, *path]):
        return False
    if first == 0:
        return not path and first_root == EMPTY_ROOT
    if first == second:
        return not path and hmac.compare_digest(first_root, second_root)
    return _is_consistent(first, first_root, second, second_root, list(path))


class Frontier:
    """A tree that only grows, of which just the edge is kept: what a follower needs to remember."""

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """`hashes` are those of `cover(0, size)`. Raises ValueError when they do not fit."""
        if not 0 <= size <= MAX_SIZE or len(hashes) != size.bit_count() or not _are_hashes(hashes):
            raise ValueError("the edge does not fit the size of the tree")
        self.size = size
        self._hashes = list(hashes)

    @property
    def hashes(self) -> tuple[bytes, ...]:
        return tuple(self._hashes)

    @property
    def root(self) -> bytes:
        return fold(self._hashes)

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        current = leaf
        for _ in range(_trailing_ones(self.size)):
            current = node_hash(self._hashes.pop(), current)
        self._hashes.append(current)
        self.size += 1

    def copy(self) -> Frontier:
        return Frontier(self.size, self._hashes)


def _inclusion_ranges(index: int, start: int, end: int) -> list[tuple[int, int]]:
    """PATH(m, D[n]) of RFC 9162, 2.1.3.1, as ranges of leaves."""
    ranges: list[tuple[int, int]] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def _consistency_ranges(first: int, start: int, end: int, is_whole: bool) -> list[tuple[int, int]]:
    """SUBPROOF(m, D[n], b) of RFC 9162, 2.1.4.1, as ranges of leaves; `first` counts from 0."""
    ranges: list[tuple[int, int]] = []
    while first < end:
        middle = start + _split(end - start)
        if first <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, is_whole = middle, False
    if not is_whole:
        ranges.append((start, end))
    return ranges[::-1]


def _gather(ranges: Iterable[tuple[int, int]], read: Read) -> tuple[bytes, ...]:
    covers = [cover(start, end) for start, end in ranges]
    wanted = [node for nodes in covers for node in nodes]
    known = read(wanted) if wanted else {}
    return tuple(fold([known[node] for node in nodes]) for nodes in covers)


def _is_consistent(
    first: int, first_root: bytes, second: int, second_root: bytes, path: list[bytes]
) -> bool:
    if first & (first - 1) == 0:
        path = [first_root, *path]
    if not path:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, sibling)
        fn, sn = fn >> 1, sn >> 1
    return (
        sn == 0 and hmac.compare_digest(old, first_root) and hmac.compare_digest(new, second_root)
    )


def _are_hashes(values: Sequence[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _trailing_ones(number: int) -> int:
    return (~number & (number + 1)).bit_length() - 1
