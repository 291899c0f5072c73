"""Bringing a tree over: the same signatures under another name, or the next root under the same."""

import datetime as dt

import pytest

from seawall.core.errors import ConflictError, IntegrityError, InvalidInputError
from seawall.oci.names import RepositoryName, Tag
from seawall.testing import signatures
from seawall.testing.tree_servers import ADA, HOST, TreeServer
from seawall.testing.trees import TreeLab, target
from seawall.trust import migration
from seawall.trust.adoption import Adoption
from seawall.trust.errors import ForeignNameError
from seawall.trust.migration import ServerRoleKeys
from seawall.trust.tuf import chain, metadata, roots
from seawall.trust.tuf.chain import Pin
from seawall.trust.tuf.model import Root
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun, Role

OURS = Gun.of(HOST, RepositoryName("moved/app"))
DAY = dt.timedelta(days=1)


@pytest.fixture
def server(tmp_path):
    server = TreeServer.in_folder(tmp_path)
    yield server
    server.database.close()


def lab_of(server, gun=None):
    """An old server's tree: two signers, a tag by each, one tag of the owner's alone."""
    lab = TreeLab(now=server.clock.now(), people={n: signatures.new_key() for n in ("ada", "bob")})
    if gun is not None:
        lab.gun = gun
    lab.root()
    delegations = lab.delegations("ada", "bob")
    ada, bob = lab.people["ada"], lab.people["bob"]
    lab.publish(TARGETS, {"old": "old"}, delegations=delegations)
    lab.publish(Role("targets/ada"), {"1": "one"}, by=[ada])
    lab.publish(Role("targets/bob"), {"2": "two"}, by=[bob])
    lab.publish(RELEASES, {"1": "one", "2": "two"}, by=[ada])
    return lab


def examined(lab, pin=None, **more):
    return migration.examine(lab.gun, lab.tree(), pin or lab.pin, lab.now, **more)


def keys_of(server, gun):
    trees = server.trees()
    return ServerRoleKeys(
        snapshot=trees.public_key(gun, SNAPSHOT, actor=ADA),
        timestamp=trees.public_key(gun, TIMESTAMP, actor=ADA),
    )


def bring(server, lab, gun=OURS, signers=None):
    source = examined(lab)
    keys = lab.root_keys if signers is None else signers
    return source, migration.bring(source, gun, keys, keys_of(server, gun), lab.now)


def proven(server, gun, tag, pin):
    tree = server.trees().tree(gun)
    return chain.prove(Tag(tag), None, gun=gun, tree=tree, pin=pin, now=server.clock.now())


def pin_of(content):
    root = metadata.parse(ROOT, content)
    return Pin(root_key_ids=roots.key_ids(root), root=content)


def publish(server, gun, files):
    server.trees().publish(gun, {str(role): one for role, one in files.items()}, actor=ADA)


def adoption(server):
    return Adoption(
        database=server.database, clock=server.clock, keys=server.keys, trees=server.trees()
    )


def test_examines_every_tag_of_a_proven_tree(server):
    source = examined(lab_of(server))
    assert [("1", RELEASES), ("2", RELEASES), ("old", TARGETS)] == [
        (one.tag, one.role) for one in source.tags
    ]
    assert [target("one").digest, target("two").digest, target("old").digest] == [
        one.digest for one in source.tags
    ]
    assert () == source.unproven


def test_refuses_a_tree_that_is_not_the_pinned_one(server):
    other = Pin(root_key_ids=frozenset({"0" * 64}))
    with pytest.raises(IntegrityError, match="first root"):
        examined(lab_of(server), other)


def test_refuses_first_use_unless_it_is_spelled(server):
    lab = lab_of(server)
    with pytest.raises(IntegrityError, match="pin"):
        migration.examine(lab.gun, lab.tree(), None, lab.now)
    source = migration.examine(lab.gun, lab.tree(), None, lab.now, unsafe_first_use=True)
    assert 3 == len(source.tags)


def test_under_another_name_every_tag_verifies_with_the_old_signatures(server):
    lab = lab_of(server)
    source, brought = bring(server, lab)
    publish(server, OURS, brought.files)
    pin = pin_of(brought.files[ROOT])
    for one in source.tags:
        proof = proven(server, OURS, one.tag, pin)
        assert (True, one.digest) == (proof.is_valid, proof.target.digest), proof.failures
    for role, content in source.tree.targets.items():
        assert content == server.trees().current(OURS, role).content
    assert source.root_key_ids == pin.root_key_ids


def test_under_another_name_a_new_root_key_will_do_since_nobody_has_pinned_it(server):
    key = signatures.new_key()
    source, brought = bring(server, lab_of(server), signers=[key])
    publish(server, OURS, brought.files)
    assert proven(server, OURS, "1", pin_of(brought.files[ROOT])).is_valid
    assert source.root_key_ids != pin_of(brought.files[ROOT]).root_key_ids


