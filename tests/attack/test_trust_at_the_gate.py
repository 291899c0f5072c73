"""Attacks on content trust, each refused by admission with the reason that is the right one.

The attacker owns the registry: shows any tree, moves tags, puts signatures anywhere. What is theirs
too is said in each test. Not theirs: the pin, and the keys of those who sign.
"""

import dataclasses
import datetime as dt

import pytest

from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.oci.names import RepositoryName
from seawall.testing import houses, images, signatures, trees
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import OPERATOR, OTHER, SHOP, Stage
from seawall.testing.tree_owners import ShownTrees, admission_with
from seawall.trust.tuf import build, chain
from seawall.trust.tuf.model import FileMeta, RoleKeys, Snapshot, Timestamp
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun, Role

DAY = dt.timedelta(days=1)
OLD, NEW = houses.image(pillow="11.0"), houses.image(pillow="12.0")
INTEGRITY = "tree-intact"


@pytest.fixture(scope="module")
def house_clock():
    return FakeClock()


@pytest.fixture(scope="module")
def stage(tmp_path_factory, house_clock):
    """Two images, clean and signed by a trusted key; the tag 1 is at the newer one."""
    with Stage.opened(tmp_path_factory.mktemp("gate"), house_clock) as opened:
        opened.import_feeds()
        key = signatures.new_key()
        opened.trust(key)
        for made in (OLD, NEW):
            opened.push(SHOP, made, "1")
            opened.sign(key, SHOP, made, "1")
        opened.work()
        yield opened


@dataclasses.dataclass(slots=True, kw_only=True)
class Gate:
    """A house whose trees the attacker shows, and the true owner's tree."""

    stage: Stage
    lab: trees.TreeLab
    shown: ShownTrees

    def ask(self, name="shop/app:1"):
        host = self.stage.house.settings.registry_hosts[0]
        admission = admission_with(self.stage.house, self.shown)
        return admission.may_run(f"{host}/{name}", actor=OPERATOR)

    def show(self, tree):
        self.shown.shown = tree
        return self

    def refused(self, name="shop/app:1"):
        answer = self.ask(name)
        assert isinstance(answer, Refusal), answer
        return {reason.rule: reason.evidence for reason in answer.reasons}

    def is_allowed(self, name="shop/app:1"):
        return isinstance(self.ask(name), Admitted)

    def publish(self, made, tag="1"):
        """Have alice and bob sign an image."""
        signed = {tag: made.manifest.decode()}
        for name in ("alice", "bob"):
            self.lab.publish(Role(f"targets/{name}"), signed, by=[self.lab.people[name]])
        self.lab.publish(RELEASES, signed, by=list(self.lab.people.values()))
        return self


@pytest.fixture
def gate(stage):
    """The tree of alice and bob, pinned and seen once with the newer image as 1."""
    lab = trees.TreeLab(
        gun=stage.house.pinned_trees.gun(SHOP),
        now=stage.house.clock.now(),
        people={name: signatures.new_key() for name in ("alice", "bob")},
    )
    lab.root()
    lab.publish(TARGETS, {}, delegations=lab.delegations("alice", "bob"))
    opened = Gate(stage=stage, lab=lab, shown=ShownTrees()).publish(NEW)
    stage.house.pins.pin(SHOP, lab.pin, actor=OPERATOR, may_replace=True)
    opened.show(lab.tree())
    assert opened.is_allowed()
    yield opened
    stage.house.pins.unpin(SHOP, actor=OPERATOR)
    stage.push(SHOP, NEW, "1")


