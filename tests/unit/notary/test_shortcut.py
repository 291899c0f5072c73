"""Files from memory, answered before the web server sees the request: the same answers, sooner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from seawall.ingress import heads
from seawall.notary import files
from seawall.testing.notary_doors import NotaryDoor
from seawall.testing.tree_servers import ADA, GUN, TreeServer
from seawall.trust.tuf.names import TIMESTAMP

PATH = f"/v2/{GUN}/_trust/tuf/timestamp.json"


def head(path: str = PATH, who: str = "guest", more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {who}\r\n{more}\r\n".encode()


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, *sent: bytes) -> list[tuple[bytes, dict[str, str], bytes]]:
        """Send all at once; return status line, fields and body of as many answers."""
        self._writer.write(b"".join(sent))
        return [await asyncio.wait_for(self._answer(), 10) for _ in sent]

    async def _answer(self) -> tuple[bytes, dict[str, str], bytes]:
        start, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        fields = dict(line.split(": ", 1) for line in lines)
        fields.pop("Date", None)
        length = int(fields.get("Content-Length", "0"))
        return start.encode(), fields, await self._reader.readexactly(length)


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that the shortcut answered."""
    seen: list[str] = []
    real = files._find

    def find(*arguments: object) -> object:
        found = real(*arguments)  # type: ignore[arg-type]
        if found is not None:
            assert isinstance(arguments[2], heads.PlainHead)
            seen.append(arguments[2].path)
        return found

    monkeypatch.setattr(files, "_find", find)
    return seen


@pytest.fixture
async def line(answered: list[str], server: TreeServer, door: NotaryDoor) -> AsyncIterator[Line]:
    await door.publish(GUN, server.publisher().first({"v1": "one"}))
    door.trees.current(GUN, TIMESTAMP)
    answered.clear()
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    yield Line(reader, writer)
    writer.close()


async def test_the_answer_is_the_one_of_the_usual_way(line: Line, answered: list[str]) -> None:
    (usual,) = await line.ask(head(more="X-Usual: way\r\n"))
    assert [] == answered
    (short,) = await line.ask(head())
    assert [PATH] == answered
    assert b"HTTP/1.1 200 OK" == short[0]
    assert usual == short


async def test_what_came_together_is_answered_in_its_order(line: Line, answered: list[str]) -> None:
    found = await line.ask(head(PATH.replace("timestamp", "root")), head(), head("/nothing"))
    kinds = [b'"root"' in found[0][2].lower(), b'"timestamp"' in found[1][2].lower()]
    assert ([True, True], b"404") == (kinds, found[2][0].split()[1])
    assert [] == answered  # more than one head at once goes the usual way, for good
    await line.ask(head())
    assert [] == answered


async def test_a_connection_with_a_body_on_it_is_never_shortened_again(
    line: Line, answered: list[str]
) -> None:
    await line.ask(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    await line.ask(head())
    assert [] == answered


async def test_a_tree_that_changed_elsewhere_is_shown_at_once(
    line: Line, server: TreeServer
) -> None:
    ((_, _, before),) = await line.ask(head())
    server.trees().delete(GUN, actor=ADA)
    ((start, _, _),) = await line.ask(head())
    assert b"404" == start.split()[1]
    server.trees().publish(GUN, server.publisher().first({"v2": "two"}), actor=ADA)
    ((start, _, after),) = await line.ask(head())
    assert (b"200", True) == (start.split()[1], before != after)


async def test_refuses_whoever_has_no_right_or_has_it_no_more(
    line: Line, answered: list[str], door: NotaryDoor
) -> None:
    await line.ask(head())
    assert [PATH] == answered
    for who in ("nobody", "root"):
        ((start, _, _),) = await line.ask(head(who=who))
        assert b"401" == start.split()[1]
    door.callers.add("guest", {})
    ((start, _, _),) = await line.ask(head())
    assert b"401" == start.split()[1]
    assert [PATH] == answered


async def test_a_foreign_name_is_left_to_the_door(line: Line, answered: list[str]) -> None:
    ((start, _, _),) = await line.ask(head(PATH.replace("registry.test", "other.test")))
    assert (b"404", []) == (start.split()[1], answered)
