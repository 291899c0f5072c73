import base64
import datetime as dt
import json

import pytest

from seawall.core.errors import ConflictError, InvalidInputError
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference, RepositoryName, Tag
from seawall.testing import signatures
from seawall.trust import bundle, cosign, proof, simple_signing
from seawall.trust.cosign import BlobUpload, ManifestUpload
from seawall.trust.model import SignatureFormat, UnverifiedSignature

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
IMAGE = Descriptor(media_type=media.OCI_MANIFEST, digest=Digest.of(b"image"), size=5)
REFERENCE = Reference.parse("localhost:5000/team/app:v1")
KEY = signatures.new_key()


def plan(key=KEY, **more):
    return cosign.plan(IMAGE, more.pop("reference", REFERENCE), key, NOW, **more)


def behind_tag(uploads):
    return next(u for u in uploads if isinstance(u, ManifestUpload) and u.tag)


def as_found(uploads):
    """What a reader would collect after these were pushed."""
    blobs = {u.digest: u.content for u in uploads if isinstance(u, BlobUpload)}
    found = []
    for upload in uploads:
        if not isinstance(upload, ManifestUpload):
            continue
        if upload.tag:
            for layer in cosign.tag_layers(upload.content):
                if layer.digest in blobs:
                    found.append(
                        UnverifiedSignature(
                            format=SignatureFormat.COSIGN_TAG,
                            content=blobs[layer.digest],
                            signature=layer.signature,
                        )
                    )
        else:
            layer = cosign.bundle_layer(upload.content, IMAGE.digest)
            found.append(
                UnverifiedSignature(
                    format=SignatureFormat.SIGSTORE_BUNDLE, content=blobs[layer.digest]
                )
            )
    return found


def test_what_is_planned_is_proven_in_both_formats():
    found = as_found(plan())
    assert {SignatureFormat.COSIGN_TAG, SignatureFormat.SIGSTORE_BUNDLE} == {
        artifact.format for artifact in found
    }
    for artifact in found:
        result = proof.verify(
            IMAGE.digest,
            repository=RepositoryName("team/app"),
            tag=Tag("v1"),
            artifacts=[artifact],
            keys=[signatures.trusted(KEY)],
            now=NOW,
            hosts=frozenset({"localhost:5000"}),
        )
        assert result.is_valid, result.failures


def test_every_blob_is_pushed_before_the_manifest_that_needs_it():
    pushed = set()
    for upload in plan():
        if isinstance(upload, ManifestUpload):
            parsed = manifests.parse(upload.content)
            assert {parsed.config.digest, *(layer.digest for layer in parsed.layers)} <= pushed
        pushed.add(upload.digest)


def test_signing_again_changes_nothing():
    assert () == plan(existing=as_found(plan()))


def test_another_tag_is_another_signature_beside_the_first():
    first = plan()
    second = plan(
        reference=Reference.parse("localhost:5000/team/app:v2"),
        existing=as_found(first),
        tag_manifest=behind_tag(first).content,
    )
    assert 2 == len(cosign.tag_layers(behind_tag(second).content))


def test_the_layers_of_others_are_kept_as_they_are():
    theirs = json.loads(behind_tag(plan(signatures.new_key())).content)
    theirs["layers"][0]["annotations"]["dev.sigstore.cosign/bundle"] = "{}"
    theirs["annotations"] = {"kept": "yes"}
    ours = json.loads(behind_tag(plan(tag_manifest=json.dumps(theirs).encode())).content)
    assert theirs["layers"][0] == ours["layers"][0]
    assert {"kept": "yes"} == ours["annotations"]
    assert 2 == len(ours["layers"])


@pytest.mark.parametrize("content", [b"{", b'{"schemaVersion":2,"manifests":[]}'])
def test_refuses_to_replace_something_else_behind_the_signature_tag(content):
    with pytest.raises(ConflictError):
        plan(tag_manifest=content)


def test_refuses_to_sign_what_the_formats_cannot_name():
    image = Descriptor(media_type=media.OCI_MANIFEST, digest=Digest.of(b"image", "sha512"), size=5)
    with pytest.raises(InvalidInputError, match="sha256"):
        cosign.plan(image, REFERENCE, KEY, NOW)
    with pytest.raises(InvalidInputError, match="registry"):
        cosign.plan(IMAGE, Reference.parse("team/app:v1"), KEY, NOW)


def test_the_tag_stands_in_the_docker_reference_for_the_tools_that_check_it():
    payload = json.loads(simple_signing.build(IMAGE.digest, REFERENCE, NOW))
    assert "localhost:5000/team/app:v1" == payload["critical"]["identity"]["docker-reference"]


def test_the_hint_is_the_hash_of_the_public_key():
    assert KEY.public.key_id == base64.b64decode(bundle.hint(KEY.public)).hex()


def test_a_referrer_of_another_image_is_not_a_bundle_of_this_one():
    upload = plan()[-1]
    assert cosign.bundle_layer(upload.content, IMAGE.digest) is not None
    assert cosign.bundle_layer(upload.content, Digest.of(b"other")) is None
