"""The numbered proof of an attestation: what holds, what fails and where."""

import datetime as dt

import pytest

from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.testing import signatures
from seawall.trust.attestations import kinds, proof
from seawall.trust.attestations.envelope import AttestationFormat
from seawall.trust.attestations.proof import Question

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
DIGEST = Digest.of(b"image")
NAME = "localhost:5443/team/app"
ADA, BOB = signatures.new_key(), signatures.new_key()
TRUSTED = [signatures.trusted(ADA, name="ada"), signatures.trusted(BOB, name="bob")]


def question(**changes):
    given = {"subject": DIGEST, "repository": RepositoryName("team/app"), "now": NOW}
    return Question(**(given | changes))


def attested(key=ADA, **changes):
    return signatures.attest(key, DIGEST, NAME, NOW, **changes)


def prove(*artifacts, trusted=TRUSTED, **changes):
    return proof.verify(question(**changes), artifacts, trusted)


@pytest.mark.parametrize("kind", AttestationFormat)
def test_an_attestation_by_a_trusted_key_holds_in_both_forms(kind):
    outcome = prove(attested(kind=kind), predicate_type=kinds.VULNERABILITIES)
    assert outcome.is_valid, outcome.failures
    (one,) = outcome.attestations
    assert (kinds.VULNERABILITIES, ADA.public.key_id, "ada", DIGEST, True, NOW) == (
        one.predicate_type, one.key_id, one.key_name, one.digest, one.is_bound_to_repository,
        one.signed_at,
    )  # fmt: skip
    assert list(range(1, 12)) == [step.number for step in outcome.steps]


def test_the_same_statement_in_both_forms_is_one_attestation():
    outcome = prove(*(attested(kind=kind) for kind in AttestationFormat))
    assert 1 == len(outcome.attestations)


def test_nothing_found_is_no():
    outcome = prove()
    assert not outcome.is_valid
    assert [10] == [step.number for step in outcome.failures]
    assert "seawall attest IMAGE" in outcome.remedy


def test_no_trusted_key_is_no():
    outcome = prove(attested(), trusted=[signatures.trusted(ADA, patterns=("other/*",))])
    assert [1] == [step.number for step in outcome.failures]
    assert "seawall key trust" in outcome.remedy


def test_different_keys_are_counted():
    assert not prove(attested(), attested(predicate_type="x:y"), required_signers=2).is_valid
    assert prove(attested(), attested(BOB), required_signers=2).is_valid


def test_another_type_does_not_count_but_does_when_any_is_asked_for():
    other = attested(predicate_type=kinds.OPENVEX, predicate={"@context": "x", "statements": []})
    outcome = prove(other, predicate_type=kinds.VULNERABILITIES)
    assert [6, 11] == [step.number for step in outcome.failures]
    assert prove(other).is_valid


def test_too_many_are_refused_without_being_read():
    taken = []

    def many():
        while True:
            taken.append(1)
            yield attested()

    outcome = proof.verify(question(), many(), TRUSTED)
    assert not outcome.is_valid
    assert [10] == [step.number for step in outcome.failures]
    assert proof.MAX_FOUND + 1 == len(taken)


def test_what_a_verified_one_says_is_shown_once():
    shown = []
    artifacts = [attested(kind=kind) for kind in AttestationFormat]
    proof.verify(
        question(), artifacts, TRUSTED, on_verified=lambda one, said: shown.append((one, said))
    )
    assert [signatures.SCAN] == [said.predicate for _, said in shown]


def test_refuses_a_question_that_cannot_be_asked():
    with pytest.raises(ValueError, match="zone"):
        prove(attested(), now=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="signer"):
        prove(attested(), required_signers=0)
