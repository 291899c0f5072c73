"""Build a realistic Debian-based OCI layout to measure scanners on.

Six layers, as a Dockerfile would make them: the distribution, packages from apt, old Python
distributions from pip (with a virtual environment beside Debian's own Python packages), old Node
modules and jars, programs copied from elsewhere, and a last layer that removes and replaces. About
0.75 GB packed. Needs root, debootstrap, npm, a Debian mirror and PyPI; takes minutes, so the layout
is kept and reused.

    sudo python bench/scan_image.py OUT [--suite bookworm] [--mirror URL]
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from scan_contents import (
    APT,
    BASE,
    COPIED,
    SYSTEM,
    VENV,
    copy_jars,
    copy_modules,
    copy_programs,
)

Facts = tuple[int, int, int, int, str]


def own_mirror() -> str:
    """Return the Debian mirror that this machine's apt uses."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    uris = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    found = [uri for uri in uris if "security" not in uri]
    if not found:
        raise SystemExit("apt has no Debian mirror: give one with --mirror")
    return found[0]


def snapshot(root: Path) -> dict[str, Facts]:
    """Return what tells one version of a file from the next, by path."""
    facts: dict[str, Facts] = {}
    for folder, names, files in os.walk(root):
        for name in [*names, *files]:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            is_dir = stat.S_ISDIR(st.st_mode)
            link = os.readlink(path) if stat.S_ISLNK(st.st_mode) else ""
            key = os.path.relpath(path, root)
            facts[key] = (st.st_mode, 0 if is_dir else st.st_size, st.st_uid, 0, link)
            if not is_dir:
                facts[key] = (st.st_mode, st.st_size, st.st_ino, st.st_mtime_ns, link)
    return facts


def write_layer(root: Path, out: Path, before: dict[str, Facts], after: dict[str, Facts]) -> str:
    """Write the difference as gzip'd tar with whiteouts; return the digest of the plain tar."""
    hasher = hashlib.sha256()

    class Tee:
        def __init__(self, stream: gzip.GzipFile) -> None:
            self.stream = stream

        def write(self, data: bytes) -> int:
            hasher.update(data)
            return self.stream.write(data)

    with (
        out.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=Tee(packed), mode="w|", format=tarfile.PAX_FORMAT) as tar,  # type: ignore[call-overload]
    ):
        for path in sorted(after):
            if before.get(path) != after[path]:
                tar.add(root / path, arcname=path, recursive=False)
        gone = {path for path in before if path not in after}
        for path in sorted(gone):
            if os.path.dirname(path) not in gone:
                folder, name = os.path.split(path)
                tar.addfile(tarfile.TarInfo(os.path.join(folder, f".wh.{name}")))
    return f"sha256:{hasher.hexdigest()}"


