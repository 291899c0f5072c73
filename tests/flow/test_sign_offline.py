"""Signed where there is no network, uploaded later: exported, carried, signed, carried back."""

import json
import subprocess
import sys

import pytest

from seawall.cli import image_signatures
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.testing import images, offline_signing
from seawall.testing.offline_signing import NetworkUsedError

AMD, ARM = images.image(env=("A=amd",)), images.image(env=("A=arm",))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with offline_signing.machines(tmp_path_factory.mktemp("offline")) as machines:
        yield machines


def owned(place, name, made=AMD, *signers):
    """Push an image into a repository whose tree the key `owner` made; return image and root."""
    image = place.push(name, made)
    gun = image.rpartition(":")[0]
    made = place.online("trust", "init", gun, *place.key("owner"))
    assert 0 == made.code, made.err
    for who in signers:
        place.key(who)
        public = place.file(f"{who}.pub")
        added = place.online("trust", "signer", "add", who, public, gun, *place.key("owner"))
        assert 0 == added.code, added.err
    return image, made.fingerprint


def verified(place, image, root, key="owner", *words):
    done = place.online(
        "verify", image, "--root", root, "--key", place.file(f"{key}.pub"), "--json", *words
    )
    return done.code, json.loads(done.out)


def test_what_was_signed_offline_verifies_once_it_is_uploaded(place):
    image, root = owned(place, "team/app:v1")
    request = place.export(image)
    signed = place.sign(request, "--root", root, *place.key("owner"))
    assert 0 == signed.code, signed.err
    assert "files of the tree: targets" in signed.out
    assert 1 == verified(place, image, root)[0]
    done = place.upload()
    assert 0 == done.code, done.err
    assert f"signed: {image.rpartition(':')[0]}@{AMD.digest}" in done.out
    assert "tag v1 published in targets" in done.out
    code, document = verified(place, image, root)
    assert 0 == code
    with place.client() as client:
        found = image_signatures.collect(client, RepositoryName("team/app"), AMD.digest).artifacts
    formats = ["cosign-tag", "notation-jws", "sigstore-bundle"]
    assert formats == sorted(one.format for one in found)
    assert ["targets"] == document["tree"]["vouchers"]


def test_an_index_and_each_of_its_images_are_signed(place):
    image, root = owned(place, "team/many:v1", images.index(AMD, ARM))
    assert 0 == place.sign(place.export(image), "--root", root, *place.key("owner")).code
    assert 0 == place.upload().code
    repository = image.rpartition(":")[0]
    assert 0 == verified(place, image, root)[0]
    for one in (AMD, ARM):
        member = f"{repository}@{one.digest}"
        done = place.online("verify", member, "--key", place.file("owner.pub"))
        assert "VERIFIED: signed by" in done.out


def test_uploading_again_changes_nothing_and_a_cut_off_upload_goes_on(place, monkeypatch):
    image, root = owned(place, "team/again:v1", images.index(AMD, ARM))
    assert 0 == place.sign(place.export(image), "--root", root, *place.key("owner")).code
    pushed = []
    put = offline_signing.RegistryClient.put_manifest

    def cut_off(self, repository, reference, content, media_type):
        if len(pushed) == 4:
            raise KeyboardInterrupt
        pushed.append(reference)
        return put(self, repository, reference, content, media_type)

    monkeypatch.setattr(offline_signing.RegistryClient, "put_manifest", cut_off)
    assert 130 == place.upload().code
    monkeypatch.undo()
    first = place.upload()
    assert 0 == first.code, first.err
    assert ["was signed already", "signed", "signed"] == [
        line.partition(":")[0] for line in first.out.splitlines() if "@sha256" in line
    ]
    again = place.upload("--json")
    document = json.loads(again.out)
    assert [False] * 3 == [one["is_new"] for one in document["signed"]]
    assert "unchanged" == document["tree"]["outcome"]


def test_a_tree_that_moved_on_is_refused_before_anything_is_pushed(place):
    image, root = owned(place, "team/stale:v1")
    request = place.export(image)
    assert 0 == place.sign(request, "--root", root, *place.key("owner")).code
    other = place.push("team/stale:v2", ARM)
    assert 0 == place.online("sign", other, *place.key("owner")).code
    done = place.upload()
    assert 3 == done.code
    assert "has moved on since this was signed: targets has changed" in done.err
    assert "seawall trust export IMAGE" in done.err
    with place.client() as client:
        beside = image_signatures.collect(client, RepositoryName("team/stale"), AMD.digest)
    assert () == beside.artifacts
    assert 0 == place.sign(place.export(image), *place.key("owner")).code
    assert 0 == place.upload().code
    assert 0 == verified(place, image, root)[0]


