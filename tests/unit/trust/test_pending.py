"""Files that wait for their threshold: who may begin one, who completes it, what is refused."""

import dataclasses

import pytest

from seawall.core.actor import user
from seawall.core.errors import ConflictError, DeniedError, InvalidInputError, NotFoundError
from seawall.oci.digest import Digest
from seawall.oci.names import Tag
from seawall.testing.signatures import new_key
from seawall.testing.tree_servers import ADA, GUN, TreeServer
from seawall.trust.pending import PendingFiles
from seawall.trust.tuf import build, edits, rotations
from seawall.trust.tuf.drafts import Current, Keyring
from seawall.trust.tuf.model import Signature, Target, Targets
from seawall.trust.tuf.names import RELEASES, ROOT, TARGETS, Role

BOB = user("bob")
ONE = Target(digest=Digest.of(b"one"), length=3)


@dataclasses.dataclass(slots=True, kw_only=True)
class Team:
    """A tree whose releases want the signatures of both alice and bob."""

    server: TreeServer
    root: object
    alice: object
    bob: object

    @property
    def pending(self):
        return PendingFiles(self.server.database, self.server.clock, self.server.trees())

    @property
    def current(self):
        return Current.of(GUN, self.server.trees().tree(GUN))

    def releases(self, *keys, target=ONE):
        """Return targets/releases with the tag v1, signed by these keys."""
        upload = edits.set_tag(
            self.current, Keyring.of(keys), Tag("v1"), target, self.server.clock.now()
        )
        [file] = [d.file for d in upload.drafts if d.file.role == RELEASES]
        return file

    def offer(self, file, actor=ADA):
        return self.pending.offer(GUN, {str(file.role): file.content}, actor=actor)

    def named(self):
        """Return what the tree says of v1."""
        file = self.server.trees().tree(GUN).targets.get(RELEASES)
        return None if file is None else self.current.files[RELEASES].said(Targets).targets


@pytest.fixture
def team(tmp_path):
    server = TreeServer.in_folder(tmp_path)
    root, alice, bob = new_key(), new_key(), new_key()
    publisher = server.publisher(root_keys=[root])
    signers = {"alice": alice, "bob": bob}
    first = publisher.targets({}, signers=signers, threshold=2)
    files = {"root": publisher.root().content, "targets": first.content}
    server.trees().publish(GUN, files, actor=ADA)
    yield Team(server=server, root=root, alice=alice, bob=bob)
    server.database.close()


def test_a_file_below_its_threshold_waits_and_says_who_has_signed(team):
    outcome = team.offer(team.releases(team.alice))
    [waiting] = team.pending.list(GUN)
    assert ((), (waiting,), 1) == (outcome.published, outcome.waiting, waiting.missing)
    assert "ada" == waiting.started_by
    assert {build.ecdsa_signer(team.alice).key.canonical_id} == set(
        waiting.draft.requirements[0].have_signed
    )
    assert not team.named()


def test_the_signature_that_completes_it_publishes_it(team):
    begun = team.releases(team.alice)
    team.offer(begun)
    more = build.ecdsa_signer(team.bob).sign(begun.signed_bytes)
    outcome = team.offer(build.with_signatures_alone(begun, [more]), BOB)
    assert ((RELEASES,), ()) == (outcome.published, outcome.waiting)
    assert {"v1": ONE} == team.named()
    assert () == team.pending.list(GUN)
    assert [1, 0] == [
        entry.details()["waits_for"] for entry in team.server.events("TreeSignatureAdded")
    ]


def test_what_is_complete_at_once_does_not_wait(team):
    assert (RELEASES,) == team.offer(team.releases(team.alice, team.bob)).published


def test_the_same_signature_twice_is_no_second_one_and_no_event(team):
    begun = team.releases(team.alice)
    for _ in range(2):
        assert 1 == team.offer(begun).waiting[0].missing
    assert 1 == len(team.server.events("TreeSignatureAdded"))


def test_refuses_what_no_key_of_the_role_has_signed(team):
    stranger = build.ecdsa_signer(new_key())
    begun = team.releases(team.alice)
    forged = build.with_signatures_alone(begun, [stranger.sign(begun.signed_bytes)])
    with pytest.raises(DeniedError, match="no key that may sign"):
        team.offer(forged)
    assert () == team.pending.list(GUN)


