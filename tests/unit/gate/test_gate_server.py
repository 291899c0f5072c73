"""One connection after another through a whole gate, against an engine that records."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import struct
from pathlib import Path

import pytest

from seawall.core.errors import ConflictError, DeniedError, InvalidInputError, SeawallError
from seawall.core.reason import Reason
from seawall.gate.peers import CertificateHolder, LocalUser
from seawall.gate.settings import GateSettings
from seawall.testing import gates
from seawall.testing.fake_engine import CONTAINER, EXEC
from seawall.testing.gate_lab import HOST, IMAGE, JSON, Lab, lab_with, status
from seawall.testing.gates import GateParts

GET_INFO = b"GET /v1.41/info HTTP/1.1\r\n" + HOST + b"\r\n"


async def connect(lab: Lab) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(lab.settings.socket)


async def test_a_connection_serves_one_request_after_another() -> None:
    async with lab_with() as lab:
        reader, writer = await connect(lab)
        for _ in range(3):
            writer.write(GET_INFO)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"Api-Version: 1.41" in head
            assert b'{"Name": "fake"}' == await reader.readexactly(16)
        writer.write(GET_INFO + GET_INFO)  # a client that does not wait is served in order
        for _ in range(2):
            await reader.readuntil(b'{"Name": "fake"}')
        writer.close()


async def test_an_engine_newer_than_we_know_is_used_as_the_newest_that_we_know() -> None:
    async with lab_with() as lab:
        lab.engine.api = "1.99"
        lab.engine.__post_init__()
        answer = await lab.say(b"HEAD /_ping HTTP/1.1\r\n" + HOST + b"\r\n")
        assert b"Api-Version: 1.51\r\n" in answer
        version = await lab.say(b"GET /version HTTP/1.1\r\n" + HOST + b"\r\n")
        assert b'"ApiVersion":"1.51"' in version
        assert b'"MinAPIVersion":"1.40"' in version
        assert "GET /v1.51/version" in lab.engine.lines


async def test_the_head_of_a_wait_goes_out_before_its_body_comes() -> None:
    async with lab_with() as lab:
        ended = asyncio.Event()

        async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            await ended.wait()
            writer.write(b'10\r\n{"StatusCode":0}\r\n0\r\n\r\n')

        lab.engine.conversations["POST /containers/mine/wait"] = wait
        reader, writer = await connect(lab)
        writer.write(b"POST /containers/mine/wait?condition=removed HTTP/1.1\r\n" + HOST + b"\r\n")
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        ended.set()
        assert b'10\r\n{"StatusCode":0}\r\n0\r\n\r\n' == await reader.readuntil(b"0\r\n\r\n")
        writer.close()


async def test_a_client_that_leaves_takes_its_connection_to_the_engine_with_it() -> None:
    async with lab_with() as lab:
        began, left = asyncio.Event(), asyncio.Event()

        async def follow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            began.set()
            await reader.read()
            left.set()

        lab.engine.conversations["GET /events"] = follow
        reader, writer = await connect(lab)
        writer.write(b"GET /events HTTP/1.1\r\n" + HOST + b"\r\n")
        await reader.readuntil(b"one")
        await began.wait()
        writer.close()
        await asyncio.wait_for(left.wait(), 5)


ATTACH = f"/containers/{CONTAINER}/attach"


async def echo_upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
        b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello,"
    )
    data = await reader.read()
    writer.write(data.upper())
    await writer.drain()


@pytest.mark.parametrize("upgrade", [b"Connection: Upgrade\r\nUpgrade: tcp\r\n", b""])
async def test_bytes_behind_either_head_are_not_lost_in_a_hand_over(upgrade: bytes) -> None:
    async with lab_with() as lab:
        lab.engine.conversations[f"POST {ATTACH}"] = echo_upper
        answer = await lab.say(
            f"POST {ATTACH}?stdin=1&stream=1 HTTP/1.1\r\n".encode() + HOST + upgrade + b"\r\nabc"
        )
        assert (101 if upgrade else 200) == status(answer)
        assert answer.endswith(b"\r\n\r\nhello,ABC")


async def test_an_exec_starts_with_a_body_of_ours_and_is_handed_over() -> None:
    async with lab_with() as lab:
        lab.engine.conversations[f"POST /exec/{EXEC}/start"] = echo_upper
        reader, writer = await connect(lab)
        body = b'{ "Detach": false, "Tty": false }'
        writer.write(
            f"POST /exec/{EXEC}/start HTTP/1.1\r\n".encode() + HOST + JSON
            + b"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )  # fmt: skip
        await reader.readuntil(b"hello,")
        writer.write(b"typed")
        writer.write_eof()
        assert b"TYPED" == await reader.read()
        assert {"Detach": False, "Tty": False} == json.loads(lab.engine.seen[-1].body)
        assert lab.engine.seen[-1].body != body
        writer.close()


async def test_a_refused_hand_over_is_a_plain_answer() -> None:
    async with lab_with() as lab:
        answer = await lab.say(
            f"POST {ATTACH} HTTP/1.1\r\n".encode() + HOST
            + b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        )  # fmt: skip
        assert 404 == status(answer)


async def test_a_body_may_come_in_chunks_and_after_our_word() -> None:
    async with lab_with() as lab:
        body = json.dumps({"Image": IMAGE}).encode()
        reader, writer = await connect(lab)
        writer.write(
            b"POST /containers/create HTTP/1.1\r\n" + HOST + JSON
            + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        )  # fmt: skip
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == await reader.readuntil(b"\r\n\r\n")
        writer.write(b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (body[:5], len(body) - 5, body[5:]))
        assert b" 201 " in await reader.readuntil(b"\r\n\r\n")
        writer.close()


async def test_a_created_container_has_its_receipt_before_the_client_hears_of_it() -> None:
    async with lab_with() as lab:
        answer = await lab.post("/containers/create?name=web", {"Image": IMAGE})
        assert 201 == status(answer)
        [(container, admitted, actor, summary)] = lab.parts.receipts.written
        assert (CONTAINER, IMAGE) == (container, str(admitted.reference))
        assert "operator:root" == str(actor) or os.geteuid() != 0
        assert ("web", IMAGE) == (summary["name"], summary["image"])
        value = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert CONTAINER == value["Id"]
        assert any("no-new-privileges" in warning for warning in value["Warnings"])


async def test_a_rule_that_only_warns_is_told_to_the_client() -> None:
    stale = Reason(rule="scan-fresh", evidence="scanned long ago", remedy="scan it again")
    async with lab_with() as lab:
        lab.parts.admission.warnings = (stale,)
        answer = await lab.post("/containers/create", {"Image": IMAGE})
        value = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert f"Seawall: {stale}" == value["Warnings"][0]


async def test_an_image_that_the_engine_lacks_is_its_own_404_so_that_clients_pull() -> None:
    async with lab_with() as lab:
        lab.engine.answers["POST /containers/create"] = lab.engine.reply(
            404, {"message": "No such image: x"}
        )
        answer = await lab.post("/containers/create", {"Image": IMAGE})
        assert 404 == status(answer)
        assert b"No such image: x" in answer
        assert not lab.parts.receipts.written


async def test_a_failed_pull_is_not_tagged() -> None:
    async with lab_with() as lab:
        lab.engine.answers["POST /images/create"] = lab.engine.reply(500, {"message": "no route"})
        answer = await lab.say(
            b"POST /images/create?fromImage=localhost:5443/app&tag=1 HTTP/1.1\r\n" + HOST + b"\r\n",
            stay=True,
        )
        assert 500 == status(answer)
        assert "POST" not in lab.engine.lines[-1].replace("POST /v1.41/images/create", "")


async def test_the_socket_is_ours_alone_and_goes_at_the_end() -> None:
    async with lab_with() as lab:
        path = lab.settings.socket
        assert path is not None
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)
        assert stat.S_ISSOCK(path.stat().st_mode)
    assert not path.exists()


async def test_a_stop_closes_what_is_idle_at_once() -> None:
    loop = asyncio.get_running_loop()
    async with lab_with(grace_s=20.0) as lab:
        reader, writer = await connect(lab)
        writer.write(GET_INFO)
        await reader.readuntil(b'{"Name": "fake"}')
        before = loop.time()
    assert b"" == await reader.read()
    assert loop.time() - before < 5
    writer.close()


async def test_refuses_a_socket_that_another_process_serves_and_replaces_a_dead_one(
    tmp_path: Path,
) -> None:
    async with lab_with() as lab:
        with pytest.raises(ConflictError):
            await gates.serve(lab.settings, GateParts(), asyncio.Event(), asyncio.Event())
    dead = socket.socket(socket.AF_UNIX)
    assert lab.settings.socket is not None
    lab.settings.socket.parent.mkdir()
    dead.bind(str(lab.settings.socket))
    dead.close()
    ready, stop = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(gates.serve(lab.settings, GateParts(), ready, stop))
    await ready.wait()
    stop.set()
    await serving
    lab.settings.socket.parent.rmdir()


async def test_an_identity_is_remembered_for_a_while_and_then_asked_again() -> None:
    parts, asked = GateParts(), []

    def identify(der: bytes) -> object:
        asked.append(der)
        return parts.identify(der)

    holder = CertificateHolder(b"der", identify, max_age_s=600, deadline_s=5)  # type: ignore[arg-type]
    assert await holder.who() == await holder.who()
    assert 1 == len(asked)
    holder = CertificateHolder(b"der", identify, max_age_s=0, deadline_s=5)  # type: ignore[arg-type]
    await holder.who()
    parts.identity = DeniedError("revoked")
    with pytest.raises(SeawallError):
        await holder.who()


@pytest.mark.parametrize("wrong", [
    {"registry_hosts": ()}, {"socket": None}, {"port": 2376},
])  # fmt: skip
def test_refuses_settings_that_open_no_door_or_an_unguarded_one(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    right: dict[str, object] = {
        "engine_socket": tmp_path / "e",
        "registry_hosts": ("localhost:5443",),
        "socket": tmp_path / "g",
    }
    GateSettings(**right)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError):
        GateSettings(**right | wrong)  # type: ignore[arg-type]


class Peer:
    """A socket whose other end belongs to `uid`."""

    def __init__(self, uid: int) -> None:
        self._uid = uid

    def getsockopt(self, *_: int) -> bytes:
        return struct.pack("3i", 1, self._uid, self._uid)


async def test_root_and_the_gates_own_user_are_operators_and_nobody_else() -> None:
    assert "operator:root" == str(await LocalUser(Peer(0)).who())  # type: ignore[arg-type]
    assert await LocalUser(Peer(os.geteuid())).who()  # type: ignore[arg-type]
    with pytest.raises(DeniedError):
        await LocalUser(Peer(os.geteuid() + 4321)).who()  # type: ignore[arg-type]
