"""The tree against a naive one that is written as RFC 9162 says it, for every small size."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.trust.log import merkle
from seawall.trust.log.merkle import Frontier, Node

SIZES = range(1, 35)
SOME = st.integers(1, 130)


def leaves(count: int) -> list[bytes]:
    return [merkle.leaf_hash(b"%d" % number) for number in range(count)]


def naive_root(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    pair = naive_root(hashes[:k]) + naive_root(hashes[k:])
    return hashlib.sha256(b"\1" + pair).digest()


def naive_path(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    if index < k:
        return [*naive_path(index, hashes[:k]), naive_root(hashes[k:])]
    return [*naive_path(index - k, hashes[k:]), naive_root(hashes[:k])]


def naive_subproof(first: int, hashes: Sequence[bytes], is_whole: bool) -> list[bytes]:
    if first == len(hashes):
        return [] if is_whole else [naive_root(hashes)]
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    if first <= k:
        return [*naive_subproof(first, hashes[:k], is_whole), naive_root(hashes[k:])]
    return [*naive_subproof(first - k, hashes[k:], False), naive_root(hashes[:k])]


class Store:
    """Complete nodes in memory; counts what is read."""

    def __init__(self, count: int) -> None:
        self.nodes: dict[Node, bytes] = {}
        self.reads = 0
        for number, leaf in enumerate(leaves(count)):
            self.nodes |= merkle.grow(number, leaf, self.read)
        self.reads = 0

    def read(self, wanted: Sequence[Node]) -> Mapping[Node, bytes]:
        self.reads += len(wanted)
        return {node: self.nodes[node] for node in wanted}


STORE = Store(140)


def test_the_empty_tree_and_the_first_leaves_are_those_of_the_rfc() -> None:
    # The test vectors of Certificate Transparency's reference implementation.
    assert "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" == (
        merkle.EMPTY_ROOT.hex()
    )
    assert "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" == (
        merkle.leaf_hash(b"").hex()
    )
    assert (
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
        == merkle.fold([merkle.leaf_hash(b""), merkle.leaf_hash(b"\0")]).hex()
    )


@pytest.mark.parametrize("size", SIZES)
def test_roots_are_those_of_the_naive_tree(size: int) -> None:
    assert naive_root(leaves(size)) == merkle.root(size, STORE.read)


@pytest.mark.parametrize("size", SIZES)
def test_every_leaf_is_proven_by_the_naive_path(size: int) -> None:
    hashes = leaves(size)
    for index in range(size):
        path = merkle.prove_inclusion(index, size, STORE.read)
        assert naive_path(index, hashes) == list(path)
        assert merkle.is_included(
            hashes[index], index=index, size=size, root=naive_root(hashes), path=path
        )


@pytest.mark.parametrize("second", SIZES)
def test_every_growth_is_proven_by_the_naive_subproof(second: int) -> None:
    hashes = leaves(second)
    for first in range(1, second + 1):
        path = merkle.prove_consistency(first, second, STORE.read)
        assert naive_subproof(first, hashes, True) == list(path)
        assert merkle.is_consistent(
            first=first,
            first_root=naive_root(hashes[:first]),
            second=second,
            second_root=naive_root(hashes),
            path=path,
        )


@given(size=SOME, data=st.data())
def test_a_path_proves_no_other_leaf_place_size_or_root(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes, root = leaves(size), naive_root(leaves(size))
    path = merkle.prove_inclusion(index, size, STORE.read)
    other = data.draw(st.integers(0, size + 3).filter(lambda n: n != index))
    assert not merkle.is_included(hashes[index], index=other, size=size, root=root, path=path)
    assert not merkle.is_included(b"\0" * 32, index=index, size=size, root=root, path=path)
    assert not merkle.is_included(hashes[index], index=index, size=size, root=b"\0" * 32, path=path)
    assert not merkle.is_included(
        hashes[index], index=index, size=size, root=root, path=[*path, root]
    )
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        changed = [*path[:at], bytes(32), *path[at + 1 :]]
        for wrong in (changed, path[:at] + path[at + 1 :]):
            assert not merkle.is_included(
                hashes[index], index=index, size=size, root=root, path=wrong
            )


@given(first=SOME, more=st.integers(1, 8), data=st.data())
def test_a_changed_growth_is_not_proven(first: int, more: int, data: st.DataObject) -> None:
    second = first + more
    old, new = naive_root(leaves(first)), naive_root(leaves(second))
    path = merkle.prove_consistency(first, second, STORE.read)
    at = data.draw(st.integers(0, len(path) - 1))
    wrong = [
        (old, new, [*path[:at], bytes(32), *path[at + 1 :]]),
        (old, new, [*path[:at], *path[at + 1 :]]),
        (old, new, [*path, bytes(32)]),
        (bytes(32), new, path),
        (old, bytes(32), path),
        (new, old, path),
    ]
    for first_root, second_root, steps in wrong:
        assert not merkle.is_consistent(
            first=first, first_root=first_root, second=second, second_root=second_root, path=steps
        )


@given(size=SOME)
def test_a_proof_reads_few_nodes(size: int) -> None:
    bound = 3 * size.bit_length() + 1
    for index in (0, size // 2, size - 1):
        STORE.reads = 0
        merkle.prove_inclusion(index, size, STORE.read)
        assert STORE.reads <= bound
        STORE.reads = 0
        merkle.prove_consistency(index + 1, size, STORE.read)
        assert STORE.reads <= bound


@given(size=st.integers(0, 130))
def test_the_edge_alone_gives_the_root_and_goes_on(size: int) -> None:
    frontier = Frontier()
    for leaf in leaves(size):
        frontier.append(leaf)
    assert (size, naive_root(leaves(size))) == (frontier.size, frontier.root)
    again = Frontier(frontier.size, frontier.hashes)
    again.append(merkle.leaf_hash(b"%d" % size))
    assert naive_root(leaves(size + 1)) == again.root
    assert naive_root(leaves(size)) == frontier.root


@pytest.mark.parametrize(("size", "hashes"), [(1, []), (3, [b"x" * 32]), (0, [b"x" * 32])])
def test_an_edge_that_does_not_fit_is_refused(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(ValueError, match="edge"):
        Frontier(size, hashes)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (3, 3)])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.prove_inclusion(index, size, STORE.read)


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (-1, 1)])
def test_there_is_no_proof_of_a_growth_that_was_none(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="nothing can be proven"):
        merkle.prove_consistency(first, second, STORE.read)


def test_the_empty_tree_begins_every_tree_and_proves_nothing() -> None:
    root = naive_root(leaves(3))
    empty = merkle.EMPTY_ROOT
    assert merkle.is_consistent(first=0, first_root=empty, second=3, second_root=root, path=())
    assert not merkle.is_consistent(first=0, first_root=root, second=3, second_root=root, path=())
    assert not merkle.is_consistent(
        first=0, first_root=empty, second=3, second_root=root, path=[root]
    )
