"""Local images are read strictly: every byte is what its digest says, or an error."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from seawall.core.errors import IntegrityError, InvalidInputError, NotFoundError
from seawall.scan import inventory, inventory_sources
from seawall.testing import images

STATUS = b"Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n"
FILES: images.Files = {"var/lib/dpkg/status": STATUS}
IMAGE = images.image(
    images.layer(FILES), images.layer({"etc/x": random.Random(1).randbytes(3_000_000)})
)
PLAIN = images.image(images.layer(FILES, compressed=False))


def scan(path: Path, name: str = "") -> list[str]:
    with inventory_sources.open_local(path, name=name) as image:
        found = inventory.take(image.layers, image.config)
    assert not found.notices
    return [component.name for component in found.components]


def test_reads_a_layout(tmp_path: Path) -> None:
    layout = images.write_layout(tmp_path / "layout", IMAGE)
    assert ["a"] == scan(layout)
    with inventory_sources.open_local(layout) as image:
        assert (IMAGE.digest, "latest") == (image.digest, image.name)


def test_reads_the_image_of_this_platform_in_an_index(tmp_path: Path) -> None:
    layout = images.write_layout(tmp_path, images.index(IMAGE))
    image = inventory_sources.sources_of_oci_layout(layout, platform="linux/amd64")
    assert IMAGE.digest == image.digest
    with pytest.raises(NotFoundError, match="linux/amd64"):
        inventory_sources.sources_of_oci_layout(layout, platform="linux/s390x")


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_reads_a_docker_archive(tmp_path: Path, compress: type[bytes]) -> None:
    path = images.write_docker_archive(tmp_path / "image.tar", PLAIN, name="app:1")
    path.write_bytes(compress(path.read_bytes()))
    assert ["a"] == scan(path)
    assert ["a"] == scan(path, "app:1")
    with pytest.raises(NotFoundError):
        scan(path, "other:1")
    assert [path] == list(tmp_path.iterdir())


def test_reads_real_docker_archives(shared: Path) -> None:
    for path in sorted((shared / "data" / "images").glob("*.docker.tar.gz")):
        with inventory_sources.open_local(path) as image:
            found = inventory.take(image.layers, image.config)
        assert found.distribution is not None
        assert "alpine" == found.distribution.id
        assert not found.is_partial
        assert {"apk"} <= {one.type for one in found.components}


def test_several_images_want_a_name(tmp_path: Path) -> None:
    layout = images.write_layout(tmp_path, IMAGE)
    document = json.loads((layout / "index.json").read_text())
    other = document["manifests"][0] | {"annotations": {}}
    document["manifests"].append(other)
    (layout / "index.json").write_text(json.dumps(document))
    with pytest.raises(InvalidInputError, match="several"):
        scan(layout)
    assert ["a"] == scan(layout, "latest")


def test_refuses_a_flipped_byte_in_any_blob(tmp_path: Path) -> None:
    layout = images.write_layout(tmp_path, IMAGE)
    for blob in sorted((layout / "blobs" / "sha256").iterdir()):
        content = bytearray(blob.read_bytes())
        content[len(content) // 2] ^= 1
        blob.write_bytes(content)
        with pytest.raises(IntegrityError):
            scan(layout)
        content[len(content) // 2] ^= 1
        blob.write_bytes(content)
    assert ["a"] == scan(layout)


def test_refuses_a_layer_longer_or_shorter_than_its_descriptor(tmp_path: Path) -> None:
    layout = images.write_layout(tmp_path, IMAGE)
    blob = layout / "blobs" / "sha256" / images.layer(FILES).digest.hex
    content = blob.read_bytes()
    for changed in (content + b"\0", content[:-1]):
        blob.write_bytes(changed)
        with pytest.raises(IntegrityError):
            scan(layout)


def test_refuses_an_archive_whose_layer_is_not_what_the_config_says(tmp_path: Path) -> None:
    path = images.write_docker_archive(tmp_path / "image.tar", PLAIN, name="app:1")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Version: 1\n", b"Version: 2\n"))
    with pytest.raises(IntegrityError):
        scan(path)


def test_refuses_missing_blobs_and_other_things(tmp_path: Path) -> None:
    layout = images.write_layout(tmp_path / "layout", IMAGE)
    (layout / "blobs" / "sha256" / IMAGE.digest.hex).unlink()
    with pytest.raises(NotFoundError):
        scan(layout)
    with pytest.raises(InvalidInputError, match="oci-layout"):
        scan(tmp_path)
    with pytest.raises(NotFoundError):
        scan(tmp_path / "nowhere")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(InvalidInputError):
        scan(tmp_path / "text")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", ""])
def test_refuses_names_that_lead_out_of_the_archive(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_bytes(STATUS)
    config = PLAIN.blobs[next(iter(PLAIN.blobs))]
    listing = [{"Config": "config.json", "RepoTags": None, "Layers": [name]}]
    made = images.layer(
        {"manifest.json": json.dumps(listing).encode(), "config.json": config}, compressed=False
    )
    path = tmp_path / "image.tar"
    path.write_bytes(made.content)
    with pytest.raises(InvalidInputError, match="no file"):
        scan(path)
