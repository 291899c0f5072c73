"""Edits of a tree: what is signed with which key, and that no sequence of them breaks the tree."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from seawall.core.errors import ConflictError, DeniedError, InvalidInputError, NotFoundError
from seawall.oci.names import Tag
from seawall.testing import trees
from seawall.testing.signatures import new_key
from seawall.testing.trees import NOW, TreeLab, target
from seawall.trust.keys import PrivateKey
from seawall.trust.tuf import build, chain, drafts, edits, rotations
from seawall.trust.tuf.drafts import Current, Keyring
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Role

ALICE, BOB, CAROL = Role("targets/alice"), Role("targets/bob"), Role("targets/carol")
V1, V2 = Tag("v1"), Tag("v2")


def started(*, root_keys: int = 1, threshold: int = 1) -> TreeLab:
    """Return a tree that `init` made, with the server's part."""
    lab = TreeLab(root_keys=[new_key() for _ in range(root_keys)])
    upload = rotations.init(
        lab.gun,
        root=lab.root_keys,
        targets=lab.targets_key,
        snapshot=build.ed25519_signer(lab.snapshot_key).key,
        timestamp=build.ed25519_signer(lab.timestamp_key).key,
        now=lab.now,
        threshold=threshold,
    )
    lab.accept(upload.files)
    return lab


def with_people(*names: str) -> TreeLab:
    lab = started()
    for name in names:
        lab.people[name] = new_key()
        owner = Keyring.of([lab.targets_key])
        public = lab.people[name].public
        lab.accept(edits.add_signer(lab.current(), owner, name, public, NOW).files)
    return lab


def of(lab: TreeLab, *names: str) -> Keyring:
    return Keyring.of([lab.people[name] for name in names])


def owner(lab: TreeLab, *more: str) -> Keyring:
    return Keyring.of([lab.targets_key, *lab.root_keys, *(lab.people[name] for name in more)])


def sign(lab: TreeLab, keyring: Keyring, tag: Tag, text: str) -> None:
    lab.accept(edits.set_tag(lab.current(), keyring, tag, target(text), NOW).files)


def test_a_new_tree_verifies_and_is_empty() -> None:
    lab = started()
    proof = trees.prove(lab, lab.tree(), None, None)
    assert proof.is_valid
    assert not trees.prove(lab, lab.tree(), "v1", None).is_valid


def test_a_root_of_several_keys_is_signed_by_all_at_the_ceremony() -> None:
    lab = started(root_keys=3, threshold=2)
    assert 3 == len(lab.roots[0].signatures)
    assert trees.prove(lab, lab.tree(), None, None).is_valid
    with pytest.raises(ConflictError, match="3 signatures of 2 keys"):
        started(root_keys=2, threshold=3)


def test_a_tag_goes_into_targets_while_there_are_no_signers() -> None:
    lab = started()
    sign(lab, owner(lab), V1, "one")
    assert TARGETS == trees.prove(lab, lab.tree()).found_in


def test_a_tag_goes_into_the_role_of_its_signer_and_into_releases() -> None:
    lab = with_people("alice", "bob")
    upload = edits.set_tag(lab.current(), of(lab, "alice"), V1, target("one"), NOW)
    assert {ALICE, RELEASES} == upload.files.keys()
    lab.accept(upload.files)
    assert (ALICE,) == trees.prove(lab, lab.tree()).vouchers


def test_the_owner_is_no_signer_where_there_are_signers() -> None:
    lab = with_people("alice")
    with pytest.raises(DeniedError, match="may not sign"):
        edits.set_tag(lab.current(), owner(lab), V1, target("one"), NOW)


def test_a_stranger_may_not_sign() -> None:
    lab = started()
    with pytest.raises(DeniedError, match="may not sign"):
        edits.set_tag(lab.current(), Keyring.of([new_key()]), V1, target("one"), NOW)


