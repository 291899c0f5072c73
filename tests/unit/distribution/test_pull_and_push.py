"""The protocol, request by request (OCI distribution-spec 1.1)."""

import asyncio
import datetime as dt
import hashlib
import json

import pytest

from seawall import audit
from seawall.distribution import listings
from seawall.identity.model import Action
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.registry import limits
from seawall.testing import images

LAYER = images.layer({"file": b"content" * 1000})
IMAGE = images.image(LAYER)
MANIFEST = {"Content-Type": media.OCI_MANIFEST}
BLOB = bytes(range(256)) * 8  # 2048 bytes
BLOB_DIGEST = Digest.of(BLOB)
UNKNOWN = "sha256:" + "0" * 64


def code(reply):
    return json.loads(reply.body)["errors"][0]["code"]


async def start(door, repository="team/app"):
    reply = await door.request("POST", f"/v2/{repository}/blobs/uploads/")
    assert 202 == reply.status
    return reply.headers["Location"]


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_says_that_it_is_a_registry(door):
    reply = await door.request("GET", "/v2/")
    assert (200, b"{}") == (reply.status, reply.body)
    assert "registry/2.0" == reply.headers["Docker-Distribution-Api-Version"]


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v2/", None),
        ("HEAD", "/v2/team/app/manifests/1", "repository:team/app:pull"),
        ("GET", f"/v2/team/app/blobs/{UNKNOWN}", "repository:team/app:pull"),
        ("POST", "/v2/team/app/blobs/uploads/", "repository:team/app:pull,push"),
        ("DELETE", "/v2/team/app/manifests/1", "repository:team/app:delete"),
        ("GET", "/v2/_catalog", "registry:catalog:*"),
    ],
)
async def test_challenges_who_shows_nothing(door, method, path, scope):
    reply = await door.request(method, path, who=None)
    assert 401 == reply.status
    challenge = reply.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer ")
    assert scope is None or f'scope="{scope}"' in challenge
    assert "error" not in challenge


async def test_tells_wrong_proof_and_missing_rights_apart(door):
    wrong = await door.request("GET", "/v2/", who="nobody")
    assert 401 == wrong.status
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]
    door.callers.add("bob", {"team/app": {Action.PULL}})
    lacking = await door.request("POST", "/v2/team/app/blobs/uploads/", who="bob")
    assert (401, "DENIED") == (lacking.status, code(lacking))
    assert 'error="insufficient_scope"' in lacking.headers["WWW-Authenticate"]


async def test_an_image_comes_back_byte_for_byte(door):
    digest = await door.push("team/app", IMAGE, "v1")
    for name in ("v1", digest):
        for method in ("GET", "HEAD"):
            reply = await door.request(method, f"/v2/team/app/manifests/{name}")
            assert 200 == reply.status
            assert IMAGE.media_type == reply.headers["Content-Type"]
            assert digest == reply.headers["Docker-Content-Digest"]
            assert str(len(IMAGE.manifest)) == reply.headers["Content-Length"]
            assert (b"" if method == "HEAD" else IMAGE.manifest) == reply.body
    blob = await door.request("GET", f"/v2/team/app/blobs/{LAYER.digest}")
    assert LAYER.content == blob.body


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 20_000_000])
async def test_blobs_of_every_size_come_back(door, size):
    content = b"\xa5" * size
    digest = await door.push_blob("team/app", content)
    head = await door.request("HEAD", f"/v2/team/app/blobs/{digest}")
    assert (200, str(size)) == (head.status, head.headers["Content-Length"])
    reply = await door.request("GET", f"/v2/team/app/blobs/{digest}")
    assert (200, str(size)) == (reply.status, reply.headers["Content-Length"])
    assert digest == reply.headers["Docker-Content-Digest"]
    assert content == reply.body
    again = await door.request("GET", f"/v2/team/app/blobs/{digest}")  # on the same connection
    assert content == again.body


