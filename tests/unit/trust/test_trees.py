"""Trees: what is stored is shown, renewed, rotated and deleted as the protocol says."""

from __future__ import annotations

import concurrent.futures
import datetime as dt

import pytest
import sqlalchemy as sa

from seawall.core.errors import IntegrityError, NotFoundError
from seawall.oci.digest import Digest
from seawall.oci.names import Tag
from seawall.store import Database
from seawall.testing.publishing import as_upload
from seawall.testing.signatures import new_key
from seawall.testing.tree_servers import ADA, GUN, TreeServer
from seawall.trust import _sql
from seawall.trust.errors import ForeignNameError, UpdateRefusedError
from seawall.trust.tuf import chain
from seawall.trust.tuf.model import Root, Snapshot
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun, Role


@pytest.fixture
def server(database: Database) -> TreeServer:
    return TreeServer(database=database)


def prove(server: TreeServer, tag: str, text: str) -> chain.ChainProof:
    tree = server.trees().tree(GUN)
    root = server.trees().by_version(GUN, ROOT, 1)
    body = root.said(Root)
    ids = frozenset(body.keys[one].canonical_id for one in body.roles[ROOT].key_ids)
    return chain.prove(
        Tag(tag), Digest.of(text.encode()), gun=GUN, tree=tree,
        pin=chain.Pin(root_key_ids=ids, root=root.content), now=server.clock.now(), max_age=None,
    )  # fmt: skip


def test_shows_what_was_published_byte_for_byte(server: TreeServer) -> None:
    upload = server.publisher().first({"v1": "one"})
    trees = server.trees()
    trees.publish(GUN, upload, actor=ADA)
    assert upload["root"] == trees.current(GUN, ROOT).content
    assert upload["targets"] == trees.current(GUN, TARGETS).content
    assert (1, 1) == (trees.current(GUN, SNAPSHOT).version, trees.current(GUN, TIMESTAMP).version)
    assert prove(server, "v1", "one").is_valid


def test_finds_files_by_hash_and_by_version(server: TreeServer) -> None:
    ada, trees = server.publisher(), server.trees()
    trees.publish(GUN, ada.first({"v1": "one"}), actor=ADA)
    old = trees.current(GUN, TARGETS)
    trees.publish(GUN, as_upload(ada.targets({"v1": "two"})), actor=ADA)
    assert old.content == trees.by_hash(GUN, TARGETS, old.sha256).content
    assert old.content == trees.by_version(GUN, TARGETS, 1).content
    assert 2 == trees.current(GUN, TARGETS).version
    with pytest.raises(NotFoundError):
        trees.by_version(GUN, TARGETS, 3)


def test_another_process_sees_a_change_at_once(server: TreeServer) -> None:
    ada, one, other = server.publisher(), server.trees(), server.trees()
    one.publish(GUN, ada.first({"v1": "one"}), actor=ADA)
    assert 1 == other.stored(GUN, TIMESTAMP).version
    one.publish(GUN, as_upload(ada.targets({"v1": "two"})), actor=ADA)
    assert 2 == other.stored(GUN, TIMESTAMP).version
    assert 2 == other.stored(GUN, TARGETS).version
    one.delete(GUN, actor=ADA)
    with pytest.raises(NotFoundError):
        other.stored(GUN, TARGETS)


def test_timestamps_are_renewed_while_somebody_asks(server: TreeServer) -> None:
    trees = server.trees()
    trees.publish(GUN, server.publisher().first({"v1": "one"}), actor=ADA)
    server.clock.advance(dt.timedelta(hours=5))
    assert 1 == trees.current(GUN, TIMESTAMP).version
    server.clock.advance(dt.timedelta(hours=1))
    assert 2 == trees.current(GUN, TIMESTAMP).version
    assert 1 == trees.current(GUN, SNAPSHOT).version
    assert server.clock.now() + dt.timedelta(hours=24) == trees.current(GUN, TIMESTAMP).body.expires
    server.clock.advance(dt.timedelta(days=340))
    assert (3, 2) == (trees.current(GUN, TIMESTAMP).version, trees.current(GUN, SNAPSHOT).version)
    assert prove(server, "v1", "one").is_valid
    assert [{"timestamp": 2}, {"snapshot": 2, "timestamp": 3}] == [
        entry.details()["roles"] for entry in server.events("TreeRefreshed")
    ]


