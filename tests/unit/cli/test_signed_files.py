"""The file of what was signed offline: it comes back as it was, and nothing else is one."""

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.cli import signed_files
from seawall.cli.signed_files import SignedFile, Signer
from seawall.core.errors import SeawallError
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference
from seawall.testing import signatures, trees
from seawall.trust import detached
from seawall.trust.tuf.names import TARGETS

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
IMAGE = Reference.parse("registry.test/team/app:v1")
TARGET = Descriptor(media_type=media.OCI_MANIFEST, digest=Digest.of(b"image"), size=5)
KEY = signatures.new_key()


def signed():
    made = detached.make(TARGET, IMAGE, KEY, NOW)
    return SignedFile(
        image=IMAGE,
        digest=TARGET.digest,
        signed_at=NOW,
        signers=(Signer(public=KEY.public, signatures={TARGET.digest: made}),),
        files={TARGETS: trees.simple().files[TARGETS]},
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "signed"
    signed_files.write(path, signed())
    return path.read_bytes()


def read(tmp_path, content):
    path = tmp_path / "altered"
    path.write_bytes(content)
    return signed_files.read(path)


def test_it_comes_back_as_it_was_written(tmp_path):
    path, made = tmp_path / "signed", signed()
    signed_files.write(path, made)
    found = signed_files.read(path)
    assert made.signers == found.signers
    assert (made.image, made.digest, made.signed_at) == (found.image, found.digest, found.signed_at)
    assert {TARGETS: made.files[TARGETS].content} == {
        role: file.content for role, file in found.files.items()
    }
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("member", ["mediaType", "image", "digest", "signed_at", "signers", "tree"])
@pytest.mark.parametrize("value", [1, "", [], [1], [{}], {"a": 1}, {"root": "e30="}, "No!", True])
def test_members_of_another_kind_are_refused(tmp_path, written, member, value):
    document = json.loads(written) | {member: value}
    with pytest.raises(SeawallError):
        read(tmp_path, json.dumps(document).encode())


def test_members_too_many_or_too_few_are_refused(tmp_path, written):
    document = json.loads(written)
    for name in document:
        rest = {key: value for key, value in document.items() if key != name}
        with pytest.raises(SeawallError):
            read(tmp_path, json.dumps(rest).encode())
    with pytest.raises(SeawallError):
        read(tmp_path, json.dumps(document | {"more": 1}).encode())


def test_more_of_anything_than_there_can_be_is_refused(tmp_path, written):
    document = json.loads(written)
    [signer] = document["signers"]
    [entry] = signer["signed"]
    for many in (
        document | {"signers": [signer] * (signed_files.MAX_SIGNERS + 1)},
        document | {"signers": [signer | {"signed": [entry] * (signed_files.MAX_IMAGES + 1)}]},
        document | {"tree": {f"targets/r{n}": "e30=" for n in range(65)}},
    ):
        with pytest.raises(SeawallError, match=r"more than|not 1 to"):
            read(tmp_path, json.dumps(many).encode())


@given(content=st.binary(max_size=300))
def test_any_bytes_are_refused(tmp_path_factory, content):
    with pytest.raises(SeawallError):
        read(tmp_path_factory.mktemp("bytes"), content)


@given(data=st.data())
def test_one_changed_byte_is_refused_or_changes_nothing_that_was_signed(
    tmp_path_factory, written, data
):
    """Whatever a byte becomes: what is read is what was signed, or nothing is read."""
    place = data.draw(st.integers(0, len(written) - 1))
    altered = bytearray(written)
    altered[place] ^= data.draw(st.integers(1, 255))
    try:
        found = read(tmp_path_factory.mktemp("flipped"), bytes(altered))
    except SeawallError:
        return
    made = signed()
    assert (made.image, made.digest) == (found.image, found.digest)
    for signer in found.signers:
        wanted = detached.Wanted(digest=made.digest, reference=IMAGE, key=KEY.public)
        detached.check(signer.signatures[made.digest], wanted)
