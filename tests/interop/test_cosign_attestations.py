"""Stock cosign 2 and 3 verify what Seawall attested, and Seawall what they attested."""

import contextlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.cli.registry_client import RegistryClient
from seawall.cli.registry_logins import Credentials
from seawall.core.secret import Secret
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.testing import docker_registry, images, registry_server, warm
from seawall.trust import key_files, keys

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / ".cache" / "clients"
PHRASE = "correct horse battery"
IMAGE = images.image(images.layer({"motd": b"hello"}))

SCAN = {
    "scanner": {"uri": "x", "version": "1", "db": {"uri": "", "version": ""}, "result": {}},
    "metadata": {
        "scanStartedOn": "2026-01-01T00:00:00Z", "scanFinishedOn": "2026-01-01T00:00:00Z",
    },
}  # fmt: skip
PREDICATES = {
    "slsaprovenance1": {
        "buildDefinition": {"buildType": "https://ci.example/b", "externalParameters": {}},
        "runDetails": {"builder": {"id": "https://ci.example"}},
    },
    "cyclonedx": {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1},
    "spdxjson": {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "x"},
    "vuln": SCAN,
    "openvex": {
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://x.example/vex",
        "author": "us", "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": [],
    },
    "https://example.com/ours/v1": {"anything": [1, 2]},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A registry, and how each program signs in to it."""

    host: str
    credentials: Credentials | None = None
    seawall: tuple[str, ...] = ()
    cosign: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A registry, the programs, and a home for them."""

    place: Place
    cosigns: dict[str, Path]
    home: Path

    def push(self, name):
        repository, _, tag = name.partition(":")
        with RegistryClient(
            self.place.host, credentials=self.place.credentials, is_plain_http=True
        ) as client:
            for content in IMAGE.blobs.values():
                client.put_blob(RepositoryName(repository), content)
            client.put_manifest(RepositoryName(repository), tag, IMAGE.manifest, IMAGE.media_type)
        return f"{self.place.host}/{name}"

    def file(self, content):
        path = self.home / "predicate.json"
        path.write_text(json.dumps(content))
        return path

    def attest(self, image, kind, key):
        return self.seawall(
            "attest", image, "--type", kind, "--predicate", self.file(PREDICATES[kind]),
            "--key", key, "--passphrase-file", self.home / "passphrase",
        )  # fmt: skip

    def verify(self, image, kind, key, *more):
        return self.seawall("verify", image, "--attestation", kind, "--key", key, *more)

    def seawall(self, *words):
        done = warm.seawall(
            *map(str, words), *self.place.seawall, "--unsafe-plain-http", "--json",
            env={"HOME": str(self.home), "SEAWALL_STATE": str(self.home / "state")},
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)

    def cosign(self, version, command, *words):
        return subprocess.run(
            [
                self.cosigns[version], command, "--allow-http-registry", *self.place.cosign,
                *map(str, words),
            ],
            cwd=self.home, capture_output=True, text=True, timeout=60,
            env={"COSIGN_PASSWORD": PHRASE, "HOME": str(self.home), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip

    def cosign_attests(self, version, image, kind, key):
        offline = {"2": [], "3": ["--use-signing-config=false"]}[version]
        done = self.cosign(
            version, "attest", "--key", key, "--type", kind, "--predicate",
            self.file(PREDICATES[kind]), "--tlog-upload=false", "-y", *offline, image,
        )  # fmt: skip
        assert 0 == done.returncode, done.stderr

    def cosign_verifies(self, version, image, kind, key):
        done = self.cosign(
            version, "verify-attestation", "--key", key, "--type", kind,
            "--insecure-ignore-tlog", image,
        )  # fmt: skip
        return done.returncode == 0


@pytest.fixture(scope="module")
def cosigns():
    done = subprocess.run(
        [ROOT / "tools" / "clients.sh", CLIENTS, "cosign2", "cosign3"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"needs cosign 2 and 3: {done.stderr.strip()}")
    return {"2": CLIENTS / "bin" / "cosign2", "3": CLIENTS / "bin" / "cosign3"}


@contextlib.contextmanager
def _seawall_registry(home):
    (home / "password").write_text(registry_server.PASSWORD + "\n")
    user, password = registry_server.USER, registry_server.PASSWORD
    with registry_server.registry_process(home / "state") as running:
        yield Place(
            host=running.address,
            credentials=Credentials(user=user, password=Secret(password)),
            seawall=("--user", user, "--password-file", str(home / "password")),
            cosign=("--registry-username", user, "--registry-password", password),
        )


@pytest.fixture(scope="module", params=["docker-registry", "seawall"])
def place(request, tmp_path_factory, need):
    home = tmp_path_factory.mktemp("registry")
    if request.param == "seawall":
        with _seawall_registry(home) as place:
            yield place
        return
    need(docker_registry.PROGRAM)
    with docker_registry.running(home) as host:
        yield Place(host=host)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    home = tmp_path_factory.mktemp("keys")
    private, public = home / "our.key", home / "our.pub"
    key_files.write(keys.generate(Secret(PHRASE)), private=private, public=public)
    return private, public


@pytest.fixture(scope="module")
def other_public(tmp_path_factory):
    path = tmp_path_factory.mktemp("other") / "other.pub"
    path.write_bytes(keys.generate(Secret(PHRASE)).public_pem)
    return path


@pytest.fixture
def bench(place, cosigns, tmp_path):
    (tmp_path / "passphrase").write_text(PHRASE + "\n")
    return Bench(place=place, cosigns=cosigns, home=tmp_path)


@pytest.mark.parametrize("kind", PREDICATES)
def test_both_cosigns_and_seawall_verify_what_seawall_attested(bench, pair, other_public, kind):
    name = f"ours-{list(PREDICATES).index(kind)}:v1"
    image = bench.push(name)
    assert not bench.verify(image, kind, pair[1])["is_valid"]
    (attested,) = bench.attest(image, kind, pair[0])["attested"]
    assert (Digest.of(IMAGE.manifest), True) == (attested["digest"], attested["is_new"])
    for version in ("2", "3"):
        assert bench.cosign_verifies(version, image, kind, pair[1]), version
        assert not bench.cosign_verifies(version, image, kind, other_public), version
    assert bench.verify(image, kind, pair[1])["is_valid"]
    assert not bench.verify(image, kind, other_public)["is_valid"]


@pytest.mark.parametrize("version", ["2", "3"])
def test_seawall_verifies_what_stock_cosign_attested(bench, pair, other_public, version):
    image = bench.push(f"theirs-{version}:v1")
    for kind in PREDICATES:
        bench.cosign_attests(version, image, kind, pair[0])
    for kind in PREDICATES:
        proven = bench.verify(image, kind, pair[1])
        assert proven["is_valid"], proven
        assert [True] == [one["is_bound_to_repository"] for one in proven["attestations"]]
    assert not bench.verify(image, "any", other_public)["is_valid"]
    assert len(PREDICATES) == len(bench.verify(image, "any", pair[1])["attestations"])


def test_attestations_of_all_programs_stand_side_by_side(bench, pair):
    image = bench.push("mixed:v1")
    bench.cosign_attests("2", image, "vuln", pair[0])
    bench.cosign_attests("3", image, "vuln", pair[0])
    bench.attest(image, "vuln", pair[0])
    assert [True] * 2 == [bench.cosign_verifies(v, image, "vuln", pair[1]) for v in ("2", "3")]
    assert 3 == len(bench.verify(image, "vuln", pair[1])["attestations"])
    assert [False] == [one["is_new"] for one in bench.attest(image, "vuln", pair[0])["attested"]]


def test_stock_cosign_3_takes_an_attestation_for_a_signature_and_seawall_does_not(bench, pair):
    image = bench.push("apart:v1")
    bench.attest(image, "vuln", pair[0])
    words = ("--key", pair[1], "--insecure-ignore-tlog", image)
    stock = {v: bench.cosign(v, "verify", *words).returncode == 0 for v in ("2", "3")}
    assert {"2": False, "3": True} == stock
    assert not bench.seawall("verify", image, "--key", pair[1])["is_valid"]


def test_a_signed_image_is_not_attested(bench, pair):
    image = bench.push("signed:v1")
    with_key = ("--key", pair[0], "--passphrase-file", bench.home / "passphrase")
    bench.seawall("sign", image, *with_key)
    assert not bench.verify(image, "any", pair[1])["is_valid"]


def test_what_was_attested_is_written_out_as_it_was(bench, pair):
    image = bench.push("written:v1")
    bench.attest(image, "cyclonedx", pair[0])
    out = bench.home / "out.json"
    assert bench.verify(image, "cyclonedx", pair[1], "--predicate-to", out)["is_valid"]
    assert PREDICATES["cyclonedx"] == json.loads(out.read_text())
