"""Laws of trees: no sequence of uploads, renewals, rotations, replays or crashes leads to a tree
that does not verify, or to one that is older than what somebody has seen.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from seawall.core.errors import SeawallError
from seawall.oci.digest import Digest
from seawall.oci.names import Tag
from seawall.store import Database
from seawall.testing.publishing import Publisher, as_upload
from seawall.testing.signatures import new_key
from seawall.testing.tree_servers import ADA, GUN, TreeServer
from seawall.trust.errors import UpdateRefusedError
from seawall.trust.keys import PrivateKey
from seawall.trust.trees import Trees
from seawall.trust.tuf import chain, serving
from seawall.trust.tuf.model import File, Root
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TIMESTAMP, Role

TAGS = st.dictionaries(st.sampled_from(["v1", "v2"]), st.sampled_from(["one", "two"]), min_size=1)
NAMES = st.sampled_from(["lin", "max"])
STEPS_MAX = 60


class CrashError(Exception):
    """The process ends here."""


@contextmanager
def crash_at(database: Database, number: int) -> Iterator[None]:
    """Raise in place of the statement with this number, counted from 0."""
    seen = -1

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            raise CrashError

    sa.event.listen(database.engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", count)


def pin_of(trees: Trees) -> chain.Pin:
    root = trees.by_version(GUN, ROOT, 1)
    body = root.said(Root)
    ids = frozenset(body.keys[one].canonical_id for one in body.roles[ROOT].key_ids)
    return chain.Pin(root_key_ids=ids, root=root.content)


def proof(server: TreeServer, pin: chain.Pin, tag: str, text: str) -> chain.ChainProof:
    """Prove as a process that remembers nothing of the server does."""
    return chain.prove(
        Tag(tag), Digest.of(text.encode()), gun=GUN, tree=server.trees().tree(GUN), pin=pin,
        now=server.clock.now(), max_age=dt.timedelta(hours=6),
        timestamp_lifetime=serving.TIMESTAMP_LIFE,
    )  # fmt: skip


class TreeMachine(RuleBasedStateMachine):
    """Everybody who may change a tree, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.server = TreeServer.in_folder(Path(self.folder.name))
        self.trees = self.server.trees()
        self.owner: Publisher = self.server.publisher()
        self.people: dict[str, PrivateKey] = {}
        self.tags: dict[str, str] = {"v1": "one"}
        self.old: list[Mapping[str, bytes]] = []
        self.releases: dict[str, str] = {}
        self.keys = {"lin": new_key(), "max": new_key()}
        self.publish(self.owner.root(), self.top())
        self.pin = pin_of(self.trees)

    def teardown(self) -> None:
        self.server.database.close()
        self.folder.cleanup()

    def top(self) -> File:
        return self.owner.targets(self.tags, signers=self.people)

    def publish(self, *files: File) -> None:
        """Publish with the owner's snapshot where the owner keeps its key."""
        upload = as_upload(*files)
        if self.owner.snapshot_key is not None:
            stored = self.trees.files(GUN) if self.old else {}
            tree = {**stored, **{file.role: file for file in files}}
            listed = [tree[role] for role in tree if role not in (SNAPSHOT, TIMESTAMP)]
            upload |= as_upload(self.owner.snapshot(*listed))
        self.trees.publish(GUN, upload, actor=ADA)
        self.old.append(upload)

    def vouched(self, name: str, key: PrivateKey, tags: Mapping[str, str]) -> list[File]:
        roles = (Role(f"targets/{name}"), RELEASES)
        return [self.owner.targets(tags, role=role, by=[key]) for role in roles]

    @rule(tags=TAGS)
    def the_owner_signs(self, tags: dict[str, str]) -> None:
        self.tags = tags
        self.publish(self.top())

    @rule(name=NAMES)
    def a_signer_comes_or_goes(self, name: str) -> None:
        """Somebody who stays vouches for the releases, as `docker trust sign` does."""
        if self.people.pop(name, None) is None:
            self.people[name] = self.keys[name]
        files = [self.top()]
        if self.people and self.releases:
            stays, key = next(iter(self.people.items()))
            files += self.vouched(stays, key, self.releases)
        self.publish(*files)

    @precondition(lambda self: self.people)
    @rule(data=st.data(), tags=TAGS)
    def a_signer_signs(self, data: st.DataObject, tags: dict[str, str]) -> None:
        name = data.draw(st.sampled_from(sorted(self.people)))
        # the server refuses to let a tag go that goes on standing in `targets`
        stays = {one: text for one, text in self.releases.items() if self.tags.get(one) == text}
        tags = {**stays, **tags}
        self.publish(*self.vouched(name, self.people[name], tags))
        self.releases = tags

    @rule(count=st.integers(1, 2))
    def the_root_rotates(self, count: int) -> None:
        self.owner.root_keys = [new_key() for _ in range(count)]
        self.publish(self.owner.root(threshold=count))

    @rule()
    def the_targets_rotate(self) -> None:
        self.owner.targets_key = new_key()
        self.publish(self.owner.root(), self.top())

    @rule(role=st.sampled_from([SNAPSHOT, TIMESTAMP]))
    def a_key_of_the_server_rotates(self, role: Role) -> None:
        key = self.trees.rotate_key(GUN, role, actor=ADA)
        if role == SNAPSHOT:
            self.owner.snapshot_key = None
        self.owner.server = {**self.owner.server, role: key}
        self.publish(self.owner.root())

    @rule()
    def the_owner_takes_the_snapshot(self) -> None:
        self.owner.snapshot_key = new_key()
        self.owner.versions[SNAPSHOT] = self.trees.current(GUN, SNAPSHOT).version
        self.publish(self.owner.root())

    @rule(hours=st.integers(0, 24 * 40))
    def time_passes(self, hours: int) -> None:
        self.server.clock.advance(dt.timedelta(hours=hours))

    @rule(data=st.data())
    def somebody_replays(self, data: st.DataObject) -> None:
        upload = data.draw(st.sampled_from(self.old))
        with pytest.raises(UpdateRefusedError):
            self.trees.publish(GUN, upload, actor=ADA)

    @rule(number=st.integers(0, STEPS_MAX), tags=TAGS)
    def a_process_ends_while_it_publishes(self, number: int, tags: dict[str, str]) -> None:
        versions = dict(self.owner.versions)
        former, self.tags = self.tags, tags
        try:
            with crash_at(self.server.database, number):
                self.publish(self.top())
        except CrashError:
            self.owner.versions, self.tags = versions, former
            self.trees = self.server.trees()

    @invariant()
    def it_verifies_and_is_not_older(self) -> None:
        if not hasattr(self, "pin"):
            return
        for tag, text in self.tags.items():
            # clients look into `targets/releases` before they look into `targets`
            released = self.releases if self.people else {}
            found = proof(self.server, self.pin, tag, released.get(tag, text))
            assert found.is_valid, found.steps
            assert found.pin_after is not None
            self.pin = found.pin_after


