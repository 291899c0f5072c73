"""Bring one file over HTTP to a path, within bounds.

Refuses: more bytes than allowed, more time than allowed (however slowly the other side drips), more
than five redirects, a step from https down to http, and every place that `addresses` forbids.
A download that breaks off is resumed next time when the server named the edition with a strong
ETag (RFC 9110, section 13.1.5, If-Range); otherwise it begins again. The file appears under its
name only when it is whole and on disk.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from seawall.core.errors import LimitError
from seawall.core.limits import KIB
from seawall.net import addresses
from seawall.net.addresses import Place, Resolve
from seawall.net.errors import FetchError, ForbiddenAddressError

CONNECT_SECONDS: Final = 15.0
READ_SECONDS: Final = 30.0
REDIRECTS_MAX: Final = 5
CHUNK_BYTES: Final = 256 * KIB
ETAG_MAX_CHARS: Final = 256

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

Progress: TypeAlias = Callable[[int, int], None]
"""Called with bytes done and bytes in all (0: not known)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came. Not modified: nothing was written, the edition of `etag` is still the newest."""

    is_modified: bool
    etag: str
    size: int


def fetch(
    url: str,
    to_path: Path,
    *,
    max_bytes: int,
    deadline: float,
    etag: str = "",
    progress: Progress | None = None,
    resolver: Resolve = addresses.resolve,
) -> Fetched:
    """Download `url` to `to_path`, in at most `deadline` seconds.

    With `etag`, the file is brought only when the server has another edition.

    Raises FetchError, ForbiddenAddressError, LimitError.
    """
    ends_at = time.monotonic() + deadline
    part = _Part(to_path)
    with _answer(url, part, etag, ends_at, resolver) as answer:
        if answer.status == 304 and etag:
            return Fetched(is_modified=False, etag=etag, size=0)
        if answer.status == 416:
            part.forget()
        if answer.status not in {200, 206}:
            raise FetchError(
                f"{_host(url)} answers {answer.status} instead of the file",
                remedy="look at the URL, or try again later",
            )
        new_etag = answer.headers.get("ETag", "")[:ETAG_MAX_CHARS]
        start = part.begin(answer, new_etag)
        total = start + _content_length(answer)
        bounds = _Bounds(max_bytes=max_bytes, ends_at=ends_at, total=total)
        size = _receive(answer, part, start, bounds, progress)
    part.finish()
    return Fetched(is_modified=True, etag=new_etag, size=size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    max_bytes: int
    ends_at: float  # on the monotonic clock
    total: int  # what the server announced, with what is there already


class _Part:
    """The half-finished file, and the ETag of the edition that it belongs to."""

    def __init__(self, to_path: Path) -> None:
        self._to_path = to_path
        self.path = to_path.with_name(to_path.name + ".part")
        self._etag_path = to_path.with_name(to_path.name + ".part.etag")

    def resumable(self) -> tuple[int, str]:
        """Return (bytes that are there, their ETag), or (0, "")."""
        try:
            size = self.path.stat().st_size
            with self._etag_path.open("rb") as file:
                etag = file.read(ETAG_MAX_CHARS + 1).decode("latin-1")
        except OSError:
            return 0, ""
        return (size, etag) if size and _is_strong(etag) else (0, "")

    def begin(self, answer: urllib3.BaseHTTPResponse, etag: str) -> int:
        """Return from which byte on the answer is to be written."""
        size, old_etag = self.resumable()
        expected = f"bytes {size}-"
        if (
            answer.status == 206
            and size
            and etag == old_etag
            and answer.headers.get("Content-Range", "").startswith(expected)
        ):
            return size
        self.forget()
        if answer.status == 206:
            raise FetchError("the server sent a part that was not asked for")
        if _is_strong(etag):
            self._etag_path.write_bytes(etag.encode("latin-1"))
        return 0

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._etag_path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the file its name, so that it survives a power cut whole."""
        self.path.replace(self._to_path)
        self._etag_path.unlink(missing_ok=True)
        directory = os.open(self._to_path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


@contextlib.contextmanager
def _answer(
    url: str, part: _Part, etag: str, ends_at: float, resolver: Resolve
) -> Iterator[urllib3.BaseHTTPResponse]:
    """Follow redirects and give the final answer, its body unread."""
    first: Place | None = None
    for _ in range(REDIRECTS_MAX + 1):
        place = addresses.place(url, first=first, resolver=resolver)
        first = first or place
        with _request(place, _headers(place, part, etag), ends_at) as answer:
            if answer.status not in _REDIRECTS:
                yield answer
                return
            url = _next_url(url, place, answer)
    raise FetchError(f"{first.host if first else url} redirects more than {REDIRECTS_MAX} times")


def _next_url(url: str, place: Place, answer: urllib3.BaseHTTPResponse) -> str:
    location = answer.headers.get("Location", "")
    try:
        following = urllib.parse.urljoin(url, location)
    except ValueError as error:
        raise FetchError(f"{place.host} redirects to nowhere") from error
    if not location:
        raise FetchError(f"{place.host} redirects to nowhere")
    if place.scheme == "https" and not following.startswith("https:"):
        raise ForbiddenAddressError(f"{place.host} redirects from https to something readable")
    return following


def _headers(place: Place, part: _Part, etag: str) -> dict[str, str]:
    headers = {
        "Host": place.authority,
        "User-Agent": "seawall",
        "Accept-Encoding": "identity",
    }
    if etag:
        headers["If-None-Match"] = etag
    size, part_etag = part.resumable()
    if size:
        headers |= {"Range": f"bytes={size}-", "If-Range": part_etag}
    return headers


@contextlib.contextmanager
def _request(
    place: Place, headers: dict[str, str], ends_at: float
) -> Iterator[urllib3.BaseHTTPResponse]:
    connection = _connection(place, min(CONNECT_SECONDS, _left(ends_at)))
    try:
        connection.connect()
        # Single reads have a timeout; drips of single bytes are cut by the deadline itself.
        with _cut_at(connection, ends_at):
            connection.timeout = READ_SECONDS
            if connection.sock is not None:
                connection.sock.settimeout(READ_SECONDS)
            connection.request(
                "GET", place.target, headers=headers, preload_content=False, decode_content=False
            )
            yield connection.getresponse()
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        if time.monotonic() >= ends_at:
            raise _too_late() from error
        raise FetchError(
            f"{place.host} does not deliver: {type(error).__name__}",
            remedy="look at the network, then try again; a broken download is resumed",
        ) from error
    finally:
        connection.close()


def _connection(place: Place, timeout: float) -> HTTPConnection:
    # Connect to the checked address; the name is for the certificate.
    address = str(place.address)
    if place.scheme == "http":
        return HTTPConnection(address, place.port, timeout=timeout)
    return HTTPSConnection(
        address,
        place.port,
        timeout=timeout,
        ssl_context=ssl.create_default_context(),
        server_hostname=place.host,
        assert_hostname=place.host,
    )


@contextlib.contextmanager
def _cut_at(connection: HTTPConnection, ends_at: float) -> Iterator[None]:
    timer = threading.Timer(max(0.0, ends_at - time.monotonic()), _shut, (connection.sock,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut(sock: object) -> None:
    if isinstance(sock, socket.socket):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _receive(
    answer: urllib3.BaseHTTPResponse,
    part: _Part,
    start: int,
    bounds: _Bounds,
    progress: Progress | None,
) -> int:
    size, total, max_bytes = start, bounds.total, bounds.max_bytes
    if max(size, total) > max_bytes:
        part.forget()
        raise _too_large(max_bytes)
    with part.path.open("ab") as file:
        while chunk := answer.read1(CHUNK_BYTES):
            size += len(chunk)
            if size > max_bytes:
                part.forget()
                raise _too_large(max_bytes)
            _left(bounds.ends_at)
            file.write(chunk)
            if progress:
                progress(size, total if total > start else 0)
        _left(bounds.ends_at)  # a connection cut by the deadline looks like an end
        file.flush()
        os.fsync(file.fileno())
    if total > start and size != total:
        raise FetchError(f"the download broke off after {size} of {total} bytes")
    return size


def _content_length(answer: urllib3.BaseHTTPResponse) -> int:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _left(ends_at: float) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise _too_late()
    return left


def _is_strong(etag: str) -> bool:
    return len(etag) > 2 and etag.startswith('"') and etag.endswith('"')


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or "the server"


def _too_late() -> FetchError:
    return FetchError(
        "the download took longer than its deadline",
        remedy="try again; what was received is kept where that is sound",
    )


def _too_large(max_bytes: int) -> LimitError:
    return LimitError(f"the file is larger than the {max_bytes} bytes allowed")
