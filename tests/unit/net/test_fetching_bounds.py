"""Downloads: whole, resumed, bounded, and never where they must not go."""

from __future__ import annotations

import contextlib
import http.server
import ipaddress
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall import net
from seawall.core.errors import LimitError, SeawallError
from seawall.net import addresses
from seawall.net.errors import FetchError, ForbiddenAddressError

Respond = Callable[[http.server.BaseHTTPRequestHandler], None]

BODY = bytes(range(256)) * 40


class Server:
    """An HTTP server on the loopback address whose answers a test writes."""

    def __init__(self) -> None:
        self.respond: Respond = serve(BODY)
        self.requests: list[dict[str, str]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append({k.lower(): v for k, v in self.headers.items()})
                with contextlib.suppress(OSError):
                    outer.respond(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def serve(
    body: bytes, *, status: int = 200, declared: int | None = None, **headers: str
) -> Respond:
    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body) if declared is None else declared))
        request.end_headers()
        request.wfile.write(body)

    return respond


def fetch(
    server: Server, path: Path, *, etag: str = "", max_bytes: int = 1 << 20, deadline: float = 10
) -> net.Fetched:
    return net.fetch(
        server.url + "/all.zip", path, max_bytes=max_bytes, deadline=deadline, etag=etag
    )


def leftovers(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_brings_a_file_with_its_edition(server: Server, tmp_path: Path) -> None:
    server.respond = serve(BODY, ETag='"one"')
    seen: list[tuple[int, int]] = []
    fetched = net.fetch(
        server.url,
        tmp_path / "file",
        max_bytes=1 << 20,
        deadline=10,
        progress=lambda *step: seen.append(step),
    )
    assert net.Fetched(is_modified=True, etag='"one"', size=len(BODY)) == fetched
    assert BODY == (tmp_path / "file").read_bytes()
    assert (len(BODY), len(BODY)) == seen[-1]
    assert ["file"] == leftovers(tmp_path)


def test_brings_nothing_when_the_edition_is_known(server: Server, tmp_path: Path) -> None:
    server.respond = serve(b"", status=304)
    assert not fetch(server, tmp_path / "file", etag='"one"').is_modified
    assert '"one"' == server.requests[0]["if-none-match"]
    assert [] == leftovers(tmp_path)


def test_resumes_what_broke_off(server: Server, tmp_path: Path) -> None:
    server.respond = serve(BODY[:5_000], declared=len(BODY), ETag='"one"')
    with pytest.raises(FetchError):
        fetch(server, tmp_path / "file")
    server.respond = serve(
        BODY[5_000:],
        status=206,
        ETag='"one"',
        Content_Range=f"bytes 5000-{len(BODY) - 1}/{len(BODY)}",
    )
    assert len(BODY) == fetch(server, tmp_path / "file").size
    assert ("bytes=5000-", '"one"') == (
        server.requests[1]["range"],
        server.requests[1]["if-range"],
    )
    assert BODY == (tmp_path / "file").read_bytes()


def test_begins_again_when_the_edition_changed(server: Server, tmp_path: Path) -> None:
    server.respond = serve(BODY[:5_000], declared=len(BODY), ETag='"one"')
    with pytest.raises(FetchError):
        fetch(server, tmp_path / "file")
    server.respond = serve(b"another", ETag='"two"')
    fetch(server, tmp_path / "file")
    assert b"another" == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize(
    "answer",
    [
        serve(BODY[4_000:], status=206, ETag='"one"', Content_Range="bytes 4000-10239/10240"),
        serve(BODY[5_000:], status=206, ETag='"two"', Content_Range="bytes 5000-10239/10240"),
        serve(BODY[5_000:], status=206, ETag='"one"'),
        serve(b"", status=416),
    ],
)
def test_refuses_part_that_does_not_fit(server: Server, tmp_path: Path, answer: Respond) -> None:
    server.respond = serve(BODY[:5_000], declared=len(BODY), ETag='"one"')
    with pytest.raises(FetchError):
        fetch(server, tmp_path / "file")
    server.respond = answer
    with pytest.raises(FetchError):
        fetch(server, tmp_path / "file")
    server.respond = serve(BODY)
    fetch(server, tmp_path / "file")
    assert "range" not in server.requests[-1]
    assert BODY == (tmp_path / "file").read_bytes()


def test_does_not_resume_without_a_strong_etag(server: Server, tmp_path: Path) -> None:
    server.respond = serve(BODY[:5_000], declared=len(BODY), ETag='W/"one"')
    with pytest.raises(FetchError):
        fetch(server, tmp_path / "file")
    server.respond = serve(BODY)
    fetch(server, tmp_path / "file")
    assert "range" not in server.requests[-1]


def test_refuses_more_bytes_than_allowed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(LimitError):
        fetch(server, tmp_path / "file", max_bytes=len(BODY) - 1)
    assert [] == leftovers(tmp_path)


def test_refuses_undeclared_bytes_beyond_the_bound(server: Server, tmp_path: Path) -> None:
    def endless(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(BODY)

    server.respond = endless
    with pytest.raises(LimitError):
        fetch(server, tmp_path / "file")
    assert [] == leftovers(tmp_path)


@pytest.mark.parametrize("in_headers", [True, False])
def test_refuses_to_wait_for_drips(server: Server, tmp_path: Path, in_headers: bool) -> None:
    stop = threading.Event()

    def drip(request: http.server.BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"X: " if in_headers else b"\r\n"))
        while not stop.wait(0.02):
            request.wfile.write(b"x")

    server.respond = drip
    try:
        with pytest.raises(FetchError):
            fetch(server, tmp_path / "file", deadline=0.3)
    finally:
        stop.set()


@pytest.mark.parametrize("status", [400, 404, 500, 204])
def test_refuses_answer_that_is_no_file(server: Server, tmp_path: Path, status: int) -> None:
    server.respond = serve(b"", status=status)
    with pytest.raises(FetchError):
        fetch(server, tmp_path / "file")
    assert [] == leftovers(tmp_path)


def test_refuses_not_modified_when_nothing_is_known(server: Server, tmp_path: Path) -> None:
    server.respond = serve(b"", status=304)
    with pytest.raises(FetchError):
        fetch(server, tmp_path / "file")


def test_follows_a_redirect_on_the_same_machine(server: Server, tmp_path: Path) -> None:
    def respond(request: http.server.BaseHTTPRequestHandler) -> None:
        if request.path == "/all.zip":
            serve(b"", status=302, Location="/there?x=1")(request)
        else:
            serve(request.path.encode())(request)

    server.respond = respond
    fetch(server, tmp_path / "file")
    assert b"/there?x=1" == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize(
    "location", ["/all.zip", "", "http://[", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://"]
)
def test_refuses_redirect_that_leads_nowhere(server: Server, tmp_path: Path, location: str) -> None:
    server.respond = serve(b"", status=301, Location=location)
    with pytest.raises(SeawallError):
        fetch(server, tmp_path / "file")
    assert len(server.requests) <= 6


def test_refuses_certificate_that_nobody_vouches_for(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError):
        net.fetch(server.url.replace("http:", "https:"), tmp_path / "f", max_bytes=1, deadline=5)


def resolver(**hosts: str) -> addresses.Resolve:
    known = {name.replace("_", "."): ipaddress.ip_address(a) for name, a in hosts.items()}
    return lambda host, _port: (known[host],)


PUBLIC = "93.184.215.14"


@pytest.mark.parametrize(
    "inside",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "::1",
        "fd00::1",
        "fe80::1",
        "::ffff:10.0.0.1",
        "2002:a00:1::",
        "224.0.0.1",
    ],
)
def test_refuses_redirect_into_a_private_network(inside: str) -> None:
    names = resolver(feeds_example=PUBLIC, evil_example=inside)
    first = addresses.place("https://feeds.example/", first=None, resolver=names)
    with pytest.raises(ForbiddenAddressError):
        addresses.place("https://evil.example/", first=first, resolver=names)


def test_allows_redirect_to_another_public_host() -> None:
    names = resolver(feeds_example=PUBLIC, cdn_example="2606:4700::1111")
    first = addresses.place("https://feeds.example/", first=None, resolver=names)
    place = addresses.place("https://cdn.example:8443/x?y#z", first=first, resolver=names)
    assert ("cdn.example:8443", "/x?y") == (place.authority, place.target)


def test_allows_the_configured_host_wherever_it_is() -> None:
    names = resolver(mirror_lan="10.0.0.5")
    first = addresses.place("https://mirror.lan/", first=None, resolver=names)
    assert "mirror.lan" == addresses.place("https://mirror.lan/x", first=first, resolver=names).host


@pytest.mark.parametrize(
    "url",
    [
        "http://feeds.example/",
        "https://user:secret@feeds.example/",
        "gopher://feeds.example/",
        "https:///x",
        "https://feeds.example/a b",
        "https://feeds.example/\r\nX: y",
        "https://feeds.example:99999/",
        "https://feeds.exämple/",
    ],
)
def test_refuses_url_that_is_unsafe(url: str) -> None:
    with pytest.raises(SeawallError):
        addresses.place(url, first=None, resolver=resolver(feeds_example=PUBLIC))


@given(st.text(max_size=60))
def test_no_url_crashes(text: str) -> None:
    with contextlib.suppress(SeawallError):
        addresses.place(text, first=None, resolver=lambda _h, _p: ())


def test_refuses_name_that_does_not_resolve(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="does not resolve"):
        net.fetch("https://nowhere.invalid/", tmp_path / "f", max_bytes=1, deadline=5)
