"""`seawall trust` against the stock notary-server, beside a registry that is not ours."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.cli import own_trees
from seawall.cli.own_trees import Site
from seawall.cli.registry_client import RegistryClient
from seawall.cli.trees_client import TreesClient
from seawall.testing import docker_registry, images, notary_server, running, signatures, trusting
from seawall.testing.trusting import PHRASE, Done
from seawall.trust.tuf.names import TARGETS, Gun

pytestmark = pytest.mark.interop


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    registry: str
    server: str
    home: Path

    def run(self, *words: str, check: bool = True) -> Done:
        roles = ("ROOT", "TARGETS", "SNAPSHOT", "DELEGATION")
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            timeout=120, cwd=self.home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                **{f"NOTARY_{role}_PASSPHRASE": PHRASE for role in roles},
            },
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def seawall(self, *words: str, check: bool = True) -> Done:
        state = ("--state", str(self.home / "state"))
        return self.run(sys.executable, "-m", "seawall", *words, *state, check=check)

    def over_trees(self, *words: str, check: bool = True) -> Done:
        where = ("--unsafe-plain-http", "--trust-server", self.server)
        return self.seawall(*words, *where, check=check)

    def notary(self, *words: str, folder: str = "notary", check: bool = True) -> Done:
        program = str(trusting.CLIENTS / "notary")
        where = ("-s", f"http://{self.server}", "-d", str(self.home / folder))
        return self.run(program, *where, *words, check=check)

    def key(self, name: str) -> tuple[str, ...]:
        phrase = self.home / "phrase"
        phrase.write_text(PHRASE + "\n")
        options = ("--passphrase-file", str(phrase))
        if not (self.home / f"{name}.key").exists():
            self.seawall("key", "generate", "--output", str(self.home / name), *options)
        return ("--key", str(self.home / f"{name}.key"), *options)

    def push(self, name: str) -> str:
        folder = self.home / name.replace("/", "-").replace(":", "-")
        folder.mkdir()
        layout = images.write_layout(folder, running.debian_image(note=name))
        image = f"{self.registry}/{name}"
        self.run(
            "skopeo", "copy", "--quiet", "--dest-tls-verify=false",
            f"oci:{layout}:latest", f"docker://{image}",
        )  # fmt: skip
        return image


@pytest.fixture(scope="module")
def place(need: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    need("skopeo", "docker-registry")
    for program in ("notary", "notary-server"):
        if not (trusting.CLIENTS / program).exists():
            pytest.skip(f"needs the program {program}, and it is not here: tools/clients.sh")
    home = tmp_path_factory.mktemp("stock")
    server = trusting.CLIENTS / "notary-server"
    with (
        docker_registry.running(home / "registry") as registry,
        notary_server.running(server, home / "server") as trust,
    ):
        yield Place(registry=registry, server=trust, home=home)


def test_notary_reads_what_seawall_publishes_on_a_stock_server(place: Place) -> None:
    image = place.push("ours/app:v1")
    gun = image.rpartition(":")[0]
    signed = place.over_trees("sign", image, *place.key("owner"), "--no-log").stdout
    assert "MADE A NEW TREE" in signed
    assert "v1" in place.notary("list", gun).stdout
    done = place.over_trees("verify", image, "--tree-only").stdout
    assert "VERIFIED: tag v1 in targets" in done
    owner, lin = place.key("owner"), place.key("lin")
    public = str(place.home / "lin.pub")
    place.over_trees("trust", "signer", "add", "lin", public, gun, *owner)
    place.over_trees("sign", image, *lin, "--no-log")
    listed = place.notary("list", "-r", "targets/releases", gun).stdout
    assert "targets/releases" in listed
    assert "targets/lin" in place.notary("delegation", "list", gun).stdout


@pytest.mark.parametrize("microsecond", [0, 120, 123000, 678901])
def test_a_stock_server_hashes_what_was_published_whatever_the_time(place: Place, microsecond: int):
    """It parses files and hashes what it would write: times with zeros at their end came out
    otherwise, and one tree in ten was published that nobody could fetch."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=microsecond)
    gun = Gun.parse(f"registry.example/timed/app{microsecond}")
    with RegistryClient(place.server, is_plain_http=True) as http:
        site = Site(
            gun=gun, http=http, trees=TreesClient(http, gun), pins=place.home / f"{microsecond}",
            timestamp_lifetime=dt.timedelta(days=15),
        )  # fmt: skip
        signer = signatures.new_key()
        opened = own_trees.init(site, [signer], signer, now)
        fresh = TreesClient(http, gun).fetch_with_all_roots()
    assert fresh == opened.tree
    assert TARGETS in opened.tree.targets


def test_every_rotation_holds_for_warm_and_cold_clients_of_a_stock_server(place: Place) -> None:
    image = place.push("turned/app:v1")
    gun = image.rpartition(":")[0]
    owner = place.key("owner")
    place.over_trees("sign", image, *owner, "--no-log")
    assert "v1" in place.notary("list", gun, folder="warm").stdout
    for role in ("timestamp", "snapshot"):
        place.over_trees("trust", "rotate", role, gun, *owner)
        assert "v1" in place.notary("list", gun, folder="warm").stdout
    new = ("--new-key", place.key("second")[1])
    place.over_trees("trust", "rotate", "targets", gun, *owner, *new)
    place.over_trees("trust", "rotate", "root", gun, *owner, "--new-key", place.key("third")[1])
    for folder in ("warm", "cold"):
        assert "v1" in place.notary("list", gun, folder=folder).stdout
    assert "VERIFIED" in place.over_trees("verify", image, "--tree-only").stdout


def test_seawall_verifies_what_notary_keeps_the_snapshot_of(place: Place) -> None:
    image = place.push("theirs/app:v1")
    gun = image.rpartition(":")[0]
    raw = place.run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{image}").stdout
    (place.home / "manifest").write_text(raw)
    place.notary("init", "-p", gun)
    place.notary("add", "-p", gun, "v1", str(place.home / "manifest"))
    shown = place.over_trees("trust", "pin", gun, check=False).stderr
    root = shown.partition("a root of ")[2].split()[0]
    place.over_trees("trust", "pin", gun, "--root", root)
    assert "VERIFIED: tag v1 in targets" in place.over_trees("verify", image, "--tree-only").stdout
    place.notary("remove", "-p", gun, "v1")
    refused = place.over_trees("verify", image, "--tree-only", check=False)
    assert (1, True) == (refused.returncode, "nothing in" in refused.stdout)


def test_a_registry_without_a_trust_server_is_signed_without_a_tree(place: Place) -> None:
    image = place.push("plain/app:v1")
    done = place.seawall("sign", image, *place.key("owner"), "--no-log", "--unsafe-plain-http")
    assert "no tree: this registry keeps no trust data" in done.stdout
