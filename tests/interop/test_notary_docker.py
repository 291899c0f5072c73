"""Stock docker clients with nothing but DOCKER_CONTENT_TRUST=1, against a real `seawall up`."""

from __future__ import annotations

import concurrent.futures
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall import config
from seawall.app import rooms, setup
from seawall.oci.names import RepositoryName
from seawall.testing import engines, running, trusting
from seawall.testing.trusting import Person
from seawall.trust.tuf.model import Targets
from seawall.trust.tuf.names import RELEASES, TARGETS, Gun, Role

pytestmark = pytest.mark.interop

each_docker = pytest.mark.parametrize("docker", list(trusting.DOCKERS), indirect=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An installation, the engine of the people in front of it, and the people."""

    installation: running.Installation
    engine: engines.Engine
    directory: Path

    @property
    def host(self) -> str:
        return self.installation.host

    def house(self) -> AbstractContextManager[rooms.House]:
        return setup.opened(config.load(str(self.installation.state)))

    def person(self, name: str = "admin") -> Person:
        """Return somebody with an empty home."""
        home = self.directory / f"{name}-{len(list(self.directory.iterdir()))}"
        password = self.installation.password
        if name not in ("admin", ""):
            password = Path(self.installation.add_user(name, "pull,push", "**")).read_text().strip()
        return Person(home=home, host=self.host, name=name, password=password)

    def image(self, name: str) -> str:
        """Put an image into the engine; return its name here, `host/name`."""
        full = f"{self.host}/{name}"
        folder = self.directory / f"image-{len(list(self.directory.iterdir()))}"
        folder.mkdir()
        trusting.load(self.engine, running.debian_image(note=name), folder, full)
        return full


@pytest.fixture(scope="module")
def place(
    need: Callable[..., None], engine: engines.Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    need("skopeo")
    directory = tmp_path_factory.mktemp("trust")
    with running.installation(directory, engine.socket) as installation:
        (directory / "people").mkdir()
        yield Place(installation=installation, engine=engine, directory=directory / "people")


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """One version of the client; `area` keeps its repositories apart from the others'."""

    program: str
    area: str


@pytest.fixture
def docker(request: pytest.FixtureRequest) -> Docker:
    program = trusting.find_docker(request.param)
    if program is None:
        pytest.skip(f"needs a docker client {request.param}, and none is here: tools/clients.sh")
    return Docker(program=program, area=f"with{request.param.replace('.', '')}")


def signed_in(place: Place, repository: str, role: Role = TARGETS) -> set[str]:
    """Return the tags that a role of the stored tree names."""
    with place.house() as house:
        gun = Gun.of(place.host, RepositoryName(repository))
        return set(house.trees.current(gun, role).said(Targets).targets)


@each_docker
def test_a_push_signs_and_a_fresh_client_runs_only_what_was_signed(
    place: Place, docker: Docker
) -> None:
    ada, lin, engine = place.person(), place.person(), place.engine
    name = f"{docker.area}/first"
    image = place.image(f"{name}:v1")
    ada.docker(docker.program, engine, "push", image)
    engine.docker("rmi", "-f", image)
    pulled = lin.docker(docker.program, engine, "pull", image).stdout
    assert f"{image}@sha256:" in pulled
    ran = lin.docker(
        docker.program, engine, "run", "--rm", "--network=none", image, "sh", "-c", "echo ran"
    )
    assert "ran" in ran.stdout

    unsigned = f"{place.host}/{name}:unsigned"
    engine.docker("tag", image, unsigned)
    ada.run(docker.program, "push", unsigned, env={"DOCKER_HOST": engine.host})
    engine.docker("rmi", "-f", unsigned)
    refused = lin.docker(docker.program, engine, "pull", unsigned, check=False)
    assert (1, True) == (refused.returncode, "No valid trust data for unsigned" in refused.stderr)
    refused = lin.docker(docker.program, engine, "run", "--rm", unsigned, "sh", check=False)
    assert 125 == refused.returncode
    never = f"{place.host}/{docker.area}/never:v1"
    refused = lin.docker(docker.program, engine, "pull", never, check=False)
    assert "remote trust data does not exist" in refused.stderr


@each_docker
def test_signers_are_added_sign_and_revoke(place: Place, docker: Docker) -> None:
    ada, engine = place.person(), place.engine
    name = f"{docker.area}/team"
    image = place.image(f"{name}:v1")
    ada.docker(docker.program, engine, "trust", "sign", image)
    assert {"v1"} == signed_in(place, name, RELEASES)
    assert {"v1"} == signed_in(place, name, Role("targets/admin"))

    lin = place.person(f"lin-{docker.area}")
    lin.run(docker.program, "trust", "key", "generate", "lin")
    ada.docker(
        docker.program, engine, "trust", "signer", "add", "lin",
        "--key", str(lin.home / "lin.pub"), f"{place.host}/{name}",
    )  # fmt: skip
    second = place.image(f"{name}:v2")
    lin.docker(docker.program, engine, "trust", "sign", second)
    assert {"v1", "v2"} == signed_in(place, name, RELEASES)
    assert {"v2"} == signed_in(place, name, Role("targets/lin"))

    guest = place.person()
    seen = guest.docker(docker.program, engine, "trust", "inspect", f"{place.host}/{name}")
    (tree,) = json.loads(seen.stdout)
    assert {("v1", ("admin",)), ("v2", ("lin",))} == {
        (tag["SignedTag"], tuple(tag["Signers"])) for tag in tree["SignedTags"]
    }
    assert {"admin", "lin"} == {signer["Name"] for signer in tree["Signers"]}

    lin.docker(docker.program, engine, "trust", "revoke", "-y", second)
    assert {"v1"} == signed_in(place, name, RELEASES)
    engine.docker("rmi", "-f", second)
    refused = guest.docker(docker.program, engine, "pull", second, check=False)
    assert "No valid trust data for v2" in refused.stderr


@each_docker
def test_a_moved_tag_is_pulled_by_warm_and_cold_clients(place: Place, docker: Docker) -> None:
    ada, warm, engine = place.person(), place.person(), place.engine
    image = place.image(f"{docker.area}/moving:v1")
    ada.docker(docker.program, engine, "push", image)
    first = warm.docker(docker.program, engine, "pull", image).stdout
    other = place.image(f"{docker.area}/moving:other")
    engine.docker("tag", other, image)
    ada.docker(docker.program, engine, "push", image)
    again = warm.docker(docker.program, engine, "pull", image).stdout
    cold = place.person().docker(docker.program, engine, "pull", image).stdout
    digests = [text.partition("@")[2].split()[0].rstrip(":") for text in (first, again, cold)]
    assert digests[0] != digests[1] == digests[2]


def test_people_who_publish_at_once_never_harm_the_tree(place: Place) -> None:
    program = trusting.find_docker("28")
    if program is None:
        pytest.skip("needs a docker client 28, and none is here: tools/clients.sh")
    ada, engine, name = place.person(), place.engine, "many/publish"
    tags = [f"v{number}" for number in range(6)]
    images = [place.image(f"{name}:{tag}") for tag in tags]
    ada.docker(program, engine, "push", images[0])

    def publish(image: str) -> int:
        return person_of[image].docker(program, engine, "push", image, check=False).returncode

    # everybody has the same keys in a home of their own
    person_of = {image: place.person() for image in images[1:]}
    for person in person_of.values():
        shutil.copytree(ada.home / ".docker" / "trust", person.home / ".docker" / "trust")
    with concurrent.futures.ThreadPoolExecutor(len(person_of)) as pool:
        codes = list(pool.map(publish, person_of))
    done = {tag for tag, code in zip(tags[1:], codes, strict=True) if code == 0}
    assert done, codes
    stored = signed_in(place, name)
    assert {"v0"} < stored
    for tag in stored:
        place.person().docker(program, engine, "pull", f"{place.host}/{name}:{tag}")
