"""The endpoints of Notary v1, one by one, as stock clients call them."""

from __future__ import annotations

import json

import pytest

from seawall.testing.notary_doors import NotaryDoor
from seawall.testing.publishing import as_upload
from seawall.testing.signatures import new_key
from seawall.testing.tree_servers import GUN, HOST, TreeServer
from seawall.trust.tuf import keys
from seawall.trust.tuf.names import RELEASES, TARGETS, TIMESTAMP, Gun

FOREIGN = Gun("docker.io/team/app")


async def test_an_upload_is_shown_byte_for_byte(server: TreeServer, door: NotaryDoor) -> None:
    upload = server.publisher().first({"v1": "one"})
    reply = await door.publish(GUN, upload)
    assert (200, b"") == (reply.status, reply.body)
    reply = await door.get(GUN, "targets.json")
    assert upload["targets"] == reply.body
    assert "private, no-cache" == reply.headers["Cache-Control"]
    assert "Thu, 01 Jan 2026 12:00:00 GMT" == reply.headers["Last-Modified"]
    sha256 = door.trees.current(GUN, TARGETS).sha256
    reply = await door.get(GUN, f"targets.{sha256}.json")
    assert (upload["targets"], True) == (reply.body, "immutable" in reply.headers["Cache-Control"])
    assert upload["root"] == (await door.get(GUN, "1.root.json")).body
    assert 404 == (await door.get(GUN, "2.root.json")).status


async def test_the_slash_of_a_delegation_is_a_slash_of_the_path(
    server: TreeServer, door: NotaryDoor
) -> None:
    owner, lin = server.publisher(), new_key()
    first = as_upload(owner.root(), owner.targets({}, signers={"lin": lin}))
    releases = owner.targets({"v1": "one"}, role=RELEASES, by=[lin])
    assert (
        200
        == (await door.publish(GUN, {**first, "targets/releases.json": releases.content})).status
    )
    assert releases.content == (await door.get(GUN, "targets/releases.json")).body
    by_hash = await door.get(GUN, f"targets/releases.{releases.sha256}.json")
    assert releases.content == by_hash.body
    assert releases.content == (await door.get(GUN, "1.targets/releases.json")).body


async def test_keys_are_given_out_and_rotated(server: TreeServer, door: NotaryDoor) -> None:
    reply = await door.get(GUN, "timestamp.key", who="lin")
    first = keys.parse_public_file(reply.body)
    assert first == keys.parse_public_file((await door.get(GUN, "timestamp.key")).body)
    assert 200 == (await door.publish(GUN, server.publisher().first({}))).status
    path = f"/v2/{GUN}/_trust/tuf/timestamp.key"
    reply = await door.request("POST", path, b"")
    assert first != keys.parse_public_file(reply.body)
    assert 401 == (await door.request("POST", path, b"", who="lin")).status
    assert 400 == (await door.get(GUN, "targets.key")).status


async def test_the_feeds_tell_every_change(server: TreeServer, door: NotaryDoor) -> None:
    await door.publish(GUN, server.publisher().first({}))
    feed = f"/v2/{GUN}/_trust/changefeed"
    reply = await door.request("GET", f"{feed}?records=10&change_id=0", who="guest")
    timestamp = door.trees.current(GUN, TIMESTAMP)
    assert {
        "count": 1,
        "records": [
            {
                "ID": "1",
                "CreatedAt": "2026-01-01T12:00:00.000000Z",
                "GUN": GUN,
                "Version": 1,
                "SHA256": timestamp.sha256,
                "Category": "update",
            }
        ],
    } == json.loads(reply.body)
    assert 400 == (await door.request("GET", feed)).status
    assert "INVALID_PARAMETERS" == (await door.request("GET", f"{feed}?records=x")).error["code"]
    assert (
        1 == json.loads((await door.request("GET", f"{feed}?records=0&change_id=-1")).body)["count"]
    )
    assert 401 == (await door.request("GET", "/v2/_trust/changefeed?records=1")).status
    whole = await door.request("GET", "/v2/_trust/changefeed?records=1", who="root")
    assert 1 == json.loads(whole.body)["count"]


async def test_a_tree_is_deleted_by_those_who_may(server: TreeServer, door: NotaryDoor) -> None:
    await door.publish(GUN, server.publisher().first({}))
    tree = f"/v2/{GUN}/_trust/tuf/"
    assert 401 == (await door.request("DELETE", tree, who="lin")).status
    assert 200 == (await door.get(GUN, "root.json")).status
    assert 200 == (await door.request("DELETE", tree)).status
    assert 404 == (await door.get(GUN, "root.json")).status
    assert 200 == (await door.request("DELETE", tree)).status


