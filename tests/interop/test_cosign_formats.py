"""Stock cosign 2 and 3 verify what Seawall signed, and Seawall what they signed.

Against Debian's docker-registry, which has no referrers API and so exercises the fallback tag.
"""

import gzip
import hashlib
import io
import json
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from pathlib import Path

import pytest

from seawall.cli.registry_client import RegistryClient
from seawall.core.secret import Secret
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.trust import key_files, keys

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / ".cache" / "clients"
PHRASE = "correct horse battery"
START_SECONDS = 15

REGISTRY = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: 127.0.0.1:{port}}}
"""


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
def registry(tmp_path_factory, need):
    need("docker-registry")
    home = tmp_path_factory.mktemp("registry")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (home / "conf.yml").write_text(REGISTRY.format(root=home / "data", port=port))
    process = subprocess.Popen(
        ["docker-registry", "serve", "conf.yml"],
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(f"http://127.0.0.1:{port}/v2/")
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(url):
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


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


@pytest.fixture
def phrase_file(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text(PHRASE + "\n")
    return path


def _cosign(program, *arguments, home):
    return subprocess.run(
        [program, *arguments], cwd=home, capture_output=True, text=True, timeout=60,
        env={"COSIGN_PASSWORD": PHRASE, "HOME": str(home), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


def _seawall(*arguments, home):
    return subprocess.run(
        [sys.executable, "-m", "seawall", *arguments], capture_output=True, text=True, timeout=60,
        env={
            "HOME": str(home), "SEAWALL_STATE": str(home / "state"),
            "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src"),
        },
    )  # fmt: skip


def _push_image(host, name, tag="v1", text=b"hello"):
    """Push a small image and return its manifest's digest."""
    repository = RepositoryName(name)
    with RegistryClient(host, is_plain_http=True) as client:
        return _push_manifest(client, repository, tag, text).digest


def _push_manifest(client, repository, tag, text):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        entry = tarfile.TarInfo("motd")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    layer = gzip.compress(raw.getvalue(), mtime=0)
    diff_id = "sha256:" + hashlib.sha256(raw.getvalue()).hexdigest()
    config = json.dumps(
        {
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }
    ).encode()  # fmt: skip
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "config": _described(client, repository, config, media.OCI_CONFIG),
            "layers": [_described(client, repository, layer, media.OCI_LAYER_GZIP)],
        }
    ).encode()
    client.put_manifest(repository, tag or Digest.of(manifest), manifest, media.OCI_MANIFEST)
    return client.get_manifest(repository, Digest.of(manifest))


def _described(client, repository, content, media_type):
    digest = client.put_blob(repository, content)
    return {"mediaType": media_type, "size": len(content), "digest": str(digest)}


def _push_index(host, name):
    repository = RepositoryName(name)
    with RegistryClient(host, is_plain_http=True) as client:
        entries = [
            {
                "mediaType": image.media_type, "size": len(image.content),
                "digest": str(image.digest),
                "platform": {"os": "linux", "architecture": architecture},
            }
            for architecture in ("amd64", "arm64")
            for image in [_push_manifest(client, repository, None, architecture.encode())]
        ]  # fmt: skip
        index = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": entries}
        client.put_manifest(repository, "v1", json.dumps(index).encode(), media.OCI_INDEX)
    return [entry["digest"] for entry in entries]


