"""`seawall sign --attest-scan` against a real `seawall up`: scanned, signed, attested and logged in
one step, and read by stock cosign 3 offline with nothing ignored.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.cli.registry_client import RegistryClient
from seawall.cli.registry_logins import Credentials
from seawall.core.secret import Secret
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.testing import houses, installations
from seawall.testing.installations import Installation
from seawall.testing.trusting import CLIENTS, PHRASE, Person

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
IMAGE = houses.image()
REPOSITORY = RepositoryName("shop/app")


@pytest.fixture(scope="module")
def cosign() -> str:
    done = subprocess.run(
        [ROOT / "tools" / "clients.sh", CLIENTS.parent, "cosign3"],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"needs cosign 3: {done.stderr.strip()}")
    return str(CLIENTS / "cosign3")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installations.installation(tmp_path_factory.mktemp("attested")) as installation:
        installation.start()
        yield installation


def push(client: RegistryClient) -> None:
    for content in IMAGE.blobs.values():
        client.put_blob(REPOSITORY, content)
    client.put_manifest(REPOSITORY, "1", IMAGE.manifest, IMAGE.media_type)


def test_scan_signature_attestation_and_log_in_one_step(
    running: Installation, cosign: str, tmp_path: Path
) -> None:
    host, ca = f"localhost:{running.web_port}", running.settings.server_authority
    login = Credentials(user="admin", password=Secret(running.password))
    with RegistryClient(host, credentials=login, ca_file=ca) as client:
        push(client)
        trusted = client.call_api("GET", "/api/trusted_root.json", max_bytes=1 << 20)
    running.wait_idle()
    phrase = tmp_path / "phrase"
    phrase.write_text(f"{PHRASE}\n")
    made = running.seawall(
        "key", "generate", "--output", str(tmp_path / "ci"), "--passphrase-file", str(phrase)
    )
    assert 0 == made.returncode, made.stderr
    image, public = f"{host}/{REPOSITORY}:1", str(tmp_path / "ci.pub")
    done = running.seawall(
        "sign", image, "--key", str(tmp_path / "ci.key"), "--passphrase-file", str(phrase),
        "--attest-scan", "--json",
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    (attested,) = [
        line["attested"] for line in map(json.loads, done.stdout.splitlines()) if "attested" in line
    ]
    digest = Digest.of(IMAGE.manifest)
    assert [(digest, True)] * 2 == [(one["digest"], one["is_new"]) for one in attested]

    (tmp_path / "trusted_root.json").write_bytes(trusted)
    person = Person(home=tmp_path / "home", host=host, name="admin", password=running.password)
    person.run(
        cosign, "verify", "--key", public, "--trusted-root", str(tmp_path / "trusted_root.json"),
        "--registry-cacert", str(ca), image,
    )  # fmt: skip
    for kind in ("vuln", "cyclonedx"):
        said = person.run(
            cosign, "verify-attestation", "--key", public, "--type", kind, "--trusted-root",
            str(tmp_path / "trusted_root.json"), "--registry-cacert", str(ca), image,
        )  # fmt: skip
        assert "payload" in said.stdout
        out = tmp_path / f"{kind}.json"
        proven = running.seawall(
            "verify", image, "--attestation", kind, "--key", public, "--predicate-to", str(out)
        )
        assert 0 == proven.returncode, proven.stdout + proven.stderr
        assert "seawall" in out.read_text()
    again = running.seawall(
        "attest", image, "--from-scan", "--key", str(tmp_path / "ci.key"),
        "--passphrase-file", str(phrase), "--json",
    )  # fmt: skip
    assert [False] * 2 == [one["is_new"] for one in json.loads(again.stdout)["attested"]]
