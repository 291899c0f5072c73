"""The main job with stock programs: push, scan, refused, signed, run — for everybody, every way."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.testing import images, running
from seawall.testing.engines import Engine
from seawall.testing.running import Installation

pytestmark = [pytest.mark.interop, pytest.mark.engine]

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / ".cache" / "clients"
GREETING = ("cat", "/etc/note")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An installation, a trusted key, and an image in it that this key has signed."""

    place: Installation
    key: tuple[str, ...]
    image: str
    digest: str


@pytest.fixture(scope="module")
def place(
    engine: Engine, need: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    need("skopeo")
    with running.installation(tmp_path_factory.mktemp("main"), engine.socket) as place:
        place.knows_advisories(running.advisory("libhole", "2.0-1"))
        place.log_in()
        yield place


@pytest.fixture(scope="module")
def house(place: Installation) -> House:
    key = place.make_key("release")
    image = running.debian_image("cat", "sleep", "stty", note="hello\n")
    name = place.push(image, "team/app")
    place.seawall("sign", name, *key)
    return House(place=place, key=key, image=name, digest=str(image.digest))


@pytest.fixture(scope="module")
def bob(house: House) -> dict[str, str]:
    """The environment of somebody who may pull team/app and nothing else."""
    house.place.add_user("bob", "pull", "team/app")
    return house.place.certificate("bob")


@pytest.fixture(scope="module")
def eve(house: House) -> dict[str, str]:
    """The environment of somebody who may nothing."""
    house.place.add_user("eve")
    return house.place.certificate("eve")


def imported(place: Installation, engine: Engine, name: str) -> None:
    """Make an image as people do: from the files of a system, with `docker import`."""
    files = images.programs("sh", "cat") | {
        "etc/os-release": running.DEBIAN,
        "etc/note": b"imported\n",
        "var/lib/dpkg/status": b"Package: libfine\nStatus: install ok installed\nVersion: 1.0-1\n",
    }
    tree = place.home / "tree.tar"
    tree.write_bytes(images.layer(files, compressed=False).content)
    engine.docker("import", str(tree), name)


def test_a_pushed_image_is_scanned_refused_unsigned_and_runs_once_it_is_signed(
    place: Installation, engine: Engine
) -> None:
    name = f"{place.host}/main/job:1"
    imported(place, engine, name)
    place.run("docker", "-H", engine.host, "push", name)
    report = json.loads(place.seawall("scan", "--json", name).stdout)
    packages = [one for one in report["inventory"]["components"] if one["type"] == "deb"]
    assert ["libfine"] == [one["name"] for one in packages]
    refused = place.docker("run", "--rm", name, *GREETING, check=False)
    assert 125 == refused.returncode
    assert (
        f"docker: Error response from daemon: seawall refused to run {name}: "
        "signed: not signed by a trusted key"
    ) in refused.stderr
    assert f"seawall sign {name}" in refused.stderr, "the remedy can be copied and run"
    explained = place.seawall("explain", name, check=False)
    assert (1, True) == (explained.returncode, "NO    signed" in explained.stdout)
    assert 1 == place.seawall("verify", name, check=False).returncode
    key = place.make_key("first")
    place.seawall("sign", name, *key)
    assert "VERIFIED: signed by first" in place.seawall("verify", name).stdout
    assert json.loads(place.seawall("explain", name, "--json").stdout)["is_allowed"]
    done = place.docker("run", "--rm", name, *GREETING)
    assert "imported\n" == done.stdout
    kinds = [event["event"] for event in place.events("--repository", "main/job")]
    for kind in ("ManifestPushed", "ReportMade", "VerdictGiven", "AdmissionRefused"):
        assert kind in kinds
    assert kinds.index("AdmissionRefused") < kinds.index("ContainerCreated")
    assert "whole" in place.seawall("audit", "verify").stdout


def test_a_signed_image_with_a_fixable_hole_is_refused_with_the_version_that_mends_it(
    house: House,
) -> None:
    place = house.place
    name = place.push(running.debian_image("cat", packages={"libhole": "1.0-1"}), "team/hole")
    place.seawall("sign", name, *house.key)
    refused = place.docker("run", "--rm", name, *GREETING, check=False)
    assert 125 == refused.returncode
    for word in ("nothing-fixable", "libhole", "2.0-1"):
        assert word in refused.stderr
    mended = place.push(running.debian_image("cat", packages={"libhole": "2.0-1"}), "team/hole")
    place.seawall("sign", mended, *house.key)
    assert 0 == place.docker("run", "--rm", mended, *GREETING).returncode


def test_an_administrator_and_a_user_with_pull_alone_run_it_over_mutual_tls(
    house: House, bob: dict[str, str]
) -> None:
    admin = house.place.certificate("admin")
    for user, environment in (("admin", admin), ("bob", bob)):
        done = house.place.docker("run", "--rm", house.image, *GREETING, env=environment)
        assert "hello\n" == done.stdout
        created = house.place.events("--kind", "ContainerCreated", "--actor", user)
        assert house.digest == created[-1]["digest"]


def test_the_docker_context_that_client_issue_prints_works_as_printed(house: House) -> None:
    place = house.place
    said = place.seawall("client", "issue", "admin", "--output", str(place.home / "ctx")).stdout
    create = next(line for line in said.splitlines() if "docker context create" in line)
    place.run(*create.split())
    done = place.run("docker", "--context", "seawall", "run", "--rm", house.image, *GREETING)
    assert "hello\n" == done.stdout
    exported = place.home / "seawall.dockercontext"
    place.run("docker", "context", "export", "seawall", str(exported))
    place.run("docker", "context", "rm", "--force", "seawall")
    place.run("docker", "context", "import", "elsewhere", str(exported))
    done = place.run("docker", "--context", "elsewhere", "run", "--rm", house.image, *GREETING)
    assert "hello\n" == done.stdout


def test_the_environment_that_client_issue_prints_works_as_printed(house: House) -> None:
    place = house.place
    said = place.seawall("client", "issue", "admin", "--output", str(place.home / "env")).stdout
    export = next(line.strip() for line in said.splitlines() if line.strip().startswith("export"))
    script = f"{export}; docker run --rm {house.image} cat /etc/note"
    assert "hello\n" == place.run("sh", "-c", script).stdout


def test_who_may_not_pull_is_refused_alike_whether_the_image_exists_or_not(
    house: House, eve: dict[str, str]
) -> None:
    place = house.place
    missing = (f"{place.host}/team/app:2", f"{place.host}/team/none:1")
    for verb in (("run", "--rm"), ("pull",)):
        said = []
        for name in (house.image, *missing):
            refused = place.docker(*verb, name, check=False, env=eve)
            assert refused.returncode != 0
            said.append(refused.stderr.replace(name, "IMAGE"))
        assert "there is no image IMAGE that eve may pull" in said[0]
        assert 1 == len(set(said))


def test_who_may_not_pull_cannot_run_it_by_digest_or_by_the_engines_id_either(
    house: House, engine: Engine, eve: dict[str, str], bob: dict[str, str]
) -> None:
    place = house.place
    pinned = f"{place.host}/team/app@{house.digest}"
    place.docker("pull", house.image)
    identity = engine.docker("image", "inspect", "-f", "{{.Id}}", house.image).stdout.strip()
    for name in (pinned, identity, identity.removeprefix("sha256:")[:12]):
        assert "hello\n" == place.docker("run", "--rm", name, *GREETING, env=bob).stdout
        refused = place.docker("run", "--rm", name, *GREETING, env=eve, check=False)
        assert (125, "") == (refused.returncode, refused.stdout)
        assert "that eve may pull" in refused.stderr


def test_a_right_that_is_taken_away_counts_no_more(house: House) -> None:
    place = house.place
    place.add_user("carol", "pull", "team/*")
    carol = place.certificate("carol")
    assert 0 == place.docker("run", "--rm", house.image, *GREETING, env=carol).returncode
    place.seawall("grant", "take", "carol", "team/*")
    refused = place.docker("run", "--rm", house.image, *GREETING, env=carol, check=False)
    assert 125 == refused.returncode
    assert "that carol may pull" in refused.stderr


@pytest.mark.parametrize(("end", "why"), [("revoked", "revoked"), ("disabled", "cannot sign in")])
def test_a_certificate_that_is_taken_back_opens_nothing(house: House, end: str, why: str) -> None:
    place = house.place
    place.add_user(end, "pull", "**")
    environment = place.certificate(end)
    if end == "revoked":
        listed = place.seawall("client", "list", "--json").stdout.splitlines()
        serial = next(one["serial"] for one in map(json.loads, listed) if one["user"] == end)
        place.seawall("client", "revoke", serial)
    else:
        place.seawall("user", "disable", end)
    for words in (("ps",), ("run", "--rm", house.image)):
        refused = place.docker(*words, check=False, env=environment)
        assert refused.returncode != 0
        assert why in refused.stderr, "the client is told why"


def test_a_distrusted_key_stops_what_it_signed_and_trusting_it_again_starts_it(
    house: House,
) -> None:
    place = house.place
    key = place.make_key("leaving")
    name = place.push(running.debian_image("cat", note="left\n"), "team/leaving")
    place.seawall("sign", name, *key)
    assert "left\n" == place.docker("run", "--rm", name, *GREETING).stdout
    place.seawall("key", "distrust", "leaving")
    refused = place.docker("run", "--rm", name, *GREETING, check=False)
    assert "signed: not signed by a trusted key" in refused.stderr
    place.seawall("key", "trust", str(place.home / "leaving.pub"))
    assert "left\n" == place.docker("run", "--rm", name, *GREETING).stdout


def test_piped_lines_come_back_through_the_whole_installation(
    house: House, bob: dict[str, str]
) -> None:
    script = "printf 'a\\nb\\n' | docker run --rm -i \"$0\" cat"
    done = house.place.run("sh", "-c", script, house.image, env=bob)
    assert "a\nb\n" == done.stdout


@pytest.mark.parametrize("version", ["2", "3"])
def test_stock_cosign_verifies_what_seawall_signed_here(house: House, version: str) -> None:
    fetched = subprocess.run(
        [ROOT / "tools" / "clients.sh", CLIENTS, f"cosign{version}"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    if fetched.returncode:
        pytest.skip(f"needs cosign {version}: {fetched.stderr.strip()}")
    place = house.place
    stranger = place.home / "stranger"
    if not stranger.with_suffix(".pub").exists():
        place.make_key("stranger")
    for key, is_good in (("release", True), ("stranger", False)):
        done = place.run(
            str(CLIENTS / "bin" / f"cosign{version}"), "verify",
            "--key", str(place.home / f"{key}.pub"), "--insecure-ignore-tlog",
            "--registry-cacert", str(place.trust / "ca.crt"),
            "--registry-username=admin", f"--registry-password={place.password}",
            house.image, check=False,
        )  # fmt: skip
        assert is_good == (done.returncode == 0), done.stderr
        if is_good:
            statement = json.loads(done.stdout)[0]
            critical = statement["critical"]
            assert house.digest == critical["image"]["docker-manifest-digest"]


def test_doctor_is_content_with_a_whole_installation(house: House) -> None:
    said = house.place.seawall("doctor").stdout
    assert "NO" not in said.split()
