"""Trees of a stock notary-server brought over to a real `seawall up`, read by the stock client."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.cli.registry_client import RegistryClient
from seawall.cli.registry_logins import Credentials
from seawall.core.secret import Secret
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.testing import docker_registry, images, installations, stock_notary
from seawall.testing.installations import Installation
from seawall.testing.stock_notary import StockNotary
from seawall.testing.trusting import CLIENTS, PHRASE, Person

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
IMAGE = images.image(images.layer({"motd": b"hello"}))
OTHER = images.image(images.layer({"motd": b"another"}))


@pytest.fixture(scope="module", autouse=True)
def clients() -> None:
    done = subprocess.run(
        [ROOT / "tools" / "clients.sh", CLIENTS.parent, "notary", "cosign2"],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"needs notary and cosign 2: {done.stderr.strip()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The old servers, the new installation, and a person who knows both."""

    old: StockNotary
    old_registry: str
    new: Installation
    person: Person
    key: Path
    home: Path

    @property
    def new_host(self) -> str:
        return f"localhost:{self.new.web_port}"

    def notary(
        self, server: str, ca: Path, *words: str, home: Path | None = None, check: bool = True
    ) -> str:
        done = self.person.run(
            str(CLIENTS / "notary"), "-s", f"https://{server}", "-d",
            str(home or self.home / "notary"), "--tlscacert", str(ca), *words, check=check,
            env={"NOTARY_AUTH": self.login},
        )  # fmt: skip
        return done.stdout + done.stderr

    @property
    def login(self) -> str:
        return base64.b64encode(f"admin:{self.new.password}".encode()).decode()

    def sign_at_the_old_server(self, gun: str) -> None:
        """Make a tree as people did, with two tags; import its root key from notary's store."""
        self.notary(self.old.host, self.old.ca, "init", "-p", gun)
        if not self.key.exists():
            self._import_root_key()
        for tag, made in (("v1", IMAGE), ("v2", OTHER)):
            digest = Digest.of(made.manifest)
            self.notary(
                self.old.host, self.old.ca, "addhash", gun, tag, str(len(made.manifest)),
                "--sha256", digest.hex, "-p",
            )  # fmt: skip

    def _import_root_key(self) -> None:
        store = self.home / "notary" / "private"
        (stored,) = [one for one in store.glob("*.key") if "role: root" in one.read_text()]
        phrase = self.home / "passphrase"
        phrase.write_text(PHRASE + "\n")
        done = self.new.seawall(
            "key", "import", "--from-docker", str(stored), "--passphrase-file", str(phrase),
            "--output", str(self.key.with_suffix("")),
        )  # fmt: skip
        assert 0 == done.returncode, done.stderr

    def push(self, repository: str) -> None:
        password = Secret(self.new.password)
        with RegistryClient(
            self.new_host,
            credentials=Credentials(user="admin", password=password),
            ca_file=self.new.settings.server_authority,
        ) as client:
            _push_all(client, repository)

    def migrate(self, *words: str) -> subprocess.CompletedProcess[str]:
        (self.home / "passphrase").write_text(PHRASE + "\n")
        return self.new.seawall(
            "trust", "migrate", *words, "--key", str(self.key), "--passphrase-file",
            str(self.home / "passphrase"), "--json",
        )  # fmt: skip


def _push_all(client: RegistryClient, repository: str) -> None:
    for tag, made in (("v1", IMAGE), ("v2", OTHER)):
        for content in made.blobs.values():
            client.put_blob(RepositoryName(repository), content)
        client.put_manifest(RepositoryName(repository), tag, made.manifest, made.media_type)


