import dataclasses
import datetime as dt
import json

import msgspec
import pytest

from seawall.core.errors import InvalidInputError
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference
from seawall.testing import signatures as samples
from seawall.trust import referrers
from seawall.trust.model import SignatureFormat, UnverifiedSignature
from seawall.trust.notation import envelope, envelopes, signatures
from seawall.trust.notation.envelope import EnvelopeType

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
IMAGE = Descriptor(media_type=media.OCI_MANIFEST, digest=Digest.of(b"image"), size=5)
V1, V2 = (Reference.parse(f"localhost:5000/team/app:{tag}") for tag in ("v1", "v2"))
KEY = samples.new_key()
CERTIFICATE = samples.certificate(KEY, NOW)
ALICE = signatures.Identity(signer=KEY, chain=(CERTIFICATE,))

both = pytest.mark.parametrize("kind", list(EnvelopeType))


def plan(*existing, identity=ALICE, reference=V1, now=NOW):
    return signatures.plan(IMAGE, reference, identity, now, existing=existing)


def signed(**more):
    identity = more.get("identity", ALICE)
    return UnverifiedSignature(
        format=envelopes.FORMATS[identity.kind], content=plan(**more)[1].content
    )


@both
def test_a_signature_is_a_referrer_with_its_thumbprints(kind):
    config, content, manifest = plan(identity=dataclasses.replace(ALICE, kind=kind))
    parsed = manifests.parse(manifest.content)
    assert b"{}" == config.content
    assert envelope.SIGNATURE_TYPE == parsed.config.media_type == manifest.artifact_type
    assert (IMAGE.digest, IMAGE.size) == (parsed.subject.digest, parsed.subject.size)
    assert [(kind.value, content.digest)] == [(one.media_type, one.digest) for one in parsed.layers]
    thumbprints = parsed.annotations["io.cncf.notary.x509chain.thumbprint#S256"]
    assert [CERTIFICATE.thumbprint] == json.loads(thumbprints)
    assert "2026-01-01T12:00:00Z" == parsed.annotations["org.opencontainers.image.created"]


@both
def test_signing_again_plans_nothing(kind):
    identity = dataclasses.replace(ALICE, kind=kind)
    assert () == plan(signed(identity=identity), identity=identity)
    assert () == plan(signed(identity=identity), identity=identity, now=NOW + dt.timedelta(days=1))


def test_what_is_not_this_signature_is_signed():
    other = samples.new_key()
    renewed = dataclasses.replace(ALICE, chain=(samples.certificate(KEY, NOW),))
    somebody = signatures.Identity(signer=other, chain=(samples.certificate(other, NOW),))
    cose = dataclasses.replace(ALICE, kind=EnvelopeType.COSE)
    for existing in (
        signed(reference=V2), signed(identity=renewed), signed(identity=somebody),
        signed(identity=cose), dataclasses.replace(signed(), content=b"broken"),
        dataclasses.replace(signed(), content=signed().content.replace(b"payload", b"payl0ad")),
    ):  # fmt: skip
        assert 3 == len(plan(existing))


def test_a_signature_that_has_expired_is_made_again():
    brief = dataclasses.replace(ALICE, lifetime=dt.timedelta(hours=1))
    existing = signed(identity=brief)
    assert () == plan(existing, identity=brief, now=NOW + dt.timedelta(minutes=59))
    assert 3 == len(plan(existing, identity=brief, now=NOW + dt.timedelta(hours=1)))


def test_a_certificate_that_has_ended_signs_nothing_and_says_what_to_do():
    with pytest.raises(InvalidInputError) as raised:
        plan(now=NOW + dt.timedelta(days=4 * 365))
    assert "seawall key certificate" in raised.value.remedy


def edited(manifest, **edits):
    return json.dumps(json.loads(manifest) | edits).encode()


def test_a_signature_is_found_by_either_type_and_only_below_its_image():
    manifest = plan()[2].content
    by_config = referrers.layer(manifest, IMAGE.digest)
    assert SignatureFormat.NOTATION_JWS is by_config.format
    empty = {"mediaType": media.OCI_EMPTY, "size": 2, "digest": Digest.of(b"{}")}
    by_type = edited(manifest, artifactType=envelope.SIGNATURE_TYPE, config=empty)
    assert by_config == referrers.layer(by_type, IMAGE.digest)
    assert referrers.layer(manifest, Digest.of(b"another image")) is None


def test_what_is_not_a_signature_of_notation_is_left_alone():
    manifest = plan()[2].content
    layer = json.loads(manifest)["layers"][0]
    for edits in (
        {"config": {"mediaType": media.OCI_CONFIG, "size": 2, "digest": Digest.of(b"{}")}},
        {"layers": []}, {"layers": [layer, layer]}, {"subject": None},
        {"layers": [layer | {"mediaType": "application/json"}]},
    ):  # fmt: skip
        assert referrers.layer(edited(manifest, **edits), IMAGE.digest) is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(envelope.SIGNATURE_TYPE, True), ("", True), ("application/spdx+json", False)],
)
def test_a_listing_is_looked_at_when_it_may_hold_a_signature(kind, expected):
    listed = msgspec.structs.replace(IMAGE, artifact_type=kind)
    assert expected == referrers.may_be_signature(listed)
