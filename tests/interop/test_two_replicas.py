"""Two web processes, as on two machines, over one PostgreSQL and one folder of blobs and keys.

Whatever one of them has acknowledged, the other serves at once; what both are told at the same
time happens in one order, which the log tells.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall import audit
from seawall.oci.digest import Digest
from seawall.testing import databases, images
from seawall.testing.images import Image
from seawall.testing.installations import Installation, Served, installation
from seawall.testing.push_client import PushClient, Way

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

SHARED = ("blobs", "keys", "pki")
PUSHERS = 6
MOVES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    house: Installation
    web: Served
    password: str

    def client(self) -> PushClient:
        authority = self.house.settings.server_authority
        return PushClient(port=self.house.web_port, authority=authority, password=self.password)


@pytest.fixture
def replicas(tmp_path: Path, postgresql: databases.Servers) -> Iterator[list[Replica]]:
    url = postgresql.server.url(postgresql.server.create())
    settings = f'[database]\nurl = "{url}"\n'
    with contextlib.ExitStack() as stack:
        found: list[Installation] = []
        for number in range(2):
            (tmp_path / str(number)).mkdir()
            house = stack.enter_context(installation(tmp_path / str(number), settings=settings))
            for name in SHARED if number else ():
                (house.state / name).symlink_to(found[0].state / name)
            house.prepare()
            found.append(house)
        password = found[0].password  # of the administrator that the first has made
        assert not found[1].password
        yield [Replica(house=h, web=h.serve("web"), password=password) for h in found]


def image_of(number: int) -> Image:
    return images.image(images.layer({f"etc/{number}": b"%d" % number * 50_000}))


def log_of(house: Installation, kind: str) -> list[audit.Entry]:
    with house.rooms() as rooms, rooms.database.read() as connection:
        return audit.read(connection, only=audit.Filter(kinds=(kind,)))


def test_what_one_acknowledged_the_other_serves_at_once(replicas: list[Replica]) -> None:
    clients = [replica.client() for replica in replicas]
    for number in range(MOVES):
        here, there = clients[number % 2], clients[1 - number % 2]
        made = image_of(number)
        here.push("team/app", "latest", made, Way.STREAM)
        for client in (there, here):
            assert made.digest == Digest.of(client.get("team/app", "manifests/latest"))
        there.tags, there.manifests, there.blobs = here.tags, here.manifests, here.blobs
        there.check()


def test_pushes_to_both_at_once_are_all_kept_and_have_one_order(replicas: list[Replica]) -> None:
    start = threading.Barrier(PUSHERS)

    def push(number: int) -> PushClient:
        client = replicas[number % 2].client()
        start.wait(60)
        for move in range(MOVES):
            client.push("team/app", "latest", image_of(number * 100 + move), Way.STREAM)
        client.tags.clear()  # others have moved it meanwhile
        return client

    with concurrent.futures.ThreadPoolExecutor(PUSHERS) as pool:
        clients = list(pool.map(push, range(PUSHERS)))
    for number, client in enumerate(clients):
        client.close()
        client.port = replicas[1 - number % 2].house.web_port
        assert MOVES == client.check()
    house = replicas[0].house
    assert house.is_log_whole()
    assert PUSHERS * MOVES == len(log_of(house, "ManifestPushed"))
    previous = None
    for entry in log_of(house, "TagMoved"):
        assert previous == entry.details()["previous"], "no move was decided on an old tag"
        previous = entry.digest
    newest = clients[0].get("team/app", "manifests/latest")
    assert previous == str(Digest.of(newest))


def test_an_upload_goes_on_at_the_other_when_one_is_killed(replicas: list[Replica]) -> None:
    client, steps = replicas[0].client(), 0

    def kill_the_first() -> None:
        nonlocal steps
        steps += 1
        if steps == 12:  # amid the chunks of the first blob
            replicas[0].web.kill()

    def go_to_the_other() -> None:
        client.port = replicas[1].house.web_port

    client.progress, client.revive = kill_the_first, go_to_the_other
    client.push("team/app", "1", image_of(1), Way.CHUNKS)
    assert client.interruptions
    assert 1 == client.check()
    assert replicas[1].house.is_log_whole()
