"""Every attack on content trust that is known by name, refused by `seawall verify` and by the gate.

One row for each: what the attacker does, at which step and with which words the command refuses it,
by which rule and with which words the gate does. The attacker owns registry and trust server: the
command fetches from a server that shows the same tree as the gate is shown. What stock docker does
about the same attacks is in `tests/interop/test_stock_docker_controls.py`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.cli.log_memory import LogMemory
from seawall.core.errors import IntegrityError
from seawall.core.reason import Refusal
from seawall.core.strictjson import Json
from seawall.engine.model import Admitted
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference, RepositoryName
from seawall.testing import hostile_site, houses, images, logs, signatures, trees
from seawall.testing.clocks import FakeClock
from seawall.testing.hostile_site import HostileSite
from seawall.testing.houses import OPERATOR, SHOP, Stage
from seawall.testing.registry_server import free_port
from seawall.testing.tree_owners import ShownTrees, admission_with
from seawall.testing.verifiers import Verified, Verifier
from seawall.trust import cosign
from seawall.trust.keys import PrivateKey, PublicKey
from seawall.trust.log import entries, following, trusted_roots
from seawall.trust.log.following import Memory
from seawall.trust.log.transparency import TransparencyLog
from seawall.trust.tuf import build, chain
from seawall.trust.tuf.model import FileMeta, Snapshot, Timestamp
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun, Role

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
OLD, NEW = houses.image(pillow="11.0"), houses.image(pillow="12.0")
PEOPLE = ("alice", "bob")


@dataclass(slots=True, kw_only=True)
class Scene:
    """A house and its gate, a verifier elsewhere, and the attacker's server before both.

    Gate and verifier have pinned the owner's root, trust the release key, and have seen the tree.
    """

    stage: Stage
    site: HostileSite
    verifier: Verifier
    release: PrivateKey
    shown: ShownTrees
    lab: trees.TreeLab
    words: tuple[str, ...] = ()
    """More options of the command, where an attack needs them."""

    @property
    def old_tree(self) -> chain.Tree:
        """What is shown now, to be shown again later."""
        assert self.shown.shown is not None
        return self.shown.shown

    def show(self, tree: chain.Tree | None) -> None:
        self.shown.shown = self.site.tree = tree

    def sign(self, made: images.Image, tag: str = "1", by: tuple[str, ...] = PEOPLE) -> None:
        """Have people of the tree sign an image under a tag."""
        signed = {tag: made.manifest.decode()}
        for name in by:
            self.lab.publish(Role(f"targets/{name}"), signed, by=[self.lab.people[name]])
        self.lab.publish(RELEASES, signed, by=[self.lab.people[name] for name in by])

    def pin(self) -> None:
        """Pin the owner's first root for gate and verifier, who have seen nothing yet."""
        self.stage.house.pins.pin(SHOP, self.lab.pin, actor=OPERATOR, may_replace=True)
        self.verifier.pin(self.lab.gun, self.lab.pin)

    def verify(self, name: str) -> Verified:
        return self.verifier.verify(
            f"{self.site.host}/{name}", "--ca", str(self.site.ca), "--timestamp-lifetime", "24",
            "--key", str(self.verifier.home / "release.pub"), *self.words,
        )  # fmt: skip

    def ask_gate(self, name: str) -> Admitted | Refusal:
        admission = admission_with(self.stage.house, self.shown)
        return admission.may_run(f"{self.site.host}/{name}", actor=OPERATOR)

    def both_accept(self, name: str = "shop/app:1") -> None:
        verified, answer = self.verify(name), self.ask_gate(name)
        assert verified.is_valid, verified
        assert isinstance(answer, Admitted), answer

    def demand(self, rules: str) -> None:
        """Have the gate ask for more than it does by itself."""
        self.stage.house.settings.policy.write_text(
            f"version: 1\npolicies:\n  - name: all\n    repositories: ['**']\n    rules: {rules}\n"
        )


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    clock = FakeClock(dt.datetime.now(dt.UTC))
    with Stage.opened(tmp_path_factory.mktemp("house"), clock, port=free_port()) as opened:
        opened.import_feeds()
        yield opened


