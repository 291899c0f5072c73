"""A directory is read as an image of one layer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seawall.core.errors import InvalidInputError
from seawall.oci import layers, media
from seawall.scan import directory_source, inventory
from seawall.scan.model import NoticeKind

STATUS = b"Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    (made / "var/lib/dpkg").mkdir(parents=True)
    (made / "var/lib/dpkg/status").write_bytes(STATUS)
    (made / "lib").symlink_to("usr/lib")
    (made / "empty").mkdir()
    (made / ("l" * 200)).write_bytes(b"x" * 1000)
    return made


def entries(root: Path) -> dict[str, int]:
    (layer,) = directory_source.sources_of_directory(root).layers
    with layer.open() as stream:
        return {one.path: one.size for one in layers.walk(stream, media.OCI_LAYER)}


def test_packages_in_a_directory_are_found(root):
    image = directory_source.sources_of_directory(root)
    found = inventory.take(image.layers, image.config)
    assert ["a"] == [one.name for one in found.components]
    assert not found.is_partial
    assert f"directory {root}" == found.layers[0].created_by


def test_every_entry_is_there_once(root):
    expected = {"var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/status", "lib", "empty", "l" * 200}
    assert expected == set(entries(root))


def test_the_digest_changes_with_the_content(root):
    before = directory_source.sources_of_directory(root).digest
    assert before == directory_source.sources_of_directory(root).digest
    (root / "empty/new").write_bytes(b"")
    assert before != directory_source.sources_of_directory(root).digest


@pytest.mark.parametrize("content", [b"", b"longer" * 10_000])
def test_a_file_that_changes_meanwhile_keeps_its_size_in_the_stream(root, content):
    (layer,) = directory_source.sources_of_directory(root).layers
    (root / "var/lib/dpkg/status").write_bytes(content)
    with layer.open() as stream:
        sizes = {one.path: one.size for one in layers.walk(stream, media.OCI_LAYER)}
    assert len(STATUS) == sizes["var/lib/dpkg/status"]
    assert 7 == len(sizes)


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(root):
    (root / "secret").write_bytes(b"s" * 10)
    (layer,) = directory_source.sources_of_directory(root).layers
    (root / "secret").unlink()
    (root / "secret").symlink_to("/etc/hostname")
    with layer.open() as stream:
        assert Path("/etc/hostname").read_bytes()[:5] not in stream.read()


def test_pipes_and_sockets_are_passed_over(root):
    os.mkfifo(root / "pipe")
    assert "pipe" not in entries(root)


def test_what_cannot_be_read_is_told(root, monkeypatch):
    monkeypatch.setattr(directory_source.os, "access", lambda path, mode: "dpkg" not in str(path))
    image = directory_source.sources_of_directory(root)
    (notice,) = image.notices
    assert NoticeKind.MISSING_LAYER is notice.kind
    assert "/var/lib/dpkg/status" in notice.message


def test_names_that_are_no_text_are_kept(root):
    (root / os.fsdecode(b"bad\xff")).write_bytes(b"1")
    assert 8 == len(entries(root))


def test_refuses_what_is_no_directory(tmp_path):
    with pytest.raises(InvalidInputError):
        directory_source.sources_of_directory(tmp_path / "none")
