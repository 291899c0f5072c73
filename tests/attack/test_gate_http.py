"""What a hostile client can say in HTTP, and that the engine never hears of it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest

from seawall.core.errors import UnavailableError
from seawall.testing.fake_engine import CONTAINER, EXEC
from seawall.testing.gate_lab import DIGEST, HOST, IMAGE, JSON, PINNED, Lab, lab_with, status


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with lab_with() as lab:
        yield lab


BODY = json.dumps({"Image": IMAGE}).encode()
SMUGGLED = b"POST /v1.41/containers/create HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n"


async def test_passes_a_plain_request_so_that_the_others_mean_something(lab: Lab) -> None:
    assert 200 == status(await lab.say(b"GET /v1.41/info HTTP/1.1\r\n" + HOST + b"\r\n"))
    assert 201 == status(await lab.post("/v1.41/containers/create?name=x", {"Image": IMAGE}))
    assert lab.engine.lines == ["GET /v1.41/info", "POST /v1.41/containers/create?name=x"]


FRAMINGS = {
    "length-and-chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "chunks-and-length": b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
    "two-lengths": b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "lengths-in-one": b"Content-Length: 2, 2\r\n\r\n{}",
    "signed-length": b"Content-Length: +2\r\n\r\n{}",
    "hex-length": b"Content-Length: 0x2\r\n\r\n{}",
    "long-length": b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "two-codings": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding-twice": b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "unknown-coding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding-with-tab": b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "space-before-colon": b"Content-Length : 2\r\n\r\n{}",
    "folded-line": b"Content-Length:\r\n 2\r\n\r\n{}",
    "bare-lf": b"Content-Length: 2\n\r\n{}",
    "bare-cr": b"X: a\rContent-Length: 2\r\n\r\n{}",
    "nul": b"X: a\0b\r\nContent-Length: 2\r\n\r\n{}",
    "not-ascii": b"X: \xc3\xa9\r\nContent-Length: 2\r\n\r\n{}",
    "chunk-extension": b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\n\r\n",
    "chunk-size-signed": b"Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n",
    "chunk-size-prefixed": b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "chunk-size-spaced": b"Transfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n",
    "chunk-size-huge": b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff2\r\n{}\r\n0\r\n\r\n",
    "chunk-ends-late": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}}\r\n0\r\n\r\n",
    "chunk-bare-lf": b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
    "trailers": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
}


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
async def test_refuses_contradicting_or_loose_framing(lab: Lab, framing: bytes) -> None:
    answer = await lab.say(
        b"POST /v1.41/containers/create HTTP/1.1\r\n" + HOST + JSON + framing + SMUGGLED
    )
    assert status(answer) in {400, 413}
    assert 1 == len(re.findall(rb"HTTP/1.1 [0-9]", answer)), "the rest is not another request"
    assert [] == lab.engine.lines


TARGETS = (
    "http://docker/v1.41/info",
    "//v1.41/info",
    "/v1.41//info",
    "/v1.41/info/",
    "/v1.41/./info",
    "/v1.41/containers/../info",
    "/v1.41/containers%2Fjson",
    "/v1.41/%69nfo",
    "/v1.24.9/info",
    "/v1.041.0/info",
    "/V1.41/info",
    "/v2/info",
    "/v1.41",
    "*",
    "docker:80",
    "/v1.41/info#x",
    "/v1.41/info;x",
    "/v1.41/info\\x",
    "/v1.41/containers/json?all=1&all=0",
    "/v1.41/containers/json?all=%zz",
    "/v1.41/containers/json?filters=%ff",
    "/v1.41/containers/json?filters=%0d%0aX:%20y",
    "/v1.41/containers/json?a;b",
    "/v1.41/containers/json?All=1",
    "/v1.41/containers/json?unknown=1",
    "/v1.41/containers/json?&",
)


@pytest.mark.parametrize("target", TARGETS)
async def test_refuses_another_spelling_of_a_target(lab: Lab, target: str) -> None:
    answer = await lab.say(f"GET {target} HTTP/1.1\r\nHost: docker\r\n\r\n".encode())
    assert status(answer) in {400, 403}
    assert [] == lab.engine.lines


@pytest.mark.parametrize("line", [
    "get /v1.41/info HTTP/1.1", "Get /v1.41/info HTTP/1.1", "GET /v1.41/info HTTP/1.0",
    "GET /v1.41/info HTTP/0.9", "GET /v1.41/info HTTP/2.0", "GET /v1.41/info http/1.1",
    "GET  /v1.41/info HTTP/1.1", "GET /v1.41/info  HTTP/1.1", "GET\t/v1.41/info HTTP/1.1",
    "GET /v1.41/info", " GET /v1.41/info HTTP/1.1", "PRI * HTTP/2.0", "CONNECT docker:80 HTTP/1.1",
])  # fmt: skip
async def test_refuses_another_request_line(lab: Lab, line: str) -> None:
    assert 400 == status(await lab.say(f"{line}\r\nHost: docker\r\n\r\n".encode()))
    assert [] == lab.engine.lines


async def test_refuses_empty_lines_before_a_request_and_a_head_without_host(lab: Lab) -> None:
    assert 400 == status(await lab.say(b"\r\n\r\nGET /v1.41/info HTTP/1.1\r\n" + HOST + b"\r\n"))
    assert 400 == status(await lab.say(b"GET /v1.41/info HTTP/1.1\r\n\r\n"))
    assert 400 == status(
        await lab.say(b"GET /v1.41/info HTTP/1.1\r\n" + HOST + b"Host: other\r\n\r\n")
    )
    assert [] == lab.engine.lines


@pytest.mark.parametrize(("version", "word"), [("1.23", "old"), ("1.39", "old"), ("1.42", "new")])
async def test_refuses_a_version_outside_of_the_range(lab: Lab, version: str, word: str) -> None:
    answer = await lab.say(f"GET /v{version}/info HTTP/1.1\r\nHost: docker\r\n\r\n".encode())
    assert 400 == status(answer)
    assert f"too {word}".encode() in answer
    assert [] == lab.engine.lines


async def test_refuses_a_start_with_a_body_in_every_version(lab: Lab) -> None:
    for version in ("", "/v1.23", "/v1.41"):
        answer = await lab.post(f"{version}/containers/mine/start", {"Privileged": True})
        assert 400 == status(answer)
    assert [] == lab.engine.lines


@pytest.mark.parametrize("route", [
    "POST /build", "POST /session", "POST /grpc", "POST /commit", "POST /images/load",
    "POST /images/app/tag", "POST /images/app/push", "GET /images/get", "GET /images/app/get",
    "POST /containers/mine/update", "PUT /containers/mine/archive", "GET /containers/mine/archive",
    "HEAD /containers/mine/archive", "GET /containers/mine/export", "POST /containers/prune",
    "GET /containers/mine/attach/ws", "POST /volumes/create", "PUT /volumes/x",
    "POST /networks/create", "POST /networks/x/connect", "POST /services/create",
    "POST /services/x/update", "POST /swarm/init", "GET /swarm", "GET /swarm/unlockkey",
    "GET /secrets", "GET /configs", "POST /nodes/x/update", "POST /plugins/pull",
    "POST /plugins/x/enable", "GET /plugins/privileges", "GET /debug/vars", "GET /debug/pprof/heap",
    "POST /auth", "GET /distribution/app/json", "OPTIONS /info", "GET /images/search",
    "POST /containers/mine/checkpoints", "DELETE /volumes/x", "TRACE /info", "GET /nothing",
    "POST /containers/mine/start/x", "POST /containers/a/b/start", "GET /containers/mine/logs/x",
    "POST /exec/short/start",
])  # fmt: skip
async def test_refuses_every_route_that_is_not_in_the_table(lab: Lab, route: str) -> None:
    method, path = route.split()
    answer = await lab.say(f"{method} /v1.41{path} HTTP/1.1\r\nHost: docker\r\n\r\n".encode())
    assert 403 == status(answer)
    if method != "HEAD":
        assert path in json.loads(answer.partition(b"\r\n\r\n")[2])["message"]
    assert [] == lab.engine.lines
    assert [route] == [action for _, action, _ in lab.parts.receipts.refusals]


UPGRADE = b"Connection: Upgrade\r\nUpgrade: %b\r\n"


@pytest.mark.parametrize(("method", "path", "protocol"), [
    ("GET", "/info", b"h2c"), ("GET", "/info", b"tcp"), ("GET", "/info", b"websocket"),
    ("POST", f"/containers/{CONTAINER}/start", b"tcp"), ("POST", "/containers/create", b"tcp"),
    ("POST", f"/containers/{CONTAINER}/attach", b"h2c"), ("POST", "/session", b"h2c"),
    ("POST", f"/containers/{CONTAINER}/attach", b"websocket"),
])  # fmt: skip
async def test_refuses_an_upgrade_where_there_is_none(
    lab: Lab, method: str, path: str, protocol: bytes
) -> None:
    head = f"{method} /v1.41{path} HTTP/1.1\r\n".encode() + HOST + UPGRADE % protocol
    answer = await lab.say(head + b"\r\n" + SMUGGLED)
    assert status(answer) in {400, 403}
    assert 1 == len(re.findall(rb"HTTP/1.1 [0-9]", answer))
    assert [] == lab.engine.lines


@pytest.mark.parametrize("headers", [
    b"Upgrade: tcp\r\n", b"Connection: Upgrade\r\n",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    b"Connection: Upgrade\r\nUpgrade: tcp, h2c\r\n", b"Expect: 200-ok\r\n",
])  # fmt: skip
async def test_refuses_a_half_said_upgrade_or_expectation(lab: Lab, headers: bytes) -> None:
    path = f"/v1.41/containers/{CONTAINER}/attach".encode()
    answer = await lab.say(b"POST " + path + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n")
    assert 400 == status(answer)
    assert [] == lab.engine.lines


async def test_refuses_over_long_heads_and_too_many_headers(lab: Lab) -> None:
    start = b"GET /v1.41/info HTTP/1.1\r\n" + HOST
    assert 413 == status(await lab.say(start + b"X: " + b"a" * 70_000 + b"\r\n\r\n"))
    assert 413 == status(await lab.say(start + b"X: " + b"a" * 200_000, stay=True))
    assert 400 == status(await lab.say(start + b"X: a\r\n" * 101 + b"\r\n"))
    assert [] == lab.engine.lines


async def test_refuses_slow_heads_and_slow_bodies_without_effect_on_others() -> None:
    async with lab_with(head_s=0.2, body_s=0.2) as lab:
        slow_head = asyncio.create_task(lab.say(b"GET /v1.41/in", stay=True))
        slow_body = asyncio.create_task(
            lab.say(b"POST /containers/create HTTP/1.1\r\n" + HOST + JSON
                    + b"Content-Length: 9\r\n\r\n{", stay=True)
        )  # fmt: skip
        assert 200 == status(await lab.say(b"GET /v1.41/info HTTP/1.1\r\n" + HOST + b"\r\n"))
        assert 413 == status(await slow_head)
        assert 413 == status(await slow_body)
        assert ["GET /v1.41/info"] == lab.engine.lines


async def test_refuses_a_body_above_the_bound_before_reading_it(lab: Lab) -> None:
    head = b"POST /v1.41/containers/create HTTP/1.1\r\n" + HOST + JSON
    assert 413 == status(
        await lab.say(head + b"Content-Length: 4194305\r\nExpect: 100-continue\r\n\r\n")
    )
    piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    assert 413 == status(await lab.say(head + b"Transfer-Encoding: chunked\r\n\r\n" + piece * 5))
    assert [] == lab.engine.lines


async def test_refuses_a_body_that_is_not_said_to_be_json(lab: Lab) -> None:
    for kind in (b"", b"Content-Type: text/plain\r\n", b"Content-Type: application/x-tar\r\n"):
        answer = await lab.say(
            b"POST /v1.41/containers/create HTTP/1.1\r\n" + HOST + kind
            + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
        )  # fmt: skip
        assert 400 == status(answer)
    assert [] == lab.engine.lines


@pytest.mark.parametrize("body", [
    BODY[:-1] + b',"HostConfig":{"Privileged":true},"HostConfig":{}}',
    BODY[:-1] + b',"hostconfig":{"Privileged":true}}',
    BODY[:-1] + b',"Privileged":true}', BODY[:-1] + b',"Host\\u0043onfig":{"Binds":["/:/h"]}}',
    BODY + b"{}", BODY + b"x", b"\xef\xbb\xbf" + BODY, b"[]", b"", b"null",
    BODY[:-1] + '"HoſtConfig":{}}'.encode(), b'{"image":"x"}',
])  # fmt: skip
async def test_refuses_create_bodies_that_two_parsers_read_in_two_ways(
    lab: Lab, body: bytes
) -> None:
    assert status(await lab.post("/v1.41/containers/create", body)) in {400, 403}
    assert [] == lab.engine.lines


async def test_refuses_to_send_a_clients_bytes_or_headers_to_the_engine(lab: Lab) -> None:
    body = b' { "Image" : "localhost:5443/app:1" , "Cmd" : [ "x" ] } '
    secret = "X-Registry-Auth: c2VjcmV0"
    answer = await lab.post("/containers/create", body, secret, "Cookie: a=b", "X-Forwarded-For: 1")
    assert 201 == status(answer)
    sent = lab.engine.seen[-1]
    assert body not in sent.body
    assert PINNED == json.loads(sent.body)["Image"]
    assert b"c2VjcmV0" not in sent.head
    assert {b"host", b"user-agent", b"content-type", b"content-length"} == {
        line.split(b":")[0].lower() for line in sent.head.split(b"\r\n")[1:] if line
    }


async def test_refuses_to_pull_with_a_clients_credentials(lab: Lab) -> None:
    answer = await lab.say(
        b"POST /v1.41/images/create?fromImage=localhost:5443/app&tag=1 HTTP/1.1\r\n" + HOST
        + b"X-Registry-Auth: c2VjcmV0\r\n\r\n", stay=True
    )  # fmt: skip
    assert 200 == status(answer)
    pull, tag = lab.engine.seen[-2:]
    assert (
        f"POST /v1.41/images/create?fromImage=localhost%3A5443%2Fapp&tag={DIGEST}".replace(
            "sha256:", "sha256%3A"
        )
        == pull.line
    )
    assert b"c2VjcmV0" not in pull.head
    assert b"X-Registry-Auth: eyJyZWdpc3RyeXRva2VuIjoidG9rZW4tZm9yLWFwcCJ9" in pull.head
    assert f"POST /v1.41/images/{PINNED}/tag?repo=localhost%3A5443%2Fapp&tag=1" == tag.line


@pytest.mark.parametrize("query", [
    "fromSrc=-&repo=app", "fromImage=localhost:5443/app", "fromImage=localhost:5443/other&tag=1",
    "fromImage=localhost:5443/app:1&tag=2", "tag=1", "fromImage=app&tag=1", "",
    "fromImage=localhost:5443/app&tag=1&platform=a%20b", "fromImage=localhost:5443/app&tag=1&x=1",
])  # fmt: skip
async def test_refuses_a_pull_that_names_no_admitted_image(lab: Lab, query: str) -> None:
    answer = await lab.say(f"POST /images/create?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status(answer) in {400, 403}
    assert [] == lab.engine.lines


async def test_refuses_when_admission_fails_or_takes_too_long() -> None:
    async with lab_with(decision_s=0.1) as lab:
        for failure in (RuntimeError("database is locked"), UnavailableError("down")):
            lab.parts.admission.failure = failure
            answer = await lab.post("/containers/create", {"Image": IMAGE})
            assert 403 == status(answer)
            assert b"gate/no-decision" in answer
        lab.parts.admission.failure = None
        lab.parts.admission.delay_s = 0.5
        answer = await lab.post("/containers/create", {"Image": IMAGE})
        assert 403 == status(answer)
        assert b"did not answer in 0.1 s" in answer
        assert [] == lab.engine.lines


async def test_refuses_a_container_without_a_receipt(lab: Lab) -> None:
    lab.parts.receipts.failure = UnavailableError("the ledger is closed")
    assert 503 == status(await lab.post("/containers/create", {"Image": IMAGE}))
    assert f"DELETE /v1.41/containers/{CONTAINER}?force=1&v=1" == lab.engine.lines[-1]


async def test_refuses_an_image_id_that_our_registry_does_not_know(lab: Lab) -> None:
    known = "sha256:" + "a" * 64
    for digests in ([], ["docker.io/library/app@sha256:" + "b" * 64], None):
        lab.engine.answers[f"GET /images/{known}/json"] = lab.engine.reply(
            200, {"Id": known, "RepoTags": [IMAGE], "RepoDigests": digests}
        )
        answer = await lab.post("/containers/create", {"Image": known})
        assert 403 == status(answer)
        assert b"image/unknown" in answer
    assert 403 == status(await lab.post("/containers/create", {"Image": "dead" * 3}))
    assert not [line for line in lab.engine.lines if "create" in line]
    lab.engine.answers[f"GET /images/{known}/json"] = lab.engine.reply(
        200, {"Id": known, "RepoDigests": ["x/y@sha256:" + "b" * 64, PINNED]}
    )
    assert 201 == status(await lab.post("/containers/create", {"Image": known}))
    assert PINNED == json.loads(lab.engine.seen[-1].body)["Image"]


async def test_refuses_to_enter_a_container_that_came_behind_the_gates_back(lab: Lab) -> None:
    other = lab.engine.reply(200, {"Id": "d" * 64, "Config": {"Labels": {"a": "b"}}})
    lab.engine.answers["GET /containers/other/json"] = other
    for action in ("start", "restart", "attach?stream=1&stdin=1"):
        head = f"POST /containers/other/{action} HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = await lab.say(head.encode())
        assert 403 == status(answer)
        assert b"container/ungated" in answer
    assert 403 == status(await lab.post("/containers/other/exec", {"Cmd": ["sh"]}))
    assert {"GET /v1.41/containers/other/json"} == set(lab.engine.lines)


async def test_refuses_to_start_a_container_whose_creation_was_cut_off(lab: Lab) -> None:
    full = "e" * 64
    labels = {"com.seawall.verdict": "7"}
    lab.engine.answers["GET /containers/cut/json"] = lab.engine.reply(
        200, {"Id": full, "Config": {"Labels": labels}}
    )
    lab.parts.receipts.missing.add(full)
    answer = await lab.say(b"POST /containers/cut/start HTTP/1.1\r\nHost: x\r\n\r\n")
    assert 403 == status(answer)
    assert b"no receipt" in answer
    assert {"GET /v1.41/containers/cut/json"} == set(lab.engine.lines)


async def test_refuses_to_act_on_a_name_that_changed_hands(lab: Lab) -> None:
    """The engine is told the id that was looked at, never the name."""
    await lab.say(b"POST /containers/mine/start HTTP/1.1\r\n" + HOST + b"\r\n")
    assert f"POST /v1.41/containers/{CONTAINER}/start" == lab.engine.lines[-1]
    await lab.post("/containers/mine/exec", {"Cmd": ["sh"]})
    assert f"POST /v1.41/containers/{CONTAINER}/exec" == lab.engine.lines[-1]


async def test_refuses_a_volume_or_network_that_hides_the_host(lab: Lab) -> None:
    hiding = {"Driver": "local", "Options": {"type": "none", "o": "bind", "device": "/etc"}}
    lab.engine.answers["GET /volumes/etc"] = lab.engine.reply(200, hiding)
    host = {"Binds": ["etc:/data"]}
    answer = await lab.post("/containers/create", {"Image": IMAGE, "HostConfig": host})
    assert 403 == status(answer)
    assert b"host-settings/Volume" in answer
    lab.engine.answers["GET /networks/abc"] = lab.engine.reply(200, {"Driver": "host"})
    host_network = {"NetworkMode": "abc"}
    answer = await lab.post("/containers/create", {"Image": IMAGE, "HostConfig": host_network})
    assert 403 == status(answer)
    assert not [line for line in lab.engine.lines if "create" in line]


@pytest.mark.parametrize("words", [
    b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n{}", b"HTTP/1.1 200 OK\r\nX", b"HTTP/2 200\r\n\r\n",
])  # fmt: skip
async def test_refuses_an_engine_that_does_not_speak_http(lab: Lab, words: bytes) -> None:
    lab.engine.answers["GET /info"] = words
    answer = await lab.say(b"GET /v1.41/info HTTP/1.1\r\n" + HOST + b"\r\n")
    assert 503 == status(answer)
    assert b"no engine answers at" in answer


async def test_refuses_to_end_an_answer_in_order_that_the_engine_broke_off(lab: Lab) -> None:
    """A client must never take half a log for a whole one."""
    lab.engine.answers["GET /containers/mine/logs"] = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhal"
    )
    answer = await lab.say(b"GET /containers/mine/logs HTTP/1.1\r\n" + HOST + b"\r\n", stay=True)
    assert b"hello" in answer
    assert not answer.endswith(b"0\r\n\r\n")


async def test_refuses_more_connections_than_the_bound() -> None:
    async with lab_with(max_connections=1) as lab:
        _, writer = await asyncio.open_unix_connection(lab.settings.socket)
        assert b"" == await lab.say(b"GET /v1.41/info HTTP/1.1\r\n" + HOST + b"\r\n")
        writer.close()


async def test_refuses_an_exec_with_all_powers(lab: Lab) -> None:
    answer = await lab.post("/containers/mine/exec", {"Cmd": ["sh"], "Privileged": True})
    assert 403 == status(answer)
    assert 400 == status(await lab.post(f"/exec/{EXEC}/start", {"Detach": False, "detach": True}))
    assert [] == lab.engine.lines