@pytest.fixture(scope="module")
def site(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileSite]:
    port = stage.house.settings.options.web.port
    with hostile_site.running(tmp_path_factory.mktemp("site"), port) as opened:
        yield opened


@pytest.fixture(scope="module")
def release(stage: Stage) -> PrivateKey:
    """Trusted at the gate; it signed both images as 1, since each was that once."""
    key = signatures.new_key()
    stage.trust(key)
    for made in (OLD, NEW):
        stage.push(SHOP, made, "1")
        stage.sign(key, SHOP, made, "1")
    stage.work()
    return key


@pytest.fixture
def scene(stage: Stage, site: HostileSite, release: PrivateKey, tmp_path: Path) -> Iterator[Scene]:
    home = tmp_path / "verifier"
    home.mkdir()
    (home / "release.pub").write_bytes(release.public.pem)
    lab = trees.TreeLab(
        gun=Gun.of(site.host, SHOP),
        now=stage.house.clock.now(),
        people={name: signatures.new_key() for name in PEOPLE},
    )
    lab.root()
    lab.publish(TARGETS, {}, delegations=lab.delegations(*PEOPLE))
    site.sources = [hostile_site.registry_of(stage), hostile_site.log_of(stage.house.log)]
    scene = Scene(
        stage=stage, site=site, release=release, shown=ShownTrees(), lab=lab,
        verifier=Verifier(home=home, state=tmp_path / "none"),
    )  # fmt: skip
    scene.sign(NEW)
    scene.pin()
    scene.show(lab.tree())
    scene.both_accept()
    yield scene
    stage.house.pins.unpin(SHOP, actor=OPERATOR)
    stage.house.settings.policy.unlink(missing_ok=True)
    stage.push(SHOP, NEW, "1")


# -- the attacks; each returns the image that the victim asks for, when it is not shop/app:1


def replay_to_a_known_client(scene: Scene) -> None:
    old = scene.old_tree
    scene.sign(NEW)
    scene.show(scene.lab.tree())
    scene.both_accept()
    scene.show(old)


def replay_to_a_fresh_client(scene: Scene) -> None:
    """The old tree was right two days ago, when the tag was at the older image."""
    lab = scene.lab
    lab.now -= 2 * DAY
    scene.sign(OLD)
    scene.stage.push(SHOP, OLD, "1")
    scene.show(lab.tree())
    scene.pin()


def replay_within_the_day_to_a_fresh_client(scene: Scene) -> None:
    """The timestamp still holds: only who asks for a fresher one can know."""
    lab = scene.lab
    lab.now -= 5 * HOUR
    scene.sign(OLD)
    scene.stage.push(SHOP, OLD, "1")
    scene.show(lab.tree())
    scene.pin()
    scene.words = ("--max-age", "4")
    scene.demand("{tree: {max-age: 4h}}")


def freeze_with_a_stolen_timestamp_key(scene: Scene) -> None:
    scene.show(scene.lab.tree(lifetime=365 * DAY))


def date_the_timestamp_ahead(scene: Scene) -> None:
    scene.show(scene.lab.tree(lifetime=DAY + HOUR))


def mix_in_the_old_snapshot(scene: Scene) -> None:
    old = scene.old_tree
    scene.sign(NEW)
    scene.show(dataclasses.replace(scene.lab.tree(), snapshot=old.snapshot))


def mix_in_the_old_targets(scene: Scene) -> None:
    old, lab = scene.old_tree, scene.lab
    lab.publish(TARGETS, {"2": "two"})
    scene.show(dataclasses.replace(lab.tree(), targets=old.targets))


def mix_in_the_old_releases(scene: Scene) -> None:
    old = scene.old_tree
    scene.sign(NEW)
    new = scene.lab.tree()
    files = {**new.targets, RELEASES: old.targets[RELEASES]}
    scene.show(dataclasses.replace(new, targets=files))


def roll_the_tag_back(scene: Scene) -> None:
    """Both images are signed as 1 by the release key; the tree names the newer."""
    scene.stage.push(SHOP, OLD, "1")


