"""Small private files (`core.files`)."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import stat
from pathlib import Path

import pytest

from seawall.core import files
from seawall.core.errors import LimitError, UnavailableError


def test_a_private_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.write_private(tmp_path / "key", b"secret")
        files.write_public(tmp_path / "certificate", b"public")
    finally:
        os.umask(before)
    assert 0o600 == stat.S_IMODE((tmp_path / "key").stat().st_mode)
    assert 0o644 == stat.S_IMODE((tmp_path / "certificate").stat().st_mode)
    assert ["certificate", "key"] == sorted(path.name for path in tmp_path.iterdir())


def test_writing_replaces_a_link_and_never_follows_it(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"untouched")
    (tmp_path / "key").symlink_to(tmp_path / "victim")
    files.write_private(tmp_path / "key", b"secret")
    assert b"untouched" == (tmp_path / "victim").read_bytes()
    assert b"secret" == files.read_private(tmp_path / "key")


def test_reading_refuses_links_open_files_and_huge_ones(tmp_path: Path) -> None:
    files.write_private(tmp_path / "key", b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    files.write_public(tmp_path / "open", b"x")
    files.write_private(tmp_path / "huge", bytes(files.MAX_BYTES + 1))
    for name in ("link", "open", "missing"):
        with pytest.raises(UnavailableError):
            files.read_private(tmp_path / name)
    with pytest.raises(LimitError):
        files.read_private(tmp_path / "huge")


def test_of_many_who_create_at_once_all_get_the_same_bytes(tmp_path: Path) -> None:
    def create(n: int) -> bytes:
        return files.read_or_create_private(tmp_path / "key", lambda: b"%d" % n)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert 1 == len(set(pool.map(create, range(64))))
    assert [tmp_path / "key"] == list(tmp_path.iterdir())


def test_a_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        files.write_private(tmp_path / "key", b"secret")
    assert [] == list(tmp_path.iterdir())


def test_a_large_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "export.tar"
    with files.writing_public(path) as file:
        file.write(b"old")
        assert not path.exists()
    with contextlib.suppress(RuntimeError), files.writing_public(path) as file:
        file.write(b"new")
        raise RuntimeError
    assert b"old" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())
    assert 0o644 == path.stat().st_mode & 0o777