def test_the_threshold_of_the_root_does_not_fall(server):
    lab = lab_of(server)
    lab.root_keys = [signatures.new_key(), signatures.new_key()]
    lab.roots.clear()
    lab.root(threshold=2)
    with pytest.raises(InvalidInputError, match="wants 2 keys"):
        bring(server, lab, signers=lab.root_keys[:1])
    with pytest.raises(InvalidInputError, match="wants 2 keys"):
        bring(server, lab, signers=lab.root_keys[:1] * 2)
    _, brought = bring(server, lab)
    assert 2 == metadata.parse(ROOT, brought.files[ROOT]).said(Root).roles[ROOT].threshold


def test_a_delegation_that_has_expired_is_left_out_with_its_reason(server):
    lab = lab_of(server)
    lab.publish(Role("targets/bob"), {"2": "two"}, by=[lab.people["bob"]], expires=lab.now - DAY)
    source, brought = bring(server, lab)
    assert [("targets/bob", True)] == [(role, "expired" in why) for role, why in brought.left_out]
    assert ["2"] == [name for name, _ in source.unproven]
    publish(server, OURS, brought.files)
    assert proven(server, OURS, "1", pin_of(brought.files[ROOT])).is_valid


def test_again_only_what_is_newer_is_published(server):
    lab = lab_of(server)
    source, brought = bring(server, lab)
    publish(server, OURS, brought.files)
    there = server.trees().tree(OURS)
    again = migration.without_root(source, lab.now)
    assert {} == migration.missing(again, source, there)
    lab.publish(Role("targets/ada"), {"1": "one", "3": "three"}, by=[lab.people["ada"]])
    source = examined(lab)
    newer = migration.missing(migration.without_root(source, lab.now), source, there)
    assert {Role("targets/ada")} == set(newer)
    publish(server, OURS, newer)


def test_refuses_to_go_on_over_another_owners_tree(server):
    _, brought = bring(server, lab_of(server))
    publish(server, OURS, brought.files)
    other = examined(lab_of(server))
    brought = migration.without_root(other, server.clock.now())
    with pytest.raises(ConflictError, match="another tree"):
        migration.missing(brought, other, server.trees().tree(OURS))


def test_under_the_same_name_old_clients_go_on_and_see_no_version_fall(server):
    gun = Gun.of(HOST, RepositoryName("team/app"))
    lab = lab_of(server, gun)
    oldest, former = lab.pin, lab.old_root_signers()
    lab.root_keys = [signatures.new_key()]
    lab.root(also_by=former)
    source = examined(lab, oldest)
    brought = migration.bring(source, gun, lab.root_keys, keys_of(server, gun), lab.now)
    assert adoption(server).adopt(gun, source.tree, brought.files, actor=ADA)
    for pin in (oldest, source.pin):  # a client that has slept since the first root, and a new one
        for one in source.tags:
            proof = proven(server, gun, one.tag, pin)
            assert (True, one.digest) == (proof.is_valid, proof.target.digest), proof.failures
    after = proven(server, gun, "1", source.pin).pin_after
    assert source.pin.seen[TIMESTAMP] + 1 == after.seen[TIMESTAMP]
    assert 3 == after.seen[ROOT]
    assert source.tree.roots[0] == server.trees().by_version(gun, ROOT, 1).content


def test_adopting_again_changes_nothing(server):
    gun = Gun.of(HOST, RepositoryName("team/app"))
    lab = lab_of(server, gun)
    source, brought = bring(server, lab, gun)
    assert adoption(server).adopt(gun, source.tree, brought.files, actor=ADA)
    before = server.trees().current(gun, TIMESTAMP).version
    assert not adoption(server).adopt(gun, source.tree, brought.files, actor=ADA)
    assert before == server.trees().current(gun, TIMESTAMP).version


def test_refuses_to_adopt_over_another_tree_or_a_foreign_name(server):
    gun = Gun.of(HOST, RepositoryName("team/app"))
    source, brought = bring(server, lab_of(server, gun), gun)
    adoption(server).adopt(gun, source.tree, brought.files, actor=ADA)
    other, files = bring(server, lab_of(server, gun), gun)
    with pytest.raises(ConflictError, match="another tree"):
        adoption(server).adopt(gun, other.tree, files.files, actor=ADA)
    with pytest.raises(ForeignNameError):
        adoption(server).adopt(Gun("elsewhere.test/app"), source.tree, brought.files, actor=ADA)


def test_refuses_the_next_root_without_the_keys_of_the_old_one(server):
    gun = Gun.of(HOST, RepositoryName("team/app"))
    lab = lab_of(server, gun)
    with pytest.raises(InvalidInputError, match="root keys of"):
        bring(server, lab, gun, signers=[signatures.new_key()])