def copy_image_and_signature_to_another_repository(scene: Scene) -> str:
    place = RepositoryName("shop/copy")
    scene.stage.push(place, NEW, "1")
    scene.stage.sign(scene.release, SHOP, NEW, "1", into=place)
    return "shop/copy:1"


def show_the_tree_of_another_repository(scene: Scene) -> None:
    lab = scene.lab
    other = trees.TreeLab(
        gun=Gun.of(lab.gun.host, houses.OTHER), now=lab.now, root_keys=lab.root_keys
    )
    other.root()
    other.publish(TARGETS, {"1": NEW.manifest.decode()})
    scene.show(other.tree())
    scene.verifier.pin(lab.gun, chain.Pin(root_key_ids=lab.pin.root_key_ids))
    scene.pin()


def keep_the_tag_of_a_removed_signer(scene: Scene) -> None:
    """bob signed the list of releases again after alice, who alone had signed the tag, was out."""
    lab = scene.lab
    lab.publish(TARGETS, {}, delegations=lab.delegations("bob"))
    del lab.files[Role("targets/alice")]
    lab.publish(Role("targets/bob"), {}, by=[lab.people["bob"]])
    lab.publish(RELEASES, {"1": NEW.manifest.decode()}, by=[lab.people["bob"]])
    scene.show(lab.tree())


def serve_a_revoked_tag(scene: Scene) -> None:
    scene.sign(NEW, "other")
    scene.show(scene.lab.tree())


def sign_with_a_stolen_delegation_key_that_was_removed(scene: Scene) -> None:
    lab, signed = scene.lab, {"1": OLD.manifest.decode()}
    lab.publish(TARGETS, {}, delegations=lab.delegations("bob"))
    for role in (Role("targets/alice"), RELEASES):
        lab.publish(role, signed, by=[lab.people["alice"]])
    scene.stage.push(SHOP, OLD, "1")
    scene.show(lab.tree())


def sign_with_one_stolen_key_of_two(scene: Scene) -> None:
    lab = scene.lab
    lab.publish(TARGETS, {}, delegations=lab.delegations(*PEOPLE, threshold=2))
    scene.sign(OLD, by=("alice",))
    scene.stage.push(SHOP, OLD, "1")
    scene.show(lab.tree())


def count_one_key_twice(scene: Scene) -> None:
    lab = scene.lab
    lab.publish(TARGETS, {}, delegations=lab.delegations(*PEOPLE, threshold=2))
    scene.sign(NEW, by=("alice", "alice"))
    scene.show(lab.tree())


def sign_a_root_with_another_key(scene: Scene) -> None:
    scene.lab.root_keys = [signatures.new_key()]
    scene.lab.root()
    scene.show(scene.lab.tree())


def change_a_byte_of_the_layer(scene: Scene) -> None:
    _change_on_disk(scene, NEW, 1)


def change_a_byte_of_the_configuration(scene: Scene) -> None:
    _change_on_disk(scene, NEW, 0)


def swap_a_platform_of_an_index(scene: Scene) -> str:
    signed, swapped = images.index(NEW), images.index(OLD)
    scene.stage.push(SHOP, swapped, "all")
    scene.stage.sign(scene.release, SHOP, swapped, "all")
    scene.sign(signed, "all")
    scene.show(scene.lab.tree())
    return "shop/app:all"


def name_another_algorithm(scene: Scene) -> None:
    _show_changed(scene, RELEASES, b'"method":"ecdsa"', b'"method":"eddsa"')


def name_no_algorithm(scene: Scene) -> None:
    _show_changed(scene, RELEASES, b'"method":"ecdsa"', b'"method":"none"')


def pass_a_key_off_as_another_type(scene: Scene) -> None:
    _show_changed(scene, TARGETS, b'"keytype":"ecdsa"', b'"keytype":"ed25519"')


def send_a_huge_file(scene: Scene) -> None:
    huge = b" " * (9 * 1024 * 1024)
    files = {**scene.old_tree.targets, TARGETS: huge}
    scene.show(dataclasses.replace(scene.old_tree, targets=files))