def test_a_crash_at_any_step_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    server = TreeServer.in_folder(tmp_path)
    owner, trees = server.publisher(), server.trees()
    trees.publish(GUN, owner.first({"v1": "one"}), actor=ADA)
    pin, before = pin_of(trees), trees.tree(GUN)
    owner.root_keys = [new_key()]
    upload = as_upload(owner.root(), owner.targets({"v1": "two"}))
    for number in range(STEPS_MAX):
        try:
            with crash_at(server.database, number):
                server.trees().publish(GUN, upload, actor=ADA)
        except CrashError:
            assert before == server.trees().tree(GUN)
            assert proof(server, pin, "v1", "one").is_valid
            continue
        break
    assert 10 < number < STEPS_MAX
    assert proof(server, pin, "v1", "two").is_valid


def test_a_crash_at_any_step_of_a_renewal_leaves_a_tree_that_verifies(tmp_path: Path) -> None:
    server = TreeServer.in_folder(tmp_path)
    server.trees().publish(GUN, server.publisher().first({"v1": "one"}), actor=ADA)
    pin = pin_of(server.trees())
    server.clock.advance(dt.timedelta(hours=10))
    for number in range(STEPS_MAX):
        try:
            with crash_at(server.database, number):
                server.trees().tree(GUN)
        except (CrashError, SeawallError):
            continue
        break
    assert 5 < number < STEPS_MAX
    assert proof(server, pin, "v1", "one").is_valid
    assert 2 == server.trees().current(GUN, TIMESTAMP).version


def test_what_a_removed_signer_alone_has_signed_verifies_no_more(tmp_path: Path) -> None:
    server = TreeServer.in_folder(tmp_path)
    owner, trees = server.publisher(), server.trees()
    lin, other = new_key(), new_key()
    both = {"lin": lin, "max": other}
    tags = {"v1": "one"}
    first = [owner.targets(tags, role=role, by=[lin]) for role in (Role("targets/lin"), RELEASES)]
    top = owner.targets({}, signers=both)
    trees.publish(GUN, as_upload(owner.root(), top, *first), actor=ADA)
    pin = pin_of(trees)
    assert proof(server, pin, "v1", "one").is_valid
    trees.publish(GUN, as_upload(owner.targets({}, signers={"max": other})), actor=ADA)
    assert not proof(server, pin, "v1", "one").is_valid
    again = [owner.targets(tags, role=role, by=[other]) for role in (Role("targets/max"), RELEASES)]
    trees.publish(GUN, as_upload(*again), actor=ADA)
    assert proof(server, pin, "v1", "one").is_valid


TestTrees = TreeMachine.TestCase
TestTrees.settings = settings(max_examples=10, stateful_step_count=12, deadline=None)
