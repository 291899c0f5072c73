"""A key that never leaves its PKCS#11 token signs, and stock cosign verifies.

The tokens are SoftHSM's; the keys are made by `seawall key generate --token` or by OpenSC, and are
not extractable. Besides: docker and notary read the key files that Seawall writes for them.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pkcs11
import pytest

from seawall.cli.registry_client import RegistryClient
from seawall.cli.registry_logins import Credentials
from seawall.core.secret import Secret
from seawall.oci.names import RepositoryName
from seawall.testing import images, registry_server, tokens, vault_server, warm
from seawall.trust import docker_keys, key_files, keys
from seawall.trust.docker_keys import DockerKey

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / ".cache" / "clients"
PHRASE = "correct horse battery"
IMAGE = images.image(images.layer({"motd": b"hello"}))


@pytest.fixture(scope="module")
def clients():
    done = subprocess.run(
        [ROOT / "tools" / "clients.sh", CLIENTS, "cosign2", "cosign3", "notary", "docker28",
         "notation"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"needs cosign 2 and 3, notary, notation, docker 28: {done.stderr.strip()}")
    return CLIENTS / "bin"


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with registry_server.registry_process(tmp_path_factory.mktemp("registry") / "state") as found:
        yield found.address


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """SoftHSM with two tokens."""
    if tokens.why_no_softhsm():
        pytest.skip(tokens.why_no_softhsm())
    with tokens.softhsm(tmp_path_factory.mktemp("hsm") / "hsm", "yubi", "second") as path:
        yield path


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A person with tokens, a registry and stock clients."""

    home: Path
    module: Path
    registry: str
    clients: Path

    def seawall(self, *words, code=0):
        import os

        done = warm.seawall(
            *words,
            env={
                "HOME": str(self.home), "SEAWALL_STATE": str(self.home / "state"),
                "SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"],
                "SEAWALL_PKCS11_MODULE": str(self.module),
            },
        )  # fmt: skip
        assert code == done.returncode, done.stderr
        assert tokens.PIN not in done.stdout + done.stderr
        return done

    def push(self, name):
        credentials = Credentials(
            user=registry_server.USER, password=Secret(registry_server.PASSWORD)
        )
        repository = RepositoryName(name)
        with RegistryClient(self.registry, credentials=credentials, is_plain_http=True) as client:
            for content in IMAGE.blobs.values():
                client.put_blob(repository, content)
            client.put_manifest(repository, "v1", IMAGE.manifest, IMAGE.media_type)

    def sign(self, name, *key_words, code=0):
        return self.seawall(
            "sign", f"{self.registry}/{name}:v1", *key_words, *self.login, code=code
        )

    def verify(self, name, public, *more):
        words = ("verify", f"{self.registry}/{name}:v1", "--key", str(public), *more)
        return json.loads(self.seawall(*words, *self.login, "--json").stdout)

    @property
    def login(self):
        password = self.home / "password"
        password.write_text(registry_server.PASSWORD + "\n")
        return (
            "--user", registry_server.USER, "--password-file", str(password),
            "--unsafe-plain-http",
        )  # fmt: skip

    def cosign_verifies(self, version, name, public):
        done = subprocess.run(
            [
                self.clients / f"cosign{version}", "verify", "--key", public,
                "--insecure-ignore-tlog", "--allow-http-registry", "--registry-username",
                registry_server.USER, "--registry-password", registry_server.PASSWORD,
                f"{self.registry}/{name}:v1",
            ],
            capture_output=True, text=True, timeout=60, env={"HOME": str(self.home)},
        )  # fmt: skip
        return done.returncode == 0

    def notation(self, *words):
        return subprocess.run(
            [self.clients / "notation", *words],
            cwd=self.home, capture_output=True, text=True, timeout=60,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip

    def stock(self, program, *words, passphrase=PHRASE):
        return subprocess.run(
            [self.clients / program, *words],
            cwd=self.home, capture_output=True, text=True, timeout=60,
            env={
                "HOME": str(self.home), "PATH": "/usr/bin:/bin",
                "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": passphrase,
                "NOTARY_ROOT_PASSPHRASE": passphrase,
            },
        )  # fmt: skip


@pytest.fixture
def desk(tmp_path, module, registry, clients):
    (tmp_path / "pin").write_text(tokens.PIN + "\n")
    (tmp_path / "phrase").write_text(PHRASE + "\n")
    return Desk(home=tmp_path, module=module, registry=registry, clients=clients)


def generate(desk, token, label):
    made = desk.seawall(
        "key", "generate", "--token", f"pkcs11:token={token};object={label}",
        "--pin-file", str(desk.home / "pin"), "--output", str(desk.home / label), "--json",
    )  # fmt: skip
    return json.loads(made.stdout)


def test_stock_cosign_verifies_what_a_key_on_a_token_signed(desk):
    made = generate(desk, "yubi", "release")
    public, pin = made["public"], ("--passphrase-file", str(desk.home / "pin"))
    for number, key in enumerate(
        (made["uri"], made["private"], "pkcs11:token=yubi;object=release")
    ):
        name = f"by-token-{number}"
        desk.push(name)
        assert [False, False] == [desk.cosign_verifies(v, name, public) for v in ("2", "3")]
        desk.sign(name, "--key", key, *pin)
        assert [True, True] == [desk.cosign_verifies(v, name, public) for v in ("2", "3")]
        assert desk.verify(name, public)["is_valid"]


def test_stock_cosign_verifies_what_a_signing_service_signed(desk):
    with vault_server.serving(desk.home / "vault") as service:
        (desk.home / "token").write_text(vault_server.TOKEN)
        uri = (
            f"vault://{service.address}/release?token-file={desk.home}/token"
            f"&ca-file={service.ca_file}"
        )
        desk.push("by-service")
        desk.sign("by-service", "--key", uri)
        public = desk.home / "service.pub"
        public.write_bytes(service.keys["release"][0].public.pem)
    assert [True, True] == [desk.cosign_verifies(v, "by-service", public) for v in ("2", "3")]


@pytest.mark.parametrize("form", ["jws", "cose"])
def test_strict_notation_verifies_what_a_key_on_a_token_signed(desk, form):
    made, pin = generate(desk, "yubi", form), ("--passphrase-file", str(desk.home / "pin"))
    shown = desk.seawall("key", "certificate", "--key", made["private"], *pin, "--json")
    (desk.home / "ca.pem").write_text(json.loads(shown.stdout)["pem"])
    policy = {
        "name": "acme", "registryScopes": ["*"], "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:acme"], "trustedIdentities": ["*"],
    }  # fmt: skip
    document = json.dumps({"version": "1.0", "trustPolicies": [policy]})
    (desk.home / "policy.json").write_text(document)
    for words in (
        ("certificate", "add", "--type", "ca", "--store", "acme", "ca.pem"),
        ("policy", "import", "--force", "policy.json"),
    ):
        assert 0 == desk.notation(*words).returncode
    verify = (
        "verify", "--insecure-registry", "--username", registry_server.USER,
        "--password", registry_server.PASSWORD, f"{desk.registry}/by-{form}:v1",
    )  # fmt: skip
    desk.push(f"by-{form}")
    assert 0 != desk.notation(*verify).returncode
    desk.sign(f"by-{form}", "--key", made["private"], "--notation", form, *pin)
    done = desk.notation(*verify)
    assert 0 == done.returncode, done.stderr


