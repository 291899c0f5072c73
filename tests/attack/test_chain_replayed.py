"""Old or mixed trees: each was signed by the right keys once, and none may be believed now."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from seawall.testing import trees
from seawall.trust.tuf import chain
from seawall.trust.tuf.chain import Pin, Tree
from seawall.trust.tuf.names import RELEASES, SNAPSHOT, TARGETS, TIMESTAMP, Role

HOUR = dt.timedelta(hours=1)


def refusal(proof: chain.ChainProof) -> str:
    """Return the step that refused, and make sure that nothing is offered beside it."""
    assert not proof.is_valid
    assert () == proof.signers
    assert proof.remedy
    return proof.failures[-1].name


def moved() -> tuple[trees.TreeLab, Tree, Tree]:
    """Return a lab with the tree before and after `v1` was moved from `old` to `new`."""
    lab = trees.simple({"v1": "old"})
    before = lab.tree()
    lab.publish(TARGETS, {"v1": "new"})
    return lab, before, lab.tree()


def seen(lab: trees.TreeLab, tree: Tree) -> Pin:
    """Return what a verifier remembers that saw `tree`."""
    pin = trees.prove(lab, tree, None, None).pin_after
    assert pin is not None
    return pin


def test_refuses_a_replay_to_a_verifier_that_saw_the_newer_tree() -> None:
    lab, before, after = moved()
    assert trees.prove(lab, before, "v1", "old").is_valid
    assert "remembered" == refusal(trees.prove(lab, before, "v1", "old", pin=seen(lab, after)))


def test_refuses_a_replay_to_a_fresh_verifier_once_it_is_older_than_asked() -> None:
    lab, before, _ = moved()
    late = lab.now + 2 * HOUR
    proof = trees.prove(lab, before, "v1", "old", now=late, max_age=HOUR)
    assert "freshness" == refusal(proof)


def test_refuses_a_frozen_timestamp_when_it_expires() -> None:
    lab, before, _ = moved()
    late = lab.now + trees.DAY
    assert "freshness" == refusal(trees.prove(lab, before, "v1", "old", now=late))


@pytest.mark.parametrize("lifetime", [dt.timedelta(days=2), dt.timedelta(days=3650)])
def test_refuses_a_timestamp_that_is_valid_longer_than_servers_make_it(
    lifetime: dt.timedelta,
) -> None:
    lab = trees.simple()
    proof = trees.prove(lab, lab.tree(lifetime=lifetime))
    assert "freshness" == refusal(proof)
    assert "longer than servers make it" in proof.failures[0].detail


def test_refuses_a_new_timestamp_of_a_remembered_older_snapshot() -> None:
    lab, _, after = moved()
    pin = seen(lab, after)
    rolled_back = lab.tree(snapshot_version=1)
    assert "snapshot" == refusal(trees.prove(lab, rolled_back, pin=pin))


@pytest.mark.parametrize("role", [TARGETS, Role("targets/ada"), RELEASES])
def test_refuses_an_older_file_of_a_role_in_a_new_snapshot(role: Role) -> None:
    lab = trees.team("ada", "lin", tags={"v1": "old"})
    old = lab.files[role]
    by = [lab.targets_key] if role == TARGETS else [lab.people["ada"]]
    lab.publish(role, {"v1": "new"}, by=by)
    pin = seen(lab, lab.tree())
    lab.files[role] = old
    wanted = "targets" if role == TARGETS else "delegations"
    assert wanted == refusal(trees.prove(lab, lab.tree(), "v1", "old", pin=pin))


def test_refuses_a_new_timestamp_with_an_old_snapshot() -> None:
    lab, before, after = moved()
    mixed = dataclasses.replace(after, snapshot=before.snapshot)
    assert "snapshot" == refusal(trees.prove(lab, mixed, "v1", "old"))


def test_refuses_a_new_snapshot_with_old_targets() -> None:
    lab, before, after = moved()
    mixed = dataclasses.replace(after, targets=before.targets)
    assert "targets" == refusal(trees.prove(lab, mixed, "v1", "old"))


def test_refuses_an_old_timestamp_with_a_new_snapshot() -> None:
    lab, before, after = moved()
    mixed = dataclasses.replace(after, timestamp=before.timestamp)
    assert "snapshot" == refusal(trees.prove(lab, mixed, "v1", "new"))


def test_refuses_a_snapshot_of_an_older_root() -> None:
    lab = trees.simple()
    first = lab.roots[0]
    lab.root(also_by=lab.old_root_signers())
    assert "consistency" == refusal(trees.prove(lab, lab.tree(root=first)))


def test_refuses_a_root_older_than_the_pinned_one() -> None:
    lab = trees.simple()
    before = lab.tree()
    lab.root(also_by=lab.old_root_signers())
    assert not trees.prove(lab, before, pin=seen(lab, lab.tree())).is_valid


def test_refuses_a_tag_that_was_moved_back_in_the_registry_alone() -> None:
    lab, _, after = moved()
    assert "digest" == refusal(trees.prove(lab, after, "v1", "old"))


def test_refuses_a_delegation_that_was_seen_and_is_withheld() -> None:
    lab = trees.team("ada", tags={"v1": "new"})
    lab.publish(TARGETS, {"v1": "old"})
    pin = seen(lab, lab.tree())
    del lab.files[RELEASES]
    assert "delegations" == refusal(trees.prove(lab, lab.tree(), "v1", "old", pin=pin))


def test_refuses_a_file_that_the_snapshot_names_and_the_server_withholds() -> None:
    lab = trees.team("ada")
    tree = lab.tree()
    for role in tree.targets:
        rest = {one: content for one, content in tree.targets.items() if one != role}
        assert not trees.prove(lab, dataclasses.replace(tree, targets=rest)).is_valid


def test_refuses_a_tree_that_is_gone() -> None:
    lab = trees.simple()
    assert "first root" == refusal(trees.prove(lab, None, pin=seen(lab, lab.tree())))


@pytest.mark.parametrize("role", [TARGETS, RELEASES])
def test_refuses_expired_roles(role: Role) -> None:
    lab = trees.team("ada")
    by = [lab.targets_key] if role == TARGETS else [lab.people["ada"]]
    lab.publish(role, {"v1": "one"}, by=by, expires=lab.now)
    assert refusal(trees.prove(lab, lab.tree())) in {"targets", "delegations"}


def test_refuses_an_expired_root() -> None:
    lab = trees.TreeLab()
    lab.root(expires=lab.now)
    lab.publish(TARGETS, {"v1": "one"})
    assert "root" == refusal(trees.prove(lab, lab.tree()))


def test_refuses_an_expired_snapshot() -> None:
    lab = trees.TreeLab()
    lab.root(expires=lab.now + 3 * trees.YEAR)
    lab.publish(TARGETS, {"v1": "one"}, expires=lab.now + 3 * trees.YEAR)
    tree = lab.tree(lifetime=2 * trees.YEAR)
    late = lab.now + trees.YEAR
    proof = trees.prove(lab, tree, now=late, lifetime=2 * trees.YEAR)
    assert "snapshot" == refusal(proof)
    assert "snapshot expired" in proof.failures[0].detail


def test_refuses_versions_that_go_back_role_by_role() -> None:
    lab = trees.simple()
    pin = seen(lab, lab.tree(version=5, snapshot_version=5))
    for role in (TIMESTAMP, SNAPSHOT):
        ahead = dataclasses.replace(pin, seen={**pin.seen, role: 2**40})
        assert refusal(trees.prove(lab, lab.tree(), pin=ahead)) in {"remembered", "snapshot"}