def test_revoking_takes_a_tag_out_of_every_role() -> None:
    lab = started()
    sign(lab, owner(lab), V1, "first push")
    lab.people["alice"] = new_key()
    public = lab.people["alice"].public
    lab.accept(edits.add_signer(lab.current(), owner(lab), "alice", public, NOW).files)
    sign(lab, of(lab, "alice"), V1, "one")
    upload = edits.revoke(lab.current(), owner(lab, "alice"), V1, NOW)
    assert {TARGETS, ALICE, RELEASES} == upload.files.keys()
    lab.accept(upload.files)
    assert "tag" == trees.prove(lab, lab.tree(), "v1", None).failures[0].name


def test_revoking_is_refused_where_clients_would_still_find_the_tag() -> None:
    lab = started()
    sign(lab, owner(lab), V1, "first push")
    lab.people["alice"] = new_key()
    public = lab.people["alice"].public
    lab.accept(edits.add_signer(lab.current(), owner(lab), "alice", public, NOW).files)
    sign(lab, of(lab, "alice"), V1, "one")
    with pytest.raises(DeniedError, match="still stand in targets"):
        edits.revoke(lab.current(), of(lab, "alice"), V1, NOW)


def test_revoking_names_the_roles_that_it_could_not_write() -> None:
    lab = with_people("alice", "bob")
    sign(lab, of(lab, "alice", "bob"), V1, "one")
    assert (BOB,) == edits.revoke(lab.current(), of(lab, "alice"), V1, NOW).unsigned


def test_revoking_an_unknown_tag_is_refused() -> None:
    lab = started()
    with pytest.raises(NotFoundError, match="v9"):
        edits.revoke(lab.current(), owner(lab), Tag("v9"), NOW)


def test_removing_a_signer_shows_and_takes_what_nobody_else_vouches_for() -> None:
    lab = with_people("alice", "bob")
    sign(lab, of(lab, "alice", "bob"), V1, "one")
    sign(lab, of(lab, "bob"), V2, "two")
    removal = edits.remove_signer(lab.current(), owner(lab, "alice"), "bob", NOW)
    assert ["v2"] == [one.tag for one in removal.affected]
    lab.accept(removal.upload.files)
    assert trees.prove(lab, lab.tree(), "v1", "one").is_valid
    assert "tag" == trees.prove(lab, lab.tree(), "v2", None).failures[0].name


def test_removing_a_signer_does_not_bring_an_older_digest_back() -> None:
    lab = started()
    sign(lab, owner(lab), V1, "old")
    for name in ("alice", "bob"):
        lab.people[name] = new_key()
        public = lab.people[name].public
        lab.accept(edits.add_signer(lab.current(), owner(lab), name, public, NOW).files)
    sign(lab, of(lab, "bob"), V1, "new")
    assert trees.prove(lab, lab.tree(), "v1", "new").is_valid
    removal = edits.remove_signer(lab.current(), owner(lab, "alice"), "bob", NOW)
    lab.accept(removal.upload.files)
    assert "tag" == trees.prove(lab, lab.tree(), "v1", None).failures[0].name


def test_removing_the_last_signer_takes_releases_away() -> None:
    lab = with_people("alice")
    sign(lab, of(lab, "alice"), V1, "one")
    removal = edits.remove_signer(lab.current(), owner(lab), "alice", NOW)
    assert ["v1"] == [one.tag for one in removal.affected]
    lab.accept(removal.upload.files)
    assert () == lab.current().targets.delegations
    assert "tag" == trees.prove(lab, lab.tree(), "v1", None).failures[0].name


def test_removing_without_a_key_of_releases_says_that_it_was_not_written() -> None:
    lab = with_people("alice", "bob")
    sign(lab, of(lab, "bob"), V1, "one")
    removal = edits.remove_signer(lab.current(), owner(lab), "bob", NOW)
    assert (RELEASES,) == removal.upload.unsigned
    lab.accept(removal.upload.files)
    assert not trees.prove(lab, lab.tree(), "v1", "one").is_valid


