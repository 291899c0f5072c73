"""A real container engine unpacks images made at random; the inventory must see the same files."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.scan import inventory, inventory_sources
from seawall.testing import images
from seawall.testing.images import Entry, Files

pytestmark = pytest.mark.interop

IMAGES = 40
FOLDERS = ["a", "b", "c", "a/b", "a/c", "b/a", "a/b/c"]
KINDS = ["python", "python", "python", "hard", "link", "dir", "file", "wh", "opq"]
DIRECTORY = Entry(kind=tarfile.DIRTYPE, mode=0o755)
METADATA = re.compile(rb"Version: ([0-9]+)\n")


@pytest.fixture
def buildah(tmp_path: Path) -> Iterator[list[str]]:
    if shutil.which("buildah") is None:
        pytest.skip("needs buildah")
    if os.geteuid() != 0:
        pytest.skip("needs root to mount what buildah unpacked")
    command = ["buildah", "--root", f"{tmp_path}/root", "--runroot", f"{tmp_path}/run"]
    command += ["--storage-driver", "vfs"]
    yield command
    subprocess.run([*command, "rm", "-a"], check=False, capture_output=True)
    subprocess.run([*command, "rmi", "-a", "-f"], check=False, capture_output=True)


def random_layer(rng: random.Random, numbers: Iterator[int]) -> Files:
    files: dict[str, bytes | Entry] = {}
    for _ in range(rng.randint(1, 6)):
        folder = rng.choice(FOLDERS)
        parent, _, name = folder.rpartition("/")
        kind = rng.choice(KINDS)
        if kind in ("link", "file") and any(path.startswith(folder + "/") for path in files):
            continue  # replacing what this layer just wrote: engines differ in where that was
        match kind:
            case "python":
                text = f"Name: x\nVersion: {next(numbers)}\n"
                files[f"{folder}/x.dist-info/METADATA"] = text.encode()
            case "hard":
                number = next(numbers)
                files[f"data{number}"] = f"Name: x\nVersion: {number}\n".encode()
                files[f"{folder}/x.dist-info/METADATA"] = Entry(
                    link=f"data{number}", kind=tarfile.LNKTYPE
                )
            case "link":
                target = rng.choice(["/a", "/b", "/c", "/a/b", "c", "../b"])
                files[folder] = Entry(link=target, kind=tarfile.SYMTYPE)
            case "dir":
                files[folder] = DIRECTORY
            case "file":
                files[folder] = b""
            case "wh":
                files[f"{parent}/.wh.{name}".lstrip("/")] = b""
            case "opq":
                files[f"{folder}/.wh..wh..opq"] = b""
    # This engine applies a whiteout also to what stands before it in the same layer, against the
    # specification ("MUST only apply to resources in lower layers"); so whiteouts come first.
    return dict(sorted(files.items(), key=lambda item: ".wh." not in item[0]))


def unpacked_by_engine(buildah: list[str], layout: Path) -> dict[str, str] | None:
    """Return the version in every metadata file, by path; None when the engine refuses."""
    made = subprocess.run(
        [*buildah, "from", "-q", f"oci:{layout}:latest"],
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        return None
    container = made.stdout.strip().splitlines()[-1]
    mounted = subprocess.run(
        [*buildah, "mount", container], check=True, capture_output=True, text=True
    )
    root = Path(mounted.stdout.strip())
    found = {}
    for path in root.rglob("METADATA"):
        match = METADATA.search(path.read_bytes())
        assert match is not None
        found[f"/{path.relative_to(root)}"] = match[1].decode()
    subprocess.run([*buildah, "rm", container], check=True, capture_output=True)
    return found


def test_the_inventory_sees_what_an_engine_unpacks(buildah: list[str], tmp_path: Path) -> None:
    rng = random.Random(2015)
    numbers = iter(range(1, 100_000))
    compared = 0
    for n in range(IMAGES):
        layers = [random_layer(rng, numbers) for _ in range(rng.randint(1, 4))]
        layout = images.write_layout(
            tmp_path / f"layout{n}", images.image(*(images.layer(files) for files in layers))
        )
        expected = unpacked_by_engine(buildah, layout)
        if expected is None:
            continue
        with inventory_sources.open_local(layout) as image:
            found = inventory.take(image.layers, image.config)
        assert expected == {c.path: c.version for c in found.components}, layers
        compared += 1
    assert compared > IMAGES // 2
