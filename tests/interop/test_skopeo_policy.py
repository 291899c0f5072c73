"""Stock skopeo with a policy of containers/image enforces repository and tag of our signatures."""

import json
import subprocess
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
IMAGE = images.image(images.layer({"motd": b"hello"}))
OTHER = images.image(images.layer({"motd": b"another"}))

both_registries = pytest.mark.parametrize("registry", ["docker-registry", "seawall"], indirect=True)


@pytest.fixture(scope="module")
def skopeo():
    done = subprocess.run(
        [ROOT / "tools" / "clients.sh", CLIENTS, "skopeo18"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"needs skopeo 1.18: {done.stderr.strip()}")
    return CLIENTS / "bin" / "skopeo18"


@pytest.fixture(scope="module")
def registry(request, tmp_path_factory, need):
    home = tmp_path_factory.mktemp("registry")
    if request.param == "seawall":
        with registries.seawall_registry(home) as place:
            yield place
        return
    need("docker-registry")
    with registries.debians_registry(home) as place:
        yield place


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    place: registries.Place
    program: Path
    home: Path

    def sign(self, name):
        done = warm.seawall(
            "sign", self.place.image(name), "--key", "ours.key", "--passphrase-file", "phrase",
            *self.place.seawall, "--unsafe-plain-http", cwd=self.home, env={"HOME": str(self.home)},
        )  # fmt: skip
        assert 0 == done.returncode, done.stderr

    def copies(self, name, identity="matchRepoDigestOrExact"):
        """Tell whether skopeo copies the image under a policy that demands our signature."""
        host = self.place.host
        demand = {
            "type": "sigstoreSigned", "keyPath": str(self.home / "ours.pub"),
            "signedIdentity": {"type": identity},
        }  # fmt: skip
        repository = name.partition(":")[0].partition("@")[0]
        policy = {
            "default": [{"type": "reject"}],
            "transports": {"docker": {f"{host}/{repository}": [demand]}},
        }
        (self.home / "policy.json").write_text(json.dumps(policy))
        folder = self.home / "registries.d"
        folder.mkdir(exist_ok=True)
        attachments = f"docker:\n  {host}:\n    use-sigstore-attachments: true\n"
        (folder / "here.yaml").write_text(attachments)
        login = () if self.place.credentials is None else ("--src-creds", self._login())
        done = subprocess.run(
            [
                self.program, "--policy", "policy.json", "--registries.d", "registries.d", "copy",
                "--src-tls-verify=false", "--remove-signatures", *login,
                f"docker://{self.place.image(name)}",
                f"dir:{self.home / 'copy'}",
            ],
            cwd=self.home, capture_output=True, text=True, timeout=60,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        is_refused = "Source image rejected" in done.stderr
        assert done.returncode == 0 or is_refused, done.stderr
        return done.returncode == 0

    def _login(self):
        return f"{self.place.credentials.user}:{self.place.credentials.password.reveal()}"


@pytest.fixture
def bench(registry, skopeo, tmp_path):
    (tmp_path / "phrase").write_text(PHRASE + "\n")
    pair = keys.generate(Secret(PHRASE))
    key_files.write(pair, private=tmp_path / "ours.key", public=tmp_path / "ours.pub")
    return Bench(place=registry, program=skopeo, home=tmp_path)


@both_registries
def test_skopeo_accepts_the_tag_that_was_signed_and_refuses_another(bench):
    bench.place.push("skopeo:v1", IMAGE)
    assert not bench.copies("skopeo:v1")
    bench.sign("skopeo:v1")
    assert bench.copies("skopeo:v1")
    bench.place.push("skopeo:v2", IMAGE)  # the same digest under another tag
    assert not bench.copies("skopeo:v2")
    assert bench.copies("skopeo:v2", identity="matchRepository")
    assert bench.copies(f"skopeo@{Digest.of(IMAGE.manifest)}")


@both_registries
def test_skopeo_refuses_a_signature_that_was_copied_to_another_repository(bench):
    digest = bench.place.push("from:v1", IMAGE)
    bench.sign("from:v1")
    bench.place.push("to:v1", IMAGE)
    tag = f"{digest.replace(':', '-')}.sig"
    with bench.place.client() as client:
        found = client.get_manifest(RepositoryName("from"), tag)
        document = json.loads(found.content)
        for blob in (document["config"], *document["layers"]):
            content = client.get_blob(
                RepositoryName("from"), Digest.parse(blob["digest"]), max_bytes=1_000_000
            )
            client.put_blob(RepositoryName("to"), content)
        client.put_manifest(RepositoryName("to"), tag, found.content, found.media_type)
    assert bench.copies("from:v1")
    assert not bench.copies("to:v1")
    assert not bench.copies("to:v1", identity="matchRepository")


@both_registries
def test_skopeo_refuses_an_image_that_took_the_tag_of_a_signed_one(bench):
    bench.place.push("taken:v1", IMAGE)
    bench.sign("taken:v1")
    bench.place.push("taken:v1", OTHER)
    assert not bench.copies("taken:v1")