def send_a_deeply_nested_file(scene: Scene) -> None:
    scene.show(dataclasses.replace(scene.old_tree, timestamp=b"[" * 100_000))


def show_expired_releases(scene: Scene) -> None:
    lab = scene.lab
    signed, by = {"1": NEW.manifest.decode()}, [lab.people["bob"]]
    lab.publish(RELEASES, signed, by=by, expires=lab.now - HOUR)
    scene.show(lab.tree())


def take_the_tree_away(scene: Scene) -> None:
    scene.show(None)


def date_a_signature_ahead(scene: Scene) -> str:
    """The only signature of an image says that it is made tomorrow."""
    made, house = houses.image(pillow="12.5"), scene.stage.house
    scene.stage.push(SHOP, made, "ahead")
    image = Reference.parse(f"{scene.site.host}/{SHOP}:ahead")
    uploads = cosign.plan(_descriptor(made), image, scene.release, house.clock.now() + DAY)
    scene.stage.push_uploads(SHOP, uploads)
    scene.stage.work()
    scene.sign(made, "ahead")
    scene.show(scene.lab.tree())
    return "shop/app:ahead"


def enter_the_signature_into_a_forked_log(scene: Scene) -> str:
    """The thief of the log's key has a perfect proof of the entry, in a tree nobody else sees."""
    _sign_into(scene, _fork(scene), "forked")
    _want_log(scene)
    return "shop/app:forked"


def show_a_forked_log_to_who_saw_the_true_one(scene: Scene) -> str:
    fork = _fork(scene)
    _sign_into(scene, fork, "split")
    _want_log(scene)
    _remember_log(scene)
    while fork.size() < scene.stage.house.log.size() + 1:
        _grow(fork, scene)
    scene.site.sources[-1] = hostile_site.log_of(fork)
    return "shop/app:split"


