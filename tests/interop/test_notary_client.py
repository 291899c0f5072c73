"""The stock `notary` client against a real `seawall up`: trees without any engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall import config
from seawall.app import rooms, setup
from seawall.core.errors import NotFoundError
from seawall.oci.names import RepositoryName
from seawall.testing import running, trusting
from seawall.testing.trusting import Person
from seawall.trust.tuf.model import Root
from seawall.trust.tuf.names import ROOT, SNAPSHOT, Gun

pytestmark = pytest.mark.interop


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    installation: running.Installation
    directory: Path

    def gun(self, name: str) -> Gun:
        return Gun.of(self.installation.host, RepositoryName(name))

    def house(self) -> AbstractContextManager[rooms.House]:
        return setup.opened(config.load(str(self.installation.state)))

    def person(self, name: str = "admin") -> Person:
        home = self.directory / f"person-{len(list(self.directory.iterdir()))}"
        password = self.installation.password if name else ""
        person = Person(home=home, host=self.installation.host, name=name, password=password)
        authority = self.installation.trust / "ca.crt"
        (home / "ca.crt").write_bytes(authority.read_bytes())
        (home / "file").write_text("content of a target\n")
        return person


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if not (trusting.CLIENTS / "notary").exists():
        pytest.skip("needs the program notary, and it is not here: tools/clients.sh")
    directory = tmp_path_factory.mktemp("notary")
    with running.installation(directory, directory / "no-engine.sock") as installation:
        installation.seawall("grant", "give", "pull", "anonymous", "open/**")
        (directory / "people").mkdir()
        yield Place(installation=installation, directory=directory / "people")


def listed(person: Person, gun: Gun) -> dict[str, str]:
    """Return the targets that a reader sees, each with its role."""
    lines = person.notary("list", gun).stdout.splitlines()
    rows = [line.split() for line in lines if len(line.split()) == 4]
    return {row[0]: row[3] for row in rows if len(row[1]) == 64}


def test_a_collection_lives_from_init_to_delete(place: Place) -> None:
    ada, gun = place.person(), place.gun("open/life")
    ada.notary("init", "-p", gun)
    ada.notary("add", "-p", gun, "v1", "file")
    assert {"v1": "targets"} == listed(place.person(""), gun)
    ada.notary("remove", "-p", gun, "v1")
    assert {} == listed(place.person(""), gun)
    # what is destroyed takes the right to delete
    stranger = place.person("")
    refused = stranger.notary("delete", "--remote", gun, check=False)
    assert refused.returncode
    ada.notary("delete", "--remote", gun)
    with place.house() as house, pytest.raises(NotFoundError):
        house.trees.current(gun, ROOT)


def test_delegations_sign_for_themselves(place: Place) -> None:
    ada, lin, gun = place.person(), place.person(), place.gun("open/delegated")
    ada.notary("init", "-p", gun)
    lin.run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-keyout", "lin.key", "-out", "lin.crt", "-subj", "/CN=lin", "-days", "9",
    )  # fmt: skip
    (lin.home / "lin.key").chmod(0o600)
    ada.notary(
        "delegation", "add", "-p", gun, "targets/lin", str(lin.home / "lin.crt"), "--all-paths"
    )
    # the client's own snapshot key has to go: a signer does not have it
    ada.notary("key", "rotate", gun, "snapshot", "-r")
    lin.notary("key", "import", "lin.key", "--role", "targets/lin")
    lin.notary("add", "-p", gun, "v2", "file", "-r", "targets/lin")
    assert {"v2": "targets/lin"} == listed(place.person(""), gun)


@pytest.mark.parametrize(
    "rotation", [("targets",), ("root",), ("snapshot", "-r"), ("snapshot",), ("timestamp", "-r")]
)
def test_keys_rotate_before_the_eyes_of_warm_and_cold_readers(
    place: Place, rotation: tuple[str, ...]
) -> None:
    gun = place.gun(f"open/rotate{len(rotation)}{rotation[0]}")
    ada, warm = place.person(), place.person("")
    ada.notary("init", "-p", gun)
    ada.notary("add", "-p", gun, "v1", "file")
    assert {"v1": "targets"} == listed(warm, gun)
    ada.notary("key", "rotate", gun, *rotation, stdin="yes\n")  # asked for a root
    ada.notary("add", "-p", gun, "v2", "file")
    for reader in (warm, place.person("")):
        assert {"v1": "targets", "v2": "targets"} == listed(reader, gun)
    with place.house() as house:
        old = house.trees.by_version(gun, ROOT, 1).said(Root).roles
        new = house.trees.current(gun, ROOT).said(Root).roles
        changed = {role for role in old if old[role].key_ids != new[role].key_ids}
        assert {rotation[0]} == changed
        server = house.trees.current(gun, SNAPSHOT).signatures[0].method == "eddsa"
        assert (rotation == ("snapshot", "-r")) == server


def test_a_reader_without_the_right_sees_nothing(place: Place) -> None:
    ada, gun = place.person(), place.gun("closed/house")
    ada.notary("init", "-p", gun)
    refused = place.person("").notary("list", gun, check=False)
    assert refused.returncode
    assert "v1" not in refused.stdout
