"""Files that wait for signatures: kept by the server or in an artifact, and never believed."""

from __future__ import annotations

import base64
import json

import pytest

from seawall.cli import waiting_files
from seawall.cli.registry_client import Fetched
from seawall.core.errors import NotFoundError
from seawall.oci.digest import Digest
from seawall.testing import trees
from seawall.testing.trees import GUN
from seawall.trust.tuf.names import RELEASES, Role


class FakeRegistry:
    """Keeps blobs and manifests; `pending` is what its own place for waiting files answers."""

    def __init__(self, pending: bytes | None = None) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, Fetched] = {}
        self.pending = pending
        self.offers: list[bytes] = []

    def sign_in(self):
        pass

    def call_api(self, method, path, *, max_bytes, scope="", body=None):
        assert path == f"/api/trust/{GUN.repository}/pending?host=registry.test"
        if self.pending is None:
            raise NotFoundError(path)
        if method == "POST":
            self.offers.append(body)
        return self.pending

    def put_blob(self, repository, content):
        digest = Digest.of(content)
        self.blobs[digest] = content
        return digest

    def get_blob(self, repository, digest, *, max_bytes):
        return self.blobs[digest]

    def put_manifest(self, repository, reference, content, media_type):
        digest = Digest.of(content)
        self.manifests[reference] = Fetched(content=content, media_type=media_type, digest=digest)
        return False

    def find_manifest(self, repository, reference):
        return self.manifests.get(reference)


def drafts():
    lab = trees.team("ada")
    return {role: lab.files[role] for role in (RELEASES, Role("targets/ada"))}


def contents(files):
    return {role: file.content for role, file in files.items()}


def test_any_registry_keeps_them_in_an_artifact():
    http, files = FakeRegistry(), drafts()
    assert {} == waiting_files.read(http, GUN)
    assert not waiting_files.offer(http, GUN, contents(files))
    waiting_files.write(http, GUN.repository, contents(files))
    assert files == waiting_files.read(http, GUN)
    waiting_files.clear(http, GUN.repository)
    assert {} == waiting_files.read(http, GUN)


def test_a_seawall_registry_keeps_them_itself():
    files = drafts()
    waiting = [
        {"role": str(role), "file": base64.b64encode(file.content).decode()}
        for role, file in files.items()
    ]
    http = FakeRegistry(json.dumps({"name": str(GUN), "waiting": waiting}).encode())
    assert waiting_files.offer(http, GUN, contents(files))
    (offered,) = http.offers
    assert set(map(str, files)) == json.loads(offered)["files"].keys()
    assert files == waiting_files.read(http, GUN)


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"[]", b"{}", b'{"waiting":1}', b'{"waiting":[1,{},{"role":"x","file":"?"}]}',
        b'{"waiting":[{"role":"targets/../x","file":"e30="},{"role":"targets","file":"e30="}]}',
    ],
)  # fmt: skip
def test_what_a_server_makes_up_is_left_out(answer):
    assert {} == waiting_files.read(FakeRegistry(answer), GUN)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"schemaVersion":2}', b"[" * 10_000])
def test_an_artifact_that_is_none_is_left_out(content):
    http = FakeRegistry()
    http.put_manifest(GUN.repository, waiting_files.TAG, content, "application/json")
    assert {} == waiting_files.read(http, GUN)


def test_layers_that_are_no_files_of_a_role_are_left_out():
    http, files = FakeRegistry(), drafts()
    wrong = {Role("targets"): b"{}", **contents(files), Role("root"): files[RELEASES].content}
    waiting_files.write(http, GUN.repository, wrong)
    assert files == waiting_files.read(http, GUN)
