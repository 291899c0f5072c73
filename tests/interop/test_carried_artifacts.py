"""What `feeds export` and `fingerprints export` write is what the tools of the field know.

oras and skopeo carry it into a registry, stock cosign 2 and 3 verify it there, and what oras brings
out again is imported.
"""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from seawall.cli import artifact_files, feed_artifacts, fingerprint_files
from seawall.core.actor import SYSTEM
from seawall.core.clock import SystemClock
from seawall.scan.advisories import Advisories
from seawall.scan.fingerprints import pack
from seawall.testing import databases, docker_registry, running
from seawall.testing.signatures import new_key

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / ".cache" / "clients"


@pytest.fixture(scope="module")
def clients():
    """The folder of cosign 2, cosign 3 and oras, out of Debian's newer suites."""
    done = subprocess.run(
        [ROOT / "tools" / "clients.sh", CLIENTS, "cosign2", "cosign3", "oras"],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"needs cosign 2 and 3 and oras: {done.stderr.strip()}")
    return CLIENTS / "bin"


@pytest.fixture(scope="module")
def registry(tmp_path_factory, need):
    need("docker-registry", "skopeo")
    with docker_registry.running(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A private key, and the files of its and of another public key."""
    folder = tmp_path_factory.mktemp("keys")
    ours = new_key()
    for name, key in (("ours", ours), ("theirs", new_key())):
        (folder / f"{name}.pub").write_bytes(key.public.pem)
    return ours, folder / "ours.pub", folder / "theirs.pub"


def quiet(_name, _done, _total):
    """Show nothing."""


def feeds(path, home, key):
    """Write two feeds; the file's name in its index is `feeds`."""
    database = databases.fresh_database(home)
    advisories = Advisories(database, SystemClock())
    for name in ("Debian", "own"):
        file = home / f"{name}.jsonl"
        file.write_text(running.advisory("libhole", "2.0-1") + "\n")
        advisories.import_file(file, actor=SYSTEM)
    feed_artifacts.write(path, ["Debian", "own"], advisories, [key], quiet)
    database.close()
    return "feeds"


def fingerprints(path, _home, key):
    fingerprint_files.write(path, "debian-12", pack.build("x", []), [key])
    return "debian-12"


def read_feeds(path, public):
    with feed_artifacts.opened(path, [public], quiet) as found:
        return [one.edition.name for one in found.feeds], len(found.signed_by)


def read_fingerprints(path, public):
    name, _, signed_by = fingerprint_files.read(path, [public])
    return [name], len(signed_by)


def run(*words, home):
    return subprocess.run(
        [str(word) for word in words], cwd=home, capture_output=True, text=True, timeout=60,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


def carried(*words, home):
    done = run(*words, home=home)
    assert 0 == done.returncode, done.stderr


def verifies(cosign, image, public, *, home):
    done = run(
        cosign, "verify", "--key", public, "--insecure-ignore-tlog", "--allow-http-registry",
        image, home=home,
    )  # fmt: skip
    return done.returncode == 0


BOTH = pytest.mark.parametrize(
    ("write", "read", "names"),
    [
        (feeds, read_feeds, ["Debian", "own"]),
        (fingerprints, read_fingerprints, ["debian-12"]),
    ],
)


@BOTH
def test_oras_carries_it_both_ways_and_cosign_verifies_it_between(
    clients, registry, keys, tmp_path, write, read, names
):
    key, public, foreign = keys
    name = write(tmp_path / "x.tar", tmp_path, key)
    image = f"{registry}/oras/{name}:latest"
    carried(
        clients / "oras", "copy", "-r", "--from-oci-layout", f"x.tar:{name}",
        "--to-plain-http", image, home=tmp_path,
    )  # fmt: skip
    assert verifies(clients / "cosign3", image, public, home=tmp_path)
    assert not verifies(clients / "cosign3", image, foreign, home=tmp_path)
    carried(
        clients / "oras", "copy", "-r", "--from-plain-http", image,
        "--to-oci-layout", f"back:{name}", home=tmp_path,
    )  # fmt: skip
    with tarfile.open(tmp_path / "back.tar", "w") as archive:
        archive.add(tmp_path / "back", arcname=".")
    assert artifact_files.is_layout(tmp_path / "back.tar")
    assert (names, 1) == read(tmp_path / "back.tar", public)


@BOTH
def test_skopeo_carries_it_with_its_signatures_and_both_cosigns_verify_it(
    clients, registry, keys, tmp_path, write, read, names
):
    key, public, foreign = keys
    name = write(tmp_path / "x.tar", tmp_path, key)
    with tarfile.open(tmp_path / "x.tar") as archive:
        index = json.load(archive.extractfile("index.json"))
    tags = [
        one["annotations"]["org.opencontainers.image.ref.name"]
        for one in index["manifests"]
        if "annotations" in one
    ]
    assert [name] == tags[:1]
    for tag in tags:
        there = f"docker://{registry}/skopeo/{name}:{'latest' if tag == name else tag}"
        carried(
            "skopeo", "copy", "--preserve-digests", "--dest-tls-verify=false",
            f"oci-archive:x.tar:{tag}", there, home=tmp_path,
        )  # fmt: skip
    image = f"{registry}/skopeo/{name}:latest"
    for cosign in ("cosign2", "cosign3"):
        assert verifies(clients / cosign, image, public, home=tmp_path)
        assert not verifies(clients / cosign, image, foreign, home=tmp_path)
    assert (names, 1) == read(tmp_path / "x.tar", public)