def test_refuses_to_let_a_bad_signature_take_the_place_of_a_good_one(team):
    begun = team.releases(team.alice)
    team.offer(begun)
    [good] = begun.signatures
    bad = Signature(key_id=good.key_id, method=good.method, value=bytes(64))
    more = build.ecdsa_signer(team.bob).sign(begun.signed_bytes)
    outcome = team.offer(build.with_signatures_alone(begun, [bad, more]))
    assert (RELEASES,) == outcome.published


def test_refuses_another_change_while_one_waits_until_that_is_withdrawn(team):
    team.offer(team.releases(team.alice))
    other = team.releases(team.bob, target=Target(digest=Digest.of(b"two"), length=3))
    with pytest.raises(ConflictError, match="another change"):
        team.offer(other)
    team.pending.withdraw(GUN, RELEASES, actor=BOB)
    assert 1 == len(team.server.events("TreeChangeWithdrawn"))
    assert 1 == len(team.offer(other).waiting)
    with pytest.raises(NotFoundError):
        team.pending.withdraw(GUN, TARGETS, actor=BOB)


def test_refuses_a_version_that_the_tree_has_already(team):
    file = team.releases(team.alice, team.bob)
    team.offer(file)
    with pytest.raises(ConflictError, match="not newer"):
        team.offer(file)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets/../x", "Root", "nobody"])
def test_refuses_roles_that_do_not_wait(team, role):
    content = team.server.trees().tree(GUN).timestamp
    with pytest.raises(InvalidInputError):
        team.pending.offer(GUN, {role: content}, actor=ADA)


def test_refuses_a_role_that_the_tree_does_not_have(team):
    file = dataclasses.replace(team.releases(team.alice), role=Role("targets/carol"))
    with pytest.raises(ConflictError, match="no role"):
        team.pending.offer(GUN, {str(file.role): file.content}, actor=ADA)


def test_refuses_without_a_tree(team):
    file = team.releases(team.alice)
    with pytest.raises(NotFoundError):
        team.pending.offer(type(GUN)(f"{GUN}/other"), {RELEASES: file.content}, actor=ADA)


def test_what_the_tree_has_overtaken_waits_no_more(team):
    team.offer(team.releases(team.alice))
    both = team.releases(team.alice, team.bob, target=Target(digest=Digest.of(b"x"), length=1))
    team.server.trees().publish(GUN, {RELEASES: both.content}, actor=ADA)
    assert () == team.pending.list(GUN)


def test_a_new_root_waits_for_the_old_keys_and_its_own(team):
    new = new_key()
    now = team.server.clock.now()
    upload = rotations.rotate_root(
        team.current, Keyring.of([team.root]), [team.root, new], now, threshold=2
    )
    whole = upload.drafts[0].file
    by_new = [s for s in whole.signatures if s.key_id == _certified_id(whole, new)]
    rest = [s for s in whole.signatures if s not in by_new]
    with pytest.raises(DeniedError):
        team.offer(build.with_signatures_alone(whole, by_new))
    assert 1 == team.offer(build.with_signatures_alone(whole, rest)).waiting[0].missing
    assert (ROOT,) == team.offer(build.with_signatures_alone(whole, by_new), BOB).published


def _certified_id(root, key):
    wanted = build.ecdsa_signer(key).key.key_id
    return next(
        k for k, one in root.body.keys.items() if one.canonical_id == wanted and k != wanted
    )


def test_what_was_offered_together_is_published_together(team):
    upload = edits.set_tag(
        team.current, Keyring.of([team.alice]), Tag("v1"), ONE, team.server.clock.now()
    )
    files = {str(one.file.role): one.file.content for one in upload.drafts}
    assert {"targets/alice", RELEASES} == set(files)
    outcome = team.pending.offer(GUN, files, actor=ADA)
    assert () == outcome.published
    [releases] = [one.draft.file for one in outcome.waiting if one.role == RELEASES]
    more = build.ecdsa_signer(team.bob).sign(releases.signed_bytes)
    outcome = team.offer(build.with_signatures_alone(releases, [more]), BOB)
    assert ("targets/alice", RELEASES) == outcome.published
