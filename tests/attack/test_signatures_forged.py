"""Signatures that must not count, each in the format (or both) where it could be tried."""

import base64
import dataclasses
import datetime as dt
import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given
from hypothesis import strategies as st

from seawall.oci.digest import Digest
from seawall.oci.names import Reference, RepositoryName, Tag
from seawall.testing import signatures
from seawall.trust import bundle, proof, simple_signing
from seawall.trust.model import SignatureFormat, UnverifiedSignature

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
DIGEST, OTHER = Digest.of(b"image"), Digest.of(b"evil image")
REPOSITORY = RepositoryName("team/app")
IMAGE = "localhost:5000/team/app:v1"
KEY = signatures.new_key()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

both = pytest.mark.parametrize("kind", list(SignatureFormat))


def prove(*artifacts, digest=DIGEST, keys=None, **more):
    return proof.verify(
        digest,
        repository=more.pop("repository", REPOSITORY),
        tag=more.pop("tag", Tag("v1")),
        artifacts=artifacts,
        keys=[signatures.trusted(KEY)] if keys is None else keys,
        now=NOW,
        **more,
    )


def refused_at(step, *artifacts, **more):
    result = prove(*artifacts, **more)
    assert not result.is_valid
    assert not result.signatures
    assert result.remedy
    return step in {one.number for one in result.failures}


def signed(kind, key=KEY, image=IMAGE, digest=DIGEST, at=NOW):
    return signatures.sign(key, kind, digest, image, at)


def edited_bundle(edit, artifact=None):
    document = json.loads((artifact or signed(SignatureFormat.SIGSTORE_BUNDLE)).content)
    edit(document)
    return UnverifiedSignature(
        format=SignatureFormat.SIGSTORE_BUNDLE, content=json.dumps(document).encode()
    )


def b64(content):
    return base64.b64encode(content).decode()


def test_refuses_changed_payload():
    artifact = signed(SignatureFormat.COSIGN_TAG, digest=OTHER)
    forged = dataclasses.replace(
        artifact, content=artifact.content.replace(OTHER.encode(), DIGEST.encode())
    )
    assert refused_at(5, forged)


def test_refuses_changed_statement_in_bundle():
    payload = bundle.build_statement(DIGEST, Reference.parse(IMAGE), NOW)
    forged = edited_bundle(
        lambda d: d["dsseEnvelope"].update(payload=b64(payload)),
        signed(SignatureFormat.SIGSTORE_BUNDLE, digest=OTHER),
    )
    assert refused_at(5, forged)


@both
def test_refuses_signature_for_another_digest(kind):
    assert refused_at(7, signed(kind, digest=OTHER))


@both
def test_refuses_signature_copied_to_another_repository(kind):
    assert refused_at(8, signed(kind, image="localhost:5000/team/other:v1"))


@both
def test_refuses_signature_copied_from_another_registry(kind):
    stolen = signed(kind, image="elsewhere.example/team/app:v1")
    assert refused_at(8, stolen, hosts=frozenset({"localhost:5000"}))


@both
def test_refuses_tag_moved_to_a_digest_that_was_signed_under_another_tag(kind):
    assert refused_at(9, signed(kind, image="localhost:5000/team/app:v0"))


@both
def test_refuses_signature_by_a_stranger(kind):
    assert refused_at(5, signed(kind, key=signatures.new_key()))


@both
def test_refuses_signature_from_the_future(kind):
    assert refused_at(10, signed(kind, at=NOW + dt.timedelta(minutes=6)))


@both
def test_refuses_two_signatures_by_one_key_counted_as_two(kind):
    again = signed(kind, at=NOW - dt.timedelta(days=1))
    result = prove(signed(kind), again, required_signers=2)
    assert not result.is_valid
    assert "1 signer of 2" in result.steps[-1].detail


def test_refuses_one_key_counted_as_two_by_signing_in_two_formats():
    result = prove(*(signed(kind) for kind in SignatureFormat), required_signers=2)
    assert not result.is_valid