def test_a_signer_whom_the_owner_removed_meanwhile_does_not_get_in(place):
    image, root = owned(place, "team/removed:v1", AMD, "ci", "other")
    assert 0 == place.sign(place.export(image), "--root", root, *place.key("ci")).code
    gun = image.rpartition(":")[0]
    gone = place.online("trust", "signer", "remove", "ci", gun, "--yes", *place.key("owner"))
    assert 0 == gone.code, gone.err
    done = place.upload()
    assert 3 == done.code
    assert "has moved on" in done.err


def test_a_threshold_is_met_by_signers_who_are_both_offline(place):
    image, root = owned(place, "team/two:v1", AMD, "ada", "lin")
    gun = image.rpartition(":")[0]
    wants = place.online("trust", "threshold", "releases", "2", gun, *place.key("owner"))
    assert 0 == wants.code, wants.err
    assert 0 == place.sign(place.export(image), "--root", root, *place.key("ada")).code
    first = place.upload()
    assert (1, True) == (first.code, "WAITS for more signatures" in first.out), first.err
    assert 1 == place.upload().code
    assert 0 == place.sign(place.export(image), *place.key("lin")).code
    second = place.upload()
    assert (0, True) == (second.code, "published in" in second.out), second.err
    assert 0 == verified(place, image, root, "lin")[0]
    assert "unchanged" == json.loads(place.upload("--json").out)["tree"]["outcome"]


def test_nothing_is_signed_before_it_was_shown(place):
    image, root = owned(place, "team/shown:v1", images.index(AMD, ARM))
    request = place.export(image)
    words = ("--root", root, "-o", place.file("unsigned"))
    done = place.offline("sign", "--offline", request, *words)
    assert 1 == done.code
    assert f"to sign: {ARM.digest}  linux/amd64" in done.out
    assert "tag v1: none -> sha256:" in done.out
    assert "sign it with --yes" in done.out
    assert not (place.directory / "unsigned").exists()


def test_a_tree_without_a_pin_and_a_repository_without_a_tree_are_told(place):
    image, _root = owned(place, "team/unpinned:v1")
    done = place.sign(place.export(image), *place.key("owner"))
    assert (3, True) == (done.code, "no root is pinned" in done.err), done.err
    bare = place.push("team/bare:v1", AMD)
    request = place.export(bare)
    done = place.sign(request, *place.key("owner"))
    assert (3, True) == (done.code, "--no-tree" in done.err), done.err
    assert 0 == place.sign(request, "--no-tree", *place.key("owner")).code
    done = place.upload()
    assert (0, True) == (done.code, "the repository's tree is left as it was" in done.out)


def test_a_key_that_may_not_sign_in_the_tree_signs_nothing(place):
    image, root = owned(place, "team/stranger:v1")
    done = place.sign(place.export(image), "--root", root, *place.key("stranger"), name="none")
    assert (3, True) == (done.code, "seawall trust signer add" in done.err)
    assert not (place.directory / "none").exists()


def test_the_guard_notices_a_connection(place):
    with pytest.raises(NetworkUsedError):
        place.offline("sign", "localhost:9/team/app:v1", "--unsafe-plain-http", *place.key("owner"))


def test_signing_works_where_the_kernel_gives_no_network(place):
    probe = subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("needs unshare -n, and it is not allowed here")
    image, root = owned(place, "team/kernel:v1")
    request = place.export(image)
    words = ("sign", image, "--offline", request, "-o", place.file("kernel"), "--yes", "--json")
    home = place.directory / "kernel-home"
    done = subprocess.run(
        [
            "unshare", "-n", sys.executable, "-m", "seawall", *words, "--root", root,
            *place.key("owner"), "--state", str(home / "state"),
        ],
        env={"SEAWALL_CONFIG_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    assert Digest.of(AMD.manifest) == json.loads(done.stdout)["digest"]
    assert 0 == place.upload(name="kernel").code
    assert 0 == verified(place, image, root)[0]