def test_nobody_verifies_it_under_another_key(desk):
    made, other = generate(desk, "yubi", "mine"), generate(desk, "second", "other")
    desk.push("by-mine")
    desk.sign("by-mine", "--key", made["uri"], "--passphrase-file", str(desk.home / "pin"))
    readings = [desk.cosign_verifies(version, "by-mine", other["public"]) for version in ("2", "3")]
    assert [False, False] == readings


def test_two_tokens_sign_as_two_signers(desk):
    one, two = generate(desk, "yubi", "first"), generate(desk, "second", "second")
    desk.push("by-two")
    keys_given = ("--key", one["private"], "--key", two["uri"])
    desk.sign("by-two", *keys_given, "--passphrase-file", str(desk.home / "pin"))
    proof = desk.verify("by-two", one["public"], "--key", two["public"], "--signers", "2")
    assert proof["is_valid"], proof
    for made in (one, two):
        assert desk.cosign_verifies("3", "by-two", made["public"])


def test_a_key_that_another_program_made_is_linked_and_signs(desk, need):
    need("pkcs11-tool")
    made = desk_tool(
        desk, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "0a", "--label", "opensc"
    )
    assert 0 == made.returncode, made.stderr
    desk.seawall(
        "key", "link", "pkcs11:token=yubi;id=%0A", "--pin-file", str(desk.home / "pin"),
        "--output", str(desk.home / "linked"),
    )  # fmt: skip
    desk.push("by-opensc")
    pin = ("--passphrase-file", str(desk.home / "pin"))
    desk.sign("by-opensc", "--key", str(desk.home / "linked.key"), *pin)
    assert desk.cosign_verifies("2", "by-opensc", desk.home / "linked.pub")


