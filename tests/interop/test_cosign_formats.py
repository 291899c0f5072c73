"""Stock cosign 2 and 3 verify what Seawall signed, and Seawall what they signed.

Against Debian's docker-registry, which has no referrers API and so exercises the fallback tag, and
against Seawall's own, which has one and asks for tokens.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from interop import registries
from seawall.core.secret import Secret
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.testing import images, warm
from seawall.trust import key_files, keys

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / ".cache" / "clients"
PHRASE = "correct horse battery"

both_registries = pytest.mark.parametrize("registry", ["docker-registry", "seawall"], indirect=True)


@pytest.fixture(scope="module")
def cosigns():
    """Cosign by major version, out of Debian's newer suites."""
    done = subprocess.run(
        [ROOT / "tools" / "clients.sh", CLIENTS, "cosign2", "cosign3"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"needs cosign 2 and 3: {done.stderr.strip()}")
    return {"2": CLIENTS / "bin" / "cosign2", "3": CLIENTS / "bin" / "cosign3"}


@pytest.fixture(scope="module")
def registry(request, tmp_path_factory, need):
    """Debian's docker-registry unless the test asks for Seawall's."""
    home = tmp_path_factory.mktemp("registry")
    if getattr(request, "param", "docker-registry") == "seawall":
        with registries.seawall_registry(home) as place:
            yield place
        return
    need("docker-registry")
    with registries.debians_registry(home) as place:
        yield place


@pytest.fixture(scope="module")
def our_keys(tmp_path_factory):
    home = tmp_path_factory.mktemp("keys")
    paths = home / "ours.key", home / "ours.pub"
    key_files.write(keys.generate(Secret(PHRASE)), private=paths[0], public=paths[1])
    return paths


@pytest.fixture(scope="module")
def their_keys(tmp_path_factory, cosigns):
    home = tmp_path_factory.mktemp("cosign-keys")
    _cosign(cosigns["2"], "generate-key-pair", "--output-key-prefix", "theirs", home=home)
    return home / "theirs.key", home / "theirs.pub"


def _cosign(program, *arguments, home):
    return subprocess.run(
        [program, *arguments], cwd=home, capture_output=True, text=True, timeout=60,
        env={"COSIGN_PASSWORD": PHRASE, "HOME": str(home), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A registry, the programs, and a home for them."""

    place: registries.Place
    cosigns: dict[str, Path]
    home: Path

    def push(self, name, image):
        return self.place.push(name, image)

    def sign(self, name, key):
        done = self._seawall(
            "sign", name, "--key", str(key), "--passphrase-file", str(self.home / "passphrase")
        )
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout)["signed"]

    def verify(self, name, *publics, signers=1):
        named = [word for public in publics for word in ("--key", str(public))]
        done = self._seawall("verify", name, *named, "--signers", str(signers))
        assert done.returncode in (0, 1), done.stderr
        result = json.loads(done.stdout)
        assert result["is_valid"] == (done.returncode == 0)
        return result

    def cosign_sign(self, version, name, key, *more):
        offline = {"2": [], "3": ["--use-signing-config=false"]}[version]
        done = _cosign(
            self.cosigns[version], "sign", "--key", key, "--tlog-upload=false", "-y",
            "--allow-http-registry", *self.place.cosign, *offline, *more,
            self.place.image(name), home=self.home,
        )  # fmt: skip
        assert 0 == done.returncode, done.stderr

    def cosign_verifies(self, version, name, public, *more):
        done = _cosign(
            self.cosigns[version], "verify", "--key", public, "--insecure-ignore-tlog",
            "--allow-http-registry", *self.place.cosign, *more,
            self.place.image(name), home=self.home,
        )  # fmt: skip
        return done.returncode == 0

    def readings(self, name, public):
        """What each cosign says, by version and options: True where it verifies."""
        return [self.cosign_verifies(version, name, public, *more) for version, more in READINGS]

    def _seawall(self, command, name, *more):
        return warm.seawall(
            command, self.place.image(name), *more, *self.place.seawall, "--unsafe-plain-http",
            "--json", env=_environment(self.home),
        )  # fmt: skip


READINGS = [("2", ()), ("3", ()), ("3", ("--new-bundle-format=false",))]
ALL, NONE = [True] * 3, [False] * 3
IMAGE = images.image(images.layer({"motd": b"hello"}))


@pytest.fixture
def bench(registry, cosigns, tmp_path):
    (tmp_path / "passphrase").write_text(PHRASE + "\n")
    return Bench(place=registry, cosigns=cosigns, home=tmp_path)


def _environment(home):
    return {
        "HOME": str(home), "SEAWALL_STATE": str(home / "state"),
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src"),
    }  # fmt: skip


@both_registries
def test_stock_cosign_verifies_what_seawall_signed(bench, our_keys):
    bench.push("by-us:v1", IMAGE)
    assert NONE == bench.readings("by-us:v1", our_keys[1])
    bench.sign("by-us:v1", our_keys[0])
    assert ALL == bench.readings("by-us:v1", our_keys[1])
    assert bench.verify("by-us:v1", our_keys[1])["is_valid"]


def test_nobody_verifies_seawalls_signature_under_another_key(bench, our_keys, their_keys):
    bench.push("by-us-only:v1", IMAGE)
    bench.sign("by-us-only:v1", our_keys[0])
    assert NONE == bench.readings("by-us-only:v1", their_keys[1])
    assert not bench.verify("by-us-only:v1", their_keys[1])["is_valid"]


@both_registries
@pytest.mark.parametrize(
    ("version", "more", "form"),
    [
        ("2", (), "cosign-tag"),
        ("3", (), "sigstore-bundle"),
        ("3", ("--new-bundle-format=false",), "cosign-tag"),
    ],
)
def test_seawall_verifies_what_stock_cosign_signed(bench, their_keys, version, more, form):
    name = f"by-cosign-{version}-{form}:v1"
    bench.push(name, IMAGE)
    assert not bench.verify(name, their_keys[1])["is_valid"]
    bench.cosign_sign(version, name, their_keys[0], *more)
    result = bench.verify(name, their_keys[1])
    assert result["is_valid"], result
    assert [form] == [signer["format"] for signer in result["signers"]]
    assert (form == "cosign-tag") == result["signers"][0]["is_bound_to_repository"]


@pytest.mark.parametrize("version", ["2", "3"])
def test_stock_cosign_signs_with_seawalls_key_file(bench, our_keys, version):
    name = f"our-key-{version}:v1"
    bench.push(name, IMAGE)
    bench.cosign_sign(version, name, our_keys[0])
    assert bench.verify(name, our_keys[1])["is_valid"]


def test_seawall_signs_with_cosigns_key_file(bench, their_keys):
    bench.push("their-key:v1", IMAGE)
    bench.sign("their-key:v1", their_keys[0])
    assert ALL == bench.readings("their-key:v1", their_keys[1])


@both_registries
@pytest.mark.parametrize("first", ["seawall", "cosign"])
def test_signatures_of_both_stand_side_by_side(bench, our_keys, their_keys, first):
    name = f"mixed-{first}:v1"
    bench.push(name, IMAGE)
    if first == "seawall":
        bench.sign(name, our_keys[0])
    for version in ("2", "3"):
        bench.cosign_sign(version, name, their_keys[0])
    if first == "cosign":
        bench.sign(name, our_keys[0])
    for public in (our_keys[1], their_keys[1]):
        assert ALL == bench.readings(name, public)
    both = bench.verify(name, our_keys[1], their_keys[1], signers=2)
    assert both["is_valid"], both


@both_registries
def test_signing_again_pushes_nothing(bench, our_keys):
    bench.push("again:v1", IMAGE)
    assert [True] == [one["is_new"] for one in bench.sign("again:v1", our_keys[0])]
    assert [False] == [one["is_new"] for one in bench.sign("again:v1", our_keys[0])]


@both_registries
def test_an_index_and_each_of_its_images_are_signed(bench, our_keys):
    index = images.index(IMAGE, images.image(images.layer({"motd": b"another"})))
    bench.push("multi:v1", index)
    signed = bench.sign("multi:v1", our_keys[0])
    assert ["", "linux/amd64", "linux/amd64"] == [one["platform"] for one in signed]
    children = [Digest.of(child.manifest) for child in index.children]
    for name in ("multi:v1", *(f"multi@{child}" for child in children)):
        assert bench.verify(name, our_keys[1])["is_valid"]
        assert ALL == bench.readings(name, our_keys[1])


def test_cosign_accepts_a_signature_copied_to_another_repository_and_seawall_does_not(
    bench, our_keys
):
    digest = bench.push("origin:v1", IMAGE)
    bench.sign("origin:v1", our_keys[0])
    bench.push("copy:v1", IMAGE)
    _copy_signatures(bench.place, "origin", "copy", digest)
    assert ALL == bench.readings("copy:v1", our_keys[1])
    result = bench.verify("copy:v1", our_keys[1])
    assert not result["is_valid"]
    assert {8, 11} == {step["number"] for step in result["steps"] if not step["is_passed"]}


def test_cosign_accepts_a_tag_moved_to_an_older_signed_image_and_seawall_does_not(bench, our_keys):
    bench.push("moved:v1", IMAGE)
    bench.sign("moved:v1", our_keys[0])
    bench.push("moved:v2", IMAGE)
    assert ALL == bench.readings("moved:v2", our_keys[1])
    result = bench.verify("moved:v2", our_keys[1])
    assert {9, 11} == {step["number"] for step in result["steps"] if not step["is_passed"]}


def _copy_signatures(place, source, target, digest):
    tag = digest.replace(":", "-")
    origin, copy = RepositoryName(source), RepositoryName(target)
    with place.client() as client:
        _copy_manifest(client, origin, copy, f"{tag}.sig")
        listed = client.get_manifest(origin, tag)
        for entry in json.loads(listed.content)["manifests"]:
            _copy_manifest(client, origin, copy, entry["digest"])
        client.put_manifest(copy, tag, listed.content, listed.media_type)


def _copy_manifest(client, origin, copy, reference):
    found = client.get_manifest(origin, reference)
    document = json.loads(found.content)
    for blob in (document["config"], *document["layers"]):
        digest = Digest.parse(blob["digest"])
        client.put_blob(copy, client.get_blob(origin, digest, max_bytes=1_000_000))
    client.put_manifest(copy, reference, found.content, found.media_type)


def test_verify_starts_without_the_database_or_the_server(bench, our_keys):
    bench.push("fast:v1", IMAGE)
    words = [
        "verify", bench.place.image("fast:v1"), "--key", str(our_keys[1]), "--unsafe-plain-http",
    ]  # fmt: skip
    script = (
        "import sys; from seawall.cli.main import main\n"
        f"code = main({words!r})\n"
        "assert code == 1, code\n"
        "print([m for m in ('sqlalchemy', 'aiohttp', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, timeout=60, env=_environment(bench.home),
    )  # fmt: skip
    assert "[]" == done.stdout.strip().splitlines()[-1], done.stdout + done.stderr
