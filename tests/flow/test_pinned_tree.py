"""With a pinned tree, from a signature to its revocation: what may run, and what may no more."""

import datetime as dt

import pytest

from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.testing import houses, images, signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import SHOP, Stage
from seawall.testing.tree_owners import TreeOwner
from seawall.trust.tuf.names import RELEASES

OLD, NEW = houses.image(pillow="11.0"), houses.image(pillow="12.0")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def stage(tmp_path, clock):
    """Two clean images, both signed by a trusted key for the tag 1; the newer one has the tag."""
    with Stage.opened(tmp_path, clock) as opened:
        opened.import_feeds()
        key = signatures.new_key()
        opened.trust(key)
        for made in (OLD, NEW):
            opened.push(SHOP, made, "1")
            opened.sign(key, SHOP, made, "1")
        opened.work()
        yield opened


def owner_of(stage):
    """Somebody whose pinned tree vouches for the newer image as 1, through the signer alice."""
    owner = TreeOwner(house=stage.house, repository=SHOP).init().pin().add_signer("alice")
    return owner.sign("1", NEW, "alice")


def refused(stage, name="shop/app:1"):
    answer = stage.may_run(name)
    assert isinstance(answer, Refusal), answer
    return {reason.rule: reason for reason in answer.reasons}


def test_without_a_pin_the_signatures_alone_count(stage):
    TreeOwner(house=stage.house, repository=SHOP).init()
    assert isinstance(stage.may_run("shop/app:1"), Admitted)


def test_what_the_pinned_tree_names_may_run_under_every_name_of_the_registry(stage):
    owner_of(stage)
    for host in stage.house.settings.registry_hosts:
        answer = stage.house.admission.may_run(f"{host}/shop/app:1", actor=houses.OPERATOR)
        assert isinstance(answer, Admitted), answer
        assert NEW.digest == answer.digest


def test_a_tag_that_was_moved_back_to_an_older_signed_image_is_refused_and_says_why(stage):
    owner_of(stage)
    stage.push(SHOP, OLD, "1")
    reason = refused(stage)["tree-intact"]
    assert f"1 stands for {NEW.digest}, not for {OLD.digest}" in reason.evidence
    assert "put the signed image back" in reason.remedy
    stage.push(SHOP, NEW, "1")
    assert isinstance(stage.may_run("shop/app:1"), Admitted)


def test_an_image_that_the_tree_does_not_name_is_refused_by_digest_too(stage):
    owner_of(stage)
    assert isinstance(stage.may_run(f"shop/app@{NEW.digest}"), Admitted)
    assert "tree" in refused(stage, f"shop/app@{OLD.digest}")


def test_a_member_of_an_index_that_the_tree_names_may_run_by_its_digest(stage):
    index = images.index(NEW)
    stage.push(SHOP, index, "all")
    owner = owner_of(stage).revoke("1").sign("all", index, "alice")
    key = owner.signers["alice"]
    stage.trust(key, name="alice")
    stage.work()
    assert isinstance(stage.may_run(f"shop/app@{NEW.digest}"), Admitted)


def test_a_revoked_tag_is_refused_at_the_next_question(stage):
    owner = owner_of(stage)
    assert isinstance(stage.may_run("shop/app:1"), Admitted)
    owner.revoke("1")
    assert "nothing in" in refused(stage)["tree"].evidence


def test_a_removed_signers_tag_is_refused_and_an_honest_one_still_runs(stage):
    owner = owner_of(stage).add_signer("bob")
    stage.push(SHOP, NEW, "2")
    key = signatures.new_key()
    stage.trust(key, name="more")
    stage.sign(key, SHOP, NEW, "2")
    owner.sign("2", NEW, "bob").remove_signer("alice")
    assert "tree" in refused(stage)
    assert isinstance(stage.may_run("shop/app:2"), Admitted)


def test_a_tree_signer_counts_as_a_signer_only_when_the_key_is_trusted(stage):
    for key in stage.house.trusted_keys.list():
        stage.house.trusted_keys.distrust(key.key_id, actor=houses.OPERATOR)
    owner = owner_of(stage)
    assert {"signed"} == set(refused(stage))
    stage.trust(owner.signers["alice"], name="alice")
    assert isinstance(stage.may_run("shop/app:1"), Admitted)
    stage.house.trusted_keys.distrust(owner.signers["alice"].public.key_id, actor=houses.OPERATOR)
    assert {"signed"} == set(refused(stage))


def test_the_tree_stays_fresh_while_somebody_asks(stage, clock):
    owner_of(stage)
    clock.advance(dt.timedelta(hours=25))
    assert isinstance(stage.may_run("shop/app:1"), Admitted)


def test_a_root_that_was_handed_over_is_followed_and_remembered(stage):
    owner = owner_of(stage)
    before = stage.house.pins.get(SHOP).pin
    owner.rotate_root()
    assert isinstance(stage.may_run("shop/app:1"), Admitted)
    after = stage.house.pins.get(SHOP).pin
    assert before.root_key_ids != after.root_key_ids
    assert owner.tree.roots[-1] == after.root
    owner.rotate_root()
    assert isinstance(stage.may_run("shop/app:1"), Admitted)


def test_a_deleted_tree_is_refused_until_it_is_there_again(stage):
    owner = owner_of(stage)
    stage.house.trees.delete(owner.gun, actor=houses.OPERATOR)
    assert "no trust data" in refused(stage)["tree"].evidence


def test_another_root_is_refused_whatever_it_vouches_for(stage):
    owner = owner_of(stage)
    stage.house.trees.delete(owner.gun, actor=houses.OPERATOR)
    TreeOwner(house=stage.house, repository=SHOP).init().sign("1", NEW)
    assert {"tree-intact", "tree"} == set(refused(stage))
    assert 1 == len(stage.events("TreeRefused"))
    refused(stage)
    assert 1 == len(stage.events("TreeRefused"))


def test_a_policy_may_only_warn_of_a_tag_outside_the_tree_but_not_of_a_moved_one(stage):
    stage.house.settings.policy.write_text(
        "version: 1\npolicies: [{name: soft, repositories: ['**'],"
        " rules: {signed: , tree: {mode: warn}}}]\n"
    )
    owner = owner_of(stage).revoke("1")
    answer = stage.may_run("shop/app:1")
    assert isinstance(answer, Admitted)
    assert ["tree"] == [reason.rule for reason in answer.warnings]
    owner.sign("1", OLD, "alice")
    assert {"tree-intact"} == set(refused(stage))


def test_two_signers_are_needed_where_the_releases_want_two(stage):
    owner = owner_of(stage).add_signer("bob")
    owner.sign("1", NEW, "alice", "bob").set_threshold(RELEASES, 2)
    assert isinstance(stage.may_run("shop/app:1"), Admitted)


def test_what_changes_in_the_tree_is_judged_again_by_the_workers(stage):
    owner = owner_of(stage)
    stage.work()
    assert stage.events("VerdictGiven")[-1].details()["allowed"]
    owner.revoke("1")
    stage.work()
    assert not stage.events("VerdictGiven")[-1].details()["allowed"]
