"""The registry as real clients see it: docker, podman, buildah and skopeo, over plain HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile

import pytest

from seawall.testing import images
from seawall.testing.registry_server import PASSWORD, USER, registry_process

pytestmark = pytest.mark.interop

IMAGE = images.image(
    images.layer({"one": b"1" * 100_000}), images.layer({"two": os.urandom(3_000_000)})
)
INDEX = images.index(IMAGE, images.image(images.layer({"other": b"x"})))


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with registry_process(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def podman_root():
    """Storage of podman's and buildah's own; podman wants its path short."""
    with tempfile.TemporaryDirectory(prefix="swp-", dir="/tmp") as folder:
        yield [
            f"--root={folder}/root",
            f"--runroot={folder}/run",
            "--storage-driver=vfs",
        ]


def run(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done


CREDENTIALS = f"{USER}:{PASSWORD}"


def skopeo_copy(source, target, *options):
    run(
        "skopeo", "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", *options,
        *([f"--src-creds={CREDENTIALS}"] if source.startswith("docker:") else []),
        *([f"--dest-creds={CREDENTIALS}"] if target.startswith("docker:") else []),
        source, target,
    )  # fmt: skip


@pytest.mark.engine
def test_docker_pushes_pulls_and_runs(registry, engine, tmp_path):
    name = f"{registry.address}/docker/app:1"
    image = images.runnable_image("cat")
    archive = images.write_docker_archive(tmp_path / "image.tar", image, name=name)
    engine.docker("load", "-i", str(archive))
    refused = engine.docker("push", name, check=False)
    assert "denied" in refused.stderr
    engine.docker(
        "login", "-u", USER, "--password-stdin", registry.address, stdin=PASSWORD.encode()
    )
    engine.docker("push", name)
    again = engine.docker("push", name)
    assert "already exists" in again.stdout
    engine.docker("rmi", name)
    engine.docker("pull", name)
    done = engine.docker("run", "--rm", "-i", "--network=none", name, "cat", stdin=b"a\nb\n")
    assert "a\nb\n" == done.stdout
    engine.docker("tag", name, f"{registry.address}/docker/mounted:1")
    mounted = engine.docker("push", f"{registry.address}/docker/mounted:1")
    assert "Mounted from docker/app" in mounted.stdout


@pytest.mark.engine
def test_docker_pulls_without_login_only_where_it_is_granted(registry, engine, tmp_path, need):
    need("skopeo")
    layout = images.write_layout(tmp_path / "layout", IMAGE, tag="1")
    for repository in ("public/app", "private/app"):
        skopeo_copy(f"oci:{layout}:1", f"docker://{registry.address}/{repository}:1")
    engine.docker("logout", registry.address, check=False)
    engine.docker("pull", f"{registry.address}/public/app:1")
    refused = engine.docker("pull", f"{registry.address}/private/app:1", check=False)
    assert "denied" in refused.stderr or "unauthorized" in refused.stderr


def test_skopeo_copies_inspects_lists_and_deletes(registry, tmp_path, need):
    need("skopeo")
    layout = images.write_layout(tmp_path / "layout", INDEX, tag="1")
    remote = f"docker://{registry.address}/skopeo/app"
    skopeo_copy(f"oci:{layout}:1", f"{remote}:1", "--all")
    skopeo_copy(f"{remote}:1", f"{remote}:2", "--all")
    skopeo_copy(f"{remote}:2", f"oci:{tmp_path / 'back'}:1", "--all")
    back = json.loads((tmp_path / "back" / "index.json").read_text())
    assert INDEX.digest == back["manifests"][0]["digest"]
    for one in images.walk(INDEX):
        for digest, content in {**one.blobs, one.digest: one.manifest}.items():
            assert content == (tmp_path / "back/blobs/sha256" / digest.hex).read_bytes()
    common = ("--tls-verify=false", f"--creds={CREDENTIALS}")
    tags = run("skopeo", "list-tags", *common, remote)
    assert ["1", "2"] == json.loads(tags.stdout)["Tags"]
    raw = run("skopeo", "inspect", "--raw", *common, f"{remote}:1")
    assert INDEX.manifest.decode() == raw.stdout
    run("skopeo", "delete", *common, f"{remote}:1")
    gone = run("skopeo", "inspect", *common, f"{remote}:2", check=False)
    assert "manifest unknown" in gone.stderr


@pytest.mark.parametrize("program", ["podman", "buildah"])
def test_podman_and_buildah_push_and_pull(registry, tmp_path, podman_root, need, program):
    need(program)
    layout = images.write_layout(tmp_path / "layout", IMAGE, tag="1")
    common = ("--tls-verify=false", f"--creds={CREDENTIALS}")
    name = f"{registry.address}/{program}/app:1"
    run(program, *podman_root, "pull", f"oci:{layout}:1")
    listed = run(program, *podman_root, "images", "-q", "--no-trunc")
    run(program, *podman_root, "push", *common, listed.stdout.split()[0], f"docker://{name}")
    run(program, *podman_root, "rmi", "--all", "--force")
    run(program, *podman_root, "pull", *common, name)
    wrong = run(
        program, *podman_root, "pull", "--tls-verify=false", "--creds=alice:wrong",
        f"{registry.address}/{program}/app:2", check=False,
    )  # fmt: skip
    assert wrong.returncode != 0


def test_podman_pushes_zstd_chunked(registry, tmp_path, podman_root, need):
    need("podman")
    layout = images.write_layout(tmp_path / "layout", IMAGE, tag="1")
    common = ("--tls-verify=false", f"--creds={CREDENTIALS}")
    run("podman", *podman_root, "pull", f"oci:{layout}:1")
    listed = run("podman", *podman_root, "images", "-q", "--no-trunc").stdout.split()[0]
    name = f"{registry.address}/podman/zstd:1"
    run("podman", *podman_root, "push", "--compression-format=zstd:chunked", *common, listed, name)
    run("podman", *podman_root, "rmi", "--all", "--force")
    run("podman", *podman_root, "pull", *common, name)


def test_schema_2_images_are_kept_as_they_are(registry, tmp_path, need):
    need("skopeo")
    layout = images.write_layout(tmp_path / "layout", IMAGE, tag="1")
    remote = f"docker://{registry.address}/skopeo/schema2:1"
    skopeo_copy(f"oci:{layout}:1", remote, "--format=v2s2")
    raw = run("skopeo", "inspect", "--raw", "--tls-verify=false", f"--creds={CREDENTIALS}", remote)
    kind = json.loads(raw.stdout)["mediaType"]
    assert "application/vnd.docker.distribution.manifest.v2+json" == kind