def test_removing_drops_roles_that_were_declared_below_releases() -> None:
    lab = with_people("alice", "bob")
    sign(lab, of(lab, "alice", "bob"), V1, "one")
    evil = trees.delegation(
        Role("targets/releases/x"), build.ecdsa_signer(lab.people["bob"]).key.key_id
    )
    body = lab.current().body(RELEASES)
    key = build.ecdsa_signer(lab.people["bob"]).key
    assert body is not None
    planted = drafts.reissued(body, NOW, keys={key.key_id: key}, delegations=[evil])
    lab.accept({RELEASES: build.signed_file(RELEASES, planted, [build.ecdsa_signer(lab.people["bob"])]).content})  # fmt: skip  # noqa: E501
    removal = edits.remove_signer(lab.current(), owner(lab, "alice"), "bob", NOW)
    lab.accept(removal.upload.files)
    clean = lab.current().body(RELEASES)
    assert clean is not None
    assert () == clean.delegations


def test_the_threshold_of_releases_survives_a_removal() -> None:
    lab = with_people("alice", "bob")
    lab.accept(rotations.set_threshold(lab.current(), owner(lab), RELEASES, 2, NOW).files)
    with pytest.raises(ConflictError, match="2 signatures of 1 keys"):
        edits.remove_signer(lab.current(), owner(lab, "alice"), "bob", NOW)


def test_the_owners_own_key_cannot_be_removed_as_a_signer() -> None:
    lab = started()
    public = lab.targets_key.public
    lab.accept(edits.add_signer(lab.current(), owner(lab), "me", public, NOW).files)
    with pytest.raises(ConflictError, match="the owner's key"):
        edits.remove_signer(lab.current(), owner(lab), "me", NOW)


def test_removing_an_unknown_signer_is_refused() -> None:
    with pytest.raises(NotFoundError, match="no signer bob"):
        edits.remove_signer(with_people("alice").current(), Keyring.of([]), "bob", NOW)


@pytest.mark.parametrize("name", ["releases", "", "Alice", "a/b", "..", "x" * 101])
def test_refuses_a_name_that_is_no_signer(name: str) -> None:
    with pytest.raises(InvalidInputError):
        edits.signer_role(name)


def test_below_the_threshold_nothing_is_published_and_a_second_signer_completes_it() -> None:
    lab = with_people("alice", "bob", "carol")
    lab.accept(rotations.set_threshold(lab.current(), owner(lab), RELEASES, 2, NOW).files)
    first = edits.set_tag(lab.current(), of(lab, "alice"), V1, target("one"), NOW)
    assert {} == first.files
    (waiting,) = first.pending
    (need,) = waiting.requirements
    assert 1 == need.missing
    ids = {name: build.ecdsa_signer(key).key.key_id for name, key in lab.people.items()}
    assert {ids["bob"], ids["carol"]} == need.may_sign - need.have_signed
    later = NOW + dt.timedelta(hours=3)
    begun = {one.file.role: one.file for one in first.drafts}
    second = edits.set_tag(lab.current(), of(lab, "bob"), V1, target("one"), later, waiting=begun)
    assert {ALICE, BOB, RELEASES} == second.files.keys()
    lab.accept(second.files)
    assert trees.prove(lab, lab.tree(), "v1", "one").is_valid


def test_a_draft_for_another_target_is_not_joined() -> None:
    lab = with_people("alice", "bob")
    lab.accept(rotations.set_threshold(lab.current(), owner(lab), RELEASES, 2, NOW).files)
    first = edits.set_tag(lab.current(), of(lab, "alice"), V1, target("evil"), NOW)
    begun = {one.file.role: one.file for one in first.drafts}
    second = edits.set_tag(lab.current(), of(lab, "bob"), V1, target("one"), NOW, waiting=begun)
    assert {} == second.files


def test_one_key_twice_is_one_signature() -> None:
    lab = with_people("alice", "bob")
    lab.accept(rotations.set_threshold(lab.current(), owner(lab), RELEASES, 2, NOW).files)
    first = edits.set_tag(lab.current(), of(lab, "alice"), V1, target("one"), NOW)
    begun = {one.file.role: one.file for one in first.drafts}
    again = edits.set_tag(lab.current(), of(lab, "alice"), V1, target("one"), NOW, waiting=begun)
    assert {} == again.files