def test_refuses_high_s_twin_counted_as_second_signer_though_it_verifies():
    artifact = signed(SignatureFormat.COSIGN_TAG)
    r, s = decode_dss_signature(base64.b64decode(artifact.signature))
    twin = dataclasses.replace(artifact, signature=b64(encode_dss_signature(r, ORDER - s)))
    assert prove(twin).is_valid
    assert not prove(artifact, twin, required_signers=2).is_valid


def test_refuses_key_swapped_behind_a_trusted_id():
    evil = signatures.new_key()
    swapped = dataclasses.replace(signatures.trusted(KEY), public_pem=evil.public.pem)
    assert refused_at(1, signed(SignatureFormat.COSIGN_TAG, key=evil), keys=[swapped])


def test_refuses_hint_that_names_a_trusted_key():
    forged = edited_bundle(
        lambda d: d["verificationMaterial"]["publicKey"].update(hint=bundle.hint(KEY.public)),
        signed(SignatureFormat.SIGSTORE_BUNDLE, key=signatures.new_key()),
    )
    assert refused_at(5, forged)


def test_refuses_public_key_that_the_bundle_brings_along():
    evil = signatures.new_key()
    forged = edited_bundle(
        lambda d: d["verificationMaterial"].update(
            publicKey={"rawBytes": b64(evil.public.der), "hint": bundle.hint(KEY.public)}
        ),
        signed(SignatureFormat.SIGSTORE_BUNDLE, key=evil),
    )
    assert refused_at(5, forged)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\x00" * 64,
        encode_dss_signature(0, 0),
        encode_dss_signature(1, 0),
        encode_dss_signature(ORDER, 1),
        encode_dss_signature(1, ORDER),
        encode_dss_signature(1, 2**300),
    ],
    ids=["empty", "r-s", "zeros", "s-zero", "r-order", "s-order", "s-huge"],
)
def test_refuses_signature_whose_form_does_not_fit_the_key(signature):
    artifact = dataclasses.replace(signed(SignatureFormat.COSIGN_TAG), signature=b64(signature))
    result = prove(artifact)
    assert not result.is_valid
    assert {3, 4} & {step.number for step in result.failures}


def test_refuses_raw_signature_of_the_right_key():
    artifact = signed(SignatureFormat.COSIGN_TAG)
    r, s = decode_dss_signature(base64.b64decode(artifact.signature))
    raw = b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    assert refused_at(4, dataclasses.replace(artifact, signature=raw))


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d.update(mediaType="application/vnd.dev.sigstore.bundle.v0.1+json"),
        lambda d: d.pop("dsseEnvelope"),
        lambda d: d["dsseEnvelope"].update(payloadType="text/plain"),
        lambda d: d["dsseEnvelope"].update(signatures=[]),
        lambda d: d["dsseEnvelope"].update(signatures=d["dsseEnvelope"]["signatures"] * 2),
        lambda d: d["dsseEnvelope"].update(payload=None),
        lambda d: d["dsseEnvelope"].update(payload="!"),
        lambda d: d["dsseEnvelope"]["signatures"][0].update(sig=7),
    ],
)
def test_refuses_bundle_of_another_shape(edit):
    assert refused_at(3, edited_bundle(edit))


def statement(**fields):
    document = json.loads(bundle.build_statement(DIGEST, Reference.parse(IMAGE), NOW))
    return json.dumps(document | fields).encode()


HEX = DIGEST.hex


@pytest.mark.parametrize(
    "payload",
    [
        statement(predicateType="https://cosign.sigstore.dev/attestation/vuln/v1"),
        statement(_type="https://in-toto.io/Statement/v0.1"),
        statement(subject=[]),
        statement(subject=[{"digest": {"sha256": HEX}}, {"digest": {"sha256": OTHER.hex}}]),
        statement(subject=[{"digest": {"sha256": HEX, "sha512": "0" * 128}}]),
        statement(subject=[{"digest": {"sha256": HEX.upper()}}]),
        statement(subject=[{"digest": {"sha256": HEX}, "annotations": {
            bundle.NAME_ANNOTATION: "localhost:5000/team/../app:v1"}}]),
        statement(subject=[{"digest": {"sha256": HEX}, "annotations": {
            bundle.TIME_ANNOTATION: "2026-01-01T12:00:00"}}]),
    ],
    ids=["attestation", "type", "none", "two", "two-digests", "case", "path", "zone"],
)  # fmt: skip
def test_refuses_validly_signed_statement_that_says_something_else(payload):
    assert refused_at(6, signatures.sign_statement(KEY, payload))


