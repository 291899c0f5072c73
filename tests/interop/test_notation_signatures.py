"""Stock notation, strict and offline, verifies what `seawall sign` made, and Seawall what it made.

Against Debian's docker-registry, which has no referrers API, and against Seawall's own, which has.
"""

import datetime as dt
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from interop import registries
from seawall.core.secret import Secret
from seawall.testing import authorities, images, warm
from seawall.trust import certificates, key_files, keys, signing
from seawall.trust.notation import leaf

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / ".cache" / "clients"
PHRASE = "correct horse battery"
SUBJECT = "C=US, ST=WA, O=acme, CN=release"
IMAGE = images.image(images.layer({"motd": b"hello"}))
OTHER = images.image(images.layer({"motd": b"another"}))

both_registries = pytest.mark.parametrize("registry", ["docker-registry", "seawall"], indirect=True)
both_forms = pytest.mark.parametrize("form", ["jws", "cose"])


@pytest.fixture(scope="module")
def notation():
    done = subprocess.run(
        [ROOT / "tools" / "clients.sh", CLIENTS, "notation"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"needs notation: {done.stderr.strip()}")
    return CLIENTS / "bin" / "notation"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A registry, the programs, and a home for them."""

    place: registries.Place
    program: Path
    home: Path

    def sign(self, name, *more):
        done = self.seawall("sign", self.place.image(name), *self._key(), *self._plain(), *more)
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout)["signed"]

    def verify(self, name, *more):
        done = self.seawall("verify", self.place.image(name), *self._plain(), *more)
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)

    def certificate(self, *more):
        done = self.seawall("key", "certificate", *self._key(), *more)
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout)

    def trust_in_notation(self, pem, identity="*", scope="*"):
        """Set notation up as its documents say: a store, a certificate, a strict policy."""
        (self.home / "ca.pem").write_text(pem)
        self.notation("certificate", "add", "--type", "ca", "--store", "acme", "ca.pem")
        policy = {
            "name": "acme", "registryScopes": [scope],
            "signatureVerification": {"level": "strict"}, "trustStores": ["ca:acme"],
            "trustedIdentities": [identity],
        }  # fmt: skip
        document = {"version": "1.0", "trustPolicies": [policy]}
        (self.home / "policy.json").write_text(json.dumps(document))
        self.notation("policy", "import", "--force", "policy.json")

    def notation_verifies(self, name, *more):
        """Tell whether notation verifies; it has no network but this machine's."""
        done = self._notation(
            "verify", *self.place.notation, "--insecure-registry", *more, self.place.image(name)
        )
        assert done.returncode == 0 or "signature verification failed" in done.stderr, done.stderr
        return done.returncode == 0

    def notation(self, *words):
        done = self._notation(*words)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def _notation(self, *words):
        return subprocess.run(
            [self.program, *words], cwd=self.home, capture_output=True, text=True, timeout=60,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin", "HTTPS_PROXY": "http://127.0.0.1:9"},
        )  # fmt: skip

    def seawall(self, *words):
        state = {"HOME": str(self.home), "SEAWALL_STATE": str(self.home / "state")}
        return warm.seawall(*words, "--json", env=state)

    @property
    def public(self):
        return str(self.home / "ours.pub")

    def _key(self):
        return "--key", str(self.home / "ours.key"), "--passphrase-file", str(self.home / "phrase")

    def _plain(self):
        return *self.place.seawall, "--unsafe-plain-http"


@pytest.fixture
def bench(registry, notation, tmp_path):
    (tmp_path / "phrase").write_text(PHRASE + "\n")
    pair = keys.generate(Secret(PHRASE))
    key_files.write(pair, private=tmp_path / "ours.key", public=tmp_path / "ours.pub")
    return Bench(place=registry, program=notation, home=tmp_path)


@both_registries
@both_forms
def test_strict_notation_verifies_what_seawall_signed(bench, form):
    name = f"by-us-{form}:v1"
    bench.place.push(name, IMAGE)
    identity = f"x509.subject: {SUBJECT}"
    bench.trust_in_notation(bench.certificate("--subject", SUBJECT)["pem"], identity)
    assert not bench.notation_verifies(name)
    bench.sign(name, "--notation", form)
    assert bench.notation_verifies(name)
    assert bench.verify(name, "--key", bench.public)["is_valid"]


@both_registries
def test_notation_demands_the_tag_and_the_repository_that_seawall_signed(bench):
    bench.place.push("bound:v1", IMAGE)
    bench.place.push("bound:v2", IMAGE)
    bench.trust_in_notation(bench.certificate()["pem"])
    bench.sign("bound:v1")
    ours = f"repository={bench.place.host}/bound"
    assert bench.notation_verifies("bound:v1", "-m", "tag=v1", "-m", ours)
    assert bench.notation_verifies("bound:v2")  # without -m it binds the digest alone
    assert not bench.notation_verifies("bound:v2", "-m", "tag=v2")
    assert not bench.verify("bound:v2", "--key", bench.public)["is_valid"]


def test_notation_refuses_another_identity(bench):
    bench.place.push("foreign:v1", IMAGE)
    pem = bench.certificate("--subject", SUBJECT)["pem"]
    bench.sign("foreign:v1")
    bench.trust_in_notation(pem, "x509.subject: C=US, ST=WA, O=acme, CN=somebody else")
    assert not bench.notation_verifies("foreign:v1")


def test_notation_refuses_the_key_under_a_certificate_that_it_does_not_know(bench):
    bench.place.push("renewed:v1", IMAGE)
    bench.trust_in_notation(bench.certificate()["pem"])
    Path(bench.certificate()["file"]).unlink()
    bench.sign("renewed:v1")
    assert not bench.notation_verifies("renewed:v1")
    assert bench.verify("renewed:v1", "--key", bench.public)["is_valid"]


@both_registries
def test_signing_again_pushes_nothing_and_another_form_adds_one(bench):
    bench.place.push("again:v1", IMAGE)
    assert [True] == [one["is_new"] for one in bench.sign("again:v1")]
    assert [False] == [one["is_new"] for one in bench.sign("again:v1")]
    assert [True] == [one["is_new"] for one in bench.sign("again:v1", "--notation", "cose")]
    assert [False] == [one["is_new"] for one in bench.sign("again:v1", "--notation", "none")]


@both_registries
def test_an_index_and_each_of_its_images_are_signed_for_notation(bench):
    index = images.index(IMAGE, OTHER)
    bench.place.push("multi:v1", index)
    bench.trust_in_notation(bench.certificate()["pem"])
    signed = bench.sign("multi:v1")
    assert 3 == len(signed)
    for one in signed:
        assert bench.notation_verifies(f"multi@{one['digest']}")


@both_registries
@both_forms
def test_seawall_verifies_what_notation_signed_under_a_trusted_authority(bench, form):
    name = f"by-notation-{form}:v1"
    bench.place.push(name, IMAGE)
    bench.notation("certificate", "generate-test", "--default", "acme.example")
    bench.notation(
        "sign", *bench.place.notation, "--insecure-registry", "--signature-format", form,
        bench.place.image(name),
    )  # fmt: skip
    authority = next(bench.home.glob(".config/notation/localkeys/acme.example.crt"))
    subject = "x509.subject: C=US, ST=WA, L=Seattle, O=Notary, CN=acme.example"
    for identity, expected in ((subject.replace("acme", "evil"), False), (subject, True)):
        result = bench.verify(name, "--authority", str(authority), "--identity", identity)
        assert expected == result["is_valid"], result
    assert [f"notation-{form}"] == [one["format"] for one in result["signers"]]
    assert ["acme.example.crt"] == [one["authority"] for one in result["signers"]]
    bench.place.push("by-notation-elsewhere:v1", OTHER)
    trusted = ("--authority", str(authority), "--identity", "*")
    assert not bench.verify("by-notation-elsewhere:v1", *trusted)["is_valid"]


def test_both_programs_signatures_stand_side_by_side(bench):
    bench.place.push("mixed:v1", IMAGE)
    bench.sign("mixed:v1")
    bench.notation("certificate", "generate-test", "--default", "acme.example")
    bench.notation("sign", "--insecure-registry", bench.place.image("mixed:v1"))
    assert bench.verify("mixed:v1", "--key", bench.public)["is_valid"]
    bench.trust_in_notation(bench.certificate()["pem"])
    assert bench.notation_verifies("mixed:v1")


@both_forms
def test_a_companys_authority_is_all_that_notation_has_to_trust(bench, form):
    now = dt.datetime.now(dt.UTC)
    root = authorities.new_authority(now)
    der = signing.certify(
        key_files.read_public(bench.home / "ours.pub"), leaf.subject_of(SUBJECT),
        issuer=keys.PrivateKey(root.key), issuer_name=root.chain[0].parsed.subject,
        profile=signing.Profile(lifetime=dt.timedelta(hours=1)), now=now,
    )  # fmt: skip
    chain = b"".join(map(certificates.to_pem, (certificates.parse(der), *root.chain)))
    (bench.home / "chain.pem").write_bytes(chain)
    bench.place.push(f"company-{form}:v1", IMAGE)
    bench.sign(
        f"company-{form}:v1", "--notation", form,
        "--certificate-chain", str(bench.home / "chain.pem"),
    )  # fmt: skip
    bench.trust_in_notation(root.pem.decode(), f"x509.subject: {SUBJECT}")
    assert bench.notation_verifies(f"company-{form}:v1")
    (bench.home / "root.pem").write_bytes(root.pem)
    trusted = ("--authority", str(bench.home / "root.pem"), "--identity")
    for subject, expected in ((f"{SUBJECT}x", False), (SUBJECT, True)):
        found = bench.verify(f"company-{form}:v1", *trusted, f"x509.subject: {subject}")
        assert expected == found["is_valid"]
