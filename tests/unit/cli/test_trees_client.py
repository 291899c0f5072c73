"""What the client of trees fetches, and that a hostile server ends in a proof that fails."""

from __future__ import annotations

import dataclasses

import pytest

from seawall.cli.trees_client import TreesClient
from seawall.core.errors import LimitError, NotFoundError
from seawall.testing import trees
from seawall.testing.signatures import new_key
from seawall.testing.trees import GUN
from seawall.trust.tuf import build
from seawall.trust.tuf.chain import Pin
from seawall.trust.tuf.model import FileMeta, Timestamp
from seawall.trust.tuf.names import RELEASES, TARGETS, TIMESTAMP, Role


class FakeServer:
    """Answers as a trust server does, with the bounds of the real client."""

    def __init__(self, lab: trees.TreeLab) -> None:
        tree = lab.tree()
        self.files = {"timestamp.json": tree.timestamp}
        self.put("snapshot", tree.snapshot)
        self.put("root", tree.roots[-1])
        for role, content in tree.targets.items():
            self.put(role, content)
        for number, content in enumerate(tree.roots, 1):
            self.files[f"{number}.root.json"] = content
        self.asked: list[str] = []
        self.uploads: list[bytes] = []

    def put(self, role: str, content: bytes) -> None:
        self.files[f"{role}.{FileMeta.of(content).sha256.hex()}.json"] = content

    def drop(self, beginning: str) -> None:
        self.files = {n: c for n, c in self.files.items() if not n.startswith(beginning)}

    def exchange(self, method, path, *, scope, max_bytes, headers=None, body=None):
        assert scope.startswith(f"repository:{GUN}:")
        name = path.removeprefix(f"/v2/{GUN}/_trust/tuf/")
        self.asked.append(name)
        if method == "POST":
            assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
            self.uploads.append(body)
            return b""
        if name not in self.files:
            raise NotFoundError(name)
        if len(self.files[name]) > max_bytes:
            raise LimitError(name)
        return self.files[name]


def fetch(lab, server, pin=None):
    return TreesClient(server, GUN).fetch(pin or lab.pin)


def test_fetches_a_tree_that_is_proven():
    lab = trees.team("ada", "lin")
    tree = fetch(lab, FakeServer(lab))
    assert {TARGETS, RELEASES, "targets/ada", "targets/lin"} == set(tree.targets)
    assert trees.prove(lab, tree).is_valid


def test_a_repository_without_a_tree_has_none():
    server = FakeServer(trees.simple())
    server.files.clear()
    assert TreesClient(server, GUN).fetch(None) is None


def rotated():
    lab = trees.simple()
    first = lab.pin
    for _ in range(3):
        before = lab.old_root_signers()
        lab.root_keys = [new_key()]
        lab.root(also_by=before)
    return lab, first


def test_fetches_the_roots_after_the_pinned_one_and_no_others():
    lab, first = rotated()
    server = FakeServer(lab)
    tree = fetch(lab, server, first)
    assert ["3.root.json", "2.root.json"] == [n for n in server.asked if n.endswith(".root.json")]
    assert trees.prove(lab, tree, pin=first).is_valid


def test_a_fingerprint_of_the_newest_root_needs_no_other():
    lab, _ = rotated()
    server = FakeServer(lab)
    ids = frozenset({build.ecdsa_signer(lab.root_keys[0]).key.key_id})
    tree = fetch(lab, server, Pin(root_key_ids=ids))
    assert 1 == len(tree.roots)
    assert trees.prove(lab, tree, pin=Pin(root_key_ids=ids)).is_valid


def test_a_fingerprint_of_an_older_root_is_followed_from_the_first():
    lab, first = rotated()
    pin = Pin(root_key_ids=first.root_key_ids)
    tree = fetch(lab, FakeServer(lab), pin)
    assert 4 == len(tree.roots)
    assert trees.prove(lab, tree, pin=pin).is_valid


@pytest.mark.parametrize("what", ["snapshot", "root", "targets.", "targets/ada", "2.root"])
def test_what_is_withheld_ends_in_a_proof_that_fails(what):
    lab = trees.team("ada")
    pin = lab.pin
    for _ in range(2):
        lab.root(also_by=lab.old_root_signers())
    server = FakeServer(lab)
    server.drop(what)
    assert not trees.prove(lab, fetch(lab, server, pin), pin=pin).is_valid


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b"\xff"])
def test_what_does_not_parse_ends_in_a_proof_that_fails(content):
    lab = trees.team("ada")
    server = FakeServer(lab)
    sound = dict(server.files)
    for name in sound:
        server.files = sound | {name: content}
        tree = fetch(lab, server, Pin(root_key_ids=lab.pin.root_key_ids))
        # the root by its number is not asked for here: the one by its hash carries the fingerprint
        assert trees.prove(lab, tree).is_valid == (name == "1.root.json")


def test_a_file_that_is_said_to_be_huge_is_not_asked_for():
    lab = trees.simple()
    server = FakeServer(lab)
    meta = dataclasses.replace(FileMeta.of(b"x"), length=2**50)
    body = Timestamp(version=9, expires=lab.now + trees.DAY, snapshot=meta)
    huge = build.signed_file(TIMESTAMP, body, [build.ed25519_signer(lab.timestamp_key)])
    server.files["timestamp.json"] = huge.content
    assert not trees.prove(lab, fetch(lab, server)).is_valid
    assert ["timestamp.json"] == server.asked


def test_an_upload_names_each_role():
    lab = trees.team("ada")
    server = FakeServer(lab)
    files = {role: file.content for role, file in lab.files.items()}
    TreesClient(server, GUN).publish(files)
    (body,) = server.uploads
    for role in (TARGETS, RELEASES, Role("targets/ada")):
        assert f'name="files"; filename="{role}"'.encode() in body
        assert lab.files[role].content in body