def payload(**critical):
    document = json.loads(simple_signing.build(DIGEST, Reference.parse(IMAGE), NOW))
    document["critical"] |= critical
    return document


@pytest.mark.parametrize(
    "document",
    [
        payload(type="atomic container signature"),
        payload(identity={}),
        payload(identity={"docker-reference": 5}),
        payload(image={"docker-manifest-digest": None}),
        payload(image=[]),
        payload() | {"optional": {"timestamp": "soon"}},
        payload() | {"optional": {"timestamp": 1.5}},
        payload() | {"optional": {"timestamp": 2**62}},
        payload() | {"optional": {"timestamp": True}},
        {"critical": None},
    ],
)
def test_refuses_validly_signed_payload_that_does_not_parse(document):
    assert refused_at(6, signatures.sign_payload(KEY, json.dumps(document).encode()))


def test_refuses_payload_that_two_parsers_read_in_two_ways():
    body = json.dumps(payload())
    for wrong in (
        body.replace('"type"', f'"image": {{"docker-manifest-digest": "{OTHER}"}}, "type"'),
        body + body,
        body.replace(": {", ': {"a": NaN, ', 1),
    ):
        assert refused_at(6, signatures.sign_payload(KEY, wrong.encode()))


def test_refuses_docker_reference_with_a_digest_of_another_image():
    wrong = payload(identity={"docker-reference": f"localhost:5000/team/app@{OTHER}"})
    assert refused_at(7, signatures.sign_payload(KEY, json.dumps(wrong).encode()))


def test_refuses_oversized_and_deeply_nested_content_without_burning_time():
    started = time.process_time()
    huge = b'{"a":"' + b"x" * 10_000_000 + b'"}'
    deep = b'{"critical":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    for content in (huge, deep):
        assert refused_at(3, UnverifiedSignature(
            format=SignatureFormat.SIGSTORE_BUNDLE, content=content))  # fmt: skip
        assert not prove(signatures.sign_payload(KEY, content)).is_valid
        assert not prove(signatures.sign_statement(KEY, content)).is_valid
    assert time.process_time() - started < 5


def test_refuses_more_signatures_than_are_looked_at():
    artifacts = [signed(SignatureFormat.COSIGN_TAG)] * (proof.MAX_SIGNATURES + 1)
    assert refused_at(2, *artifacts)


def test_records_that_a_plain_cosign_bundle_binds_the_digest_alone():
    plain = statement(subject=[{"digest": {"sha256": HEX}}])
    result = prove(signatures.sign_statement(KEY, plain))
    assert result.is_valid
    assert not result.signatures[0].is_bound_to_repository
    assert "digest alone" in next(step.detail for step in result.steps if step.number == 8)
    elsewhere = [signatures.trusted(KEY, patterns=("other",))]
    assert refused_at(1, signatures.sign_statement(KEY, plain), keys=elsewhere)


@both
@given(content=st.binary(max_size=200), signature=st.text(max_size=100))
def test_refuses_any_bytes_with_a_proof_and_never_with_an_error(kind, content, signature):
    artifact = UnverifiedSignature(format=kind, content=content, signature=signature)
    assert not prove(artifact).is_valid


@both
@given(st.integers(0, 2**16))
def test_refuses_one_flipped_bit_anywhere(kind, place):
    artifact = signed(kind)
    bit = place % (len(artifact.content) * 8)  # a signature's length differs from run to run
    flipped = bytearray(artifact.content)
    flipped[bit // 8] ^= 1 << (bit % 8)
    result = prove(dataclasses.replace(artifact, content=bytes(flipped)))
    if result.is_valid:  # the hint and unused names in a bundle are not signed
        assert SignatureFormat.SIGSTORE_BUNDLE is kind
        assert DIGEST == result.signatures[0].digest
