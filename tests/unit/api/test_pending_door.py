"""The way to what waits for signatures: who sees it, who may add to it."""

import base64
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from seawall.api import pending as door
from seawall.ingress.access import Action
from seawall.oci.digest import Digest
from seawall.oci.names import Tag
from seawall.testing.callers import FakeAuthenticator
from seawall.testing.signatures import new_key
from seawall.testing.tree_servers import ADA, GUN, HOST, TreeServer
from seawall.trust.pending import PendingFiles
from seawall.trust.tuf import edits
from seawall.trust.tuf.drafts import Current, Keyring
from seawall.trust.tuf.model import Target
from seawall.trust.tuf.names import RELEASES

PATH = "/api/trust/team/app/pending"
REPOSITORY = GUN.repository


@pytest.fixture
def server(tmp_path):
    made = TreeServer.in_folder(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def signers():
    return {"alice": new_key(), "bob": new_key()}


@pytest.fixture
def file(server, signers):
    """A releases file that alice alone has signed, where two must."""
    publisher = server.publisher()
    first = publisher.targets({}, signers=signers, threshold=2)
    files = {"root": publisher.root().content, "targets": first.content}
    server.trees().publish(GUN, files, actor=ADA)
    current = Current.of(GUN, server.trees().tree(GUN))
    target = Target(digest=Digest.of(b"one"), length=3)
    return (
        edits.set_tag(
            current, Keyring.of([signers["alice"]]), Tag("v1"), target, server.clock.now()
        )
        .drafts[-1]
        .file
    )


@pytest.fixture
async def client(server):
    callers = FakeAuthenticator()
    callers.add("ada", {REPOSITORY: {Action.PULL, Action.PUSH}})
    callers.add("lin", grants={REPOSITORY: {Action.PULL}})
    callers.add("eve")
    pending = PendingFiles(server.database, server.clock, server.trees())
    app = web.Application()
    app.router.add_routes(door.routes(pending, callers, HOST))
    async with TestClient(TestServer(app)) as opened:
        yield opened


def by(name):
    return {"Authorization": f"Bearer {name}"}


def offer(file):
    return json.dumps({"files": {file.role: base64.b64encode(file.content).decode()}})


async def test_a_signature_that_does_not_suffice_waits_and_readers_see_it(client, file):
    assert RELEASES == file.role
    answer = await client.post(PATH, data=offer(file), headers=by("ada"))
    assert 200 == answer.status
    assert [] == (await answer.json())["published"]
    shown = await (await client.get(PATH, headers=by("lin"))).json()
    [waiting] = shown["waiting"]
    assert ("targets/releases", 1, "ada") == (
        waiting["role"], waiting["missing"], waiting["startedBy"],
    )  # fmt: skip
    assert file.content == base64.b64decode(waiting["file"])


async def test_a_change_can_be_withdrawn_by_who_may_push(client, file):
    await client.post(PATH, data=offer(file), headers=by("ada"))
    path = f"{PATH}?role=targets/releases"
    assert 401 == (await client.delete(path, headers=by("lin"))).status
    assert 200 == (await client.delete(path, headers=by("ada"))).status
    assert [] == (await (await client.get(PATH, headers=by("lin"))).json())["waiting"]
    assert 404 == (await client.delete(path, headers=by("ada"))).status


async def test_refuses_who_may_not_push_and_hides_it_from_who_may_not_pull(client, file):
    for who in ({}, by("lin"), by("eve")):
        assert 401 == (await client.post(PATH, data=offer(file), headers=who)).status
    for who in ({}, by("eve")):
        assert 404 == (await client.get(PATH, headers=who)).status


@pytest.mark.parametrize(
    "body",
    [
        "", "{}", "[]", '{"files": []}', '{"files": {}}', '{"files": {"targets": 1}}',
        '{"files": {"targets": "*"}}', '{"files": {"targets": ""}}', '{"files": {}, "more": 1}',
        '{"files": {"timestamp": "e30="}}', '{"files": {"targets/releases": "e30="}}',
    ],
)  # fmt: skip
async def test_refuses_offers_that_are_none(client, file, body):
    assert 400 == (await client.post(PATH, data=body, headers=by("ada"))).status


@pytest.mark.parametrize(
    "path", [f"{PATH}?host=elsewhere.test", "/api/trust/TEAM/pending", f"{PATH}?host=a&host=b"]
)
async def test_refuses_names_that_are_not_ours(client, file, path):
    answer = await client.post(path, data=offer(file), headers=by("ada"))
    assert 400 == answer.status
