"""The door of content trust under hostile requests: refused with an answer, nothing stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import NotFoundError, SeawallError
from seawall.ingress.access import Action
from seawall.notary import parts, paths
from seawall.testing.notary_doors import BOUNDARY, NotaryDoor, multipart, serve_notary
from seawall.testing.tree_servers import GUN, HOST, TreeServer
from seawall.trust.tuf.names import ROOT, Gun, Role

TREE = f"/v2/{GUN}/_trust/tuf/"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[NotaryDoor]:
    server = TreeServer.in_folder(tmp_path)
    async with serve_notary(server.trees()) as door:
        door.callers.add("ada", {"team/app": {Action.PULL, Action.PUSH, Action.DELETE}})
        door.callers.add("guest", {"team/app": {Action.PULL}})
        door.callers.add("other", {"team/other": {Action.PULL, Action.PUSH, Action.DELETE}})
        yield door
    server.database.close()


@pytest.mark.parametrize("who", [None, "nobody", "guest", "other"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", TREE), ("DELETE", TREE),
        ("GET", f"{TREE}timestamp.key"), ("POST", f"{TREE}snapshot.key"),
        ("GET", "/v2/_trust/changefeed?records=1"),
    ],
)  # fmt: skip
async def test_refuses_callers_without_the_right(
    door: NotaryDoor, who: str | None, method: str, path: str
) -> None:
    reply = await door.request(method, path, b"" if method == "POST" else None, who=who)
    assert 401 == reply.status
    assert "WWW-Authenticate" in reply.headers


@pytest.mark.parametrize("who", [None, "other"])
@pytest.mark.parametrize(
    "name", ["root.json", "1.root.json", f"targets.{'a' * 64}.json", "targets/releases.json"]
)
async def test_refuses_to_tell_strangers_whether_there_is_a_tree(
    door: NotaryDoor, who: str | None, name: str
) -> None:
    assert 401 == (await door.get(GUN, name, who=who)).status


async def test_refuses_two_proofs(door: NotaryDoor) -> None:
    sent = (
        f"GET {TREE}root.json HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer other\r\n"
        "Authorization: Bearer ada\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(sent.encode())
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400")


GOOD = multipart({"root": b"{}"})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MALFORMED_UPLOAD"),
        (b"--", "MALFORMED_UPLOAD"),
        (GOOD[:-4], "MALFORMED_UPLOAD"),
        (b"preamble\r\n" + GOOD, "MALFORMED_UPLOAD"),
        (GOOD + b"epilogue", "MALFORMED_UPLOAD"),
        (GOOD.replace(b'name="files"', b'name="file"'), "MALFORMED_UPLOAD"),
        (GOOD.replace(b'; filename="root"', b""), "NO_FILENAME"),
        (GOOD.replace(b'filename="root"', b'filename=""'), "NO_FILENAME"),
        (GOOD.replace(b'"root"', b'"root'), "MALFORMED_UPLOAD"),
        (GOOD.replace(b'"root"', b'"ro\\"ot"'), "MALFORMED_UPLOAD"),
        (GOOD.replace(b'"root"', b'"root"; filename="targets"'), "MALFORMED_UPLOAD"),
        (GOOD.replace(b'"root"', b'"root"; filename*=UTF-8\'\'x'), "MALFORMED_UPLOAD"),
        (GOOD.replace(b"\r\nCont", b"\r\nX: " + b"y" * 3000 + b"\r\nC"), "MALFORMED_UPLOAD"),
        (multipart({"root": b"{}", "root.json": b"{}"}), "VERSION"),
        (multipart({f"targets/{n}": b"{}" for n in range(65)}), "MALFORMED_UPLOAD"),
        (multipart({"targets/../root": b"{}"}), "INVALID_ROLE"),
        (multipart({"timestamp": b"{}"}), "INVALID_ROLE"),
    ],
)  # fmt: skip
async def test_refuses_malformed_uploads(door: NotaryDoor, body: bytes, code: str) -> None:
    reply = await door.post(GUN, body)
    assert (400, code) == (reply.status, reply.error["code"])
    with pytest.raises(NotFoundError):
        door.trees.current(GUN, ROOT)


@pytest.mark.parametrize(
    "kind",
    [
        "", "application/json", "multipart/form-data", "multipart/mixed; boundary=a0b1c2",
        "multipart/form-data; boundary=", "multipart/form-data; boundary=a; boundary=b",
        f"multipart/form-data; boundary={'x' * 71}",
    ],
)  # fmt: skip
async def test_refuses_uploads_of_another_type(door: NotaryDoor, kind: str) -> None:
    reply = await door.request("POST", TREE, GOOD, headers={"Content-Type": kind})
    assert (400, "MALFORMED_UPLOAD") == (reply.status, reply.error["code"])


async def test_refuses_oversize_before_and_while_it_comes(door: NotaryDoor) -> None:
    big = multipart({"root": b" " * (parts.BODY_MAX_BYTES + 1)})
    reply = await door.post(GUN, big)
    assert (400, "INVALID_UPDATE") == (reply.status, reply.error["code"])


async def test_refuses_more_than_memory_has_room_for(tmp_path: Path) -> None:
    server = TreeServer.in_folder(tmp_path)
    uploads = parts.Uploads(all_max_bytes=len(GOOD))
    async with serve_notary(server.trees(), uploads) as door:
        door.callers.add("ada", {"team/app": {Action.PUSH}})
        assert 503 == (await door.post(GUN, GOOD + b"  ")).status
        for _ in range(3):  # what was refused takes no room
            assert "INVALID_UPDATE" == (await door.post(GUN, GOOD)).error["code"]
    server.database.close()


@given(st.binary(max_size=300), st.sampled_from([b"a0b1c2", b"-", b"a"]))
def test_refuses_or_parses_any_body(body: bytes, boundary: bytes) -> None:
    for content in (body, b"--" + boundary + b"\r\n" + body, GOOD[:20] + body):
        try:
            found = parts.parse(content, boundary)
        except SeawallError:
            continue
        assert all(name and len(name) <= 300 for name in found)


NAMES = st.sampled_from(["targets", "root", "targets/releases", "timestamp", "targets/a-b_c"])
CONTENTS = st.binary(max_size=80).filter(lambda one: BOUNDARY.encode() not in one)


@given(st.dictionaries(NAMES, CONTENTS, min_size=1, max_size=5))
def test_refuses_nothing_that_stock_clients_write(files: dict[str, bytes]) -> None:
    assert files == parts.parse(multipart(files), BOUNDARY.encode())


@given(st.text(alphabet="abT/._-0129:%\\ \x00é", max_size=60))
def test_refuses_or_understands_any_path(text: str) -> None:
    for path in (f"/v2/{text}", f"/v2/{HOST}/{text}/_trust/tuf/root.json", f"{TREE}{text}"):
        try:
            target = paths.parse(path)
        except SeawallError:
            continue
        if target is not None and target.role is not None:
            assert target.role == Role.parse(target.role)
        if target is not None and target.gun is not None:
            assert target.gun == Gun.parse(target.gun)