@pytest.mark.parametrize(
    ("header", "status", "content_range", "body"),
    [
        ("bytes=500-1499", 206, "bytes 500-1499/2048", BLOB[500:1500]),
        ("bytes=500-", 206, "bytes 500-2047/2048", BLOB[500:]),
        ("bytes=-500", 206, "bytes 1548-2047/2048", BLOB[-500:]),
        ("bytes=2000-5000", 206, "bytes 2000-2047/2048", BLOB[2000:]),
        ("bytes=500-0", 416, "bytes */2048", None),
        ("bytes=5000-10000", 416, "bytes */2048", None),
        ("bytes=x", 416, "bytes */2048", None),
        ("chapters=1-2", 200, None, BLOB),
    ],
)
async def test_answers_ranges(door, header, status, content_range, body):
    await door.push_blob("team/app", BLOB)
    path = f"/v2/team/app/blobs/{BLOB_DIGEST}"
    reply = await door.request("GET", path, headers={"Range": header})
    assert (status, content_range) == (reply.status, reply.headers.get("Content-Range"))
    if body is not None:
        assert body == reply.body


async def test_answers_several_ranges_at_once(door):
    await door.push_blob("team/app", BLOB)
    path = f"/v2/team/app/blobs/{BLOB_DIGEST}"
    reply = await door.request("GET", path, headers={"Range": "bytes=0-9,-10"})
    assert 206 == reply.status
    boundary = reply.headers["Content-Type"].partition("boundary=")[2].encode()
    parts = reply.body.split(b"\r\n--" + boundary)
    assert BLOB[:10] == parts[1].partition(b"\r\n\r\n")[2]
    assert BLOB[-10:] == parts[2].partition(b"\r\n\r\n")[2]
    assert b"--\r\n" == parts[3]
    assert b"Content-Range: bytes 2038-2047/2048" in parts[2]


async def test_a_client_that_has_it_is_not_sent_it_again(door):
    digest = await door.push("team/app", IMAGE, "v1")
    known = {"If-None-Match": f'"{digest}"'}
    assert 304 == (await door.request("GET", "/v2/team/app/manifests/v1", headers=known)).status
    known = {"If-None-Match": f'W/"x", "{LAYER.digest}"'}
    path = f"/v2/team/app/blobs/{LAYER.digest}"
    assert 304 == (await door.request("GET", path, headers=known)).status
    stale = {"Range": "bytes=0-0", "If-Range": '"other"'}
    assert 200 == (await door.request("GET", path, headers=stale)).status


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_a_blob_arrives_in_a_stream(door, algorithm):
    content = b"z" * 3_000_000
    digest = Digest.of(content, algorithm)

    async def pieces():
        for start in range(0, len(content), 500_000):
            yield content[start : start + 500_000]

    location = await start(door)
    reply = await door.request("PATCH", location, pieces())
    assert (202, "0-2999999") == (reply.status, reply.headers["Range"])
    reply = await door.request("PUT", f"{reply.headers['Location']}?digest={digest}", b"")
    assert 201 == reply.status
    assert digest == reply.headers["Docker-Content-Digest"]
    assert content == (await door.request("GET", reply.headers["Location"])).body


async def test_a_blob_arrives_in_chunks_and_its_state_can_be_asked(door):
    location = await start(door)
    empty = await door.request("GET", location)
    assert (204, "0-0") == (empty.status, empty.headers["Range"])
    for first in (0, 1000):
        chunk = {"Content-Range": f"{first}-{first + 999}"}
        reply = await door.request("PATCH", location, BLOB[first : first + 1000], headers=chunk)
        assert 202 == reply.status
    assert "0-1999" == (await door.request("GET", location)).headers["Range"]
    last = {"Content-Range": "2000-2047"}
    reply = await door.request("PUT", f"{location}?digest={BLOB_DIGEST}", BLOB[2000:], headers=last)
    assert 201 == reply.status
    assert BLOB == (await door.request("GET", f"/v2/team/app/blobs/{BLOB_DIGEST}")).body


@pytest.mark.parametrize("header", ["0-999", "1001-2000"])
async def test_a_chunk_out_of_order_changes_nothing(door, header):
    location = await start(door)
    await door.request("PATCH", location, BLOB[:1000])
    for method, path in (("PATCH", location), ("PUT", f"{location}?digest={BLOB_DIGEST}")):
        reply = await door.request(method, path, BLOB[:1000], headers={"Content-Range": header})
        assert (416, "0-999") == (reply.status, reply.headers["Range"])
        assert location == reply.headers["Location"]
        assert "0-999" == (await door.request("GET", path)).headers["Range"]


