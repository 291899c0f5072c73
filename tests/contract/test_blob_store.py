"""One suite for every BlobStore."""

import datetime as dt
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.blobs.filesystem import FilesystemBlobs
from seawall.core.errors import ConflictError, IntegrityError, NotFoundError
from seawall.core.ids import new_id
from seawall.oci.digest import Digest
from seawall.testing.blobs import MemoryBlobs

CONTENT = b"some bytes" * 1000
DIGEST = Digest.of(CONTENT)


@pytest.fixture(params=["filesystem", "memory"])
def blobs(request, tmp_path, clock):
    if request.param == "memory":
        return MemoryBlobs(clock)
    return FilesystemBlobs(tmp_path / "store", clock=clock)


def put(blobs, content, algorithm="sha256"):
    digest = Digest.of(content, algorithm)
    staging = blobs.stage(new_id())
    staging.write(content)
    assert len(content) == staging.commit(digest)
    return digest


def read(blobs, digest):
    with blobs.open(digest) as file:
        return file.read()


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("content", [b"", b"x", CONTENT, b"z" * 3_000_000])
def test_committed_bytes_come_back(blobs, content, algorithm):
    digest = put(blobs, content, algorithm)
    assert blobs.exists(digest)
    assert len(content) == blobs.size(digest)
    assert content == read(blobs, digest)


def test_nothing_exists_before_the_commit(blobs):
    staging = blobs.stage(new_id())
    staging.write(CONTENT)
    assert not blobs.exists(DIGEST)
    staging.abort()


def test_refuses_to_commit_under_another_digest_and_drops_the_bytes(blobs):
    name = new_id()
    staging = blobs.stage(name)
    staging.write(CONTENT + b"!")
    with pytest.raises(IntegrityError):
        staging.commit(DIGEST)
    assert not blobs.exists(DIGEST)
    with pytest.raises(NotFoundError):
        blobs.stage(name, 1)


def test_goes_on_where_it_was_kept(blobs):
    name = new_id()
    for start in range(0, len(CONTENT), 3000):
        staging = blobs.stage(name, start)
        staging.write(CONTENT[start : start + 3000])
        staging.keep()
    blobs.stage(name, len(CONTENT)).commit(DIGEST)
    assert CONTENT == read(blobs, DIGEST)


def test_going_on_drops_what_was_never_acknowledged(blobs):
    name = new_id()
    staging = blobs.stage(name)
    staging.write(CONTENT[:100] + b"never acknowledged")
    staging.keep()
    staging = blobs.stage(name, 100)
    assert 100 == staging.size
    staging.write(CONTENT[100:])
    staging.commit(DIGEST)
    assert CONTENT == read(blobs, DIGEST)


def test_refuses_to_go_on_beyond_what_is_there(blobs):
    name = new_id()
    staging = blobs.stage(name)
    staging.write(b"abc")
    staging.keep()
    with pytest.raises(NotFoundError):
        blobs.stage(name, 4)


def test_refuses_to_commit_what_was_dropped_meanwhile(blobs):
    name = new_id()
    staging = blobs.stage(name)
    staging.write(CONTENT)
    blobs.drop_staged(name)
    with pytest.raises(NotFoundError):
        staging.commit(DIGEST)
    assert not blobs.exists(DIGEST)


def test_refuses_two_writers_of_one_staged_blob(blobs):
    name = new_id()
    staging = blobs.stage(name)
    with pytest.raises(ConflictError):
        blobs.stage(name)
    staging.write(CONTENT)
    staging.keep()
    blobs.stage(name, len(CONTENT)).commit(DIGEST)


@pytest.mark.parametrize("name", ["", "../x", "A" * 32, "0" * 31, "0" * 32 + "\n", "/etc/passwd"])
def test_refuses_staging_names_that_could_be_paths(blobs, name):
    with pytest.raises(ValueError, match="staging name"):
        blobs.stage(name)


def test_a_second_commit_of_the_same_bytes_is_no_error(blobs):
    put(blobs, CONTENT)
    put(blobs, CONTENT)
    assert CONTENT == read(blobs, DIGEST)


def test_an_open_blob_stays_readable_when_it_is_replaced_or_put_aside(blobs):
    put(blobs, CONTENT)
    with blobs.open(DIGEST) as file:
        put(blobs, CONTENT)
        blobs.quarantine(DIGEST)
        assert CONTENT == file.read()


def test_what_is_in_quarantine_does_not_exist_and_can_be_pushed_again(blobs):
    put(blobs, CONTENT)
    blobs.quarantine(DIGEST)
    blobs.quarantine(DIGEST)  # a second time changes nothing
    assert not blobs.exists(DIGEST)
    with pytest.raises(NotFoundError):
        blobs.open(DIGEST)
    with pytest.raises(NotFoundError):
        blobs.size(DIGEST)
    put(blobs, CONTENT)
    assert CONTENT == read(blobs, DIGEST)


def test_drops_stale_staged_bytes_only(blobs):
    old = new_id()
    staging = blobs.stage(old)
    staging.write(b"abc")
    staging.keep()
    assert 0 == blobs.drop_stale(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
    assert 1 == blobs.drop_stale(dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    with pytest.raises(NotFoundError):
        blobs.stage(old, 3)


@given(pieces=st.lists(st.binary(max_size=2000), max_size=8), keep=st.booleans())
def test_any_cut_into_pieces_gives_the_same_blob(tmp_path_factory, pieces, keep):
    blobs = FilesystemBlobs(tmp_path_factory.getbasetemp() / "any-cut")
    content = b"".join(pieces)
    name, staging = new_id(), None
    for piece in pieces:
        staging = staging or blobs.stage(name, 0)
        staging.write(piece)
        if keep:
            size = staging.size
            staging.keep()
            staging = blobs.stage(name, size)
    staging = staging or blobs.stage(name)
    staging.commit(Digest("sha256:" + hashlib.sha256(content).hexdigest()))
    assert content == read(blobs, Digest.of(content))