Attack = Callable[[Scene], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An attack, and how both refuse it. No `step`: it ends before any step."""

    attack: Attack
    step: str
    words: str
    rule: str
    told: str = ""
    """Words of the gate, where they are others."""


INTACT = "tree-intact"

ROWS = [
    Row(attack=replay_to_a_known_client, step="remembered", words="was seen before", rule=INTACT),
    Row(attack=replay_to_a_fresh_client, step="freshness", words="expired on", rule="tree"),
    Row(attack=replay_within_the_day_to_a_fresh_client, step="freshness", words="older than the",
        rule="tree", told="longer ago than"),
    Row(attack=freeze_with_a_stolen_timestamp_key, step="freshness",
        words="longer than servers make it", rule=INTACT),
    Row(attack=date_the_timestamp_ahead, step="freshness", words="longer than servers make it",
        rule=INTACT),
    Row(attack=mix_in_the_old_snapshot, step="snapshot", words="not the one that its parent names",
        rule=INTACT),
    Row(attack=mix_in_the_old_targets, step="targets", words="not the one that its parent names",
        rule=INTACT),
    Row(attack=mix_in_the_old_releases, step="delegations",
        words="not the one that its parent names", rule=INTACT),
    Row(attack=roll_the_tag_back, step="digest", words=f"not for {OLD.digest}", rule=INTACT),
    Row(attack=copy_image_and_signature_to_another_repository, step="repository",
        words="not for shop/copy", rule="signed"),
    Row(attack=show_the_tree_of_another_repository, step="first root", words="", rule=INTACT),
    Row(attack=keep_the_tag_of_a_removed_signer, step="signers", words="only a removed one did",
        rule="tree"),
    Row(attack=serve_a_revoked_tag, step="tag", words="nothing in", rule="tree"),
    Row(attack=sign_with_a_stolen_delegation_key_that_was_removed, step="delegations",
        words="0 of 1 signatures", rule=INTACT),
    Row(attack=sign_with_one_stolen_key_of_two, step="delegations", words="1 of 2 signatures",
        rule=INTACT),
    Row(attack=count_one_key_twice, step="delegations", words="1 of 2 signatures", rule=INTACT),
    Row(attack=sign_a_root_with_another_key, step="root chain", words="", rule=INTACT),
    Row(attack=change_a_byte_of_the_layer, step="content", words="is not what sha256:",
        rule="content-whole", told="sha256:"),
    Row(attack=change_a_byte_of_the_configuration, step="content", words="is not what sha256:",
        rule="content-whole", told="sha256:"),
    Row(attack=swap_a_platform_of_an_index, step="digest",
        words=f"all stands for {images.index(NEW).digest}", rule=INTACT),
    Row(attack=name_another_algorithm, step="delegations", words="", rule=INTACT),
    Row(attack=name_no_algorithm, step="delegations", words="", rule=INTACT),
    Row(attack=pass_a_key_off_as_another_type, step="targets", words="", rule=INTACT),
    Row(attack=send_a_huge_file, step="targets", words="missing", rule=INTACT,
        told="not the one that its parent names"),
    Row(attack=send_a_deeply_nested_file, step="first root", words="there is no root", rule=INTACT,
        told="recursion depth"),
    Row(attack=show_expired_releases, step="delegations", words="expired on", rule="tree"),
    Row(attack=take_the_tree_away, step="first root", words="no trust data", rule="tree"),
    Row(attack=date_a_signature_ahead, step="time", words="future", rule="signed"),
    Row(attack=enter_the_signature_into_a_forked_log, step="one log", words="a fork",
        rule="signed", told="no log entry was proven"),
    Row(attack=show_a_forked_log_to_who_saw_the_true_one, step="one log", words="a fork",
        rule="signed", told="no log entry was proven"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.attack.__name__)
def test_refuses_at_the_command_and_at_the_gate(scene: Scene, row: Row) -> None:
    name = row.attack(scene) or "shop/app:1"
    try:
        verified = scene.verify(name)
        if row.rule == "content-whole":
            pull(scene)
        answer = scene.ask_gate(name)
    finally:
        scene.stage.push(SHOP, NEW, "1")
    assert (1, row.step) == (verified.code, verified.failed), verified
    assert row.words in verified.said
    assert isinstance(answer, Refusal), answer
    told = {reason.rule: reason.evidence for reason in answer.reasons}
    assert row.rule in told
    assert (row.told or row.words) in told[row.rule]


def pull(scene: Scene) -> None:
    """Pull as an engine does: the registry hands out no changed byte, and the gate knows then."""
    registry, failures = scene.stage.house.registry, 0
    for digest in NEW.blobs:
        try:
            registry.read_blob(SHOP, digest, 1 << 20)
        except IntegrityError:
            failures += 1
    assert 1 == failures


def test_refuses_another_manifest_in_place_of_a_member_that_the_index_names(scene: Scene) -> None:
    """The digest of the index is right: the swap shows only to who looks below it."""
    signed = images.index(NEW)
    scene.stage.push(SHOP, signed, "whole")
    scene.stage.sign(scene.release, SHOP, signed, "whole")
    scene.stage.work()
    scene.sign(signed, "whole")
    scene.show(scene.lab.tree())
    scene.both_accept("shop/app:whole")
    path = f"/v2/{SHOP}/manifests/{NEW.digest}"
    swapped = (OLD.media_type, OLD.manifest)
    scene.site.sources.insert(0, lambda asked: swapped if asked == path else None)
    verified = scene.verify("shop/app:whole")
    assert (1, "members") == (verified.code, verified.failed)
    assert f"is not what {NEW.digest}" in verified.said
    scene.words = ("--no-content",)
    assert scene.verify("shop/app:whole").is_valid, "that the digest is signed is still true"


def test_refuses_no_entry_that_is_in_the_one_log(scene: Scene) -> None:
    """The control of the two attacks with a fork."""
    _sign_into(scene, scene.stage.house.log, "logged")
    _want_log(scene)
    _remember_log(scene)
    scene.both_accept("shop/app:logged")


def _change_on_disk(scene: Scene, made: images.Image, index: int) -> None:
    """Change the configuration, 0, or the last layer, 1; a good push puts it back."""
    found = sorted(set(made.blobs) - set(OLD.blobs), key=lambda one: len(made.blobs[one]))
    configuration = next(one for one in found if made.blobs[one].startswith(b"{"))
    wanted = configuration if index == 0 else next(one for one in found if one != configuration)
    blobs = scene.stage.house.settings.blobs
    [path] = [one for one in blobs.rglob(wanted.hex) if one.is_file()]
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def _show_changed(scene: Scene, role: Role, before: bytes, after: bytes) -> None:
    """Change a file and have the server's stolen keys vouch for it."""
    lab = scene.lab
    content = lab.files[role].content
    assert before in content
    changed = content.replace(before, after)
    named = {ROOT: lab.roots[-1].content, **{r: f.content for r, f in lab.files.items()}}
    named[role] = changed
    snapshot = build.signed_file(
        SNAPSHOT,
        Snapshot(
            version=90,
            expires=lab.now + trees.YEAR,
            meta={one: FileMeta.of(file) for one, file in named.items()},
        ),
        [build.ed25519_signer(lab.snapshot_key)],
    )
    timestamp = build.signed_file(
        TIMESTAMP,
        Timestamp(version=90, expires=lab.now + DAY, snapshot=FileMeta.of(snapshot.content)),
        [build.ed25519_signer(lab.timestamp_key)],
    )
    tree = lab.tree()
    scene.show(
        dataclasses.replace(
            tree,
            snapshot=snapshot.content,
            timestamp=timestamp.content,
            targets={**tree.targets, role: changed},
        )
    )


def _descriptor(made: images.Image) -> Descriptor:
    return Descriptor(media_type=made.media_type, digest=made.digest, size=len(made.manifest))


def _fork(scene: Scene) -> TransparencyLog:
    """Return a log under the true one's stolen key and name, that tells another story."""
    true = scene.stage.house.log
    stage = logs.log_in(scene.verifier.home / "fork", clock=scene.stage.house.clock)
    fork = TransparencyLog(
        stage.database, stage.clock, signer=true._signer, sealing=logs.SEALING,
        name=true.trusted.name,
    )  # fmt: skip
    _grow(fork, scene)
    return fork


def _grow(log: TransparencyLog, scene: Scene) -> None:
    with log._database.write() as connection:
        entry = logs.fact_entry(log.size_in(connection), "other/story")
        log.add(entry, connection=connection)


def _sign_into(scene: Scene, log: TransparencyLog, tag: str) -> None:
    """Sign a new image, whose signature enters `log`, under a tag that the tree has too."""
    made = houses.image(pillow=f"13.{len(tag)}")
    scene.stage.push(SHOP, made, tag)
    image = Reference.parse(f"{scene.site.host}/{SHOP}:{tag}")

    def enter(envelope: dict[str, Json], _signer: PublicKey) -> list[Json]:
        entry = logs.signature_entry(entries.parse_envelope(envelope), scene.release)
        with log._database.write() as connection:
            return [log.append(entry, connection=connection).to_bundle_json()]

    now = scene.stage.house.clock.now()
    uploads = cosign.plan(_descriptor(made), image, scene.release, now, log=enter)
    scene.stage.push_uploads(SHOP, uploads)
    scene.stage.work()
    scene.sign(made, tag)
    scene.show(scene.lab.tree())


def _want_log(scene: Scene) -> None:
    root = scene.verifier.home / "trusted_root.json"
    root.write_bytes(trusted_roots.build(scene.stage.house.log.trusted))
    scene.words = ("--logged", "--log-root", str(root))
    scene.demand("{signed: {logged: true}}")


def _remember_log(scene: Scene) -> None:
    """Have the verifier have seen the true log, as `seawall log verify` does."""
    log = scene.stage.house.log

    def read(start: int, end: int) -> list[following.SeenEntry]:
        return [
            following.SeenEntry(
                number=one.number, leaf_hash=one.leaf_hash, body=one.body,
                statement=one.statement, repository=one.repository,
            )
            for one in log.entries(start, end)
        ]  # fmt: skip

    seen: Memory = following.follow(None, log.checkpoint(), log.trusted, read, each=lambda _: None)
    folder = scene.verifier.home / "logs"
    LogMemory(folder, "log", f"https://{scene.site.host}").save(log.trusted, seen)