@pytest.fixture(scope="module")
def bench(
    clients: None, need: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    need(docker_registry.PROGRAM)
    home = tmp_path_factory.mktemp("migration")
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(stock_notary.running(_folder(home / "old")))
        registry = stack.enter_context(docker_registry.running(home / "registry"))
        new = stack.enter_context(installations.installation(_folder(home / "new")))
        new.prepare()
        new.serve("web")
        person = Person(
            home=home / "person", host=f"localhost:{new.web_port}", name="admin",
            password=new.password,
        )  # fmt: skip
        yield Bench(
            old=old, old_registry=registry, new=new, person=person, key=home / "root.key", home=home
        )


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_tree_is_explained_brought_over_and_read_by_the_stock_client(bench: Bench) -> None:
    gun, ours = f"{bench.old_registry}/team/app", f"{bench.new_host}/team/app"
    bench.sign_at_the_old_server(gun)
    bench.push("team/app")
    words = (
        gun, "--to", ours, "--server", bench.old.host, "--from-ca", str(bench.old.ca),
        "--only", "tree",
    )  # fmt: skip
    refused = bench.migrate(*words)
    assert 1 == refused.returncode, refused.stderr
    assert "--unsafe-first-use" in json.loads(refused.stdout)["remedy"]

    seen = bench.migrate(*words, "--unsafe-first-use")
    assert 0 == seen.returncode, seen.stderr
    explained = json.loads(seen.stdout)
    assert ("another-name", False) == (explained["way"], explained["is_done"])
    assert [("v1", True, True), ("v2", True, True)] == [
        (row["tag"], row["before"]["docker"], row["after"]["docker"]) for row in explained["tags"]
    ]
    (fingerprint,) = explained["root_key_ids"]
    ca = bench.new.settings.server_authority
    fresh = bench.home / "fresh"
    said = bench.notary(bench.new_host, ca, "list", ours, home=fresh, check=False)
    assert "v1" not in said

    done = bench.migrate(*words, "--root", fingerprint, "--apply")
    assert 0 == done.returncode, done.stderr
    assert ["root", "targets"] == sorted(json.loads(done.stdout)["published"])
    listed = bench.notary(bench.new_host, ca, "list", ours, home=fresh)
    for made in (IMAGE, OTHER):
        assert Digest.of(made.manifest).hex in listed
    again = bench.migrate(*words, "--root", fingerprint, "--apply")
    assert (0, []) == (again.returncode, json.loads(again.stdout)["published"])
    verified = bench.new.seawall("verify", f"{ours}:v1", "--tree-only", "--root", fingerprint)
    assert 0 == verified.returncode, verified.stdout + verified.stderr


def test_when_the_hosts_name_moves_a_client_with_a_cache_goes_on(bench: Bench) -> None:
    gun = f"{bench.new_host}/team/moving"
    bench.sign_at_the_old_server(gun)
    bench.push("team/moving")
    warm = bench.home / "warm"
    listed = bench.notary(bench.old.host, bench.old.ca, "list", gun, home=warm)
    assert Digest.of(IMAGE.manifest).hex in listed

    words = (gun, "--server", bench.old.host, "--from-ca", str(bench.old.ca), "--unsafe-first-use")
    done = bench.migrate(*words, "--apply")
    assert 0 == done.returncode, done.stderr
    assert "same-name" == json.loads(done.stdout)["way"]
    ca = bench.new.settings.server_authority
    for home in (warm, bench.home / "cold"):
        listed = bench.notary(bench.new_host, ca, "list", gun, home=home)
        assert Digest.of(OTHER.manifest).hex in listed
    # the signer goes on at the new server with the keys that they had
    bench.notary(
        bench.new_host, ca, "addhash", gun, "v3", "7", "--sha256", "0" * 64, "-p",
    )  # fmt: skip
    assert "v3" in bench.notary(bench.new_host, ca, "list", gun, home=warm)


def test_signatures_of_cosign_are_copied_and_a_name_that_does_not_fit_is_told(
    bench: Bench,
) -> None:
    old, ours = f"{bench.old_registry}/signed/app", f"{bench.new_host}/signed/app"
    with RegistryClient(bench.old_registry, is_plain_http=True) as client:
        _push_all(client, "signed/app")
    bench.push("signed/app")
    cosign = (str(CLIENTS / "cosign2"),)
    env = {"COSIGN_PASSWORD": PHRASE}
    bench.person.run(*cosign, "generate-key-pair", env=env)
    bench.person.run(
        *cosign, "sign", "--key", "cosign.key", "--tlog-upload=false", "-y",
        "--allow-http-registry", f"{old}:v1", env=env,
    )  # fmt: skip
    words = (
        old, "--to", ours, "--only", "signatures", "--from-unsafe-plain-http",
        "--signed-by", str(bench.person.home / "cosign.pub"),
    )  # fmt: skip
    done = bench.migrate(*words, "--apply")
    assert 0 == done.returncode, done.stderr
    result = json.loads(done.stdout)
    rows = {row["tag"]: row for row in result["tags"]}
    assert (True, True) == (rows["v1"]["before"]["cosign"], rows["v1"]["before"]["seawall"])
    assert (True, False) == (rows["v1"]["after"]["cosign"], rows["v1"]["after"]["seawall"])
    assert f"seawall sign {ours}:v1" in rows["v1"]["notes"][0]
    assert not rows["v2"]["before"]["cosign"]
    assert [True] == [one["is_new"] for one in result["copied"]]
    bench.person.run(
        *cosign, "verify", "--key", "cosign.pub", "--insecure-ignore-tlog",
        "--registry-cacert", str(bench.new.settings.server_authority),
        "--registry-username", "admin", "--registry-password", bench.new.password, f"{ours}:v1",
    )  # fmt: skip
    again = json.loads(bench.migrate(*words, "--apply").stdout)
    assert [False] == [one["is_new"] for one in again["copied"]]
