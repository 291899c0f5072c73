"""The chain from a pinned root to a digest: what it proves, and what it says on the way."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.oci.digest import Digest
from seawall.oci.names import Tag
from seawall.testing import trees
from seawall.testing.signatures import new_key
from seawall.trust.tuf import chain
from seawall.trust.tuf.chain import Pin, Tree
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Role

DAY = trees.DAY


def failed(proof: chain.ChainProof) -> str:
    """Return the name of the step that failed, empty when none did."""
    assert proof.is_valid == (not proof.failures)
    return proof.failures[-1].name if proof.failures else ""


def test_proves_a_tag_from_the_pinned_root_in_fourteen_steps() -> None:
    lab = trees.simple()
    proof = trees.prove(lab, lab.tree())
    assert list(chain.STEPS.values()) == [step.name for step in proof.steps]
    assert proof.is_valid
    assert not proof.remedy


def test_names_every_key_that_the_proof_rests_on() -> None:
    lab = trees.team("alice", "bob")
    proof = trees.prove(lab, lab.tree())
    found = {(one.role, one.key_id) for one in proof.signers}
    assert (ROOT, lab.root_keys[0].public.key_id) in found
    assert (TARGETS, lab.targets_key.public.key_id) in found
    assert ("targets/bob", lab.people["bob"].public.key_id) in found
    assert {ROOT, TIMESTAMP, SNAPSHOT, TARGETS, RELEASES, "targets/alice", "targets/bob"} == {
        role for role, _ in found
    }
    assert ("targets/alice", "targets/bob") == proof.vouchers


def test_expires_with_the_first_file_that_expires() -> None:
    lab = trees.simple()
    assert lab.now + DAY == trees.prove(lab, lab.tree()).expires


def test_finds_the_tag_of_a_digest() -> None:
    lab = trees.simple({"v1": "one", "v2": "two"})
    proof = trees.prove(lab, lab.tree(), None, "two")
    assert "v2" == proof.tag
    assert proof.is_valid
    assert "tag" == failed(trees.prove(lab, lab.tree(), None, "three"))


def test_finds_the_digest_of_a_tag() -> None:
    lab = trees.simple()
    proof = trees.prove(lab, lab.tree(), "v1", None)
    assert proof.target is not None
    assert Digest.of(b"one") == proof.target.digest


def test_proves_a_tree_without_asking_for_a_tag() -> None:
    lab = trees.simple({})
    assert trees.prove(lab, lab.tree(), None, None).is_valid


def test_looks_into_releases_before_targets() -> None:
    lab = trees.team("alice", tags={"v1": "new"})
    lab.publish(TARGETS, {"v1": "old", "v0": "older"})
    tree = lab.tree()
    assert RELEASES == trees.prove(lab, tree, "v1", "new").found_in
    assert "digest" == failed(trees.prove(lab, tree, "v1", "old"))
    assert "tag" == failed(trees.prove(lab, tree, None, "old"))
    assert TARGETS == trees.prove(lab, tree, "v0", "older").found_in


def test_a_tag_that_only_a_signer_names_is_not_published() -> None:
    lab = trees.team("alice")
    lab.publish(Role("targets/alice"), {"v1": "one", "v2": "two"}, by=[lab.people["alice"]])
    assert "tag" == failed(trees.prove(lab, lab.tree(), "v2", "two"))


def test_releases_alone_vouch_where_there_are_no_signers() -> None:
    lab = trees.TreeLab(people={"ci": new_key()})
    lab.root()
    lab.publish(TARGETS, {}, delegations=lab.delegations("ci")[1:])
    lab.publish(RELEASES, {"v1": "one"}, by=[lab.people["ci"]])
    proof = trees.prove(lab, lab.tree())
    assert proof.is_valid
    assert () == proof.vouchers


def test_a_delegation_names_only_what_its_paths_allow() -> None:
    lab = trees.team("alice", tags={"v1": "one", "dev-1": "dev"})
    narrow = [dataclasses.replace(one, paths=("dev-",)) for one in lab.delegations("alice")]
    lab.publish(TARGETS, {}, delegations=narrow)
    assert trees.prove(lab, lab.tree(), "dev-1", "dev").is_valid
    assert "tag" == failed(trees.prove(lab, lab.tree(), "v1", "one"))


def test_follows_root_rotations_and_remembers_the_newest() -> None:
    lab = trees.simple()
    first = lab.pin
    for _ in range(3):
        before = lab.old_root_signers()
        lab.root_keys = [new_key()]
        lab.root(also_by=before)
    proof = trees.prove(lab, lab.tree(), pin=first)
    assert proof.is_valid
    assert proof.pin_after is not None
    assert lab.roots[-1].content == proof.pin_after.root
    assert 4 == proof.pin_after.seen[ROOT]
    assert trees.prove(lab, lab.tree(), pin=proof.pin_after).is_valid


def test_goes_on_from_the_pinned_root_when_older_ones_are_gone() -> None:
    lab = trees.simple()
    lab.root(also_by=lab.old_root_signers())
    pin = trees.prove(lab, lab.tree()).pin_after
    tree = dataclasses.replace(lab.tree(), roots=(lab.roots[-1].content,))
    assert trees.prove(lab, tree, pin=pin).is_valid


def test_begins_with_a_fingerprint() -> None:
    lab = trees.simple()
    ids = lab.pin.root_key_ids
    assert trees.prove(lab, lab.tree(), pin=Pin(root_key_ids=ids)).is_valid
    other = Pin(root_key_ids=trees.simple().pin.root_key_ids)
    assert "first root" == failed(trees.prove(lab, lab.tree(), pin=other))


def test_every_key_of_a_fingerprint_must_have_signed() -> None:
    lab = trees.simple()
    both = Pin(root_key_ids=lab.pin.root_key_ids | trees.simple().pin.root_key_ids)
    assert "first root" == failed(trees.prove(lab, lab.tree(), pin=both))


def test_first_use_is_trusted_only_where_it_is_spelled() -> None:
    lab = trees.simple()
    asked = {"gun": lab.gun, "tree": lab.tree(), "pin": None, "now": lab.now}
    refused = chain.prove(Tag("v1"), None, **asked)
    assert "pin" == failed(refused)
    assert "seawall trust pin" in refused.remedy
    assert chain.prove(Tag("v1"), None, unsafe_first_use=True, **asked).is_valid


def test_an_empty_pin_is_no_pin_even_on_first_use() -> None:
    lab = trees.simple()
    proof = chain.prove(
        Tag("v1"), None, gun=lab.gun, tree=lab.tree(), pin=Pin(root_key_ids=frozenset()),
        now=lab.now, unsafe_first_use=True,
    )  # fmt: skip
    assert "pin" == failed(proof)


def test_says_that_there_is_no_tree() -> None:
    lab = trees.simple()
    proof = trees.prove(lab, None)
    assert "first root" == failed(proof)
    assert "no trust data" in proof.failures[0].detail


def test_versions_seen_never_go_back() -> None:
    lab = trees.simple()
    newer = trees.prove(lab, lab.tree(version=7, snapshot_version=5)).pin_after
    assert newer is not None
    assert {ROOT: 1, TIMESTAMP: 7, SNAPSHOT: 5, TARGETS: 1} == dict(newer.seen)
    assert "remembered" == failed(trees.prove(lab, lab.tree(version=6), pin=newer))
    stale = lab.tree(version=8, snapshot_version=4)
    assert "snapshot" == failed(trees.prove(lab, stale, pin=newer))


def test_remembers_versions_even_when_the_tag_is_not_there() -> None:
    lab = trees.simple()
    proof = trees.prove(lab, lab.tree(version=9), "v9", None)
    assert "tag" == failed(proof)
    assert proof.pin_after is not None
    assert 9 == proof.pin_after.seen[TIMESTAMP]


def test_remembers_nothing_of_a_tree_that_does_not_hold() -> None:
    lab = trees.simple()
    tree = dataclasses.replace(lab.tree(version=9), snapshot=lab.tree().snapshot)
    assert lab.pin == trees.prove(lab, tree, pin=lab.pin).pin_after


def test_new_server_keys_forget_a_version_that_a_thief_made_huge() -> None:
    lab = trees.simple()
    stolen = trees.prove(lab, lab.tree(version=2**62)).pin_after
    assert "remembered" == failed(trees.prove(lab, lab.tree(version=2), pin=stolen))
    lab.timestamp_key = trees.TreeLab().timestamp_key
    lab.root(also_by=lab.old_root_signers())
    assert trees.prove(lab, lab.tree(version=3), pin=stolen).is_valid


def test_a_removed_delegation_may_begin_anew() -> None:
    lab = trees.team("alice", "bob")
    lab.publish(Role("targets/bob"), {"v1": "one"}, by=[lab.people["bob"]], version=40)
    with_bob = trees.prove(lab, lab.tree()).pin_after
    lab.publish(TARGETS, {}, delegations=lab.delegations("alice"))
    del lab.files[Role("targets/bob")]
    without = trees.prove(lab, lab.tree(), pin=with_bob)
    assert without.is_valid
    assert without.pin_after is not None
    assert "targets/bob" not in without.pin_after.seen


def test_a_signer_who_lost_the_threshold_is_passed_over() -> None:
    lab = trees.team("alice", "bob")
    lab.publish(Role("targets/bob"), {"v1": "one"}, by=[lab.people["bob"]], expires=lab.now)
    proof = trees.prove(lab, lab.tree())
    assert proof.is_valid
    assert ("targets/alice",) == proof.vouchers
    assert "passed over: targets/bob expired" in proof.steps[10].detail


def test_age_is_judged_by_the_lifetime_that_the_server_gives() -> None:
    lab = trees.simple()
    tree = lab.tree(lifetime=DAY)
    later = lab.now + dt.timedelta(hours=3)
    assert trees.prove(lab, tree, now=later, max_age=dt.timedelta(hours=4)).is_valid
    old = trees.prove(lab, tree, now=later, max_age=dt.timedelta(hours=2))
    assert "freshness" == failed(old)
    assert "3.0 h old" in old.failures[0].detail


def test_a_time_without_zone_is_a_fault_of_the_caller() -> None:
    lab = trees.simple()
    with pytest.raises(ValueError, match="zone"):
        trees.prove(lab, lab.tree(), now=lab.now.replace(tzinfo=None))


def small_tree() -> tuple[trees.TreeLab, Tree]:
    lab = trees.team("alice")
    return lab, lab.tree()


@pytest.mark.parametrize("name", ["root", "timestamp", "snapshot", *small_tree()[1].targets])
def test_refuses_a_tree_with_any_byte_of_a_file_changed(name: str) -> None:
    lab, tree = small_tree()
    assert trees.prove(lab, tree).is_valid
    # A fingerprint, so that the root itself is under attack too.
    pin = Pin(root_key_ids=lab.pin.root_key_ids)
    content = file_of(tree, name)
    # No other file names the hash of the timestamp: every bit of it is tried.
    bits = range(8) if name == "timestamp" else [len(content) % 8]
    for position, bit in itertools.product(range(len(content)), bits):
        changed = bytearray(content)
        changed[position] ^= 1 << bit
        proof = trees.prove(lab, with_file(tree, name, bytes(changed)), pin=pin)
        assert not proof.is_valid, f"{name} verifies with byte {position} changed"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_refuses_a_tree_with_a_file_cut_or_stretched(data: st.DataObject) -> None:
    lab, tree = _SMALL
    name = data.draw(st.sampled_from(["root", "timestamp", "snapshot", *tree.targets]))
    content = file_of(tree, name)
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    changed = content[:start] + data.draw(st.binary(max_size=40)) + content[end:]
    if not is_same_json(changed, content):  # white space is not signed
        pin = Pin(root_key_ids=lab.pin.root_key_ids)
        assert not trees.prove(lab, with_file(tree, name, changed), pin=pin).is_valid


_SMALL = small_tree()


def is_same_json(one: bytes, other: bytes) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def file_of(tree: Tree, name: str) -> bytes:
    match name:
        case "root":
            return tree.roots[0]
        case "timestamp":
            return tree.timestamp
        case "snapshot":
            return tree.snapshot
        case role:
            return tree.targets[Role(role)]


def with_file(tree: Tree, name: str, content: bytes) -> Tree:
    match name:
        case "root":
            return dataclasses.replace(tree, roots=(content,))
        case "timestamp":
            return dataclasses.replace(tree, timestamp=content)
        case "snapshot":
            return dataclasses.replace(tree, snapshot=content)
        case role:
            return dataclasses.replace(tree, targets={**tree.targets, Role(role): content})
