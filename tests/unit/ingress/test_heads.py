"""The plainest heads of requests, held against aiohttp's own parser."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from aiohttp.http_exceptions import HttpProcessingError
from hypothesis import given
from hypothesis import strategies as st

from seawall.ingress import heads
from seawall.ingress.heads import PlainHead

PLAIN = (
    b"GET /a?b=c HTTP/1.1\r\nHost: x:1\r\nUser-Agent: A b/c (d)\r\nConnection: keep-alive\r\n\r\n"
)


def with_field(line: bytes) -> bytes:
    return PLAIN[:-2] + line + b"\r\n\r\n"


def test_a_plain_head_is_read() -> None:
    fields = {"host": "x:1", "user-agent": "A b/c (d)", "connection": "keep-alive"}
    assert PlainHead("GET", "/a?b=c", fields) == heads.parse(PLAIN)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:-1],
        PLAIN + b"\r\n",
        PLAIN + PLAIN,
        b"\r\n" + PLAIN,
        PLAIN.replace(b"GET", b"POST"),
        PLAIN.replace(b"GET /", b"GET  /"),
        PLAIN.replace(b"1.1", b"1.0"),
        PLAIN.replace(b"/a", b"http://x/a"),
        PLAIN.replace(b"/a", b"/\xc3\xa4"),
        PLAIN.replace(b"Host: x:1\r\n", b""),
        PLAIN.replace(b"Host: x:1\r\n", b"Host: x:1\n"),
        PLAIN.replace(b"Host: x", b"Host:x"),
        PLAIN.replace(b"Host: x", b"Host : x"),
        PLAIN.replace(b"Host: x", b"Host:  x"),
        PLAIN.replace(b"x:1", b"x:1 "),
        PLAIN.replace(b"keep-alive", b"close"),
        with_field(b"Host: y"),
        with_field(b"Content-Length: 0"),
        with_field(b"content-length: 5"),
        with_field(b"Transfer-Encoding: chunked"),
        with_field(b"Upgrade: h2c"),
        with_field(b"Expect: 100-continue"),
        with_field(b"A: b\r\n folded"),
        with_field(b"A: b\rContent-Length: 5"),
        with_field(b"A: b\x00c"),
        with_field(b"A: \xe4"),
        with_field(b"A: " + b"b" * heads.MAX_BYTES),
    ],
)
def test_refuses_what_two_parsers_might_read_differently(data: bytes) -> None:
    assert heads.parse(data) is None


pieces = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b" ", b":", b": ", b"\t", b"/", b"\x00", b"\xff"),
        *(b"GET ", b"HTTP/1.1", b"Host: y", b"X: y", b"Upgrade: x"),
        *(b"Content-Length: 3", b"Transfer-Encoding: chunked"),
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = PLAIN
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 4))
        data = data[:at] + draw(pieces | st.binary(max_size=3)) + data[at + cut :]
    return data


@given(mutated())
def test_what_is_read_is_what_the_web_server_reads(data: bytes) -> None:
    found = heads.parse(data)
    if found is None:
        return
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16)
        messages, is_upgraded, tail = parser.feed_data(data)
    except HttpProcessingError:
        return  # it answers 400 and closes; nothing can follow on the connection
    finally:
        loop.close()
    ((message, payload),) = messages
    assert (False, b"") == (is_upgraded, tail)
    assert (found.method, found.path) == (message.method, message.path)
    assert found.fields == {name.lower(): value for name, value in message.headers.items()}
    assert payload.is_eof()