def forged(gate, *, meta=None, snapshot_version=90, timestamp_version=90, lifetime=DAY):
    """Sign as a thief of the server's two keys: any versions, any files."""
    lab = gate.lab
    named = {ROOT: lab.roots[-1], **lab.files}
    listed = meta or {role: FileMeta.of(file.content) for role, file in named.items()}
    snapshot = build.signed_file(
        SNAPSHOT,
        Snapshot(version=snapshot_version, expires=lab.now + trees.YEAR, meta=listed),
        [build.ed25519_signer(lab.snapshot_key)],
    )
    timestamp = build.signed_file(
        TIMESTAMP,
        Timestamp(
            version=timestamp_version,
            expires=lab.now + lifetime,
            snapshot=FileMeta.of(snapshot.content),
        ),
        [build.ed25519_signer(lab.timestamp_key)],
    )
    return chain.Tree(
        roots=tuple(one.content for one in lab.roots),
        timestamp=timestamp.content,
        snapshot=snapshot.content,
        targets={role: file.content for role, file in lab.files.items()},
    )


# -- replays and time


def test_refuses_old_metadata_shown_again_to_a_gate_that_saw_newer(gate):
    old = gate.shown.shown
    assert gate.show(gate.publish(NEW).lab.tree()).is_allowed()
    assert "was seen before" in gate.show(old).refused()[INTEGRITY]


def test_refuses_old_metadata_shown_to_a_fresh_gate_once_its_time_is_over(gate, house_clock):
    old = gate.shown.shown
    house_clock.advance(2 * DAY)
    assert "expired" in gate.show(old).refused()["tree"]
    gate.lab.now = house_clock.now()
    assert gate.show(gate.lab.tree()).is_allowed()


def test_refuses_frozen_timestamp_even_of_a_thief_of_its_key(gate, house_clock):
    frozen = gate.show(forged(gate, lifetime=365 * DAY))
    assert "longer than servers make it" in frozen.refused()[INTEGRITY]


def test_refuses_old_tree_that_is_expired_and_rolled_back_as_rolled_back(gate, house_clock):
    old = gate.shown.shown
    assert gate.show(gate.publish(NEW).lab.tree()).is_allowed()
    house_clock.advance(2 * DAY)
    assert INTEGRITY in gate.show(old).refused()


def test_refuses_mixed_old_and_new_files(gate):
    old = gate.shown.shown
    new = gate.publish(NEW).lab.tree()
    for mixed in (
        dataclasses.replace(new, snapshot=old.snapshot),
        dataclasses.replace(new, targets=old.targets),
        dataclasses.replace(new, timestamp=old.timestamp),
        dataclasses.replace(new, targets={**new.targets, RELEASES: old.targets[RELEASES]}),
    ):
        assert INTEGRITY in gate.show(mixed).refused()


def test_refuses_withheld_releases_with_which_an_older_file_would_answer(gate):
    kept = {
        role: FileMeta.of(file.content)
        for role, file in {ROOT: gate.lab.roots[-1], **gate.lab.files}.items()
        if role != RELEASES
    }
    assert "withheld" in gate.show(forged(gate, meta=kept)).refused()[INTEGRITY]


def test_refuses_new_targets_of_a_thief_of_the_servers_keys(gate):
    evil = {"1": OLD.manifest.decode()}
    gate.stage.push(SHOP, OLD, "1")
    gate.lab.publish(RELEASES, evil, by=[signatures.new_key()])
    assert "0 of 1 signatures" in gate.show(forged(gate)).refused()[INTEGRITY]


# -- tags and places


def test_refuses_tag_moved_to_an_older_image_that_is_validly_signed(gate):
    gate.stage.push(SHOP, OLD, "1")
    assert f"not for {OLD.digest}" in gate.refused()[INTEGRITY]


def test_refuses_tag_moved_to_an_older_image_by_its_digest_too(gate):
    assert "nothing in" in gate.refused(f"shop/app@{OLD.digest}")["tree"]


def test_refuses_image_under_a_tag_that_nobody_signed(gate):
    gate.stage.push(SHOP, NEW, "latest")
    assert {"signed", "tree"} == gate.refused("shop/app:latest").keys()


