"""Who makes a repository's tree pins its root for the gate, once."""

import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from seawall.api import enrolment as door
from seawall.blobs.filesystem import FilesystemBlobs
from seawall.core.actor import Actor, ActorKind
from seawall.flows.pinned_trees import PinnedTrees
from seawall.ingress.access import Action
from seawall.registry.service import Registry
from seawall.testing.callers import FakeAuthenticator
from seawall.testing.tree_servers import ADA, GUN, HOST, TreeServer
from seawall.trust.pins import Pins
from seawall.trust.tuf import metadata, roots
from seawall.trust.tuf.names import ROOT

PATH = "/api/trust/team/app/pin"
REPOSITORY = GUN.repository


@pytest.fixture
def server(tmp_path):
    made = TreeServer.in_folder(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def pins(server):
    return Pins(server.database, server.clock)


@pytest.fixture
def root_keys(server):
    """The keys of a tree that is there."""
    publisher = server.publisher()
    files = {"root": publisher.root().content, "targets": publisher.targets({}).content}
    server.trees().publish(GUN, files, actor=ADA)
    return sorted(roots.key_ids(metadata.parse(ROOT, files["root"])))


@pytest.fixture
async def client(server, pins, tmp_path):
    callers = FakeAuthenticator()
    callers.add("ada", {REPOSITORY: {Action.PULL, Action.PUSH}})
    callers.add("lin", grants={REPOSITORY: {Action.PULL}})
    registry = Registry(server.database, FilesystemBlobs(tmp_path / "blobs"), server.clock)
    trees = PinnedTrees(trees=server.trees(), pins=pins, registry=registry, host=HOST)
    app = web.Application()
    app.router.add_routes(door.routes(trees, callers, server.clock))
    async with TestClient(TestServer(app)) as opened:
        yield opened


def by(name):
    return {"Authorization": f"Bearer {name}"}


def naming(*keys):
    return json.dumps({"rootKeys": list(keys)})


async def test_who_may_push_pins_the_root_of_the_tree_that_is_there(client, pins, root_keys):
    answer = await client.put(PATH, data=naming(*root_keys), headers=by("ada"))
    assert 200 == answer.status, await answer.text()
    assert {"name": GUN} == await answer.json()
    pinned = pins.get(REPOSITORY)
    assert frozenset(root_keys) == pinned.pin.root_key_ids
    assert pinned.pin.root is not None, "the tree was proven from it"
    again = await client.put(PATH, data=naming(*root_keys), headers=by("ada"))
    assert 200 == again.status


@pytest.mark.parametrize(("name", "status"), [("lin", 401), ("nobody", 401)])
async def test_refuses_who_may_not_push(client, pins, root_keys, name, status):
    answer = await client.put(PATH, data=naming(*root_keys), headers=by(name))
    assert status == answer.status
    assert pins.get(REPOSITORY) is None


async def test_refuses_keys_that_have_not_signed_the_root(client, pins, root_keys):
    answer = await client.put(PATH, data=naming("0" * 64), headers=by("ada"))
    assert 409 == answer.status
    assert "first root" in await answer.text()
    assert pins.get(REPOSITORY) is None


async def test_refuses_to_replace_a_pin(client, server, pins, root_keys):
    other = server.publisher()
    pins.pin(
        REPOSITORY,
        door.Pin(root_key_ids=roots.key_ids(other.root())),
        actor=Actor(kind=ActorKind.USER, name="root"),
    )
    before = pins.get(REPOSITORY)
    answer = await client.put(PATH, data=naming(*root_keys), headers=by("ada"))
    assert 409 == answer.status
    assert before == pins.get(REPOSITORY)


async def test_refuses_to_pin_where_there_is_no_tree(client, pins):
    answer = await client.put(PATH, data=naming("0" * 64), headers=by("ada"))
    assert 404 == answer.status
    assert pins.get(REPOSITORY) is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"rootKeys": []}',
        '{"rootKeys": ["x"]}',
        '{"rootKeys": [1]}',
        json.dumps({"rootKeys": ["0" * 64, "0" * 64]}),
        json.dumps({"rootKeys": ["0" * 64], "more": 1}),
        json.dumps({"rootKeys": ["A" * 64]}),
    ],
)
async def test_refuses_what_is_no_pin(client, root_keys, body):
    answer = await client.put(PATH, data=body, headers=by("ada"))
    assert 400 == answer.status
