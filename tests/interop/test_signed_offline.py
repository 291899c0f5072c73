"""Signed where the kernel gives no network, uploaded to a real installation: stock programs believe
it, each with the proof that it asks for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seawall.cli import evidence_json
from seawall.testing import engines, running, trusting
from seawall.testing.running import Done, Installation
from seawall.testing.trusting import CLIENTS, Person

pytestmark = pytest.mark.interop

POLICY = {
    "name": "ours", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
    "trustStores": ["ca:ours"], "trustedIdentities": ["*"],
}  # fmt: skip


def offline(place: Installation, home: Path, *words: str) -> Done:
    """Run `seawall` without network, without the installation and without its people's files."""
    return place.run(
        "unshare", "-n", sys.executable, "-m", "seawall", "--state", str(home / "state"), *words,
        env={"SEAWALL_CONFIG_HOME": str(home), "HOME": str(home)},
    )  # fmt: skip


def cosign_verifies(place: Installation, image: str, key: Path) -> Done:
    trusted = place.home / "trusted_root.json"
    shown = place.run(
        "curl", "-sf", "--cacert", str(place.state / "pki" / "server-ca.pem"),
        f"https://{place.host}/api/trusted_root.json",
    )  # fmt: skip
    trusted.write_text(shown.stdout)
    return place.run(
        str(CLIENTS / "cosign3"), "verify", "--key", str(key), "--trusted-root", str(trusted),
        "--registry-username", "admin", "--registry-password", place.password, image,
        check=False, env={"SSL_CERT_FILE": str(place.state / "pki" / "server-ca.pem")},
    )  # fmt: skip


def notation_verifies(place: Installation, image: str, certificate: Path) -> Done:
    home = place.home / "notation-home"
    home.mkdir(exist_ok=True)
    env = {
        "HOME": str(home), "XDG_CONFIG_HOME": str(home),
        "SSL_CERT_FILE": str(place.state / "pki" / "server-ca.pem"),
    }  # fmt: skip
    program, policy = str(CLIENTS / "notation"), home / "policy.json"
    policy.write_text(json.dumps({"version": "1.0", "trustPolicies": [POLICY]}))
    store = ("--type", "ca", "--store", "ours", str(certificate))
    place.run(program, "certificate", "add", *store, env=env)
    place.run(program, "policy", "import", "--force", str(policy), env=env)
    login = ("--username", "admin", "--password", place.password)
    # notation speaks plain HTTP to `localhost`, whatever it is told
    secure = image.replace("localhost", "127.0.0.1", 1)
    return place.run(program, "verify", *login, secure, check=False, env=env)


def test_stock_programs_accept_what_was_signed_without_network(
    need: Callable[..., None], engine: engines.Engine, tmp_path: Path
) -> None:
    need("skopeo", "curl", "unshare")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs unshare -n, and it is not allowed here")
    docker = trusting.find_docker("28")
    if docker is None or not all((CLIENTS / one).exists() for one in ("cosign3", "notation")):
        pytest.skip("needs docker 28, cosign3 and notation: tools/clients.sh")
    with running.installation(tmp_path, engine.socket) as place:
        image = place.push(running.debian_image(note="offline"), "shop/app", "1")
        key = place.make_key("release")
        made = place.seawall("trust", "init", image.rpartition(":")[0], *key)
        root = made.stdout.partition("ROOT FINGERPRINT ")[2].split()[0]
        request, signed, home = tmp_path / "request", tmp_path / "signed", tmp_path / "safe"
        home.mkdir()
        place.seawall("trust", "export", image, "-o", str(request))
        words = ("--offline", str(request), "-o", str(signed), "--root", root, "--yes")
        offline(place, home, "sign", image, *words, *key)
        before = cosign_verifies(place, image, place.home / "release.pub")
        assert 0 != before.returncode

        uploaded = place.seawall("sign", "--upload", str(signed))
        assert "entered into the log" in uploaded.stdout
        assert "tag 1 published in targets" in uploaded.stdout
        cosign = cosign_verifies(place, image, place.home / "release.pub")
        assert 0 == cosign.returncode, cosign.stderr
        [certificate] = (home / "keys").glob("*.crt")
        notation = notation_verifies(place, image, certificate)
        assert 0 == notation.returncode, notation.stderr

        person = Person(
            home=tmp_path / "person", host=place.host, name="admin", password=place.password
        )
        pulled = person.docker(docker, engine, "pull", image, check=False)
        assert 0 == pulled.returncode, pulled.stderr
        verified = place.seawall("verify", image, "--json")
        assert json.loads(verified.stdout)["is_valid"]
        again = place.seawall("sign", "--upload", str(signed), "--json")
        assert "unchanged" == json.loads(again.stdout)["tree"]["outcome"]
        assert [False] == [one["is_new"] for one in json.loads(again.stdout)["signed"]]

        # What the bundle itself carries is the log's proof, made at the upload.
        assert b"tlogEntries" not in evidence_json.decode(_bundle(signed))


def _bundle(signed: Path) -> str:
    [signer] = json.loads(signed.read_bytes())["signers"]
    [found] = [
        one for one in signer["signed"][0]["signatures"] if one["format"] == "sigstore-bundle"
    ]
    content: str = found["content"]
    return content