def test_a_new_root_waits_for_enough_of_the_old_keys() -> None:
    lab = started(root_keys=2, threshold=2)
    fresh = [new_key()]
    one = Keyring.of(lab.root_keys[:1])
    upload = rotations.rotate_root(lab.current(), one, fresh, NOW, threshold=1)
    assert {} == upload.files
    (draft,) = upload.pending
    other = Keyring.of(lab.root_keys[1:])
    wanted = drafts.own_keys(lab.roots[-1]), drafts.own_keys(draft.file)
    done = drafts.sign_more(draft.file, other, *wanted)
    assert done.is_complete
    lab.accept({ROOT: done.file.content})
    assert trees.prove(lab, lab.tree(), None, None).is_valid


def test_a_renewal_writes_only_what_expires() -> None:
    lab = with_people("alice")
    sign(lab, of(lab, "alice"), V1, "one")
    month = dt.timedelta(days=30)
    assert {} == rotations.renew(lab.current(), owner(lab), NOW, within=month).files
    later = NOW + drafts.TARGETS_LIFETIME - dt.timedelta(days=3)
    upload = rotations.renew(lab.current(), owner(lab), later, within=month)
    assert {TARGETS} == upload.files.keys()
    assert {ALICE, RELEASES} == set(upload.unsigned)


def test_a_renewed_root_comes_in_new_certificates() -> None:
    lab = started()
    first = lab.pin
    for _ in range(3):
        lab.now += dt.timedelta(days=3600)
        year = dt.timedelta(days=365)
        keyring = owner(lab)
        lab.accept(rotations.renew(lab.current(), keyring, lab.now, within=year).files)
    assert trees.prove(lab, lab.tree(), None, None, pin=first).is_valid


def test_a_snapshot_is_made_only_where_its_key_is_held() -> None:
    lab = started()
    upload = edits.set_tag(lab.current(), owner(lab), V1, target("one"), NOW)
    assert upload == drafts.with_snapshot(lab.current(), upload, owner(lab), NOW)