def run_in(root: Path, *command: str) -> None:
    environment = {
        **os.environ,
        "DEBIAN_FRONTEND": "noninteractive",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    subprocess.run(["chroot", str(root), *command], check=True, env=environment, stdout=sys.stderr)


def step_base(root: Path, suite: str, mirror: str) -> None:
    command = ["debootstrap", "--variant=minbase", f"--include={BASE}", suite, str(root), mirror]
    subprocess.run(command, check=True, stdout=sys.stderr)
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    _forget_downloads(root)


def step_apt(root: Path) -> None:
    for name in ("etc/resolv.conf", "etc/hosts"):
        shutil.copy(f"/{name}", root / name)
    run_in(root, "apt-get", "update", "-q")
    quick = ["-o", "Dpkg::Options::=--force-unsafe-io"]
    run_in(root, "apt-get", "install", *quick, "-qy", "--no-install-recommends", *APT)
    _forget_downloads(root)


def _forget_downloads(root: Path) -> None:
    """Remove what a Dockerfile removes in the same instruction."""
    run_in(root, "apt-get", "clean")
    for cache in (root / "var/cache/apt").glob("*.bin"):
        cache.unlink()
    for entry in (root / "var/lib/apt/lists").iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def step_pip(root: Path) -> None:
    # Downloaded outside, so that the index's settings of this machine need not enter the image.
    version = "3.11" if (root / "usr/bin/python3.11").exists() else "3.13"
    wheels = root / "tmp/wheels"
    for names in (VENV, SYSTEM):
        command = [sys.executable, "-m", "pip", "download", "-q", "-d", str(wheels)]
        command += ["--no-deps", "--only-binary=:all:", "--python-version", version, *names]
        subprocess.run(command, check=True, stdout=sys.stderr)
    pip = ["install", "-q", "--no-deps", "--no-index", "--find-links=/tmp/wheels"]
    run_in(root, "python3", "-m", "venv", "/opt/app")
    run_in(root, "/opt/app/bin/pip", *pip, *VENV)
    run_in(root, "pip", *pip, "--break-system-packages", *SYSTEM)
    shutil.rmtree(wheels)


def step_copied(root: Path, scratch: Path) -> None:
    copy_modules(root, scratch)
    copy_jars(root, scratch)


def step_last(root: Path) -> None:
    run_in(root, "apt-get", "purge", "-qy", "redis-server")
    for path in ("srv/shop/node_modules/request", "opt/jars/jersey-client-2.34.jar"):
        gone = root / path
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    newer = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(root / "tmp/w")]
    subprocess.run([*newer, "jinja2==3.1.6"], check=True, stdout=sys.stderr)
    pip = ["/opt/app/bin/pip", "install", "-q", "--no-deps", "--no-index", "--find-links=/tmp/w"]
    run_in(root, *pip, "--upgrade", "jinja2")
    shutil.rmtree(root / "tmp/w")
    run_in(root, "/opt/app/bin/pip", "uninstall", "-qy", "boto3")


def store(blobs: Path, media_type: str, value: object) -> dict[str, object]:
    body = json.dumps(value, sort_keys=True).encode()
    name = hashlib.sha256(body).hexdigest()
    (blobs / name).write_bytes(body)
    return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(body)}


def build(out: Path, suite: str, mirror: str) -> None:
    blobs = out / "blobs/sha256"
    blobs.mkdir(parents=True)
    layers, diff_ids, history = [], [], []
    with tempfile.TemporaryDirectory(dir=out.absolute().parent) as scratch:
        root = Path(scratch) / "root"
        root.mkdir()
        steps: list[tuple[str, Callable[[], None]]] = [
            (f"debootstrap {suite}", lambda: step_base(root, suite, mirror)),
            ("RUN apt-get install", lambda: step_apt(root)),
            ("RUN pip install", lambda: step_pip(root)),
            ("COPY node_modules and jars", lambda: step_copied(root, Path(scratch))),
            ("COPY programs /opt/bin", lambda: copy_programs(root, Path(scratch), COPIED)),
            ("RUN apt-get purge redis-server", lambda: step_last(root)),
        ]
        before: dict[str, Facts] = {}
        for created_by, step in steps:
            print(created_by, file=sys.stderr, flush=True)
            step()
            after = snapshot(root)
            packed = Path(scratch) / "layer"
            diff_ids.append(write_layer(root, packed, before, after))
            before = after
            name = hashlib.sha256(packed.read_bytes()).hexdigest()
            size = packed.stat().st_size
            packed.rename(blobs / name)
            layer_type = "application/vnd.oci.image.layer.v1.tar+gzip"
            layers.append({"mediaType": layer_type, "digest": f"sha256:{name}", "size": size})
            history.append({"created_by": created_by})
        config = store(
            blobs,
            "application/vnd.oci.image.config.v1+json",
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
                "history": history,
            },
        )
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers}
    entry = store(blobs, kind, manifest)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "bench"}
    (out / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (out / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    print(out, entry["digest"], [layer["size"] for layer in layers])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for the layout; must not exist")
    parser.add_argument("--suite", default="bookworm")
    parser.add_argument("--mirror", help="Debian mirror (default: the one apt uses here)")
    args = parser.parse_args()
    if args.out.exists():
        raise SystemExit(f"{args.out} exists")
    partial = args.out.with_name(args.out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    build(partial, args.suite, args.mirror or own_mirror())
    partial.rename(args.out)


if __name__ == "__main__":
    main()