async def test_a_chunk_that_lies_about_its_length_changes_nothing(door):
    location = await start(door)
    await door.request("PATCH", location, BLOB[:1000])

    async def short():
        yield BLOB[1000:1010]

    for body in (BLOB[1000:1010], short()):
        lying = {"Content-Range": "1000-1999"}
        reply = await door.request("PATCH", location, body, headers=lying)
        assert (400, "SIZE_INVALID") == (reply.status, code(reply))
        assert "0-999" == (await door.request("GET", location)).headers["Range"]
    reply = await door.request("PUT", f"{location}?digest={BLOB_DIGEST}", BLOB[1000:])
    assert 201 == reply.status


async def test_an_upload_that_broke_off_is_resumed(door, tmp_path):
    content = BLOB * 2000  # 4 MB
    location = await start(door)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    head = f"PATCH {location} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice\r\n"
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content[:2_000_000])
    staged = tmp_path / "store" / "staging" / location.rpartition("/")[2]
    await until(lambda: staged.exists() and staged.stat().st_size > 0)
    writer.close()
    await reader.read()

    async def offset():
        return int((await door.request("GET", location)).headers["Range"][2:]) + 1

    async with asyncio.timeout(10):
        while (begin := await offset()) == 1:
            await asyncio.sleep(0)
    assert 1_000_000 < begin <= 2_000_000
    digest = Digest.of(content)
    reply = await door.request("PUT", f"{location}?digest={digest}", content[begin:])
    assert 201 == reply.status


async def test_a_wrong_digest_is_refused_and_nothing_is_kept(door):
    location = await start(door)
    reply = await door.request("PUT", f"{location}?digest={UNKNOWN}", BLOB)
    assert (400, "DIGEST_INVALID") == (reply.status, code(reply))
    assert 404 == (await door.request("GET", location)).status
    whole = await door.request("POST", f"/v2/a/blobs/uploads/?digest={UNKNOWN}", BLOB)
    assert (400, "DIGEST_INVALID") == (whole.status, code(whole))
    assert 404 == (await door.request("HEAD", f"/v2/a/blobs/{BLOB_DIGEST}")).status


async def test_a_cancelled_upload_is_gone(door):
    location = await start(door)
    assert 204 == (await door.request("DELETE", location)).status
    assert 404 == (await door.request("GET", location)).status
    assert 404 == (await door.request("DELETE", location)).status


async def test_an_upload_belongs_to_its_repository(door):
    location = await start(door)
    foreign = location.replace("team/app", "team/other")
    assert 404 == (await door.request("GET", foreign)).status
    assert 404 == (await door.request("PATCH", foreign, BLOB)).status


async def test_parallel_chunks_of_one_upload_do_not_mix(door):
    location = await start(door)
    replies = await asyncio.gather(
        *(door.request("PATCH", location, bytes([n]) * 3_000_000) for n in range(4))
    )
    statuses = sorted(reply.status for reply in replies)
    assert 202 == statuses[0]
    assert set(statuses) <= {202, 409, 416}
    size = int((await door.request("GET", location)).headers["Range"].partition("-")[2]) + 1
    assert 3_000_000 * statuses.count(202) == size


async def test_an_upload_expires(door, clock):
    location = await start(door)
    await door.request("PATCH", location, BLOB)
    clock.advance(dt.timedelta(hours=25))
    assert 404 == (await door.request("GET", location)).status
    assert 1 <= door.registry.uploads.drop_expired()


async def test_too_many_open_uploads_are_refused_for_a_while(door, monkeypatch):
    monkeypatch.setattr("seawall.registry.uploads.UPLOADS_MAX_OPEN", 2)
    assert limits.UPLOADS_MAX_OPEN > 2
    await start(door)
    await start(door)
    reply = await door.request("POST", "/v2/a/blobs/uploads/")
    assert (429, "TOOMANYREQUESTS") == (reply.status, code(reply))
    assert int(reply.headers["Retry-After"]) > 0


