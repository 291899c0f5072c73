"""Stock cosign 3 believes Seawall's own transparency log, offline, and nothing less than its proof.

A real web process with its log; `--insecure-ignore-tlog` is never given.
"""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.cli.registry_client import RegistryClient
from seawall.cli.registry_logins import Credentials
from seawall.core import strictjson
from seawall.core.secret import Secret
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import RepositoryName
from seawall.testing import images
from seawall.testing.installations import Installation, installation
from seawall.trust import bundle, cosign, key_files, keys

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / ".cache" / "clients"
PHRASE = "correct horse battery"
IMAGE = images.image(images.layer({"motd": b"logged"}))
NAME = RepositoryName("team/app")


@pytest.fixture(scope="module")
def cosign3() -> Path:
    done = subprocess.run(
        [ROOT / "tools" / "clients.sh", CLIENTS, "cosign3"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"needs cosign 3: {done.stderr.strip()}")
    return CLIENTS / "bin" / "cosign3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """An installation whose web process runs, a key, and the program."""

    house: Installation
    home: Path
    cosign: Path

    @property
    def host(self) -> str:
        return f"localhost:{self.house.web_port}"

    def client(self) -> RegistryClient:
        credentials = Credentials(user="admin", password=Secret(self.house.password))
        authority = self.house.settings.server_authority
        return RegistryClient(self.host, credentials=credentials, ca_file=authority)

    def push(self, tag: str) -> Digest:
        with self.client() as client:
            for content in IMAGE.blobs.values():
                client.put_blob(NAME, content)
            client.put_manifest(NAME, tag, IMAGE.manifest, IMAGE.media_type)
        return Digest.of(IMAGE.manifest)

    def sign(self, tag: str, *more: str) -> dict[str, object]:
        done = self.house.seawall(
            "sign", f"{self.host}/{NAME}:{tag}", "--key", str(self.home / "k.key"),
            "--passphrase-file", str(self.home / "phrase"), "--json", *more,
        )  # fmt: skip
        assert 0 == done.returncode, done.stderr
        result: dict[str, object] = json.loads(done.stdout)
        return result

    def trusted_root(self) -> Path:
        path = self.home / "trusted_root.json"
        with self.client() as client:
            path.write_bytes(client.call_api("GET", "/api/trusted_root.json", max_bytes=100_000))
        return path

    def verify(self, name: str, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                self.cosign, "verify", "--key", self.home / "k.pub",
                "--trusted-root", self.trusted_root(), "--registry-username", "admin",
                "--registry-password", self.house.password,
                *more, f"{self.host}/{name}",
            ],
            cwd=self.home, capture_output=True, text=True, timeout=120,
            env={
                "HOME": str(self.home), "PATH": "/usr/bin:/bin",
                "SSL_CERT_FILE": str(self.house.settings.server_authority),
            },
        )  # fmt: skip

    def bundles(self, digest: Digest) -> list[bytes]:
        found = []
        with self.client() as client:
            for entry in client.find_referrers(NAME, digest) or ():
                manifest = client.get_manifest(NAME, entry.digest)
                layer = cosign.bundle_layer(manifest.content, digest)
                if layer is not None:
                    found.append(client.get_blob(NAME, layer.digest, max_bytes=1_000_000))
        return found

    def publish(self, name: str, content: bytes, digest: Digest) -> None:
        """Push the image and a bundle of our own making into another repository."""
        repository = RepositoryName(name)
        image = Descriptor(media_type=IMAGE.media_type, digest=digest, size=len(IMAGE.manifest))
        manifest = strictjson.encode(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "artifactType": bundle.MEDIA_TYPE,
                "config": _descriptor(b"{}", "application/vnd.oci.empty.v1+json"),
                "layers": [_descriptor(content, bundle.MEDIA_TYPE)],
                "subject": {
                    "mediaType": image.media_type, "size": image.size, "digest": str(digest),
                },
            }
        )  # fmt: skip
        with self.client() as client:
            for blob in (*IMAGE.blobs.values(), b"{}", content):
                client.put_blob(repository, blob)
            client.put_manifest(repository, "v1", IMAGE.manifest, IMAGE.media_type)
            media_type = "application/vnd.oci.image.manifest.v1+json"
            client.put_manifest(repository, Digest.of(manifest), manifest, media_type)


def _descriptor(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(content), "digest": str(Digest.of(content))}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, cosign3: Path) -> Iterator[Stand]:
    home = tmp_path_factory.mktemp("log")
    pair = keys.generate(Secret(PHRASE))
    key_files.write(pair, private=home / "k.key", public=home / "k.pub")
    (home / "phrase").write_text(PHRASE + "\n")
    with contextlib.ExitStack() as stack:
        house = stack.enter_context(installation(home))
        house.prepare()
        house.serve("web")
        yield Stand(house=house, home=home, cosign=cosign3)


def test_cosign_verifies_offline_with_our_log_and_refuses_less(stand: Stand) -> None:
    digest = stand.push("v1")
    unsigned = stand.verify(f"{NAME}:v1")
    assert 0 != unsigned.returncode
    first = stand.sign("v1")
    assert "localhost" == first["log"]
    done = stand.verify(f"{NAME}:v1")
    assert 0 == done.returncode, done.stderr

    # Signing again enters nothing and pushes nothing.
    with stand.house.rooms() as house:
        size = house.log.size()
    again = stand.sign("v1")
    assert [False] == [one["is_new"] for one in again["signed"]]  # type: ignore[attr-defined]
    (content,) = stand.bundles(digest)
    with stand.house.rooms() as house:
        assert size == house.log.size() == 1

    _refuses_what_was_tampered_with(stand, content, digest)


def _refuses_what_was_tampered_with(stand: Stand, content: bytes, digest: Digest) -> None:
    stand.publish("copy/whole", content, digest)
    assert 0 == stand.verify("copy/whole:v1").returncode  # the control: copied as it is
    for name, change in CHANGES.items():
        document = json.loads(content)
        change(document["verificationMaterial"])
        stand.publish(f"copy/{name}", strictjson.encode(document), digest)
        done = stand.verify(f"copy/{name}:v1")
        assert 0 != done.returncode, f"cosign accepts a bundle with {name}: {done.stderr}"


def _strip(material: dict[str, object]) -> None:
    del material["tlogEntries"]


def _break_path(material) -> None:
    proof = material["tlogEntries"][0]["inclusionProof"]
    proof["hashes"] = [base64.b64encode(bytes(32)).decode()]


def _break_promise(material) -> None:
    material["tlogEntries"][0]["integratedTime"] = "1600000000"


def _break_body(material) -> None:
    entry = material["tlogEntries"][0]
    body = json.loads(base64.b64decode(entry["canonicalizedBody"]))
    body["spec"]["payloadHash"]["value"] = "0" * 64
    entry["canonicalizedBody"] = base64.b64encode(strictjson.encode(body)).decode()


CHANGES = {
    "stripped": _strip,
    "path": _break_path,
    "promise": _break_promise,
    "body": _break_body,
}


def test_every_later_signature_is_proven_in_the_grown_log(stand: Stand) -> None:
    for tag in ("a", "b", "c"):
        stand.push(tag)
        stand.sign(tag)
    done = stand.verify(f"{NAME}:c")
    assert 0 == done.returncode, done.stderr


def test_a_signature_without_the_log_is_refused_by_cosign_until_it_is_logged(stand: Stand) -> None:
    other = RepositoryName("team/unlogged")
    with stand.client() as client:
        for content in IMAGE.blobs.values():
            client.put_blob(other, content)
        client.put_manifest(other, "v1", IMAGE.manifest, IMAGE.media_type)
    words = (
        "sign", f"{stand.host}/{other}:v1", "--key", str(stand.home / "k.key"),
        "--passphrase-file", str(stand.home / "phrase"),
    )  # fmt: skip
    assert 0 == stand.house.seawall(*words, "--no-log").returncode
    assert 0 != stand.verify(f"{other}:v1").returncode
    assert 0 == stand.house.seawall(*words).returncode
    done = stand.verify(f"{other}:v1")
    assert 0 == done.returncode, done.stderr
