"""Files that were signed over a tree as it was then: what of them may still be published."""

import dataclasses

import pytest

from seawall.core.errors import ConflictError
from seawall.oci.names import Tag
from seawall.testing import trees
from seawall.trust.tuf import carried, drafts, edits
from seawall.trust.tuf.drafts import Keyring
from seawall.trust.tuf.names import RELEASES, SNAPSHOT, TARGETS, Role

V2, TWO = Tag("v2"), trees.target("two")
ADA = Role("targets/ada")


def signed(lab, *people, tag=V2, target=TWO, waiting=None):
    """Return the files that these people signed offline for a tag."""
    keyring = Keyring.of([lab.people[one] for one in people] or [lab.targets_key])
    made = edits.set_tag(lab.current(), keyring, tag, target, lab.now, waiting=waiting or {})
    return {one.file.role: one.file for one in made.drafts}


def resume(lab, files, tag=V2, target=TWO, waiting=None):
    return carried.resume(lab.current(), files, tag, target, waiting=waiting or {})


@pytest.mark.parametrize("people", [(), ("ada",)])
def test_files_that_follow_are_published_as_they_are_and_then_stand(people):
    lab = trees.team(*people) if people else trees.simple()
    files = signed(lab, *people)
    upload = resume(lab, files)
    assert {role: file.content for role, file in files.items()} == upload.files
    lab.accept(upload.files)
    assert trees.prove(lab, lab.tree(), "v2", "two").is_valid
    assert () == resume(lab, files).drafts


def test_refuses_what_follows_an_older_tree():
    lab = trees.simple()
    files = signed(lab)
    lab.publish(TARGETS, {"v1": "one", "v3": "three"})
    with pytest.raises(ConflictError, match="moved on since this was signed: targets has changed"):
        resume(lab, files)


def test_refuses_another_tag_and_another_digest_than_the_file_names():
    lab = trees.simple()
    files = signed(lab)
    for tag, target in ((Tag("v9"), TWO), (V2, trees.target("other"))):
        with pytest.raises(ConflictError):
            resume(lab, files, tag, target)


def test_refuses_the_files_of_another_repositorys_tree_by_the_same_key():
    ours = trees.simple()
    theirs = trees.TreeLab(targets_key=ours.targets_key)
    theirs.root()
    theirs.publish(TARGETS, {"v1": "evil"})
    with pytest.raises(ConflictError, match="has changed"):
        resume(ours, signed(theirs))


def test_refuses_a_file_that_changes_more_than_the_tag():
    lab = trees.simple()
    before = lab.files[TARGETS]
    more = lab.publish(TARGETS, {"v1": "evil", "v2": "two"})
    lab.files[TARGETS] = before
    with pytest.raises(ConflictError):
        resume(lab, {TARGETS: more})


def test_refuses_a_root_among_the_files():
    lab = trees.simple()
    with pytest.raises(ConflictError):
        resume(lab, {lab.roots[0].role: dataclasses.replace(lab.roots[0], signed_bytes=b"other")})


@pytest.mark.parametrize("names", [("lin",), ()])
def test_refuses_a_signer_who_was_removed_meanwhile(names):
    lab = trees.team("ada", *names)
    files = signed(lab, "ada")
    lab.publish(TARGETS, {}, delegations=lab.delegations(*names) if names else [])
    with pytest.raises(ConflictError, match="may no longer sign"):
        resume(lab, files)


def test_refuses_signatures_that_were_altered():
    lab = trees.simple()
    [file] = signed(lab).values()
    broken = dataclasses.replace(file.signatures[0], value=bytes(64))
    with pytest.raises(ConflictError, match="may no longer sign"):
        resume(lab, {TARGETS: dataclasses.replace(file, signatures=(broken,))})
    with pytest.raises(ConflictError, match="may no longer sign"):
        resume(lab, signed(trees.simple()))  # the same tags, by another owner


def test_joins_what_others_signed_and_takes_along_what_they_signed_beside_it():
    lab = trees.team("ada", "lin", threshold=2)
    begun = signed(lab, "ada")
    assert {} == resume(lab, begun).files
    files = signed(lab, "lin", waiting=begun)
    del files[ADA]  # only what the own key signed is carried
    upload = resume(lab, files, waiting=begun)
    assert {RELEASES, ADA, "targets/lin"} == set(upload.files)
    lab.accept(upload.files)
    assert trees.prove(lab, lab.tree(), "v2", "two").is_valid


def test_refuses_to_write_over_what_others_began_meanwhile():
    lab = trees.team("ada", "lin", threshold=2)
    files, begun = signed(lab, "lin"), signed(lab, "ada", target=trees.target("other"))
    with pytest.raises(ConflictError, match="others have begun another targets/releases"):
        resume(lab, files, waiting=begun)


def test_nothing_to_publish_is_fine_only_while_the_tag_stands():
    lab = trees.simple({"v2": "two"})
    assert () == resume(lab, {}).drafts
    lab.publish(TARGETS, {"v2": "other"})
    with pytest.raises(ConflictError, match="v2 stands for something else by now"):
        resume(lab, {})


def with_own_snapshot():
    """Return a tree whose owner holds the snapshot's key, and what signing a tag makes there."""
    lab = trees.simple()
    keyring = Keyring.of([lab.targets_key])
    upload = edits.set_tag(lab.current(), keyring, V2, TWO, lab.now)
    current = lab.current()
    meta = current.snapshot.body.meta | {
        TARGETS: drafts.FileMeta.of(upload.files[TARGETS]),
    }
    body = dataclasses.replace(
        current.snapshot.body, version=current.snapshot.version + 1, meta=meta
    )
    signer = trees.build.ed25519_signer(lab.snapshot_key)
    snapshot = trees.build.signed_file(SNAPSHOT, body, [signer])
    return current, {TARGETS: upload.drafts[0].file, SNAPSHOT: snapshot}


def test_a_snapshot_goes_along_only_while_it_lists_these_very_files():
    current, files = with_own_snapshot()
    assert {TARGETS, SNAPSHOT} == set(carried.resume(current, files, V2, TWO, waiting={}).files)
    wrong = dataclasses.replace(current, root=dataclasses.replace(current.root, content=b"other"))
    with pytest.raises(ConflictError, match="snapshot lists other files"):
        carried.resume(wrong, files, V2, TWO, waiting={})