async def test_mounts_what_the_caller_may_read_and_nothing_else(door):
    await door.push_blob("team/app", BLOB)
    door.callers.add("bob", {"bob/x": {Action.PULL, Action.PUSH}})
    path = f"/v2/bob/x/blobs/uploads/?mount={BLOB_DIGEST}"
    for query in ("", "&from=team/app", "&from=no/such"):
        assert 202 == (await door.request("POST", path + query, who="bob")).status
    door.callers.add(
        "bob", {"bob/x": {Action.PULL, Action.PUSH}}, grants={"team/app": {Action.PULL}}
    )
    for query in ("&from=team/app", ""):
        reply = await door.request("POST", path + query, who="bob")
        assert (201, f"/v2/bob/x/blobs/{BLOB_DIGEST}") == (
            reply.status,
            reply.headers["Location"],
        )
    assert BLOB == (await door.request("GET", reply.headers["Location"], who="bob")).body
    elsewhere = f"/v2/bob/x/blobs/uploads/?mount={UNKNOWN}&from=team/app"
    assert 202 == (await door.request("POST", elsewhere, who="bob")).status


async def test_a_blob_is_known_only_through_a_link(door):
    await door.push_blob("team/app", BLOB)
    for method in ("HEAD", "GET"):
        reply = await door.request(method, f"/v2/team/other/blobs/{BLOB_DIGEST}")
        assert 404 == reply.status


async def test_a_manifest_hashes_its_raw_bytes(door):
    await door.push("team/app", IMAGE)
    spaced = IMAGE.manifest + b"  "
    wrong = await door.request("PUT", f"/v2/team/app/manifests/{IMAGE.digest}", spaced)
    assert (400, "DIGEST_INVALID") == (wrong.status, code(wrong))
    right = await door.request(
        "PUT", f"/v2/team/app/manifests/{Digest.of(spaced)}", spaced, headers=MANIFEST
    )
    assert 201 == right.status
    reply = await door.request("GET", right.headers["Location"])
    assert spaced == reply.body


async def test_a_tag_keeps_the_digest_it_was_pushed_with(door):
    await door.push("team/app", IMAGE)
    digest = "sha512:" + hashlib.sha512(IMAGE.manifest).hexdigest()
    tags = [f"t{n}" for n in range(12)]
    query = "&".join(f"tag={tag}" for tag in tags)
    reply = await door.request(
        "PUT", f"/v2/team/app/manifests/{digest}?{query}", IMAGE.manifest, headers=MANIFEST
    )
    assert (201, tags) == (reply.status, reply.headers.getall("OCI-Tag"))
    got = await door.request("GET", "/v2/team/app/manifests/t7")
    assert digest == got.headers["Docker-Content-Digest"]


async def test_content_type_parameters_are_not_kept(door):
    await door.push("team/app", IMAGE)
    kind = {"Content-Type": f"{media.OCI_MANIFEST}; charset=utf-8"}
    await door.request("PUT", "/v2/team/app/manifests/v1", IMAGE.manifest, headers=kind)
    reply = await door.request("HEAD", "/v2/team/app/manifests/v1")
    assert media.OCI_MANIFEST == reply.headers["Content-Type"]


async def test_refuses_a_manifest_with_missing_or_resized_content(door):
    for one in (IMAGE, images.index(IMAGE)):
        reply = await door.request(
            "PUT", "/v2/a/manifests/v1", one.manifest, headers={"Content-Type": one.media_type}
        )
        assert (400, "MANIFEST_BLOB_UNKNOWN") == (reply.status, code(reply))
    await door.push("a", IMAGE)
    document = json.loads(IMAGE.manifest)
    document["layers"][0]["size"] += 1
    reply = await door.request(
        "PUT", "/v2/a/manifests/v1", json.dumps(document).encode(), headers=MANIFEST
    )
    assert (400, "SIZE_INVALID") == (reply.status, code(reply))


@pytest.mark.parametrize(
    "layer_type",
    [
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ],
)
async def test_foreign_layers_need_not_be_here(door, layer_type):
    await door.push("a", IMAGE)
    document = json.loads(IMAGE.manifest)
    foreign = {"mediaType": layer_type, "digest": UNKNOWN, "size": 5, "urls": ["http://x/y"]}
    document["layers"].append(foreign)
    reply = await door.request(
        "PUT", "/v2/a/manifests/v1", json.dumps(document).encode(), headers=MANIFEST
    )
    assert 201 == reply.status
    assert [] == door.registry.missing_blobs("a", Digest(reply.headers["Docker-Content-Digest"]))