def _sign(image, key, phrase_file, home):
    done = _seawall(
        "sign", image, "--key", str(key), "--passphrase-file", str(phrase_file),
        "--unsafe-plain-http", "--json", home=home,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


def _verify(image, *publics, home, more=()):
    named = [word for public in publics for word in ("--key", str(public))]
    done = _seawall("verify", image, *named, "--unsafe-plain-http", "--json", *more, home=home)
    assert done.returncode in (0, 1), done.stderr
    result = json.loads(done.stdout)
    assert result["is_valid"] == (done.returncode == 0)
    return result


def _cosign_sign(program, version, image, key, home, *more):
    offline = {"2": [], "3": ["--use-signing-config=false"]}[version]
    done = _cosign(
        program, "sign", "--key", key, "--tlog-upload=false", "--allow-http-registry", "-y",
        *offline, *more, image, home=home,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr


def _cosign_verify(program, image, public, home, *more):
    return _cosign(
        program, "verify", "--key", public, "--insecure-ignore-tlog", "--allow-http-registry",
        *more, image, home=home,
    )  # fmt: skip


READINGS = [("2", ()), ("3", ()), ("3", ("--new-bundle-format=false",))]


def test_stock_cosign_verifies_what_seawall_signed(
    cosigns, registry, our_keys, phrase_file, tmp_path
):
    _push_image(registry, "by-us")
    image = f"{registry}/by-us:v1"
    for version, more in READINGS:
        assert _cosign_verify(cosigns[version], image, our_keys[1], tmp_path, *more).returncode
    _sign(image, our_keys[0], phrase_file, tmp_path)
    for version, more in READINGS:
        done = _cosign_verify(cosigns[version], image, our_keys[1], tmp_path, *more)
        assert 0 == done.returncode, (version, more, done.stderr)
    assert _verify(image, our_keys[1], home=tmp_path)["is_valid"]


def test_stock_cosign_refuses_seawalls_signature_under_another_key(
    cosigns, registry, our_keys, their_keys, phrase_file, tmp_path
):
    _push_image(registry, "by-us-only")
    image = f"{registry}/by-us-only:v1"
    _sign(image, our_keys[0], phrase_file, tmp_path)
    for version, more in READINGS:
        assert _cosign_verify(cosigns[version], image, their_keys[1], tmp_path, *more).returncode
    assert not _verify(image, their_keys[1], home=tmp_path)["is_valid"]


@pytest.mark.parametrize(
    ("version", "more", "form"),
    [
        ("2", (), "cosign-tag"),
        ("3", (), "sigstore-bundle"),
        ("3", ("--new-bundle-format=false",), "cosign-tag"),
    ],
)
def test_seawall_verifies_what_stock_cosign_signed(
    cosigns, registry, their_keys, tmp_path, version, more, form
):
    name = f"by-cosign-{version}-{form}"
    _push_image(registry, name)
    image = f"{registry}/{name}:v1"
    assert not _verify(image, their_keys[1], home=tmp_path)["is_valid"]
    _cosign_sign(cosigns[version], version, image, their_keys[0], tmp_path, *more)
    result = _verify(image, their_keys[1], home=tmp_path)
    assert result["is_valid"], result
    assert [form] == [signer["format"] for signer in result["signers"]]
    assert (form == "cosign-tag") == result["signers"][0]["is_bound_to_repository"]


@pytest.mark.parametrize("version", ["2", "3"])
def test_stock_cosign_signs_with_seawalls_key_file(cosigns, registry, our_keys, tmp_path, version):
    _push_image(registry, f"our-key-{version}")
    image = f"{registry}/our-key-{version}:v1"
    _cosign_sign(cosigns[version], version, image, our_keys[0], tmp_path)
    assert _verify(image, our_keys[1], home=tmp_path)["is_valid"]


def test_seawall_signs_with_cosigns_key_file(cosigns, registry, their_keys, phrase_file, tmp_path):
    _push_image(registry, "their-key")
    image = f"{registry}/their-key:v1"
    _sign(image, their_keys[0], phrase_file, tmp_path)
    for version, more in READINGS:
        done = _cosign_verify(cosigns[version], image, their_keys[1], tmp_path, *more)
        assert 0 == done.returncode, done.stderr


def test_signatures_of_both_stand_side_by_side_in_either_order(
    cosigns, registry, our_keys, their_keys, phrase_file, tmp_path
):
    for name, is_ours_first in (("mixed-a", True), ("mixed-b", False)):
        _push_image(registry, name)
        image = f"{registry}/{name}:v1"
        if is_ours_first:
            _sign(image, our_keys[0], phrase_file, tmp_path)
        for version in ("2", "3"):
            _cosign_sign(cosigns[version], version, image, their_keys[0], tmp_path)
        if not is_ours_first:
            _sign(image, our_keys[0], phrase_file, tmp_path)
        for public in (our_keys[1], their_keys[1]):
            for version, more in READINGS:
                done = _cosign_verify(cosigns[version], image, public, tmp_path, *more)
                assert 0 == done.returncode, (name, version, more, done.stderr)
        both = _verify(image, our_keys[1], their_keys[1], home=tmp_path, more=("--signers", "2"))
        assert both["is_valid"], both


def test_signing_again_pushes_nothing(registry, our_keys, phrase_file, tmp_path):
    _push_image(registry, "again")
    image = f"{registry}/again:v1"
    assert [True] == [
        s["is_new"] for s in _sign(image, *_args(our_keys, phrase_file, tmp_path))["signed"]
    ]
    assert [False] == [
        s["is_new"] for s in _sign(image, *_args(our_keys, phrase_file, tmp_path))["signed"]
    ]


def _args(our_keys, phrase_file, home):
    return our_keys[0], phrase_file, home


def test_an_index_and_each_platform_are_signed(cosigns, registry, our_keys, phrase_file, tmp_path):
    children = _push_index(registry, "multi")
    signed = _sign(f"{registry}/multi:v1", our_keys[0], phrase_file, tmp_path)["signed"]
    assert ["", "linux/amd64", "linux/arm64"] == [one["platform"] for one in signed]
    for target in (":v1", *(f"@{child}" for child in children)):
        image = f"{registry}/multi{target}"
        assert _verify(image, our_keys[1], home=tmp_path)["is_valid"]
        for version, more in READINGS:
            done = _cosign_verify(cosigns[version], image, our_keys[1], tmp_path, *more)
            assert 0 == done.returncode, (target, version, done.stderr)


def test_cosign_accepts_a_signature_copied_to_another_repository_and_seawall_does_not(
    cosigns, registry, our_keys, phrase_file, tmp_path
):
    digest = _push_image(registry, "origin")
    _sign(f"{registry}/origin:v1", our_keys[0], phrase_file, tmp_path)
    assert digest == _push_image(registry, "copy")
    _copy_signatures(registry, "origin", "copy", digest)
    image = f"{registry}/copy:v1"
    assert 0 == _cosign_verify(cosigns["2"], image, our_keys[1], tmp_path).returncode
    result = _verify(image, our_keys[1], home=tmp_path)
    assert not result["is_valid"]
    assert 8 in [step["number"] for step in result["steps"] if not step["is_passed"]]


def test_cosign_accepts_a_tag_moved_to_an_older_signed_image_and_seawall_does_not(
    cosigns, registry, our_keys, phrase_file, tmp_path
):
    _push_image(registry, "moved", "v1", b"old and vulnerable")
    _sign(f"{registry}/moved:v1", our_keys[0], phrase_file, tmp_path)
    _push_image(registry, "moved", "v2", b"old and vulnerable")
    image = f"{registry}/moved:v2"
    assert 0 == _cosign_verify(cosigns["2"], image, our_keys[1], tmp_path).returncode
    result = _verify(image, our_keys[1], home=tmp_path)
    assert 9 in [step["number"] for step in result["steps"] if not step["is_passed"]]


def _copy_signatures(host, source, target, digest):
    tag = digest.replace(":", "-")
    origin, copy = RepositoryName(source), RepositoryName(target)
    with RegistryClient(host, is_plain_http=True) as client:
        for name in (f"{tag}.sig", tag):
            found = client.get_manifest(origin, name)
            document = json.loads(found.content)
            for entry in document.get("manifests", []):
                _copy_manifest(client, origin, copy, entry["digest"], entry["digest"])
            if "layers" in document:
                _copy_manifest(client, origin, copy, name, name)
            else:
                client.put_manifest(copy, name, found.content, found.media_type)


def _copy_manifest(client, origin, copy, reference, to):
    found = client.get_manifest(origin, reference)
    document = json.loads(found.content)
    for blob in (document["config"], *document["layers"]):
        digest = Digest.parse(blob["digest"])
        client.put_blob(copy, client.get_blob(origin, digest, max_bytes=1_000_000))
    client.put_manifest(copy, to, found.content, found.media_type)


def test_verify_starts_fast_and_without_the_database(registry, our_keys, tmp_path):
    _push_image(registry, "fast")
    words = [
        "verify", f"{registry}/fast:v1", "--key", str(our_keys[1]), "--unsafe-plain-http",
    ]  # fmt: skip
    script = (
        "import sys; from seawall.cli.main import main\n"
        f"code = main({words!r})\n"
        "assert code == 1, code\n"
        "print([m for m in ('sqlalchemy', 'aiohttp', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert "[]" == done.stdout.strip().splitlines()[-1], done.stdout + done.stderr
