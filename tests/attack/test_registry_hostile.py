"""Hostile names, digests, ranges, manifests and bytes at the registry's door."""

from __future__ import annotations

import asyncio
import json
import subprocess

import pytest
import sqlalchemy as sa

from seawall import audit
from seawall.blobs.filesystem import FilesystemBlobs
from seawall.identity.model import ALL_ACTIONS, Action
from seawall.ingress.watchdog import Limits
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.testing import images
from seawall.testing.registry_doors import serve_door

LAYER = images.layer({"file": b"content" * 1000})
IMAGE = images.image(LAYER)
MANIFEST = {"Content-Type": media.OCI_MANIFEST}
QUICK = Limits(head_seconds=0.2, tick_seconds=0.02, body_window_seconds=0.2, body_min_bytes=1000)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
async def door(database, store, clock):
    blobs = FilesystemBlobs(store, clock=clock)
    async with serve_door(database, blobs, clock, limits=QUICK) as door:
        door.callers.add("alice", dict.fromkeys(("a", "team/app"), ALL_ACTIONS))
        yield door


def stored_file(store, digest):
    return store / "blobs" / digest.algorithm / digest.hex[:2] / digest.hex


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def head(target, method="GET", *more):
    lines = [f"{method} {target} HTTP/1.1", "Host: x", "Authorization: Bearer alice", *more]
    return ("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode()


def status(answer):
    assert answer.startswith(b"HTTP/1."), answer[:200]
    return int(answer[9:12])


NAMES = [
    "..", "a/..", "../etc/passwd", "a//b", "/a", "a/", "a%2fb", "a%2Fb", "%2e%2e", "a%00", "a%0a",
    "A", "Team/App", "a/_uploads", "_a", "a.", "-a", "a..b", "a___b", "%61", "a/%2e%2e/b",
    "a;b", "a:b", "a@b", "a b", "a\\b", "\u0660", "\xe4", "x" * 201, "a/" * 100 + "a", "~", "a?b",
    "a#b", "..%c0%af", "%252e%252e", ".", "./a", "a/./b",
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", "/manifests/latest"),
        ("PUT", "/manifests/latest"),
        ("GET", "/tags/list"),
        ("POST", "/blobs/uploads/"),
        ("GET", f"/blobs/{LAYER.digest}"),
        ("GET", f"/referrers/{LAYER.digest}"),
    ],
)
async def test_refuses_hostile_names(door, store, method, rest):
    for name in NAMES:
        answer = await door.raw(head(f"/v2/{name}{rest}", method, "Content-Length: 0"))
        assert 400 <= status(answer) < 500, (name, answer)
        assert b"Location" not in answer.partition(b"\r\n\r\n")[0]
        assert str(store).encode() not in answer


NAMES_OF_CONTENT = [
    "sha256:zz", "sha256:", ":", "sha256:" + "A" * 64, "sha256:" + "0" * 63, "sha256:" + "0" * 65,
    "sha512:" + "0" * 64, "md5:" + "0" * 32, "sha256:..%2f..%2f", "sha256:" + "0" * 64 + "%0a",
    "sha256:baddigeststring", "../" * 10, "%00", "-x", ".x", "x" * 129, "\xe4", "sha256%3A00",
    "SHA256:" + "0" * 64, "sha256:" + "%30" * 64,
]  # fmt: skip