def test_an_owner_may_keep_the_snapshot(server: TreeServer) -> None:
    ada, trees = server.publisher(keeps_snapshot=True), server.trees()
    root, targets = ada.root(), ada.targets({"v1": "one"})
    trees.publish(GUN, as_upload(root, targets, ada.snapshot(root, targets)), actor=ADA)
    assert prove(server, "v1", "one").is_valid
    with pytest.raises(UpdateRefusedError) as caught:
        trees.publish(GUN, as_upload(ada.targets({"v1": "two"})), actor=ADA)
    assert ("ErrBadHierarchy", "snapshot") == (caught.value.fault, caught.value.missing)


def test_a_snapshot_can_move_to_the_server(server: TreeServer) -> None:
    ada, trees = server.publisher(keeps_snapshot=True), server.trees()
    root, targets = ada.root(), ada.targets({"v1": "one"})
    trees.publish(GUN, as_upload(root, targets, ada.snapshot(root, targets)), actor=ADA)
    key = trees.rotate_key(GUN, SNAPSHOT, actor=ADA)
    ada.snapshot_key, ada.server = None, {**ada.server, SNAPSHOT: key}
    trees.publish(GUN, as_upload(ada.root()), actor=ADA)
    assert 2 == trees.current(GUN, SNAPSHOT).version
    assert prove(server, "v1", "one").is_valid


def test_a_rotated_key_signs_only_when_a_root_names_it(server: TreeServer) -> None:
    ada, trees = server.publisher(), server.trees()
    trees.publish(GUN, ada.first({"v1": "one"}), actor=ADA)
    old = trees.public_key(GUN, TIMESTAMP, actor=ADA)
    new = trees.rotate_key(GUN, TIMESTAMP, actor=ADA)
    assert new == trees.rotate_key(GUN, TIMESTAMP, actor=ADA) != old
    assert old == trees.public_key(GUN, TIMESTAMP, actor=ADA)
    assert old.key_id == trees.current(GUN, TIMESTAMP).signatures[0].key_id
    ada.server = {**ada.server, TIMESTAMP: new}
    trees.publish(GUN, as_upload(ada.root()), actor=ADA)
    assert new == trees.public_key(GUN, TIMESTAMP, actor=ADA)
    assert new.key_id == trees.current(GUN, TIMESTAMP).signatures[0].key_id
    assert trees.rotate_key(GUN, TIMESTAMP, actor=ADA) not in (old, new)


def test_root_keys_rotate_and_old_roots_stay(server: TreeServer) -> None:
    ada, trees = server.publisher(), server.trees()
    trees.publish(GUN, ada.first({"v1": "one"}), actor=ADA)
    ada.root_keys = [new_key(), new_key()]
    trees.publish(GUN, as_upload(ada.root(threshold=2)), actor=ADA)
    assert [1, 2] == [trees.by_version(GUN, ROOT, n).version for n in (1, 2)]
    assert 2 == len(trees.roots(GUN))
    assert prove(server, "v1", "one").is_valid


def test_signers_publish_their_own_roles(server: TreeServer) -> None:
    ada, trees, lin = server.publisher(), server.trees(), new_key()
    trees.publish(GUN, as_upload(ada.root(), ada.targets({}, signers={"lin": lin})), actor=ADA)
    own = ada.targets({"v1": "one"}, role=Role("targets/lin"), by=[lin])
    both = ada.targets({"v1": "one"}, role=RELEASES, by=[lin])
    trees.publish(GUN, as_upload(both, own), actor=ADA)
    assert prove(server, "v1", "one").is_valid
    listed = trees.current(GUN, SNAPSHOT).said(Snapshot).meta
    assert {"root", "targets", "targets/lin", "targets/releases"} == set(listed)


