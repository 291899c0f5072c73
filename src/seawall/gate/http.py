"""Heads of HTTP/1.1 messages as typed values: parsed strictly, and written by us.

llhttp (strict) does the grammar: it refuses Content-Length together with Transfer-Encoding, folded
lines, a space before the colon and codings other than a final `chunked` (RFC 9112). Refused here on
top of it: bytes outside of printable ASCII, bare CR or LF, empty lines before a request, any
version but 1.1, targets that are not in origin form, paths with `%`, `//` or dot segments, repeated
parameters, and repeated headers among those that mean something to us.

Everything else that a client sends in a head is dropped: what the engine sees is written by
`emit_request` from the values alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httptools

from seawall.core.errors import InvalidInputError
from seawall.gate import queries

HEAD_MAX_BYTES: Final = 64 * 1024
HEADERS_MAX_COUNT: Final = 100

_HEAD: Final = re.compile(rb"[A-Z]+ [\x21-\x7e]+ HTTP/1\.1\r\n(?:[\t\x20-\x7e]+\r\n)*\r\n")
_ANSWER: Final = re.compile(rb"HTTP/1\.[01] \d{3}[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n")
_VERSION: Final = re.compile(r"/v1\.([0-9]{1,3})(?=/)", re.ASCII)
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_.:@-]+)+", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*", re.ASCII)

_REQUEST_HEADERS: Final = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade"}
    | {"expect", "http2-settings"}
)

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The head of a request. `minor` is y of the API version 1.y, None when none was given."""

    method: str
    minor: int | None
    path: str  # without the version
    query: dict[str, str]
    content_type: str
    length: int | None  # of the body in bytes; None means chunked
    upgrade: str  # the protocol asked for, in lower case, or empty
    is_expecting_continue: bool
    is_keeping_alive: bool

    @property
    def has_body(self) -> bool:
        return self.length is None or self.length > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The head of an engine's answer. `length` None with `is_chunked` unset means: until close."""

    status: int
    headers: Headers  # names in lower case
    length: int | None
    is_chunked: bool


def parse_request(head: bytes) -> Request:
    """Parse a whole head, up to and including its empty line.

    Raises InvalidInputError for anything that two parsers could read in two ways.
    """
    if _HEAD.fullmatch(head) is None:
        raise InvalidInputError("the request head is not plain HTTP/1.1 in printable ASCII")
    parts = _Parts()
    parser = httptools.HttpRequestParser(parts)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # the head is complete, and we hand over the connection ourselves
    except httptools.HttpParserError as error:
        raise InvalidInputError(f"the request head is not HTTP/1.1: {error}") from error
    if not parts.is_complete:
        raise InvalidInputError("the request head is not complete")
    headers = _known_headers(parts.headers)
    minor, path, query = _parse_target(parts.url)
    return Request(
        method=parser.get_method().decode("ascii"),
        minor=minor,
        path=path,
        query=query,
        content_type=headers.get("content-type", ""),
        length=_length(headers),
        upgrade=_upgrade(headers),
        is_expecting_continue=_is_expecting_continue(headers),
        is_keeping_alive=parser.should_keep_alive(),
    )


def parse_response(head: bytes) -> Response:
    """Parse an engine's head. Raises InvalidInputError when it is not HTTP/1.1."""
    if _ANSWER.fullmatch(head) is None:
        raise InvalidInputError("the engine's answer is not HTTP/1.1")
    parts = _Parts()
    parser = httptools.HttpResponseParser(parts)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise InvalidInputError(f"the engine's answer is not HTTP/1.1: {error}") from error
    headers = {name: value for name, value in parts.headers if _VALUE.fullmatch(value)}
    length = headers.get("content-length")
    return Response(
        status=parser.get_status_code(),
        headers=headers,
        length=int(length) if length is not None else None,
        is_chunked="transfer-encoding" in headers,
    )


def emit_request(
    method: str, path: str, query: Mapping[str, str], headers: Headers, *, length: int | None = None
) -> bytes:
    """Write a request head of our own; `length` of the body in bytes, if it has one."""
    target = f"{path}?{queries.emit(query)}" if query else path
    lines = [f"{method} {target} HTTP/1.1", "Host: docker", "User-Agent: seawall-gate"]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return _emit(lines, headers)


def emit_response(status: int, headers: Headers) -> bytes:
    """Write a response head of our own."""
    reason = "UPGRADED" if status == HTTPStatus.SWITCHING_PROTOCOLS else _reason(status)
    return _emit([f"HTTP/1.1 {status} {reason}"], headers)


def _emit(lines: list[str], headers: Headers) -> bytes:
    for name, value in headers.items():
        if _VALUE.fullmatch(value) is None:
            raise InvalidInputError(f"the value of {name} does not fit in a header")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Other"


class _Parts:
    """Collects what llhttp reports about one head."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[str, str]] = []
        self.is_complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) == HEADERS_MAX_COUNT:
            raise InvalidInputError(f"more than {HEADERS_MAX_COUNT} headers")
        self.headers.append((name.decode("ascii").lower(), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        self.is_complete = True


def _known_headers(pairs: list[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        if name in headers:
            raise InvalidInputError(f"the header {name} is given twice")
        if name in _REQUEST_HEADERS:
            headers[name] = value
    if "host" not in headers:
        raise InvalidInputError("the header Host is missing")
    return headers


def _parse_target(target: bytes) -> tuple[int | None, str, dict[str, str]]:
    path, _, query = target.decode("ascii").partition("?")
    minor: int | None = None
    if version := _VERSION.match(path):
        minor, path = int(version[1]), path[version.end() :]
    if _PATH.fullmatch(path) is None or re.search(r"/\.{1,2}(?:/|$)", path):
        raise InvalidInputError(
            f"the path {path[:100]!r} is not one of the Engine API",
            remedy="send the path in origin form, unescaped, without // and dot segments",
        )
    return minor, path, queries.parse(query)


def _length(headers: Headers) -> int | None:
    coding = headers.get("transfer-encoding")
    text = headers.get("content-length")
    if coding is not None:
        if coding.lower() != "chunked" or text is not None:
            raise InvalidInputError("a body is framed by one Content-Length or by chunks")
        return None
    if text is None:
        return 0
    if _DIGITS.fullmatch(text) is None:
        raise InvalidInputError("Content-Length is not a number")
    return int(text)


def _upgrade(headers: Headers) -> str:
    options = {option.strip().lower() for option in headers.get("connection", "").split(",")}
    if "http2-settings" in headers or "http2-settings" in options:
        return "h2c"
    protocol = headers.get("upgrade", "").lower()
    if bool(protocol) != ("upgrade" in options):
        raise InvalidInputError("an upgrade needs both Upgrade and Connection: Upgrade")
    return protocol


def _is_expecting_continue(headers: Headers) -> bool:
    expectation = headers.get("expect")
    if expectation is not None and expectation.lower() != "100-continue":
        raise InvalidInputError("Expect knows only 100-continue")
    return expectation is not None