def test_refuses_tree_of_another_repository(gate):
    other = trees.TreeLab(
        gun=Gun.of(gate.lab.gun.host, OTHER), now=gate.lab.now, root_keys=gate.lab.root_keys
    )
    other.root()
    other.publish(TARGETS, {"1": NEW.manifest.decode()})
    assert INTEGRITY in gate.show(other.tree()).refused()


def test_refuses_signature_copied_to_another_repository(gate):
    key = signatures.new_key()
    gate.stage.trust(key, name="copied")
    place = RepositoryName("shop/copy")
    gate.stage.push(place, NEW, "1")
    gate.stage.sign(key, SHOP, NEW, "1", into=place)
    assert "not for shop/copy" in gate.refused("shop/copy:1")["signed"]


# -- signers


def test_refuses_tag_that_only_a_removed_signer_vouched_for(gate):
    """bob signed releases after alice was removed, as stock docker lets it happen."""
    lab = gate.lab
    lab.publish(TARGETS, {}, delegations=lab.delegations("bob"))
    del lab.files[Role("targets/alice")]
    lab.publish(Role("targets/bob"), {}, by=[lab.people["bob"]])
    lab.publish(RELEASES, {"1": NEW.manifest.decode()}, by=[lab.people["bob"]])
    assert "only a removed one did" in gate.show(lab.tree()).refused()["tree"]


def test_refuses_what_a_stolen_and_removed_key_signs_afterwards(gate):
    lab = gate.lab
    stolen = lab.people["alice"]
    lab.publish(TARGETS, {}, delegations=lab.delegations("bob"))
    signed = {"1": OLD.manifest.decode()}
    gate.stage.push(SHOP, OLD, "1")
    lab.publish(Role("targets/alice"), signed, by=[stolen])
    lab.publish(RELEASES, signed, by=[stolen])
    assert INTEGRITY in gate.show(lab.tree()).refused()


def test_refuses_tag_that_was_revoked_in_every_role(gate):
    assert "nothing in" in gate.show(gate.publish(NEW, "other").lab.tree()).refused()["tree"]


def test_refuses_fewer_signatures_than_the_threshold_or_one_key_twice(gate):
    lab = gate.lab
    lab.publish(TARGETS, {}, delegations=lab.delegations("alice", "bob", threshold=2))
    signed = {"1": NEW.manifest.decode()}
    alice = lab.people["alice"]
    for by in ([alice], [alice, alice]):
        lab.publish(RELEASES, signed, by=by)
        assert "1 of 2 signatures" in gate.show(lab.tree()).refused()[INTEGRITY]
    lab.publish(RELEASES, signed, by=list(lab.people.values()))
    assert gate.show(lab.tree()).is_allowed()


def test_refuses_distrusted_key_at_the_next_question(gate):
    house = gate.stage.house
    [key] = [one for one in house.trusted_keys.list() if one.name == "release"]
    house.trusted_keys.distrust(key.key_id, actor=OPERATOR)
    try:
        assert {"signed"} == gate.refused().keys()
    finally:
        house.trusted_keys.trust(
            key.public_pem, name=key.name, patterns=key.patterns, actor=OPERATOR
        )


# -- roots


def test_refuses_root_that_the_pinned_keys_did_not_sign(gate):
    lab = gate.lab
    lab.root_keys = [signatures.new_key()]
    lab.root()
    assert INTEGRITY in gate.show(lab.tree()).refused()


def test_refuses_root_that_skips_a_version(gate):
    lab = gate.lab
    lab.root(version=3)
    assert INTEGRITY in gate.show(lab.tree()).refused()


def test_refuses_root_without_a_certificate(gate):
    lab = gate.lab
    bare = build.ecdsa_signer(lab.root_keys[0])
    body = dataclasses.replace(
        lab.roots[-1].body,
        version=2,
        keys={**lab.roots[-1].body.keys, bare.key.key_id: bare.key},
        roles={**lab.roots[-1].body.roles, ROOT: RoleKeys(key_ids=(bare.key.key_id,))},
    )
    lab.roots.append(build.signed_file(ROOT, body, [bare, *lab.old_root_signers()]))
    assert INTEGRITY in gate.show(lab.tree()).refused()