def test_the_log_names_tags_and_keys(server: TreeServer) -> None:
    ada, trees = server.publisher(), server.trees()
    trees.publish(GUN, ada.first({"v1": "one", "v2": "two"}), actor=ADA)
    trees.publish(GUN, as_upload(ada.targets({"v1": "new", "v2": "two"})), actor=ADA)
    first, second = server.events("TreeTagsChanged")
    assert {"v1", "v2"} == {one["tag"] for one in first.details()["changes"]}
    was, now = (str(Digest.of(text)) for text in (b"one", b"new"))
    assert [{"tag": "v1", "was": was, "now": now}] == second.details()["changes"]
    published = server.events("TreePublished")[0].details()
    assert {"root": 1, "targets": 1} == published["roles"]
    assert 4 == len(published["keys"])


def test_the_feed_tells_updates_and_deletions(server: TreeServer) -> None:
    ada, trees = server.publisher(), server.trees()
    trees.publish(GUN, ada.first({"v1": "one"}), actor=ADA)
    trees.publish(GUN, as_upload(ada.targets({})), actor=ADA)
    trees.delete(GUN, actor=ADA)
    trees.delete(GUN, actor=ADA)
    every = trees.changes(None, after=0, count=100)
    assert [("update", 1), ("update", 2), ("deletion", 0)] == [
        (one.category, one.version) for one in every
    ]
    first, second, third = every
    assert [second, third] == trees.changes(GUN, after=first.number, count=2)
    assert [first] == trees.changes(GUN, after=second.number, count=-5)
    assert [third] == trees.changes(GUN, after=None, count=1)
    assert [] == trees.changes(Gun("registry.test:5000/other"), after=0, count=9)


def test_a_deleted_tree_can_begin_anew(server: TreeServer) -> None:
    trees = server.trees()
    trees.publish(GUN, server.publisher().first({"v1": "one"}), actor=ADA)
    trees.delete(GUN, actor=ADA)
    with pytest.raises(NotFoundError):
        trees.tree(GUN)
    trees.publish(GUN, server.publisher().first({"v1": "two"}), actor=ADA)
    assert prove(server, "v1", "two").is_valid
    assert 1 == len(server.events("TreeDeleted"))


def test_foreign_names_are_refused(server: TreeServer) -> None:
    foreign = Gun("docker.io/team/app")
    with pytest.raises(ForeignNameError):
        server.trees().public_key(foreign, TIMESTAMP, actor=ADA)
    with pytest.raises(ForeignNameError):
        server.trees().publish(foreign, {"root": b"{}"}, actor=ADA)


def test_of_publishers_at_once_one_wins_each_version(server: TreeServer) -> None:
    owner = server.publisher()
    server.trees().publish(GUN, owner.first({"v1": "one"}), actor=ADA)
    uploads = []
    for number in range(8):
        owner.versions[TARGETS] = 1 + number // 4  # four compete for version 2, four for 3
        uploads.append(as_upload(owner.targets({"v1": f"by {number}"})))

    def publish(upload: dict[str, bytes]) -> bool:
        try:
            server.trees().publish(GUN, upload, actor=ADA)
        except UpdateRefusedError:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(len(uploads)) as pool:
        won = [n for n, is_done in enumerate(pool.map(publish, uploads)) if is_done]
    trees = server.trees()
    assert sum(number >= 4 for number in won) == 1
    assert sum(number < 4 for number in won) <= 1
    assert prove(server, "v1", f"by {max(won)}").is_valid
    assert len(won) + 1 == trees.current(GUN, TIMESTAMP).version
    assert len(won) + 1 == len(trees.changes(GUN, after=0, count=100))


def test_changed_rows_are_noticed(server: TreeServer) -> None:
    trees = server.trees()
    trees.publish(GUN, server.publisher().first({"v1": "one"}), actor=ADA)
    c = _sql.tuf_files.c
    with server.database.write() as connection:
        connection.execute(
            sa.update(_sql.tuf_files).where(c.role == "targets").values(content=b"{}")
        )
    with pytest.raises(IntegrityError):
        server.trees().current(GUN, TARGETS)
    with server.database.write() as connection:
        connection.execute(sa.delete(_sql.tuf_files).where(c.role == "targets"))
    with pytest.raises(IntegrityError):
        server.trees().tree(GUN)
