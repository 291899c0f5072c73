"""Root and targets keys change hands while everybody reads, and while the server is killed.

A real web process; the changes are made by `seawall trust rotate`. Readers are stock notary and
docker, with and without what they remember, and our own proof from the first root and from the
newest.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest

from seawall.cli import main
from seawall.cli.registry_client import RegistryClient
from seawall.cli.registry_logins import Credentials
from seawall.cli.trees_client import TreesClient
from seawall.core.secret import Secret
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.testing import images, trusting
from seawall.testing.installations import Installation, Served, installation
from seawall.testing.killing import Killer, Moment
from seawall.testing.trusting import Person
from seawall.trust import key_files, keys
from seawall.trust.tuf import chain, metadata, roots
from seawall.trust.tuf.chain import ChainProof, Pin
from seawall.trust.tuf.model import Root
from seawall.trust.tuf.names import ROOT, TARGETS, Gun, Role

pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

PHRASE = "correct horse battery"
APP = RepositoryName("team/app")
IMAGE = images.image(images.layer({"motd": b"rotated"}))
DIGEST = Digest.of(IMAGE.manifest)
LIFETIME = dt.timedelta(hours=24)
TURNS = 6
MOMENTS = [
    *(Moment(steps=1, changes=changes) for changes in range(6)),  # in the upload
    Moment(steps=2, changes=0),  # it was acknowledged, and is about to be proven
]
"""Requests are counted from the upload on."""


@dataclass(slots=True, kw_only=True)
class Stand:
    """A web process, the owner of a tree with two keys for each role, and readers."""

    house: Installation
    web: Served
    home: Path
    prints: dict[str, str] = field(default_factory=dict)
    """Names of key files by the id that metadata has for them."""
    count: Iterator[int] = field(default_factory=itertools.count)

    @property
    def gun(self) -> Gun:
        return Gun.of(f"localhost:{self.house.web_port}", APP)

    @contextlib.contextmanager
    def client(self) -> Iterator[RegistryClient]:
        credentials = Credentials(user="admin", password=Secret(self.house.password))
        authority = self.house.settings.server_authority
        with RegistryClient(self.gun.host, credentials=credentials, ca_file=authority) as client:
            yield client

    def seawall(self, *words: str) -> tuple[int, str]:
        """Run a command as the owner, in this process."""
        said = io.StringIO()
        home = {"SEAWALL_CONFIG_HOME": str(self.home), "DOCKER_CONFIG": str(self.home / "docker")}
        login = ("--user", "admin", "--password-file", str(self.home / "password"))
        where = (*login, "--ca", str(self.house.settings.server_authority))
        phrase = ("--passphrase-file", str(self.home / "phrase"))
        with (
            mock.patch.dict(os.environ, home),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            code = main.main((*words, "--state", str(self.home / "none"), *where, *phrase))
        return code, said.getvalue()

    def key(self, name: str) -> str:
        return str(self.home / f"{name}.key")

    def rotate(self, role: Role) -> tuple[int, str]:
        """Hand a role over from the key that it has to the other one."""
        holder, root = self.holder(role), self.holder(ROOT)
        other = next(n for n in self.prints.values() if n[0] == role[0] and n != holder)
        return self.seawall(
            "trust", "rotate", role, str(self.gun), "--key", self.key(root),
            "--new-key", self.key(other), "--timestamp-lifetime", "24",
        )  # fmt: skip

    def holder(self, role: Role) -> str:
        """Return the name of the key that the published root gives a role."""
        with self.client() as http:
            tree = TreesClient(http, self.gun).fetch(None)
        assert tree is not None
        root = metadata.parse(ROOT, tree.roots[-1]).said(Root)
        [key_id] = root.roles[role].key_ids
        return self.prints[root.keys[key_id].canonical_id]

    def prove(self, pin: Pin) -> ChainProof:
        """Prove the tag as a client that has this pin."""
        with self.client() as http:
            tree = TreesClient(http, self.gun).fetch(pin)
        return chain.prove(
            Tag("v1"), DIGEST, gun=self.gun, tree=tree, pin=pin, now=dt.datetime.now(dt.UTC),
            timestamp_lifetime=LIFETIME,
        )  # fmt: skip

    def person(self) -> Person:
        person = Person(
            home=self.home / f"person-{next(self.count)}", host=self.gun.host, name="admin",
            password=self.house.password,
        )  # fmt: skip
        authority = self.house.settings.server_authority
        (person.home / "ca.crt").write_bytes(authority.read_bytes())
        return person

    def notary_lists(self, person: Person) -> None:
        done = person.notary("list", str(self.gun))
        assert "v1" in done.stdout, done.stdout + done.stderr

    def docker_inspects(self, person: Person) -> None:
        program = trusting.find_docker("28")
        assert program is not None
        env = {"DOCKER_CONTENT_TRUST": "1"}
        done = person.run(program, "trust", "inspect", str(self.gun), env=env)
        [tree] = json.loads(done.stdout)
        assert ["v1"] == [one["SignedTag"] for one in tree["SignedTags"]]


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """The tag v1 is signed; whoever reads, reads it through every change."""
    if not (trusting.CLIENTS / "notary").exists() or trusting.find_docker("28") is None:
        pytest.skip("needs notary and docker 28, and one is not here: tools/clients.sh")
    home = tmp_path / "owner"
    home.mkdir()
    with installation(tmp_path) as house:
        house.prepare()
        stand = Stand(house=house, web=house.serve("web"), home=home)
        (home / "phrase").write_text(PHRASE + "\n")
        (home / "password").write_text(house.password + "\n")
        for name in ("r0", "r1", "t0", "t1"):
            private, public = home / f"{name}.key", home / f"{name}.pub"
            key_files.write(keys.generate(Secret(PHRASE)), private=private, public=public)
            shown = roots_id(public)
            stand.prints[shown] = name
        with stand.client() as http:
            for content in IMAGE.blobs.values():
                http.put_blob(APP, content)
            http.put_manifest(APP, "v1", IMAGE.manifest, IMAGE.media_type)
        words = ("--key", stand.key("t0"), "--root-key", stand.key("r0"))
        code, said = stand.seawall("sign", f"{stand.gun}:v1", *words, "--no-log")
        assert 0 == code, said
        yield stand


def roots_id(public: Path) -> str:
    """Return how metadata names a key."""
    from seawall.trust.tuf import keys as tuf_keys

    return tuf_keys.of_public(key_files.read_public(public)).canonical_id


def first_pin(stand: Stand) -> Pin:
    with stand.client() as http:
        tree = TreesClient(http, stand.gun).fetch(None)
    assert tree is not None
    file = metadata.parse(ROOT, tree.roots[0])
    return Pin(root_key_ids=roots.key_ids(file), root=file.content)


def advanced(proof: ChainProof) -> Pin:
    assert proof.is_valid, proof.failures
    assert proof.pin_after is not None
    return proof.pin_after


def test_everybody_goes_on_reading_while_keys_change_hands(stand: Stand) -> None:
    first = first_pin(stand)
    is_over, reads, failures = threading.Event(), dict.fromkeys(range(4), 0), []
    newest, warm_notary, warm_docker = [first], stand.person(), stand.person()

    def prove() -> None:
        advanced(stand.prove(first))
        newest[0] = advanced(stand.prove(newest[0]))

    readers: list[Callable[[], None]] = [
        prove,
        lambda: stand.notary_lists(warm_notary),
        lambda: stand.notary_lists(stand.person()),
        lambda: stand.docker_inspects(warm_docker),
    ]

    def read(number: int) -> None:
        while not is_over.is_set():
            try:
                readers[number]()
            except BaseException as error:
                failures.append(error)
                return
            reads[number] += 1

    for reader in readers[1:]:
        reader()  # the clients remember the first root
    threads = [threading.Thread(target=read, args=(number,)) for number in range(len(readers))]
    for thread in threads:
        thread.start()
    try:
        for turn in range(TURNS):
            before = dict(reads)
            code, said = stand.rotate((ROOT, TARGETS)[turn % 2])
            assert 0 == code, said
            while not failures and any(reads[one] == before[one] for one in reads):
                is_over.wait(0.05)  # everybody has read in between
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert [] == failures
    assert TURNS <= min(reads.values())
    root = newest[0].root
    assert root is not None
    assert 1 + TURNS == metadata.parse(ROOT, root).version
    stand.docker_inspects(stand.person())


def test_a_rotation_whose_server_dies_leaves_a_tree_that_verifies(stand: Stand) -> None:
    first, warm = first_pin(stand), stand.person()
    newest = advanced(stand.prove(first))
    stand.notary_lists(warm)
    killer = Killer(state=stand.house.state, kill=stand.web.kill)
    exchange = RegistryClient.exchange

    is_uploaded = False

    def counted(client: RegistryClient, *words: str, **more: object) -> bytes:
        nonlocal is_uploaded
        is_uploaded |= words[0] == "POST"
        if is_uploaded:
            killer.step()
        return exchange(client, *words, **more)  # type: ignore[arg-type]

    outcomes = set()
    with mock.patch.object(RegistryClient, "exchange", counted):
        for number, moment in enumerate(MOMENTS):
            is_uploaded = False
            killer.arm(moment)
            code, _ = stand.rotate((ROOT, TARGETS)[number % 2])
            outcomes.add(code)
            killer.join()
            stand.web.kill()
            stand.web.start()
            advanced(stand.prove(first))
            newest = advanced(stand.prove(newest))
    assert len(MOMENTS) == killer.kills
    assert outcomes >= {3}, "at least one rotation was cut off"
    for person in (warm, stand.person()):
        stand.notary_lists(person)
        stand.docker_inspects(person)
    for role in (ROOT, TARGETS):
        code, said = stand.rotate(role)
        assert 0 == code, said
    advanced(stand.prove(first))
    assert stand.house.is_log_whole()
