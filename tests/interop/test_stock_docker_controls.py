"""The control runs of `tests/attack/test_every_trust_attack.py`: what stock docker 28 does.

A real registry, a real engine, and docker with DOCKER_CONTENT_TRUST=1; the hostile metadata comes
from a server that holds what Seawall's own would refuse. Each test shows what docker lets through
or catches, and that `seawall verify` of the same tree, from the pinned root, refuses it.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from seawall.cli.registry_client import RegistryClient
from seawall.cli.registry_logins import Credentials
from seawall.core.secret import Secret
from seawall.oci.names import RepositoryName
from seawall.testing import engines, hostile_site, running, signatures, trees, trusting
from seawall.testing.hostile_site import HostileSite
from seawall.testing.images import Image
from seawall.testing.trusting import Done, Person
from seawall.testing.verifiers import Verified, Verifier
from seawall.trust.tuf.names import RELEASES, TARGETS, Gun, Role

pytestmark = pytest.mark.interop

DAY = dt.timedelta(days=1)
STOCK_LIFETIME = 14 * DAY
APP = RepositoryName("controls/app")
OLD, NEW = running.debian_image(note="old"), running.debian_image(note="new")
PEOPLE = ("alice", "bob")


@dataclass(slots=True, kw_only=True)
class Place:
    """The registry, where v1 is the newer image, and the attacker's trust server beside it."""

    registry: running.Installation
    engine: engines.Engine
    site: HostileSite
    program: str
    directory: Path
    authorities: Path
    count: Iterator[int] = field(default_factory=itertools.count)

    @property
    def image(self) -> str:
        return f"{self.registry.host}/{APP}:v1"

    def push(self, made: Image) -> None:
        """Push an image as v1."""
        credentials = Credentials(user="admin", password=Secret(self.registry.password))
        with RegistryClient(
            self.registry.host, credentials=credentials, ca_file=self.authorities
        ) as client:
            for content in made.blobs.values():
                client.put_blob(APP, content)
            client.put_manifest(APP, "v1", made.manifest, made.media_type)

    def person(self) -> Person:
        """Return somebody whose docker has seen nothing yet."""
        return Person(
            home=self.directory / f"person-{next(self.count)}", host=self.registry.host,
            name="admin", password=self.registry.password,
        )  # fmt: skip

    def pull(self, who: Person) -> Done:
        env = {
            "DOCKER_HOST": self.engine.host,
            "DOCKER_CONTENT_TRUST": "1",
            "DOCKER_CONTENT_TRUST_SERVER": f"https://{self.site.host}",
        }
        return who.run(self.program, "pull", self.image, check=False, env=env)

    def docker_accepts(self, who: Person, made: Image) -> None:
        done = self.pull(who)
        assert 0 == done.returncode, done.stderr
        assert f"{self.image}@{made.digest}" in done.stdout

    def docker_refuses(self, who: Person, words: str) -> None:
        done = self.pull(who)
        assert (1, True) == (done.returncode, words in done.stderr), done.stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    place: Place
    lab: trees.TreeLab
    verifier: Verifier

    def sign(self, made: Image, by: tuple[str, ...] = PEOPLE) -> None:
        """Have people of the tree sign v1."""
        signed = {"v1": made.manifest.decode()}
        for name in by:
            self.lab.publish(Role(f"targets/{name}"), signed, by=[self.lab.people[name]])
        self.lab.publish(RELEASES, signed, by=[self.lab.people[name] for name in by])

    def show(self) -> None:
        """Show the tree as it is, with a timestamp as long as stock servers make it."""
        self.place.site.tree = self.lab.tree(lifetime=STOCK_LIFETIME)

    def verify(self, *words: str) -> Verified:
        return self.verifier.verify(
            self.place.image, "--tree-only", "--no-content", *words,
            "--trust-server", self.place.site.host, "--ca", str(self.place.authorities),
        )  # fmt: skip

    def seawall_refuses(self, step: str, words: str, *options: str) -> None:
        found = self.verify(*options)
        assert (1, step) == (found.code, found.failed), found
        assert words in found.said