async def test_health_needs_no_login(door: NotaryDoor) -> None:
    reply = await door.request("GET", "/_notary_server/health", who=None)
    assert (200, b"{}") == (reply.status, reply.body)


async def test_strangers_are_told_where_to_get_a_token(door: NotaryDoor) -> None:
    for who in (None, "nobody"):
        reply = await door.get(GUN, "timestamp.json", who=who)
        assert 401 == reply.status
        assert f'scope="repository:{GUN}:pull"' in reply.headers["WWW-Authenticate"]
    reply = await door.publish(GUN, {"root": b"{}"}, who="guest")
    assert f'scope="repository:{GUN}:pull,push"' in reply.headers["WWW-Authenticate"]
    reply = await door.request("DELETE", f"/v2/{GUN}/_trust/tuf/", who="guest")
    assert f'scope="repository:{GUN}:*"' in reply.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", f"/v2/{GUN}/_trust/tuf/root.json"),
        ("PUT", f"/v2/{GUN}/_trust/tuf/root.json"),
        ("GET", f"/v2/{GUN}/_trust/tuf/"),
        ("GET", f"/v2/{GUN}/_trust/tuf/Root.json"),
        ("GET", f"/v2/{GUN}/_trust/tuf/targets/../root.json"),
        ("GET", f"/v2/{GUN}/_trust/tuf/targets%2freleases.json"),
        ("GET", f"/v2/{GUN}/_trust/tuf/0.root.json"),
        ("GET", f"/v2/{GUN}/_trust/tuf/1.root.{'a' * 64}.json"),
        ("GET", f"/v2/{GUN}/_trust/tuf/{'9' * 19}.root.json"),
        ("GET", f"/v2/{GUN}/_trust/tuf/root.{'a' * 96}.json"),
        ("GET", f"/v2/{GUN}/_trust/other"),
        ("GET", f"/v2/{HOST}/Team/app/_trust/tuf/root.json"),
        ("GET", f"/v2/{FOREIGN}/_trust/tuf/root.json"),
    ],
)
async def test_what_is_nothing_is_not_found(door: NotaryDoor, method: str, path: str) -> None:
    reply = await door.request(method, path)
    assert 404 == reply.status
    if method != "HEAD":
        assert "METADATA_NOT_FOUND" == reply.error["code"]


async def test_refusals_speak_to_stock_clients(server: TreeServer, door: NotaryDoor) -> None:
    owner = server.publisher()
    first = owner.first({"v1": "one"})
    assert 200 == (await door.publish(GUN, first)).status
    error = (await door.publish(GUN, {"targets": first["targets"]})).error
    assert "VERSION" == error["code"]
    assert {
        "Name": "ErrValidation",
        "Error": {"Msg": "targets: version 1 is not above the stored 1"},
    } == error["detail"]
    stranger = as_upload(owner.targets({"v1": "two"}, by=[new_key()]))
    error = (await door.publish(GUN, stranger)).error
    assert "INVALID_UPDATE" == error["code"]
    assert {
        "Name": "ErrBadTargets",
        "Error": {"Msg": "targets: signed by 0 of its keys, and 1 must"},
    } == error["detail"]
    assert "INVALID_ROLE" == (await door.publish(GUN, {"Targets": b"{}"})).error["code"]
    assert "INVALID_GUN" == (await door.publish(FOREIGN, first)).error["code"]


async def test_a_missing_snapshot_is_named(server: TreeServer, door: NotaryDoor) -> None:
    upload = server.publisher(keeps_snapshot=True).first({})
    detail = (await door.publish(GUN, upload)).error["detail"]
    message = "no snapshot in the upload, and its key is not held by this server"
    expected = {"Name": "ErrBadHierarchy", "Error": {"Msg": message, "Missing": "snapshot"}}
    assert expected == detail


async def test_long_messages_still_fit_into_what_clients_read(door: NotaryDoor) -> None:
    for name in ("\x01" * 290, "ü" * 145, "targets/" + "ä" * 140):
        assert 400 == (await door.publish(GUN, {name: b"{}"})).status
        assert (await door.publish(GUN, {name: b"{}"})).error["code"]