async def test_odd_but_valid_manifests_are_kept(door):
    await door.push_blob("a", b"{}")
    bare = images.artifact(artifact_type="application/x")
    plain = json.loads(bare.manifest)
    plain["extra"] = {"unknown": [1.5, None]}
    plain["annotations"] = {f"k{n}": "v" * 10_000 for n in range(390)}
    for one in (bare.manifest, json.dumps(plain).encode()):
        reply = await door.request("PUT", "/v2/a/manifests/v1", one, headers=MANIFEST)
        assert 201 == reply.status
        assert one == (await door.request("GET", "/v2/a/manifests/v1")).body
    empty = images.index()
    nested = images.index(empty)
    await door.push("a", nested, "v2")
    assert nested.manifest == (await door.request("GET", "/v2/a/manifests/v2")).body


async def test_an_index_may_list_blobs_too(door):
    """As BuildKit's caches do."""
    await door.push_blob("a", LAYER.content)
    entry = images.descriptor(LAYER.content, LAYER.media_type)
    document = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": [entry]}
    kind = {"Content-Type": media.OCI_INDEX}
    body = json.dumps(document).encode()
    assert 201 == (await door.request("PUT", "/v2/a/manifests/v1", body, headers=kind)).status


async def test_lists_tags_in_pages_sorted_by_bytes(door):
    await door.push("a", IMAGE, "b", "A", "a-b", "a.b", "_")
    reply = await door.request("GET", "/v2/a/tags/list")
    assert {"name": "a", "tags": ["A", "_", "a-b", "a.b", "b"]} == json.loads(reply.body)
    assert "Link" not in reply.headers
    seen, path = [], "/v2/a/tags/list?n=2"
    while path:
        reply = await door.request("GET", path)
        seen.append(json.loads(reply.body)["tags"])
        path = reply.headers.get("Link", "").partition("<")[2].partition(">")[0]
    assert [["A", "_"], ["a-b", "a.b"], ["b"]] == seen
    nothing = await door.request("GET", "/v2/a/tags/list?n=0")
    assert [] == json.loads(nothing.body)["tags"]
    assert "Link" not in nothing.headers
    after = await door.request("GET", "/v2/a/tags/list?last=a-b")
    assert ["a.b", "b"] == json.loads(after.body)["tags"]
    unknown = await door.request("GET", "/v2/team/other/tags/list")
    assert (404, "NAME_UNKNOWN") == (unknown.status, code(unknown))


@pytest.mark.parametrize("n", ["-1", "abc", "1_0", "%D9%A3", "1&n=2", ""])
async def test_refuses_odd_page_sizes(door, n):
    await door.push("a", IMAGE, "v1")
    for path in (f"/v2/a/tags/list?n={n}", f"/v2/_catalog?n={n}"):
        assert 400 == (await door.request("GET", path)).status


async def test_the_catalog_shows_what_the_caller_may_pull(door):
    for name in ("a", "team/app", "team/other"):
        await door.push(name, IMAGE, "v1")
    door.callers.add("bob", grants={"team/*": {Action.PULL}})
    reply = await door.request("GET", "/v2/_catalog", who="bob")
    assert ["team/app", "team/other"] == json.loads(reply.body)["repositories"]
    page = await door.request("GET", "/v2/_catalog?n=1", who="bob")
    assert ["team/app"] == json.loads(page.body)["repositories"]
    assert '</v2/_catalog?n=1&last=team%2Fapp>; rel="next"' == page.headers["Link"]
    last = await door.request("GET", "/v2/_catalog?n=1&last=team%2Fapp", who="bob")
    assert ["team/other"] == json.loads(last.body)["repositories"]
    assert "Link" not in last.headers


async def test_lists_referrers_even_of_what_is_not_here(door):
    reply = await door.request("GET", f"/v2/a/referrers/{UNKNOWN}")
    assert (200, media.OCI_INDEX) == (reply.status, reply.headers["Content-Type"])
    assert {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": []} == json.loads(
        reply.body
    )
    sbom = images.artifact(artifact_type="application/sbom", annotations={"k": "v"}, subject=IMAGE)
    signature = images.image(LAYER, subject=IMAGE)
    for one in (sbom, signature):  # the subject comes last, or never
        await door.push("a", one)
    reply = await door.request("GET", f"/v2/a/referrers/{IMAGE.digest}")
    entries = {entry["digest"]: entry for entry in json.loads(reply.body)["manifests"]}
    assert {
        "mediaType": media.OCI_MANIFEST,
        "digest": sbom.digest,
        "size": len(sbom.manifest),
        "artifactType": "application/sbom",
        "annotations": {"k": "v"},
    } == entries[sbom.digest]
    assert media.OCI_CONFIG == entries[signature.digest]["artifactType"]
    path = f"/v2/a/referrers/{IMAGE.digest}?artifactType=application/sbom"
    reply = await door.request("GET", path)
    assert "artifactType" == reply.headers["OCI-Filters-Applied"]
    assert [sbom.digest] == [one["digest"] for one in json.loads(reply.body)["manifests"]]
    assert 400 == (await door.request("GET", "/v2/a/referrers/sha256:x")).status