def test_refuses_tree_that_was_taken_away(gate):
    assert "no trust data" in gate.show(None).refused()["tree"]


# -- metadata as such


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"method":"ecdsa"', b'"method":"eddsa"'),
        (b'"method":"ecdsa"', b'"method":"none"'),
        (b'"version":1', b'"version":1.0'),
        (b'"version":1', b'"version":"1"'),
        (b'"version":1', b'"version":9223372036854775808'),
        (b'"_type":"Targets"', b'"_type":"Targets","_type":"Targets"'),
        (b'"_type":"Targets"', b'"_type":"Root"'),
    ],
)
def test_refuses_metadata_changed_in_any_way_though_the_server_vouches_for_it(gate, before, after):
    """The thief of the server's keys names the changed file in a new snapshot."""
    content = gate.lab.files[RELEASES].content
    assert before in content
    changed = content.replace(before, after)
    meta = {
        role: FileMeta.of(changed if role == RELEASES else file.content)
        for role, file in {ROOT: gate.lab.roots[-1], **gate.lab.files}.items()
    }
    tree = forged(gate, meta=meta)
    shown = dataclasses.replace(tree, targets={**tree.targets, RELEASES: changed})
    assert INTEGRITY in gate.show(shown).refused()


@pytest.mark.parametrize(
    "content", [b"", b"[" * 100_000, b"{}", b"x" * (9 * 1024 * 1024), b"\xff\xfe", b'{"signed":'],
    ids=["empty", "deep", "object", "oversize", "not UTF-8", "cut off"],
)  # fmt: skip
@pytest.mark.parametrize("role", [TIMESTAMP, SNAPSHOT, TARGETS, ROOT])
def test_refuses_hostile_bytes_as_any_file(gate, role, content):
    tree = gate.shown.shown
    bad = {
        TIMESTAMP: dataclasses.replace(tree, timestamp=content),
        SNAPSHOT: dataclasses.replace(tree, snapshot=content),
        TARGETS: dataclasses.replace(tree, targets={**tree.targets, TARGETS: content}),
        ROOT: dataclasses.replace(tree, roots=(*tree.roots, content)),
    }[role]
    assert INTEGRITY in gate.show(bad).refused()


@pytest.mark.parametrize("kind", [b"rsa", b"ed25519", b"none"])
def test_refuses_signers_key_that_calls_itself_another_type(gate, kind):
    content = gate.lab.files[TARGETS].content
    changed = content.replace(b'"keytype":"ecdsa"', b'"keytype":"' + kind + b'"')
    assert changed != content
    meta = {
        role: FileMeta.of(changed if role == TARGETS else file.content)
        for role, file in {ROOT: gate.lab.roots[-1], **gate.lab.files}.items()
    }
    tree = forged(gate, meta=meta)
    shown = dataclasses.replace(tree, targets={**tree.targets, TARGETS: changed})
    assert INTEGRITY in gate.show(shown).refused()


# -- content


def test_refuses_layer_or_config_that_was_changed_on_disk(gate):
    blobs = gate.stage.house.settings.blobs
    for digest in sorted(set(NEW.blobs) - set(OLD.blobs)):
        [path] = [one for one in blobs.rglob(digest.hex) if one.is_file()]
        content = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        try:
            with pytest.raises(Exception, match=r"differs|corrupt|digest"):
                gate.stage.house.registry.read_blob(SHOP, digest, 1 << 20)
            assert "content-whole" in gate.refused()
        finally:
            gate.stage.push(SHOP, NEW, "1")


def test_refuses_index_with_a_swapped_member(gate):
    signed, swapped = images.index(NEW), images.index(OLD)
    gate.stage.push(SHOP, swapped, "all")
    gate.show(gate.publish(signed, "all").lab.tree())
    assert f"all stands for {signed.digest}" in gate.refused("shop/app:all")[INTEGRITY]
