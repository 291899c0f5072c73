"""`seawall sign`, `verify`, `trust` beside stock docker and notary: each verifies the other's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.testing import engines, running, trusting
from seawall.testing.running import Done
from seawall.testing.trusting import Person

pytestmark = pytest.mark.interop

PHRASE = "a passphrase for tests"
each_docker = pytest.mark.parametrize("docker", ["20.10", "28"], indirect=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    installation: running.Installation
    engine: engines.Engine
    directory: Path

    @property
    def host(self) -> str:
        return self.installation.host

    def seawall(self, *words: str, who: str = "ada", check: bool = True) -> Done:
        """Run `seawall` as somebody with pins and keys of their own."""
        home = self.directory / f"seawall-{who}"
        home.mkdir(exist_ok=True)
        return self.installation.seawall(
            *words, check=check, env={"SEAWALL_CONFIG_HOME": str(home)}
        )

    def key(self, name: str) -> tuple[str, ...]:
        """Return the options with which the key called so signs; make it if it is new."""
        phrase = self.directory / "phrase"
        phrase.write_text(PHRASE + "\n")
        prefix = self.directory / name
        if not prefix.with_suffix(".key").exists():
            words = ("--output", str(prefix), "--passphrase-file", str(phrase))
            self.seawall("key", "generate", *words)
        return ("--key", f"{prefix}.key", "--passphrase-file", str(phrase))

    def public(self, name: str) -> str:
        self.key(name)
        return str(self.directory / f"{name}.pub")

    def push(self, name: str, content: str = "") -> str:
        """Push an image without any signature."""
        return self.installation.push(running.debian_image(note=content or name), *name.split(":"))

    def person(self) -> Person:
        count = len(list(self.directory.iterdir()))
        home = self.directory / f"person-{count}"
        person = Person(
            home=home, host=self.host, name="admin", password=self.installation.password
        )
        authority = self.installation.state / "pki" / "server-ca.pem"
        (home / "ca.crt").write_bytes(authority.read_bytes())
        return person

    def pull(self, docker: str, image: str, *, who: Person | None = None) -> Done:
        """Pull with stock docker and content trust, from an engine that has no such image."""
        self.engine.docker("rmi", "-f", image, check=False)
        return (who or self.person()).docker(docker, self.engine, "pull", image, check=False)


@pytest.fixture(scope="module")
def place(
    need: Callable[..., None], engine: engines.Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    need("skopeo")
    directory = tmp_path_factory.mktemp("trees")
    with running.installation(directory, engine.socket) as installation:
        (directory / "people").mkdir()
        yield Place(installation=installation, engine=engine, directory=directory / "people")


@pytest.fixture
def docker(request: pytest.FixtureRequest) -> str:
    program = trusting.find_docker(getattr(request, "param", "28"))
    if program is None:
        pytest.skip("needs that docker client, and none is here: tools/clients.sh")
    return program


@pytest.fixture
def notary() -> None:
    if not (trusting.CLIENTS / "notary").exists():
        pytest.skip("needs the program notary, and it is not here: tools/clients.sh")


def fingerprint(text: str) -> str:
    """Return the root that a command told to pin."""
    return text.partition("ROOT FINGERPRINT ")[2].split()[0]


@each_docker
def test_docker_runs_what_seawall_signed_and_nothing_else(place: Place, docker: str) -> None:
    area = f"signed{len(docker)}"
    image, unsigned = place.push(f"{area}/app:v1"), place.push(f"{area}/app:v2", "other")
    signed = place.seawall("sign", image, *place.key("release"))
    assert "MADE A NEW TREE" in signed.stdout
    assert "tag v1 published in targets" in signed.stdout
    pulled = place.pull(docker, image)
    assert 0 == pulled.returncode, pulled.stderr
    refused = place.pull(docker, unsigned)
    assert "No valid trust data for v2" in refused.stderr

    root = fingerprint(signed.stdout)
    verified = place.seawall("verify", image, "--tree-only", "--root", root, who="stranger")
    assert "VERIFIED: tag v1 in targets" in verified.stdout
    again = place.seawall("sign", image, *place.key("release"))
    assert "tag v1 was published already" in again.stdout


def test_both_signatures_and_tree_are_proven_in_numbered_steps(place: Place) -> None:
    image = place.push("steps/app:v1")
    place.seawall("sign", image, *place.key("release"))
    done = place.seawall("verify", image, "--key", place.public("release"), "--json")
    document = json.loads(done.stdout)
    assert document["is_valid"]
    numbers = [step["number"] for step in document["steps"] if not step["signature"]]
    assert sorted(numbers) == numbers
    last = [step["name"] for step in document["steps"][-3:]]
    assert ["signers", "members", "content"] == last
    assert ["targets"] == document["tree"]["vouchers"]


def test_a_stranger_without_a_pin_is_told_and_does_not_believe(place: Place) -> None:
    image = place.push("pins/app:v1")
    root = fingerprint(place.seawall("sign", image, *place.key("release")).stdout)
    name = image.rpartition(":")[0]
    shown = place.seawall("trust", "show", name, who="new", check=False)
    assert (3, True) == (shown.returncode, "no root is pinned" in shown.stderr)
    pin = place.seawall("trust", "pin", name, who="new", check=False)
    assert (2, True) == (pin.returncode, root in pin.stderr)
    wrong = place.seawall("trust", "pin", name, "--root", "0" * 64, who="new", check=False)
    assert (3, True) == (wrong.returncode, "no root is signed by what was pinned" in wrong.stderr)
    place.seawall("trust", "pin", name, "--root", root, who="new")
    shown = place.seawall("trust", "show", name, "--json", who="new")
    assert ["v1"] == [tag["tag"] for tag in json.loads(shown.stdout)["tags"]]


@each_docker
def test_seawall_verifies_what_docker_signed(place: Place, docker: str) -> None:
    ada, area = place.person(), f"docker{len(docker)}"
    image = f"{place.host}/{area}/app:v1"
    folder = place.directory / f"image-{area}"
    folder.mkdir()
    trusting.load(place.engine, running.debian_image(note=area), folder, image)
    ada.docker(docker, place.engine, "trust", "sign", image)
    name = image.rpartition(":")[0]
    shown = place.seawall("trust", "pin", name, who=area, check=False).stderr
    root = shown.partition("a root of ")[2].split()[0]
    place.seawall("trust", "pin", name, "--root", root, who=area)
    done = place.seawall("verify", image, "--tree-only", who=area)
    assert "VERIFIED: tag v1 in targets/releases" in done.stdout
    assert "targets/admin" in done.stdout


def test_seawall_verifies_what_notary_signed_and_the_reverse(place: Place, notary: None) -> None:
    ada = place.person()
    image = place.push("notary/app:v1")
    gun = image.rpartition(":")[0]
    ada.notary("init", "-p", gun)
    inspect = place.installation.run(
        "skopeo", "inspect", "--raw", f"--creds=admin:{place.installation.password}",
        f"--cert-dir={place.installation.trust}", f"docker://{image}",
    ).stdout  # fmt: skip
    manifest = ada.home / "manifest"
    manifest.write_text(inspect)
    ada.notary("add", "-p", gun, "v1", str(manifest))
    place.seawall("trust", "pin", gun, "--unsafe-first-use", who="lin")
    done = place.seawall("verify", image, "--tree-only", who="lin")
    assert "VERIFIED: tag v1 in targets" in done.stdout

    ours = place.push("notary/ours:v1")
    place.seawall("sign", ours, *place.key("release"))
    listed = ada.notary("list", ours.rpartition(":")[0]).stdout
    assert "v1" in listed
    assert "targets" in listed


def test_a_removed_signer_vouches_for_nothing_and_the_others_go_on(
    place: Place, docker: str
) -> None:
    v1, v2 = place.push("team/app:v1"), place.push("team/app:v2", "by lin alone")
    name = v1.rpartition(":")[0]
    place.seawall("trust", "init", name, "--root-key", place.key("root")[1], *place.key("owner"))
    for who in ("ada", "lin"):
        place.seawall("trust", "signer", "add", who, place.public(who), name, *place.key("owner"))
    place.seawall("sign", v1, *place.key("ada"))
    place.seawall("sign", v2, *place.key("lin"))
    warm = place.person()
    for image in (v1, v2):
        assert 0 == place.pull(docker, image, who=warm).returncode
    keys = (*place.key("owner"), "--key", place.key("ada")[1])
    shown = place.seawall("trust", "signer", "remove", "lin", name, *keys, check=False)
    assert (1, True) == (shown.returncode, "no longer vouched for: v2" in shown.stdout)
    assert 0 == place.pull(docker, v2, who=warm).returncode, "shown only"
    place.seawall("trust", "signer", "remove", "lin", name, *keys, "--yes")
    for who in (warm, place.person()):
        assert 0 == place.pull(docker, v1, who=who).returncode
        assert "No valid trust data for v2" in place.pull(docker, v2, who=who).stderr
    refused = place.seawall("verify", v2, "--tree-only", check=False)
    assert (1, True) == (refused.returncode, "NOT VERIFIED" in refused.stdout)
    stranger = place.seawall("sign", v2, *place.key("lin"))
    assert "THE TREE STAYS AS IT WAS" in stranger.stdout
    assert "No valid trust data for v2" in place.pull(docker, v2).stderr


def test_a_revoked_tag_is_in_no_role(place: Place, docker: str) -> None:
    image = place.push("revoked/app:v1")
    name = image.rpartition(":")[0]
    place.seawall("sign", image, *place.key("release"))  # into targets: there are no signers yet
    place.seawall("trust", "signer", "add", "ada", place.public("ada"), name, *place.key("release"))
    place.seawall("sign", image, *place.key("ada"))
    assert 0 == place.pull(docker, image).returncode
    half = place.seawall("trust", "revoke", image, *place.key("ada"), check=False)
    assert "would still stand in targets" in half.stderr
    both = (*place.key("ada"), "--key", place.key("release")[1])
    place.seawall("trust", "revoke", image, *both)
    assert "No valid trust data for v1" in place.pull(docker, image).stderr


def test_two_of_three_sign_and_docker_sees_it_only_then(place: Place, docker: str) -> None:
    image = place.push("several/app:v1")
    name = image.rpartition(":")[0]
    place.seawall("trust", "init", name, *place.key("owner"))
    for who in ("ada", "lin", "kim"):
        place.seawall("trust", "signer", "add", who, place.public(who), name, *place.key("owner"))
    place.seawall("trust", "threshold", "releases", "2", name, *place.key("owner"))
    first = place.seawall("sign", image, *place.key("ada"), check=False)
    assert (1, True) == (first.returncode, "WAITS for more signatures" in first.stdout)
    refused = place.pull(docker, image)
    assert (1, True) == (refused.returncode, "trust data for v1" in refused.stderr)
    status = place.seawall("trust", "status", name, check=False)
    assert 1 == status.returncode
    assert "targets/releases needs 1 more of: targets/" in status.stdout
    again = place.seawall("sign", image, *place.key("ada"), check=False)
    assert 1 == again.returncode, "one key twice is one signature"
    second = place.seawall("sign", image, *place.key("lin"))
    assert "published in" in second.stdout
    assert 0 == place.pull(docker, image).returncode
    assert 0 == place.seawall("trust", "status", name).returncode
    done = place.seawall("verify", image, "--tree-only", "--json")
    assert ["targets/ada", "targets/lin"] == json.loads(done.stdout)["tree"]["vouchers"]


def test_a_root_of_two_keys_is_handed_on_by_both(place: Place, docker: str) -> None:
    image = place.push("roots/app:v1")
    name = image.rpartition(":")[0]
    roots = ("--root-key", place.key("root1")[1], "--root-key", place.key("root2")[1])
    place.seawall("trust", "init", name, *roots, "--threshold", "2", *place.key("owner"))
    place.seawall("sign", image, *place.key("owner"))
    new = ("--new-key", place.key("root3")[1])
    half = place.seawall("trust", "rotate", "root", name, *place.key("root1"), *new, check=False)
    assert (1, True) == (half.returncode, "WAITS: root needs 1 more" in half.stdout)
    shown = place.seawall("trust", "approve", name, *place.key("root2"), check=False)
    assert (1, True) == (shown.returncode, "  root: 2 of " in shown.stdout)
    place.seawall("trust", "approve", name, *place.key("root2"), "--yes")
    assert 0 == place.pull(docker, image).returncode


def test_every_key_can_be_rotated_and_clients_follow(place: Place, docker: str) -> None:
    image = place.push("rotated/app:v1")
    name = image.rpartition(":")[0]
    place.seawall("trust", "init", name, "--root-key", place.key("root")[1], *place.key("owner"))
    place.seawall("sign", image, *place.key("owner"))
    warm = place.person()
    assert 0 == place.pull(docker, image, who=warm).returncode
    root = place.key("root")
    place.seawall("trust", "rotate", "snapshot", name, *root)
    place.seawall("trust", "rotate", "timestamp", name, *root)
    place.seawall("trust", "rotate", "targets", name, *root, "--new-key", place.key("own2")[1])
    place.seawall("trust", "rotate", "root", name, *root, "--new-key", place.key("root9")[1])
    place.seawall("trust", "renew", name, *place.key("own2"), "--within", "2000")
    for who in (warm, place.person()):
        pulled = place.pull(docker, image, who=who)
        assert 0 == pulled.returncode, pulled.stderr
    assert 0 == place.seawall("verify", image, "--tree-only").returncode


def test_a_file_proves_it_all_without_a_network(place: Place) -> None:
    image = place.push("offline/app:v1")
    signed = place.seawall("sign", image, *place.key("release"))
    bundle = place.directory / "offline.json"
    place.seawall("trust", "export", image, "-o", str(bundle))
    words = ("--offline", str(bundle), "--key", place.public("release"))
    where = ("--root", fingerprint(signed.stdout))
    done = place.seawall("verify", image, *words, *where, who="far")
    assert "VERIFIED: signed by release.pub" in done.stdout
    assert "VERIFIED: tag v1 in targets" in done.stdout
    late = place.seawall(
        "verify", image, *words, *where, "--as-of", "2036-01-01T00:00:00Z", check=False
    )
    assert (1, True) == (late.returncode, "expired on" in late.stdout)
    wrong = place.seawall("verify", image.replace("v1", "v2"), *words, check=False)
    assert 2 == wrong.returncode