class Edits(RuleBasedStateMachine):
    """Any sequence of valid edits: the tree verifies, and says what the model says."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = started()
        self.first = self.lab.pin
        self.seen = self.lab.pin
        self.owner_tags: dict[str, str] = {}
        self.releases: dict[str, str] = {}
        self.signed: dict[str, dict[str, str]] = {}
        self.gone: set[tuple[str, str]] = set()

    @property
    def all_keys(self) -> list[PrivateKey]:
        return [*self.lab.root_keys, self.lab.targets_key, *self.lab.people.values()]

    def keyring(self) -> Keyring:
        return Keyring.of(self.all_keys)

    def current(self) -> Current:
        return self.lab.current()

    @rule(name=st.sampled_from(["alice", "bob", "carol"]), tag=st.sampled_from(["v1", "v2"]),
          text=st.sampled_from(["one", "two", "three"]))  # fmt: skip
    def sign(self, name: str, tag: str, text: str) -> None:
        if self.signed and name not in self.signed:
            return
        keyring = of(self.lab, name) if self.signed else owner(self.lab)
        upload = edits.set_tag(self.current(), keyring, Tag(tag), target(text), self.lab.now)
        self.lab.accept(upload.files)
        if not self.signed:
            self.owner_tags[tag] = text
        elif not upload.pending:
            self.signed[name][tag] = self.releases[tag] = text

    @rule(tag=st.sampled_from(["v1", "v2"]))
    def revoke(self, tag: str) -> None:
        try:
            upload = edits.revoke(self.current(), self.keyring(), Tag(tag), self.lab.now)
        except NotFoundError:
            assert tag not in {**self.owner_tags, **self.releases}
            return
        self.lab.accept(upload.files)
        for said in (self.owner_tags, self.releases, *self.signed.values()):
            said.pop(tag, None)

    @rule(name=st.sampled_from(["alice", "bob", "carol"]))
    def add(self, name: str) -> None:
        if name in self.signed:
            return
        self.lab.people[name] = new_key()
        public = self.lab.people[name].public
        upload = edits.add_signer(self.current(), self.keyring(), name, public, self.lab.now)
        self.lab.accept(upload.files)
        # A server keeps the file of a role that was removed; nothing signed by an old key counts.
        self.lab.files.pop(Role(f"targets/{name}"), None)
        self.signed[name] = {}

    @rule(name=st.sampled_from(["alice", "bob", "carol"]))
    def remove(self, name: str) -> None:
        if name not in self.signed:
            return
        try:
            removal = edits.remove_signer(self.current(), self.keyring(), name, self.lab.now)
        except ConflictError:
            return  # the threshold of releases
        lost = {
            tag
            for tag, text in self.releases.items()
            if self.owner_tags.get(tag) != text
            and not any(s.get(tag) == text for who, s in self.signed.items() if who != name)
        }
        assert lost == {one.tag for one in removal.affected}
        self.lab.accept(removal.upload.files)
        del self.signed[name]
        del self.lab.people[name]
        for tag in lost:
            self.gone.add((tag, self.releases.pop(tag)))
            self.owner_tags.pop(tag, None)
        if not self.signed:
            self.lab.files.pop(RELEASES, None)
            self.releases = {}

    @precondition(lambda self: len(self.signed) > 1)
    @rule(threshold=st.integers(1, 3))
    def want_more(self, threshold: int) -> None:
        try:
            upload = rotations.set_threshold(
                self.current(), self.keyring(), RELEASES, threshold, self.lab.now
            )
        except ConflictError:
            assert threshold > len(self.signed)
            return
        self.lab.accept(upload.files)

    @rule(count=st.integers(1, 3), threshold=st.integers(1, 3))
    def rotate_root(self, count: int, threshold: int) -> None:
        fresh = [new_key() for _ in range(count)]
        try:
            upload = rotations.rotate_root(
                self.current(), self.keyring(), fresh, self.lab.now, threshold=threshold
            )
        except ConflictError:
            assert threshold > count
            return
        self.lab.accept(upload.files)
        self.lab.root_keys = fresh

    @rule()
    def rotate_targets(self) -> None:
        fresh = new_key()
        upload = rotations.rotate_targets(self.current(), self.keyring(), fresh, self.lab.now)
        self.lab.accept(upload.files)
        self.lab.targets_key = fresh

    @rule(role=st.sampled_from([SNAPSHOT, TIMESTAMP]))
    def rotate_server(self, role: Role) -> None:
        fresh = TreeLab().snapshot_key
        upload = rotations.rotate_server_key(
            self.current(), self.keyring(), role, build.ed25519_signer(fresh).key, self.lab.now
        )
        if role == SNAPSHOT:
            self.lab.snapshot_key = fresh
        else:
            self.lab.timestamp_key = fresh
        self.lab.accept(upload.files)

    @rule()
    def renew(self) -> None:
        self.lab.now += dt.timedelta(days=400)
        within = dt.timedelta(days=800)
        upload = rotations.renew(self.current(), self.keyring(), self.lab.now, within=within)
        assert () == upload.pending
        self.lab.accept(upload.files)

    @invariant()
    def holds(self) -> None:
        tree = self.lab.tree()
        for pin in (self.first, self.seen):
            proof = trees.prove(self.lab, tree, None, None, pin=pin)
            assert proof.is_valid, proof.failures
        assert proof.pin_after is not None
        self.seen = proof.pin_after
        for tag in ("v1", "v2"):
            text = {**self.owner_tags, **self.releases}.get(tag)
            self.check(tree, tag, text)
        for tag, text in self.gone:
            if {**self.owner_tags, **self.releases}.get(tag) != text:
                assert not trees.prove(self.lab, tree, tag, text, pin=self.seen).is_valid

    def check(self, tree: chain.Tree, tag: str, text: str | None) -> None:
        proof = trees.prove(self.lab, tree, tag, text, pin=self.seen)
        if text is None:
            assert not proof.is_valid
        elif tag not in self.releases or any(
            said.get(tag) == text for said in (self.owner_tags, *self.signed.values())
        ):
            assert proof.is_valid, proof.failures
        else:
            assert ["signers"] == [step.name for step in proof.failures]


TestEdits = Edits.TestCase
TestEdits.settings = settings(max_examples=10, stateful_step_count=15, deadline=None)