@pytest.mark.parametrize("kind", ["manifests", "blobs", "referrers"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_refuses_hostile_digests_and_tags(door, kind, method):
    for item in NAMES_OF_CONTENT:
        answer = await door.raw(head(f"/v2/a/{kind}/{item}", method, "Content-Length: 0"))
        assert 400 <= status(answer) < 500, (item, answer)


@pytest.mark.parametrize(
    "query",
    [
        "digest=sha256:zz", "digest=", "mount=x&from=a", "mount=sha256:00&from=../b",
        f"mount={LAYER.digest}&from=../../etc", f"mount={LAYER.digest}&from=A", "digest=%00",
        f"digest={LAYER.digest}&digest={IMAGE.digest}", "digest=%ff%fe", "digest-algorithm=md5",
    ],
)  # fmt: skip
async def test_refuses_hostile_upload_queries(door, query):
    reply = await door.request("POST", f"/v2/a/blobs/uploads/?{query}", b"")
    assert 400 == reply.status


@pytest.mark.parametrize("upload", ["..", "../../etc", "x", "%00", "0" * 32, "0" * 5000, "%2e%2e"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
async def test_refuses_uploads_that_were_never_begun(door, store, method, upload):
    target = f"/v2/a/blobs/uploads/{upload}?digest={LAYER.digest}"
    answer = await door.raw(head(target, method, "Content-Length: 0"))
    assert status(answer) in {400, 404}
    assert [] == list((store / "staging").iterdir())


MANIFESTS = {
    "deep": b"[" * 100_000,
    "deep object": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "duplicate key": IMAGE.manifest[:-1] + b',"layers":[]}',
    "NaN": IMAGE.manifest[:-1] + b',"x":NaN}',
    "not UTF-8": b'{"schemaVersion":2,"x":"\xff"}',
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "schema 1": b'{"schemaVersion":1}',
    "string size": IMAGE.manifest.replace(b'"size": ', b'"size": "1", "y": '),
    "negative size": IMAGE.manifest.replace(b'"size": ', b'"size": -'),
    "float size": IMAGE.manifest.replace(b'"size": ', b'"size": 1.5, "y": '),
    "huge size": IMAGE.manifest.replace(b'"size": ', b'"size": 99999999999999999999'),
    "bad digest": IMAGE.manifest.replace(b"sha256:", b"sha256:z"),
    "both kinds": IMAGE.manifest[:-1] + b',"manifests":[]}',
    "lone surrogate": IMAGE.manifest[:-1] + b',"x":"\\ud800"}',
    "many layers": json.dumps(
        {
            "schemaVersion": 2,
            "config": images.descriptor(b"{}", media.OCI_EMPTY),
            "layers": [images.descriptor(b"", media.OCI_LAYER)] * 20_000,
        }
    ).encode(),
}


@pytest.mark.parametrize("name", MANIFESTS)
async def test_refuses_hostile_manifests(door, name):
    await door.push("a", IMAGE)
    reply = await door.request("PUT", "/v2/a/manifests/v1", MANIFESTS[name], headers=MANIFEST)
    assert reply.status in {400, 413}, reply
    assert json.loads(reply.body)["errors"][0]["code"] in {
        "MANIFEST_INVALID", "SIZE_INVALID", "MANIFEST_BLOB_UNKNOWN",
    }  # fmt: skip
    assert 404 == (await door.request("HEAD", "/v2/a/manifests/v1")).status


async def test_refuses_a_manifest_above_4_mib_however_it_is_sent(door):
    large = b'{"x":"' + b"x" * (4 * 1024 * 1024) + b'"}'

    async def stream():
        for start in range(0, len(large), 100_000):
            yield large[start : start + 100_000]

    for body in (large, stream()):
        reply = await door.request("PUT", "/v2/a/manifests/v1", body, headers=MANIFEST)
        assert 413 == reply.status


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("text/html", 415),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", 415),
        (media.OCI_INDEX, 400),
        ("x" * 5000, 415),
    ],
)
async def test_refuses_manifests_of_another_kind(door, kind, expected):
    await door.push("a", IMAGE)
    headers = {"Content-Type": kind}
    reply = await door.request("PUT", "/v2/a/manifests/v1", IMAGE.manifest, headers=headers)
    assert expected == reply.status


async def test_refuses_compressed_bodies(door):
    for encoding in ("gzip", "deflate", "br"):
        answer = await door.raw(
            head(
                f"/v2/a/blobs/uploads/?digest={LAYER.digest}", "POST",
                f"Content-Encoding: {encoding}", "Content-Length: 0",
            )
        )  # fmt: skip
        assert status(answer) in {400, 415}


async def test_refuses_to_serve_a_flipped_byte(door, store, database):
    await door.push("a", IMAGE, "v1")
    path = f"/v2/a/blobs/{LAYER.digest}"
    assert LAYER.content == (await door.request("GET", path)).body
    flip(stored_file(store, LAYER.digest))
    for options in ({}, {"Range": "bytes=0-0"}):
        reply = await door.request("GET", path, headers=options)
        assert 404 == reply.status
        assert "BLOB_UNKNOWN" == json.loads(reply.body)["errors"][0]["code"]
    assert 404 == (await door.request("HEAD", path)).status
    assert [LAYER.digest] == door.registry.missing_blobs("a", IMAGE.digest)
    with database.read() as connection:
        only = audit.Filter(kinds=("BlobCorrupted",), digest=LAYER.digest)
        assert 1 == len(audit.read(connection, only=only))
    await door.push("a", IMAGE, "v1")
    assert LAYER.content == (await door.request("GET", path)).body


async def test_refuses_to_serve_a_cut_blob(door, store):
    await door.push("a", IMAGE, "v1")
    file = stored_file(store, LAYER.digest)
    file.write_bytes(file.read_bytes()[:-1])
    for method in ("HEAD", "GET"):
        reply = await door.request(method, f"/v2/a/blobs/{LAYER.digest}")
        assert 404 == reply.status


async def test_refuses_to_serve_a_changed_manifest(door, database):
    await door.push("a", IMAGE, "v1")
    await door.request("GET", "/v2/a/manifests/v1")
    with database.write() as connection:
        changed = {"content": IMAGE.manifest + b" "}
        connection.execute(sa.text("UPDATE manifest SET content = :content"), changed)
    assert 404 == (await door.request("GET", "/v2/a/manifests/v1")).status
    await door.push("a", IMAGE, "v1")
    assert IMAGE.manifest == (await door.request("GET", "/v2/a/manifests/v1")).body


async def test_refuses_to_tell_whether_a_blob_exists_elsewhere(door):
    await door.push("team/app", IMAGE, "v1")
    door.callers.add("eve", {"eve/x": frozenset({Action.PULL, Action.PUSH})})
    for digest in (LAYER.digest, Digest.of(b"nowhere")):
        answers = [
            await door.request("HEAD", f"/v2/eve/x/blobs/{digest}", who="eve"),
            await door.request("POST", f"/v2/eve/x/blobs/uploads/?mount={digest}", who="eve"),
            await door.request(
                "POST", f"/v2/eve/x/blobs/uploads/?mount={digest}&from=team/app", who="eve"
            ),
            await door.request("GET", f"/v2/team/app/blobs/{digest}", who="eve"),
        ]
        assert [404, 202, 202, 401] == [answer.status for answer in answers]


SMUGGLING = {
    "TE and CL": "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "TE twice": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "TE odd": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "obs-fold": "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "space before colon": "Content-Length : 0\r\n\r\n",
    "plus in length": "Content-Length: +4\r\n\r\nabcd",
    "negative length": "Content-Length: -1\r\n\r\n",
    "bad chunk size": "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "NUL in header": "X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "long header": f"X: {'a' * 70_000}\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
async def test_refuses_what_two_servers_read_in_two_ways(door, name):
    start = "POST /v2/a/blobs/uploads/?digest=sha256:0 HTTP/1.1\r\nHost: x\r\n"
    proof = "Authorization: Bearer alice\r\nConnection: close\r\n"
    answer = await door.raw((start + proof + SMUGGLING[name]).encode("latin-1"))
    assert 400 == status(answer)
    assert 1 == answer.count(b"HTTP/1.")


async def test_refuses_two_proofs(door):
    answer = await door.raw(head("/v2/", "GET", "Authorization: Bearer eve"))
    assert 400 == status(answer)


async def test_refuses_to_wait_for_bodies_that_trickle(door):
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    request = head("/v2/a/manifests/v1", "PUT", "Content-Length: 100000", *MANIFEST_LINES)
    writer.write(request + b"{")
    assert b"" == await asyncio.wait_for(reader.read(), 5)
    writer.close()


MANIFEST_LINES = [f"Content-Type: {media.OCI_MANIFEST}"]


@pytest.fixture
def tiny_disk(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_refuses_what_the_disk_cannot_hold_and_recovers(database, clock, tiny_disk):
    blobs = FilesystemBlobs(tiny_disk, clock=clock, reserve_bytes=0)
    async with serve_door(database, blobs, clock) as door:
        door.callers.add("alice", {"a": ALL_ACTIONS})
        content = b"x" * 6_000_000
        path = f"/v2/a/blobs/uploads/?digest={Digest.of(content)}"
        started = await door.request("POST", "/v2/a/blobs/uploads/")
        for method, target in (("POST", path), ("PATCH", started.headers["Location"])):
            reply = await door.request(method, target, content)
            assert 507 == reply.status
            assert str(tiny_disk) not in reply.body.decode()
            assert [] == list((tiny_disk / "staging").iterdir())
        assert 404 == (await door.request("GET", started.headers["Location"])).status
        await door.push("a", IMAGE, "v1")
