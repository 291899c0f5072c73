"""The page of a repository's trust over the real rooms: pin, tags, roles, what waits, the log."""

import pytest

from seawall.core.reason import Refusal
from seawall.testing import houses, signatures
from seawall.testing.houses import ADA, LIN, OTHER, SHOP, Stage
from seawall.testing.tree_owners import TreeOwner
from seawall.trust.tuf import build, edits
from seawall.trust.tuf.drafts import Keyring
from seawall.trust.tuf.model import Target
from seawall.trust.tuf.names import RELEASES
from seawall.web.views import Outcome

OLD, NEW = houses.image(pillow="11.0"), houses.image(pillow="12.0")


@pytest.fixture
def stage(tmp_path):
    with Stage.opened(tmp_path) as opened:
        opened.push(SHOP, NEW, "1")
        yield opened


def page(stage, viewer=ADA, repository=SHOP):
    return stage.pages.trust(viewer, repository)


def test_a_repository_that_the_viewer_may_not_pull_has_no_page(stage):
    assert page(stage, LIN) is None
    assert page(stage, ADA, OTHER) is None
    assert page(stage, ADA) is not None


def test_without_pin_and_tree_it_says_who_may_sign_and_who_did(stage):
    key = signatures.new_key()
    stage.trust(key)
    stage.sign(key, SHOP, NEW, "1")
    shown = page(stage)
    assert (None, Outcome.PENDING, ()) == (shown.pin, shown.tree, shown.roles)
    assert ["release"] == [one.name for one in shown.keys]
    [tag] = shown.tags
    assert ("1", ("release",), Outcome.PENDING) == (tag.name, tag.signers, tag.outcome)
    assert ("cosign-tag", "sigstore-bundle") == tag.forms
    assert tag.newest is not None


def test_with_a_pinned_tree_it_shows_roles_freshness_and_moved_tags(stage):
    owner = TreeOwner(house=stage.house, repository=SHOP).init().pin().add_signer("alice")
    stage.trust(owner.signers["alice"], name="alice")
    owner.sign("1", NEW, "alice")
    shown = page(stage)
    assert (Outcome.ALLOWED, 11) == (shown.tree, len(shown.steps))
    assert shown.refreshed_at is not None
    assert "operator:root" == shown.pin.pinned_by
    releases = next(role for role in shown.roles if role.name == RELEASES)
    assert (1, "alice") == (releases.threshold, releases.keys[0].name)
    [tag] = shown.tags
    assert (Outcome.ALLOWED, ("alice",), ("tuf",)) == (tag.outcome, tag.signers, tag.forms)
    stage.push(SHOP, OLD, "1")
    [moved] = page(stage).tags
    assert Outcome.REFUSED == moved.outcome
    assert f"not for {OLD.digest}" in moved.note
    assert isinstance(stage.may_run("shop/app:1"), Refusal)


def test_what_waits_is_shown_with_who_signed_and_who_still_may(stage):
    owner = TreeOwner(house=stage.house, repository=SHOP).init()
    owner.add_signer("alice").add_signer("bob").set_threshold(RELEASES, 2)
    for name in ("alice", "bob"):
        stage.trust(owner.signers[name], name=name)
    target = Target(digest=NEW.digest, length=len(NEW.manifest))
    upload = edits.set_tag(
        owner.current, Keyring.of([owner.signers["alice"]]), "1", target, owner.now
    )
    [begun] = [one.file for one in upload.drafts if one.file.role == RELEASES]
    pending = stage.house.pending
    pending.offer(owner.gun, {RELEASES: begun.content}, actor=houses.CI)
    [waiting] = page(stage).waiting
    assert (1, ["alice"], ["bob"]) == (
        waiting.missing,
        [one.name for one in waiting.have_signed],
        [one.name for one in waiting.may_sign],
    )
    more = build.ecdsa_signer(owner.signers["bob"]).sign(begun.signed_bytes)
    whole = build.with_signatures(begun, [more])
    pending.offer(owner.gun, {RELEASES: whole.content}, actor=houses.CI)
    assert () == page(stage).waiting


def test_the_log_has_what_happened_to_the_tags(stage):
    stage.work()
    shown = page(stage)
    assert ("seawall.tag", "1", NEW.digest) == (
        shown.log[0].kind, shown.log[0].tag, shown.log[0].digest,
    )  # fmt: skip
    assert shown.log_size == shown.log[0].number + 1
