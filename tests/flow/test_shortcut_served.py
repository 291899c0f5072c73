"""The web process as it is served: a file of a tree looks the same, whichever way it comes."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from seawall import notary
from seawall.app import processes, rooms
from seawall.identity.model import Action
from seawall.ingress import server, tls
from seawall.testing import houses
from seawall.testing.houses import SHOP, Stage
from seawall.testing.tree_owners import TreeOwner


async def fields_of(port: int, context: ssl.SSLContext, head: str) -> list[str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(head.encode())
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    writer.close()
    return sorted(line for line in lines if line and not line.startswith("Date: "))


@pytest.mark.parametrize("name", ["localhost", "registry.example"])
async def test_both_ways_say_the_same_over_tls(tmp_path: Path, name: str) -> None:
    with Stage.opened(tmp_path) as stage:
        house = stage.house
        TreeOwner(house=house, repository=SHOP).init()
        gun = house.pinned_trees.gun(SHOP)
        token = house.tokens.issue(houses.OPERATOR, {SHOP: frozenset({Action.PULL})}).text
        authenticator = processes._authenticator(house)
        short = notary.shortcut(house.trees, authenticator, clock=house.clock, is_secure=True)
        answered: list[object] = []

        def counted(asked):  # type: ignore[no-untyped-def]
            answered.append(found := short.find(asked))
            return found

        counting = type(short)(find=counted, marker=short.marker, clock=house.clock, is_secure=True)
        client = ssl.create_default_context(cafile=str(rooms.server_files(house).authority))
        async with server.serve(
            processes.web_application(house, authenticator),
            host="127.0.0.1", port=0, shortcut=counting,
            ssl_context=tls.server_context(rooms.server_files(house).pair),
        ) as listening:  # fmt: skip
            head = (
                f"GET /v2/{gun}/_trust/tuf/timestamp.json HTTP/1.1\r\nHost: {name}\r\n"
                f"Authorization: Bearer {token}\r\n"
            )
            usual = await fields_of(listening.port, client, head + "X-Usual: way\r\n\r\n")
            assert [] == answered
            assert usual == await fields_of(listening.port, client, head + "\r\n")
        assert [True] == [one is not None for one in answered]
        assert ("registry.example" == name) == any("Strict-Transport" in one for one in usual)
