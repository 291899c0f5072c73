"""One request, one answer: connections are kept, and nothing that breaks off is taken for whole."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from seawall.cli._registry_http import RegistryHttp
from seawall.core.errors import LimitError, UnavailableError

HEAD = b"HTTP/1.1 200 OK\r\n"
WHOLE = HEAD + b"Content-Length: 2\r\n\r\nok"


@dataclass
class Server:
    """Answers with these bytes in turn, whatever is asked; None closes the connection."""

    answers: list[bytes | None]
    port: int = 0
    connections: int = 0
    asked: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def serving(*answers: bytes | None) -> Iterator[Server]:
    server = Server(list(answers))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server.port = listening.getsockname()[1]
        thread = threading.Thread(target=_serve, args=(listening, server), daemon=True)
        thread.start()
        yield server
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _serve(listening: socket.socket, server: Server) -> None:
    with contextlib.suppress(OSError):
        while server.answers:
            connection, _ = listening.accept()
            server.connections += 1
            with connection:
                _answer(connection, server)


def _answer(connection: socket.socket, server: Server) -> None:
    while server.answers and (asked := connection.recv(65536)):
        server.asked.append(asked)
        answer = server.answers.pop(0)
        if answer is None:
            return
        connection.sendall(answer)
        if b"Connection: close" in answer or b"cut" in answer:
            return


@contextlib.contextmanager
def client(server: Server) -> Iterator[RegistryHttp]:
    http = RegistryHttp(f"127.0.0.1:{server.port}", ca_file=None)
    yield http
    http.close()


def get(http: RegistryHttp, server: Server, path: str = "/v2/", max_bytes: int = 100) -> bytes:
    return http.send("GET", f"http://127.0.0.1:{server.port}{path}", {}, None, max_bytes).body


def test_one_connection_carries_all_requests() -> None:
    with serving(WHOLE, WHOLE, WHOLE) as server, client(server) as http:
        assert [b"ok"] * 3 == [get(http, server) for _ in range(3)]
        assert 1 == server.connections


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    closing = HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok"
    with serving(closing, WHOLE) as server, client(server) as http:
        assert [b"ok"] * 2 == [get(http, server) for _ in range(2)]
        assert 2 == server.connections


def test_an_answer_out_of_turn_is_never_taken_for_that_of_the_next_request() -> None:
    with serving(WHOLE + WHOLE.replace(b"ok", b"no"), WHOLE) as server, client(server) as http:
        assert [b"ok"] * 2 == [get(http, server) for _ in range(2)]


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 9\r\n\r\ncut",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\ncut",
        b"cut",
        None,
    ],
)
def test_an_answer_that_breaks_off_is_no_answer(answer: bytes | None) -> None:
    with (
        serving(answer) as server,
        client(server) as http,
        pytest.raises(UnavailableError, match="does not answer"),
    ):
        get(http, server)


def test_after_a_body_that_is_too_long_the_connection_is_not_used_again() -> None:
    with serving(HEAD + b"Content-Length: 101\r\n\r\n" + b"x" * 101, WHOLE) as server:
        with client(server) as http:
            with pytest.raises(LimitError):
                get(http, server)
            assert b"ok" == get(http, server)
        assert 2 == server.connections


def test_a_location_is_escaped_and_never_splits_a_request() -> None:
    with serving(WHOLE) as server, client(server) as http:
        get(http, server, "/v2/a b/é?state=x%2Fy==&d=sha256:00")
        line = server.asked[0].partition(b"\r\n")[0]
        assert b"GET /v2/a%20b/%C3%A9?state=x%2Fy==&d=sha256:00 HTTP/1.1" == line


def test_a_header_that_would_split_a_request_is_refused() -> None:
    with serving(WHOLE) as server, client(server) as http:
        headers = {"Authorization": "Bearer a\r\nX: y"}
        with pytest.raises(UnavailableError, match="does not answer"):
            http.send("GET", f"http://127.0.0.1:{server.port}/", headers, None, 100)