def test_the_private_key_does_not_come_out_of_the_token(desk, need):
    need("pkcs11-tool")
    made = generate(desk, "yubi", "kept")
    key_id = made["uri"].partition("id=")[2].replace("%", "").partition(";")[0].lower()
    shown = desk_tool(desk, "--list-objects", "--type", "privkey", "--id", key_id)
    assert "never extractable" in shown.stdout
    library = pkcs11.lib(str(desk.module))
    with library.get_token(token_label="yubi").open(user_pin=tokens.PIN) as session:
        private = session.get_key(
            object_class=pkcs11.ObjectClass.PRIVATE_KEY, id=bytes.fromhex(key_id)
        )
        with pytest.raises(pkcs11.AttributeSensitive):
            private[pkcs11.Attribute.VALUE]


def test_a_wrong_pin_and_a_wrong_curve_are_told_in_plain_words(desk, need):
    need("pkcs11-tool")
    (desk.home / "wrong").write_text("999999\n")
    made = generate(desk, "second", "pinned")
    words = ("--key", made["uri"], "--passphrase-file")
    done = desk.sign("never", *words, str(desk.home / "wrong"), code=3)
    assert "the PIN does not open second" in done.stderr
    assert "tries are left" in done.stderr
    assert "999999" not in done.stderr
    desk_tool(desk, "--keypairgen", "--key-type", "EC:secp384r1", "--id", "0b", "--label", "p384")
    done = desk.sign(
        "never", "--key", "pkcs11:token=yubi;object=p384", "--passphrase-file",
        str(desk.home / "pin"), code=2,
    )  # fmt: skip
    assert "not an ECDSA P-256 key" in done.stderr


def desk_tool(desk, *words):
    return subprocess.run(
        ["pkcs11-tool", "--module", desk.module, "--token-label", "yubi", "--login",
         "--pin", tokens.PIN, *words],
        cwd=desk.home, capture_output=True, text=True, timeout=30,
    )  # fmt: skip


def test_seawall_reads_the_private_key_that_docker_made(desk):
    made = desk.stock("docker28", "trust", "key", "generate", "ada")
    assert 0 == made.returncode, made.stderr
    (private,) = (desk.home / ".docker" / "trust" / "private").glob("*.key")
    done = desk.seawall(
        "key", "import", "--from-docker", str(private), "--output", str(desk.home / "ada-here"),
        "--passphrase-file", str(desk.home / "phrase"), "--json",
    )  # fmt: skip
    lines = (desk.home / "ada.pub").read_text().splitlines()
    bare = "\n".join(line for line in lines if line and not line.startswith("role:")) + "\n"
    key = keys.parse_public(bare.encode())
    assert key.key_id == json.loads(done.stdout)["key_id"]
    assert private.name == docker_keys.file_name(key)


def test_docker_loads_the_key_that_seawall_exports_and_only_with_its_passphrase(desk):
    prefix, phrase = desk.home / "ours", ("--passphrase-file", str(desk.home / "phrase"))
    desk.seawall("key", "generate", "--output", str(prefix), *phrase)
    exported = desk.home / "exported.key"
    told = desk.seawall(
        "key", "export", f"{prefix}.key", "--docker", str(exported), "--role", "ada", *phrase,
        "--json",
    )  # fmt: skip
    load = ("docker28", "trust", "key", "load", "--name", "ada")
    lines = exported.read_text().splitlines(keepends=True)
    bare = desk.home / "bare.key"  # without the header, docker decrypts it at once
    key_files.write_private("".join(x for x in lines if not x.startswith("path:")).encode(), bare)
    assert 0 != desk.stock(*load, bare, passphrase="another passphrase").returncode
    for path in (bare, exported):
        done = desk.stock(*load, path)
        assert 0 == done.returncode, done.stderr
    stored = desk.home / ".docker" / "trust" / "private" / json.loads(told.stdout)["name"]
    again = docker_keys.decode(stored.read_bytes(), Secret(PHRASE))
    assert key_files.read_public(desk.home / "ours.pub") == again.key.public


def test_notary_lists_and_opens_a_root_key_that_seawall_wrote(desk):
    pair = keys.generate(Secret(PHRASE))
    key = keys.open_private(pair.private_pem, Secret(PHRASE))
    name = docker_keys.file_name(key.public)
    private = desk.home / "trust" / "private"
    private.mkdir(parents=True, mode=0o700)
    pem = docker_keys.encode(DockerKey(key=key, role="root"), Secret(PHRASE))
    key_files.write_private(pem, private / name)
    listed = desk.stock("notary", "-d", str(desk.home / "trust"), "key", "list")
    assert "root" in listed.stdout
    assert name[:20] in listed.stdout
    with contextlib.suppress(FileNotFoundError):
        (desk.home / "out.pem").unlink()
    done = desk.stock("notary", "-d", str(desk.home / "trust"), "key", "export", "-o", "out.pem")
    assert 0 == done.returncode, done.stderr
    assert "role: root" in (desk.home / "out.pem").read_text()
