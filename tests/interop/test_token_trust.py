"""Keys on PKCS#11 tokens alone: one of them satisfies every stock verifier, and the gate.

Against a real `seawall up`; the tokens are SoftHSM's and the keys are not extractable.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.testing import engines, running, tokens, trusting
from seawall.testing.trusting import Person

pytestmark = pytest.mark.interop

each_docker = pytest.mark.parametrize("docker", ["20.10", "28"], indirect=True)


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    if tokens.why_no_softhsm():
        pytest.skip(tokens.why_no_softhsm())
    home = tmp_path_factory.mktemp("hsm")
    with tokens.softhsm(home / "hsm", "root-1", "root-2", "signer") as path:
        yield path


@pytest.fixture(scope="module")
def place(need, engine: engines.Engine, module: Path, tmp_path_factory):
    need("skopeo", "pkcs11-tool")
    directory = tmp_path_factory.mktemp("trust")
    with running.installation(directory, engine.socket) as installation:
        installation.knows_advisories(running.advisory("openssl", "1"))
        yield installation


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the tokens are plugged in. Every PIN is the same, and in a file."""

    place: running.Installation
    module: Path
    home: Path

    def seawall(self, *words: str, check: bool = True):
        option = "--pin-file" if words[:2] == ("key", "generate") else "--passphrase-file"
        done = self.place.seawall(
            *words, option, str(self.home / "pin"), check=check,
            env={
                "SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"],
                "SEAWALL_PKCS11_MODULE": str(self.module),
                "SEAWALL_CONFIG_HOME": str(self.home / "configuration"),
            },
        )  # fmt: skip
        assert tokens.PIN not in done.stdout + done.stderr
        return done

    def private_key(self, uri: str) -> str:
        """Return what OpenSC says of a private key."""
        key_id = re.search("id=([%0-9A-Fa-f]+)", uri)[1].replace("%", "")
        return self.place.run(
            "pkcs11-tool", "--module", str(self.module), "--token-label", "signer", "--login",
            "--pin", tokens.PIN, "--list-objects", "--type", "privkey", "--id", key_id,
            env={"SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"]},
        ).stdout  # fmt: skip

    def key(self, token: str, name: str) -> str:
        """Make a key on a token; return the URI that names it."""
        made = self.seawall(
            "key", "generate", "--token", f"pkcs11:token={token};object={name}",
            "--output", str(self.home / f"{name}-{token}"), "--json",
        )  # fmt: skip
        return json.loads(made.stdout)["uri"]


@pytest.fixture
def desk(place, module, tmp_path):
    (tmp_path / "pin").write_text(tokens.PIN + "\n")
    place.log_in()
    return Desk(place=place, module=module, home=tmp_path)


@pytest.fixture
def docker(request):
    program = trusting.find_docker(request.param)
    if program is None:
        pytest.skip(f"needs a docker client {request.param}, and none is here: tools/clients.sh")
    return program


@each_docker
def test_docker_pulls_what_keys_on_tokens_signed_and_refuses_the_rest(
    desk, docker, engine, tmp_path, request
):
    """The root wants two tokens of two; a third one signs the tag."""
    area = f"with{request.node.callspec.params['docker'].replace('.', '')}"
    roots = [desk.key(token, area) for token in ("root-1", "root-2")]
    signer = desk.key("signer", area)
    repository = f"{desk.place.host}/{area}/app"
    image = desk.place.push(running.debian_image(note=area), f"{area}/app", "v1")
    unsigned = desk.place.push(running.debian_image(note=f"{area} 2"), f"{area}/app", "v2")

    one = ("--root-key", roots[0], "--threshold", "2", "--key", signer)
    assert 0 != desk.seawall("trust", "init", repository, *one, check=False).returncode
    desk.seawall("trust", "init", repository, *one, "--root-key", roots[1])
    desk.seawall("sign", image, "--key", signer)

    fresh = Person(
        home=tmp_path / "lin", host=desk.place.host, name="admin", password=desk.place.password
    )
    pulled = fresh.docker(docker, engine, "pull", image)
    assert f"{image}@sha256:" in pulled.stdout
    refused = fresh.docker(docker, engine, "pull", unsigned, check=False)
    assert (1, True) == (refused.returncode, "No valid trust data for v2" in refused.stderr)


