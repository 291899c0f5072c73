"""Heads and queries: parsed in one way only, and written by us."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError
from seawall.gate import http, queries

HEAD = b"POST /v1.41/containers/create?name=x HTTP/1.1\r\nHost: docker\r\nContent-Length: 2\r\n\r\n"


def test_reads_what_the_docker_client_sends() -> None:
    request = http.parse_request(
        b"POST /v1.41/containers/abc/attach?stdin=1&stream=1 HTTP/1.1\r\nHost: api.moby\r\n"
        b"User-Agent: Docker-Client/28.2.2 (linux)\r\nContent-Length: 0\r\nConnection: Upgrade\r\n"
        b"Content-Type: text/plain\r\nUpgrade: tcp\r\n\r\n"
    )
    assert ("POST", 41, "/containers/abc/attach") == (request.method, request.minor, request.path)
    assert {"stdin": "1", "stream": "1"} == request.query
    assert ("tcp", 0, False) == (request.upgrade, request.length, request.has_body)
    assert request.is_keeping_alive


def test_reads_a_chunked_body_that_waits_for_our_word() -> None:
    request = http.parse_request(
        b"POST /containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n"
        b"Expect: 100-Continue\r\nConnection: close\r\n\r\n"
    )
    assert (None, None) == (request.length, request.minor)
    assert request.is_expecting_continue
    assert not request.is_keeping_alive


@given(st.binary(max_size=300))
@example(HEAD)
def test_any_bytes_are_a_request_or_an_invalid_input(raw: bytes) -> None:
    try:
        request = http.parse_request(raw + b"\r\n\r\n")
    except InvalidInputError:
        return
    assert request.path.startswith("/")


@given(st.integers(0, len(HEAD) - 1), st.binary(max_size=4), st.integers(0, 3))
def test_a_mutated_head_is_refused_or_means_what_it_says(at: int, put: bytes, drop: int) -> None:
    raw = HEAD[:at] + put + HEAD[at + drop :]
    try:
        request = http.parse_request(raw)
    except InvalidInputError:
        return
    again = http.parse_request(
        http.emit_request(request.method, request.path, request.query, {}, length=request.length)
    )
    assert (request.method, request.path, request.query, request.length) == (
        again.method, again.path, again.query, again.length,
    )  # fmt: skip


@given(
    st.dictionaries(
        st.text(string.ascii_letters, min_size=1, max_size=8),
        st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs", "Cf", "Co", "Cn"])
                | st.just(" "), max_size=20),
        max_size=5,
    )
)  # fmt: skip
def test_a_query_survives_being_written_and_read(parameters: dict[str, str]) -> None:
    assert parameters == queries.parse(queries.emit(parameters))


@given(st.text(string.printable, max_size=60))
def test_any_query_is_read_or_an_invalid_input(text: str) -> None:
    try:
        parameters = queries.parse(text)
    except InvalidInputError:
        return
    assert parameters == queries.parse(queries.emit(parameters))


def test_a_filter_keeps_its_json() -> None:
    query = queries.parse("filters=%7B%22name%22%3A%7B%22a+b%22%3Atrue%7D%7D&all=1")
    assert {"filters": '{"name":{"a b":true}}', "all": "1"} == query


@pytest.mark.parametrize("text", [
    "a=1&a=2", "a=1&A", "a=%", "a=%g0", "a=%C0%AF", "a=%00", "a=%0a", "=1", "a=1;b=2", "&", "a=1&",
    "a[]=1", "a=\x7f", "a= ", "&".join(f"p{n}" for n in range(33)),
])  # fmt: skip
def test_refuses_queries_with_two_readings(text: str) -> None:
    if text == "a=1&A":  # two parameters; the route says which exist
        assert {"a": "1", "A": ""} == queries.parse(text)
        return
    with pytest.raises(InvalidInputError):
        queries.parse(text)


def test_refuses_to_write_a_header_that_would_be_two() -> None:
    with pytest.raises(InvalidInputError):
        http.emit_response(200, {"Content-Type": "a\r\nX: y"})


def test_reads_the_heads_that_an_engine_sends() -> None:
    upgraded = http.parse_response(
        b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        b"Content-Type: application/vnd.docker.raw-stream\r\n\r\n"
    )
    assert (101, None, False) == (upgraded.status, upgraded.length, upgraded.is_chunked)
    chunked = http.parse_response(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert chunked.is_chunked
    assert 5 == http.parse_response(b"HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\n").length


@given(st.binary(max_size=200))
def test_any_answer_is_a_head_or_an_invalid_input(raw: bytes) -> None:
    try:
        http.parse_response(b"HTTP/1.1 " + raw + b"\r\n\r\n")
    except InvalidInputError:
        return
