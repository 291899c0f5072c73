"""Attestations that are forged, copied or ambiguous: each fails at its step of the proof."""

import base64
import datetime as dt
import json

import pytest

from seawall.core import strictjson
from seawall.core.errors import SeawallError
from seawall.oci.digest import Digest
from seawall.oci.names import Reference, RepositoryName
from seawall.testing import signatures
from seawall.trust import bundle
from seawall.trust import proof as signature_proof
from seawall.trust.attestations import envelope, kinds, proof, statement
from seawall.trust.attestations.envelope import AttestationFormat, UnverifiedAttestation
from seawall.trust.attestations.proof import Question
from seawall.trust.model import SignatureFormat, UnverifiedSignature

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
DIGEST, OTHER = Digest.of(b"image"), Digest.of(b"another image")
HOST, REPOSITORY = "localhost:5443", RepositoryName("team/app")
NAME = f"{HOST}/{REPOSITORY}"
ADA, MALLORY = signatures.new_key(), signatures.new_key()
TRUSTED = [signatures.trusted(ADA, name="ada")]
BUNDLE, TAG = AttestationFormat.SIGSTORE_BUNDLE, AttestationFormat.COSIGN_TAG

both_forms = pytest.mark.parametrize("kind", AttestationFormat)


def prove(*artifacts, **changes):
    given = {
        "subject": DIGEST, "repository": REPOSITORY, "now": NOW, "hosts": frozenset({HOST}),
        "predicate_type": kinds.VULNERABILITIES,
    }  # fmt: skip
    return proof.verify(Question(**(given | changes)), artifacts, TRUSTED)


def failed_at(*artifacts, **changes):
    outcome = prove(*artifacts, **changes)
    assert not outcome.is_valid
    assert () == outcome.attestations
    return next(step.number for step in outcome.failures)


def document(**changes):
    payload = statement.build(
        DIGEST, Reference.parse(NAME), kinds.VULNERABILITIES, signatures.SCAN, NOW
    )
    return json.loads(payload) | changes


def signed(document, kind=BUNDLE):
    return signatures.attest_payload(ADA, json.dumps(document).encode(), kind=kind)


@both_forms
def test_refuses_the_attestation_of_a_key_that_is_not_trusted(kind):
    assert prove(signed(document(), kind)).is_valid
    forged = signatures.attest(MALLORY, DIGEST, NAME, NOW, kind=kind)
    assert 4 == failed_at(forged)


@both_forms
def test_refuses_an_attestation_of_another_digest(kind):
    assert 7 == failed_at(signatures.attest(ADA, OTHER, NAME, NOW, kind=kind))


@both_forms
def test_refuses_two_subjects_even_when_one_is_ours(kind):
    subjects = [{"digest": {"sha256": OTHER.hex}}, {"digest": {"sha256": DIGEST.hex}}]
    assert 5 == failed_at(signed(document(subject=subjects), kind))
    assert 5 == failed_at(signed(document(subject=subjects[::-1]), kind))


@both_forms
def test_refuses_an_attestation_copied_from_another_repository(kind):
    for name in ("localhost:5443/team/other", "elsewhere.example/team/app"):
        assert 8 == failed_at(signatures.attest(ADA, DIGEST, name, NOW, kind=kind))


def test_refuses_a_signature_shown_as_an_attestation():
    signature = bundle.build_statement(DIGEST, Reference.parse(f"{NAME}:1"), NOW)
    assert 5 == failed_at(signatures.attest_payload(ADA, signature), predicate_type=None)


@pytest.mark.parametrize("predicate_type", [kinds.VULNERABILITIES, "https://example.com/x"])
def test_refuses_an_attestation_shown_as_a_signature(predicate_type):
    attested = signatures.attest(ADA, DIGEST, NAME, NOW, predicate_type=predicate_type)
    shown = UnverifiedSignature(format=SignatureFormat.SIGSTORE_BUNDLE, content=attested.content)
    outcome = signature_proof.verify(
        DIGEST, repository=REPOSITORY, tag=None, artifacts=[shown], keys=TRUSTED, now=NOW
    )
    assert not outcome.is_valid
    assert "payload" == outcome.failures[0].name


def test_refuses_an_attestation_of_another_type_behind_a_lying_annotation():
    said = {"@context": "x", "statements": []}
    vex = signatures.attest(ADA, DIGEST, NAME, NOW, predicate_type=kinds.OPENVEX, predicate=said)
    assert 6 == failed_at(vex)


def test_refuses_a_document_that_is_not_of_its_type():
    assert 5 == failed_at(signed(document(predicate={"bomFormat": "CycloneDX"})))


def test_refuses_one_made_in_the_future():
    later = NOW + dt.timedelta(hours=1)
    assert 9 == failed_at(signatures.attest(ADA, DIGEST, NAME, later))


@both_forms
def test_refuses_a_changed_payload(kind):
    true = signed(document(), kind)
    wanted = json.dumps(document(predicate=signatures.SCAN | {"more": 1})).encode()
    read = json.loads(true.content)
    inner = read if kind is TAG else read["dsseEnvelope"]
    inner["payload"] = base64.b64encode(wanted).decode()
    assert 4 == failed_at(UnverifiedAttestation(format=kind, content=strictjson.encode(read)))


def test_refuses_another_payload_type_under_the_same_signature():
    read = json.loads(signed(document(), TAG).content)
    read["payloadType"] = "text/plain"
    assert 2 == failed_at(UnverifiedAttestation(format=TAG, content=strictjson.encode(read)))


def test_refuses_an_envelope_with_none_or_two_signatures():
    read = json.loads(signed(document(), TAG).content)
    for number in (0, 2):
        changed = read | {"signatures": read["signatures"] * number}
        found = UnverifiedAttestation(format=TAG, content=strictjson.encode(changed))
        assert 2 == failed_at(found)


def test_refuses_a_predicate_nested_deeper_than_any_document_is():
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    payload = (
        json.dumps(document(predicate=0))
        .encode()
        .replace(b'"predicate": 0', b'"predicate":' + deep)
    )
    assert 5 == failed_at(signatures.attest_payload(ADA, payload))


def test_refuses_duplicate_keys_that_two_parsers_read_in_two_ways():
    text = json.dumps(document())
    twice = text[:-1] + ', "subject": ' + json.dumps([{"digest": {"sha256": OTHER.hex}}]) + "}"
    assert 5 == failed_at(signatures.attest_payload(ADA, twice.encode()))


def test_refuses_a_giant_without_reading_it():
    giant = b" " * (envelope.MAX_BYTES + 1)
    for kind in AttestationFormat:
        assert 2 == failed_at(UnverifiedAttestation(format=kind, content=giant))


def test_refuses_a_predicate_above_its_bound_though_it_is_signed():
    said = {"Data": "x" * (statement.STATEMENT_MAX_BYTES + 1)}
    changed = document(predicateType="https://example.com/x", predicate=said)
    with pytest.raises(SeawallError):
        statement.parse(json.dumps(changed).encode())
    assert failed_at(signed(changed), predicate_type=None) in (2, 5)


def test_refuses_to_count_one_key_twice():
    first = signatures.attest(ADA, DIGEST, NAME, NOW)
    second = signatures.attest(ADA, DIGEST, NAME, NOW - dt.timedelta(days=1))
    outcome = prove(first, second, required_signers=2)
    assert not outcome.is_valid
    assert [11] == [step.number for step in outcome.failures]