def test_one_key_that_never_leaves_its_token_satisfies_every_verifier_and_the_gate(
    desk, engine, tmp_path
):
    docker = trusting.find_docker("28")
    if docker is None:
        pytest.skip("needs a docker client 28, and none is here: tools/clients.sh")
    missing = [name for name in CLIENTS if not (trusting.CLIENTS / name).exists()]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: tools/clients.sh")
    place, key = desk.place, desk.key("signer", "all")
    image = place.push(running.debian_image(note="all"), "all/app", "v1")
    repository = image.rpartition(":")[0]
    assert "never extractable" in desk.private_key(key)

    certificate = json.loads(desk.seawall("key", "certificate", "--key", key, "--json").stdout)
    signed = desk.seawall("sign", image, "--key", key).stdout
    assert "MADE A NEW TREE" in signed

    ada = Person(home=tmp_path / "ada", host=place.host, name="admin", password=place.password)
    (ada.home / "ca.crt").write_bytes((place.trust / "ca.crt").read_bytes())
    engine.docker("rmi", "-f", image, check=False)
    assert f"{image}@sha256:" in ada.docker(docker, engine, "pull", image).stdout
    assert "v1" in ada.notary("list", repository).stdout

    verifiers = Verifiers(desk=desk, home=tmp_path, public=desk.home / "all-signer.pub")
    verifiers.cosign("cosign2", image, "--insecure-ignore-tlog")
    verifiers.cosign("cosign3", image, "--trusted-root", str(verifiers.trusted_root()))
    verifiers.notation_strict(image, certificate["pem"])
    verifiers.skopeo(image)

    refused = place.docker("run", "--rm", image, "sh", "-c", "echo ran", check=False)
    assert 0 != refused.returncode, "the key is trusted by nobody at the gate yet"
    desk.place.seawall("key", "trust", str(verifiers.public), "--name", "token")
    assert "ran\n" == place.docker("run", "--rm", image, "sh", "-c", "echo ran").stdout


CLIENTS = ("notary", "cosign2", "cosign3", "notation", "skopeo18")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifiers:
    """Stock programs that know one public key, or the certificate for it; all must say yes."""

    desk: Desk
    home: Path
    public: Path

    def cosign(self, program: str, image: str, *more: str) -> None:
        place = self.desk.place
        self.run(
            program, "verify", "--key", str(self.public), *more, "--registry-username", "admin",
            "--registry-password", place.password, image,
        )  # fmt: skip

    def trusted_root(self) -> Path:
        path = self.home / "trusted_root.json"
        path.write_text(self.desk.place.seawall("log", "trusted-root").stdout)
        return path

    def notation_strict(self, image: str, pem: str) -> None:
        (self.home / "signer.pem").write_text(pem)
        self.run("notation", "certificate", "add", "--type", "ca", "--store", "ours", "signer.pem")
        policy = {
            "name": "ours", "registryScopes": ["*"], "trustedIdentities": ["*"],
            "signatureVerification": {"level": "strict"}, "trustStores": ["ca:ours"],
        }  # fmt: skip
        document = {"version": "1.0", "trustPolicies": [policy]}
        (self.home / "notation.json").write_text(json.dumps(document))
        self.run("notation", "policy", "import", "--force", "notation.json")
        login = ("--username", "admin", "--password", self.desk.place.password)
        same = image.replace("localhost", "127.0.0.1")  # notation speaks plain HTTP to localhost
        self.run("notation", "verify", *login, "-m", "tag=v1", same)

    def skopeo(self, image: str) -> None:
        place = self.desk.place
        demand = {"type": "sigstoreSigned", "keyPath": str(self.public)}
        policy = {
            "default": [{"type": "reject"}],
            "transports": {"docker": {image.rpartition(":")[0]: [demand]}},
        }
        (self.home / "policy.json").write_text(json.dumps(policy))
        folder = self.home / "registries.d"
        folder.mkdir()
        attachments = f"docker:\n  {place.host}:\n    use-sigstore-attachments: true\n"
        (folder / "here.yaml").write_text(attachments)
        self.run(
            "skopeo18", "--policy", "policy.json", "--registries.d", "registries.d", "copy",
            "--remove-signatures", f"--src-cert-dir={place.trust}",
            f"--src-creds=admin:{place.password}", f"docker://{image}", f"dir:{self.home / 'copy'}",
        )  # fmt: skip

    def run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [trusting.CLIENTS / program, *words],
            cwd=self.home, capture_output=True, text=True, timeout=120,
            env={
                "HOME": str(self.home), "PATH": os.environ["PATH"],
                "SSL_CERT_FILE": str(self.desk.place.trust / "ca.crt"),
            },
        )  # fmt: skip
        assert 0 == done.returncode, done.stdout + done.stderr