async def test_referrers_come_in_pages(door, monkeypatch):
    monkeypatch.setattr(listings, "REFERRERS_PAGE", 2)
    wanted = set()
    for n in range(5):
        one = images.artifact(annotations={"n": str(n)}, subject=IMAGE)
        wanted.add(await door.push("a", one))
    seen, path = [], f"/v2/a/referrers/{IMAGE.digest}"
    while path:
        reply = await door.request("GET", path)
        seen += [one["digest"] for one in json.loads(reply.body)["manifests"]]
        path = reply.headers.get("Link", "").partition("<")[2].partition(">")[0]
    assert sorted(wanted) == seen


async def test_a_push_names_its_subject(door):
    one = images.artifact(subject=IMAGE)
    await door.push_blob("a", b"{}")
    reply = await door.request("PUT", "/v2/a/manifests/v1", one.manifest, headers=MANIFEST)
    assert IMAGE.digest == reply.headers["OCI-Subject"]


async def test_deletes_at_once_and_never_what_is_still_needed(door):
    index = images.index(IMAGE)
    await door.push("a", index, "v1", "v2")
    config = next(iter(IMAGE.blobs))
    for path in (f"manifests/{IMAGE.digest}", f"blobs/{config}"):
        reply = await door.request("DELETE", f"/v2/a/{path}")
        assert (409, "DENIED") == (reply.status, code(reply))
    for path in (
        "manifests/v2",
        f"manifests/{index.digest}",
        f"manifests/{IMAGE.digest}",
        f"blobs/{config}",
    ):
        assert 202 == (await door.request("DELETE", f"/v2/a/{path}")).status
        assert 404 == (await door.request("HEAD", f"/v2/a/{path}")).status
        assert 404 == (await door.request("DELETE", f"/v2/a/{path}")).status
    assert 404 == (await door.request("HEAD", "/v2/a/manifests/v1")).status


async def test_every_change_is_an_event(door, database):
    await door.push("a", IMAGE, "v1")
    await door.request("DELETE", f"/v2/a/manifests/{IMAGE.digest}")
    with database.read() as connection:
        entries = audit.read(connection)
    assert ["ManifestPushed", "TagMoved", "TagDeleted", "ManifestDeleted"] == [
        entry.kind for entry in entries
    ]
    assert {("a", IMAGE.digest, "alice")} == {
        (entry.repository, entry.digest, str(entry.actor)) for entry in entries
    }
    pushed = entries[0].details()
    assert {"tags": ["v1"], "is_image": True, "size": len(IMAGE.manifest)}.items() <= pushed.items()


async def test_a_tag_moved_by_another_process_is_seen_at_once(door, database, blobs, clock):
    await door.push("a", IMAGE, "v1")
    assert IMAGE.manifest == (await door.request("GET", "/v2/a/manifests/v1")).body
    other = images.image(LAYER, command=["other"])
    await door.push("a", other, "v1")
    assert other.manifest == (await door.request("GET", "/v2/a/manifests/v1")).body
    await door.request("DELETE", "/v2/a/manifests/v1")
    assert 404 == (await door.request("GET", "/v2/a/manifests/v1")).status


async def test_refuses_methods_that_an_endpoint_lacks(door):
    for method, path in (("POST", "/v2/"), ("PUT", "/v2/a/tags/list"), ("OPTIONS", "/v2/a/x")):
        reply = await door.request(method, path)
        assert reply.status in {404, 405}


async def test_a_body_is_asked_for_only_when_it_is_wanted(door):
    head = "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(f"{head}Content-Length: 9999999\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()
    proof = "Authorization: Bearer alice\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    asked = await door.raw((head + proof).encode())
    assert asked.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400")
