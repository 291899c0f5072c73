"""The file for `verify --offline`: it comes back as it was, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.cli import verification_files
from seawall.cli.registry_client import Fetched
from seawall.cli.verification_files import Evidence
from seawall.core.errors import IntegrityError, SeawallError
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.testing import signatures, trees
from seawall.trust.model import SignatureFormat

IMAGE = "registry.test/team/app:v1"


def evidence():
    manifest = b'{"schemaVersion":2}'
    digest = Digest.of(manifest)
    signed = signatures.sign(
        signatures.new_key(), SignatureFormat.COSIGN_TAG, digest, IMAGE, trees.NOW
    )
    return Evidence(
        image=Reference.parse(IMAGE),
        manifest=Fetched(content=manifest, media_type="application/json", digest=digest),
        signatures=(signed,),
        tree=trees.team("ada").tree(),
        made_at=trees.NOW,
    )


def test_it_comes_back_as_it_was_written(tmp_path):
    path, made = tmp_path / "bundle", evidence()
    verification_files.write(path, made)
    assert made == verification_files.read(path)


def test_a_manifest_that_is_not_its_digest_is_refused(tmp_path):
    path = tmp_path / "bundle"
    verification_files.write(path, evidence())
    document = json.loads(path.read_bytes())
    document["manifest"]["content"] = "e30="
    path.write_text(json.dumps(document))
    with pytest.raises(IntegrityError):
        verification_files.read(path)


@pytest.mark.parametrize("member", ["image", "made_at", "manifest", "signatures", "tree"])
@pytest.mark.parametrize("value", [1, "", [], {}, [1], {"a": 1}, "No!"])
def test_members_of_another_kind_are_refused(tmp_path, member, value):
    if (member, value) == ("signatures", []):
        return  # no signature is a possible state
    path = tmp_path / "bundle"
    verification_files.write(path, evidence())
    document = json.loads(path.read_bytes()) | {member: value}
    path.write_text(json.dumps(document))
    with pytest.raises(SeawallError):
        verification_files.read(path)


@given(content=st.binary(max_size=300))
def test_any_bytes_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bundles") / "bundle"
    path.write_bytes(content)
    with pytest.raises(SeawallError):
        verification_files.read(path)
