import datetime as dt
import os
import resource
import subprocess
import sys

import pytest

from seawall.blobs import filesystem
from seawall.blobs.filesystem import FilesystemBlobs
from seawall.core.errors import IntegrityError, NotFoundError, UnavailableError
from seawall.core.ids import new_id
from seawall.oci.digest import Digest

CONTENT = b"some bytes" * 1000
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def blobs(tmp_path, clock):
    return FilesystemBlobs(tmp_path, clock=clock)


@pytest.fixture
def stored(blobs, tmp_path):
    staging = blobs.stage(new_id())
    staging.write(CONTENT)
    staging.commit(DIGEST)
    return tmp_path / "blobs" / "sha256" / DIGEST.hex[:2] / DIGEST.hex


def flip(path, *, position=5000):
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 1]))


def count_hashes(monkeypatch):
    calls = []
    real = filesystem.digest_of

    def counting(source, algorithm):
        calls.append(algorithm)
        return real(source, algorithm)

    monkeypatch.setattr(filesystem, "digest_of", counting)
    return calls


def test_never_hands_out_a_flipped_byte_and_a_new_push_repairs_it(blobs, stored, tmp_path):
    flip(stored)
    with pytest.raises(IntegrityError):
        blobs.open(DIGEST)
    assert not blobs.exists(DIGEST)
    assert 1 == len(list((tmp_path / "quarantine").iterdir()))
    staging = blobs.stage(new_id())
    staging.write(CONTENT)
    staging.commit(DIGEST)
    assert CONTENT == blobs.open(DIGEST).read()


def test_finds_a_flipped_byte_although_the_time_stamp_was_put_back(blobs, stored):
    before = stored.stat()
    flip(stored)
    os.utime(stored, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(IntegrityError):
        blobs.open(DIGEST)


def test_a_push_repairs_damage_that_nobody_noticed_yet(blobs, stored):
    flip(stored)
    staging = blobs.stage(new_id())
    staging.write(CONTENT)
    staging.commit(DIGEST)
    assert CONTENT == blobs.open(DIGEST).read()


def test_a_cut_file_is_damage_too(blobs, stored):
    os.truncate(stored, 10)
    with pytest.raises(IntegrityError):
        blobs.open(DIGEST)


def test_hashes_once_a_day(blobs, stored, clock, monkeypatch):
    calls = count_hashes(monkeypatch)
    blobs.open(DIGEST).close()
    assert 0 == len(calls)  # the commit itself was a verification
    clock.advance(dt.timedelta(hours=25))
    blobs.open(DIGEST).close()
    blobs.open(DIGEST).close()
    assert 1 == len(calls)


def test_hashes_again_when_the_clock_was_set_back(blobs, stored, clock, monkeypatch):
    calls = count_hashes(monkeypatch)
    clock.advance(dt.timedelta(hours=-1))
    blobs.open(DIGEST).close()
    assert 1 == len(calls)


def test_another_process_hashes_for_itself(stored, tmp_path, clock, monkeypatch):
    calls = count_hashes(monkeypatch)
    assert CONTENT == FilesystemBlobs(tmp_path, clock=clock).open(DIGEST).read()
    assert 1 == len(calls)


def test_files_are_readable_by_their_owner_alone(stored):
    assert 0o600 == stored.stat().st_mode & 0o777


def test_refuses_to_start_below_the_reserve(tmp_path):
    blobs = FilesystemBlobs(tmp_path, reserve_bytes=2**60)
    with pytest.raises(UnavailableError) as caught:
        blobs.stage(new_id())
    assert str(tmp_path) not in str(caught.value)


FULL_DISK = """
import resource, sys
from pathlib import Path
from seawall.blobs.filesystem import FilesystemBlobs
from seawall.core.errors import UnavailableError
blobs = FilesystemBlobs(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
staging = blobs.stage("0" * 32)
try:
    for _ in range(20):
        staging.write(b"x" * 10_000)
except UnavailableError as error:
    print(error.code, list((Path(sys.argv[1]) / "staging").iterdir()))
"""


def test_a_full_disk_drops_what_was_staged(tmp_path):
    assert resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert "disk-full []\n" == done.stdout, done.stderr


def test_a_leftover_of_a_crash_is_not_a_blob(blobs, tmp_path):
    (tmp_path / "staging" / ("0" * 32)).write_bytes(CONTENT)
    with pytest.raises(NotFoundError):
        blobs.open(DIGEST)
