"""What was read ahead is cut at the right places, and never lost."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError, LimitError
from seawall.gate.wire import Wire


class Pieces:
    """A stream that gives the pieces it was made of, then ends."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self.sent = bytearray()

    async def receive(self, size: int = 65536) -> bytes:
        if not self._pieces:
            return b""
        piece, self._pieces[0] = self._pieces[0][:size], self._pieces[0][size:]
        if not self._pieces[0]:
            del self._pieces[0]
        return piece

    async def send(self, data: bytes) -> None:
        self.sent += data

    async def send_eof(self) -> None: ...

    def close(self) -> None: ...


def split(data: bytes, cuts: list[int]) -> Pieces:
    places = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return Pieces(*(data[a:b] for a, b in itertools.pairwise(places)))


def chunked(parts: list[bytes]) -> bytes:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)
    return framed + b"0\r\n\r\n"


cuts = st.lists(st.integers(0, 10_000), max_size=8)


@given(st.lists(st.binary(max_size=300), max_size=6), cuts, st.binary(max_size=50))
def test_a_chunked_body_comes_out_whole_however_it_arrives(
    parts: list[bytes], cuts: list[int], rest: bytes
) -> None:
    async def read() -> tuple[bytes, bytes]:
        wire = Wire(split(chunked(parts) + rest, cuts))
        body = b"".join([piece async for piece in wire.read_chunked()])
        return body, b"".join([piece async for piece in wire.read_until_end()])

    assert (b"".join(parts), rest) == asyncio.run(read())


@given(st.binary(max_size=200), cuts)
def test_any_chunked_bytes_end_in_a_body_or_in_a_refusal(raw: bytes, cuts: list[int]) -> None:
    async def read() -> None:
        async for _ in Wire(split(raw, cuts)).read_chunked():
            pass

    try:
        asyncio.run(read())
    except (InvalidInputError, LimitError, ConnectionAbortedError):
        return


@given(cuts, st.binary(max_size=50))
def test_what_stands_behind_a_head_is_kept(cuts: list[int], rest: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    async def read() -> tuple[bytes, bytes]:
        wire = Wire(split(head + rest, cuts))
        found = await wire.read_head()
        return found, b"".join([piece async for piece in wire.read_exactly(len(rest))])

    assert (head, rest) == asyncio.run(read())


async def test_the_end_before_a_head_is_no_error_but_inside_it_is() -> None:
    assert b"" == await Wire(Pieces()).read_head()
    with pytest.raises(ConnectionAbortedError):
        await Wire(Pieces(b"GET / HT")).read_head()


async def test_refuses_a_body_that_ends_early() -> None:
    with pytest.raises(ConnectionAbortedError):
        async for _ in Wire(Pieces(b"abc")).read_exactly(4):
            pass


async def test_refuses_a_head_that_does_not_end() -> None:
    with pytest.raises(LimitError):
        await Wire(Pieces(b"a" * 70_000)).read_head()


async def test_trailers_of_an_engine_are_dropped() -> None:
    wire = Wire(Pieces(b"1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\nrest"))
    assert [b"x"] == [piece async for piece in wire.read_chunked(may_have_trailers=True)]
    assert b"rest" == wire.take()