@pytest.fixture(scope="module")
def place(
    need: Callable[..., None], engine: engines.Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    need("skopeo")
    program = trusting.find_docker("28")
    if program is None:
        pytest.skip("needs a docker client 28, and none is here: tools/clients.sh")
    directory = tmp_path_factory.mktemp("controls")
    with (
        running.installation(directory, engine.socket) as registry,
        hostile_site.running(directory) as site,
    ):
        authorities = directory / "authorities.pem"
        authorities.write_bytes(
            site.ca.read_bytes() + (registry.state / "pki" / "server-ca.pem").read_bytes()
        )
        place = Place(
            registry=registry, engine=engine, site=site, program=program, directory=directory,
            authorities=authorities,
        )  # fmt: skip
        for made in (OLD, NEW):
            place.push(made)
        yield place


@pytest.fixture
def scene(place: Place, tmp_path: Path) -> Scene:
    """The tree of alice and bob, who signed the newer image; its root is pinned."""
    lab = trees.TreeLab(
        gun=Gun.of(place.registry.host, APP),
        now=dt.datetime.now(dt.UTC) - 3 * DAY,
        people={name: signatures.new_key() for name in PEOPLE},
    )
    lab.root()
    lab.now += 3 * DAY
    lab.publish(TARGETS, {}, delegations=lab.delegations(*PEOPLE))
    scene = Scene(
        place=place, lab=lab,
        verifier=Verifier(home=tmp_path / "verifier", state=place.registry.state),
    )  # fmt: skip
    scene.verifier.pin(lab.gun, lab.pin)
    scene.sign(NEW)
    scene.show()
    return scene


def test_a_replay_is_accepted_by_a_fresh_docker_and_refused_by_a_warm_one(scene: Scene) -> None:
    place, warm = scene.place, scene.place.person()
    scene.sign(OLD)
    scene.show()
    old = place.site.tree
    scene.sign(NEW)
    scene.show()
    place.docker_accepts(warm, NEW)
    assert scene.verify().is_valid
    place.site.tree = old
    place.docker_refuses(warm, "potential malicious behavior")
    place.docker_accepts(place.person(), OLD)
    scene.seawall_refuses("remembered", "was seen before")


def test_a_frozen_timestamp_is_accepted_by_docker_until_it_expires(scene: Scene) -> None:
    """The server shows what was right three days ago, and nothing that was signed since."""
    place, lab, warm = scene.place, scene.lab, scene.place.person()
    lab.now -= 3 * DAY
    scene.sign(OLD)
    scene.show()
    for _ in range(2):
        place.docker_accepts(warm, OLD)
    place.docker_accepts(place.person(), OLD)
    scene.seawall_refuses("freshness", "older than the 24.0 h asked", "--max-age", "24")
    scene.seawall_refuses(
        "freshness", "longer than servers make it", "--timestamp-lifetime", "24"
    )  # as for Seawall's own server
    place.site.tree = lab.tree(lifetime=2 * DAY)
    place.docker_refuses(place.person(), "timestamp expired")
    scene.seawall_refuses("freshness", "expired on")


def test_the_tag_of_a_removed_signer_is_accepted_by_docker_when_another_signs_over_it(
    scene: Scene,
) -> None:
    """alice alone had signed v1; bob signed some other tag after her removal."""
    lab = scene.lab
    lab.publish(TARGETS, {}, delegations=lab.delegations("bob"))
    del lab.files[Role("targets/alice")]
    lab.publish(Role("targets/bob"), {"v2": "two"}, by=[lab.people["bob"]])
    released = {"v1": NEW.manifest.decode(), "v2": "two"}
    lab.publish(RELEASES, released, by=[lab.people["bob"]])
    scene.show()
    scene.place.docker_accepts(scene.place.person(), NEW)
    scene.seawall_refuses("signers", "only a removed one did")


def test_a_threshold_that_is_not_met_is_refused_by_docker_too(scene: Scene) -> None:
    lab = scene.lab
    lab.publish(TARGETS, {}, delegations=lab.delegations(*PEOPLE, threshold=2))
    scene.sign(NEW, by=("alice",))
    scene.show()
    scene.place.docker_refuses(scene.place.person(), "No trust data for v1")
    scene.seawall_refuses("delegations", "1 of 2 signatures")
    scene.sign(NEW)
    scene.show()
    scene.place.docker_accepts(scene.place.person(), NEW)


def test_a_tag_moved_back_in_the_registry_is_of_no_use_to_docker(scene: Scene) -> None:
    """docker asks for the digest that was signed; Seawall says that the registry shows another."""
    place = scene.place
    place.push(OLD)
    try:
        place.docker_accepts(place.person(), NEW)
        scene.seawall_refuses("digest", f"not for {OLD.digest}")
    finally:
        place.push(NEW)


def test_a_tag_that_docker_revoked_is_accepted_by_docker_where_it_stands_in_targets(
    scene: Scene,
) -> None:
    """Stock servers store such a revocation. Seawall's says that it would be none."""
    place, lab = scene.place, scene.lab
    named = {"v1": NEW.manifest.decode()}
    lab.publish(TARGETS, named)
    scene.show()
    for role in (Role("targets/alice"), Role("targets/bob")):
        lab.publish(role, {}, by=[lab.people[role.rpartition("/")[2]]])
    lab.publish(RELEASES, {}, by=[lab.people["alice"]])
    scene.show()
    place.docker_accepts(place.person(), NEW)

    person, engine = place.person(), place.engine
    image = f"{place.registry.host}/controls/half:v1"
    folder = place.directory / "half"
    folder.mkdir()
    trusting.load(engine, NEW, folder, image)
    person.docker(place.program, engine, "push", image)  # there are no signers: into targets
    person.run(place.program, "trust", "key", "generate", "ada")
    name = image.rpartition(":")[0]
    person.docker(
        place.program, engine, "trust", "signer", "add", "ada",
        "--key", str(person.home / "ada.pub"), name,
    )  # fmt: skip
    person.docker(place.program, engine, "trust", "sign", image)
    half = person.docker(place.program, engine, "trust", "revoke", "-y", image, check=False)
    assert 0 != half.returncode
    assert "v1 would still stand in targets" in half.stderr
