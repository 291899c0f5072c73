"""What the policy may ask of a signature, from the real rooms: log entry, hardware, attestation."""

import pytest

from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.oci.names import Tag
from seawall.testing import houses, signatures
from seawall.testing.houses import OPERATOR, SHOP, Stage

APP = houses.image(pillow="12.0")


@pytest.fixture
def stage(tmp_path):
    with Stage.opened(tmp_path) as opened:
        opened.import_feeds()
        opened.push(SHOP, APP, "1")
        yield opened


def demand(stage, rules):
    stage.house.settings.policy.write_text(
        f"version: 1\npolicies: [{{name: strict, repositories: ['**'], rules: {rules}}}]\n"
    )


def refused(stage):
    answer = stage.may_run("shop/app:1")
    assert isinstance(answer, Refusal), answer
    return {reason.rule: reason.evidence for reason in answer.reasons}


def test_a_log_entry_that_is_proven_counts_and_none_does_not(stage):
    demand(stage, "{signed: {logged: true}}")
    key = signatures.new_key()
    stage.trust(key)
    stage.sign(key, SHOP, APP, "1")
    assert "no log entry was proven" in refused(stage)["signed"]
    stage.sign_into_the_log(key, SHOP, APP, "1")
    assert isinstance(stage.may_run("shop/app:1"), Admitted)
    demand(stage, "{signed: {logged: true, witnesses: 1}}")
    assert "0 of 1 witnesses" in refused(stage)["signed"]


def test_the_whole_proof_names_the_log_steps_of_each_signature(stage):
    key = signatures.new_key()
    stage.trust(key)
    stage.sign_into_the_log(key, SHOP, APP, "1")
    found = stage.house.judge.judge(SHOP, APP.digest, tag=Tag("1")).vouched
    parts = [step.part for step in found.steps]
    assert any(part.startswith("log entry of signature") for part in parts)
    assert all(step.is_passed for step in found.steps)
    assert sorted({step.number for step in found.steps}) == [*range(1, 12), *range(26, 34)]


def test_a_key_without_an_attestation_is_not_taken_for_one_on_hardware(stage):
    demand(stage, "{signed: {hardware: true}}")
    key = signatures.new_key()
    stage.trust(key)
    stage.sign(key, SHOP, APP, "1")
    assert "attested" in refused(stage)["signed"]


def test_an_attestation_that_nobody_made_is_refused_by_its_type(stage):
    demand(stage, "{attested: {types: [slsa]}}")
    assert "https://slsa.dev/provenance/v1" in refused(stage)["attested"]


def test_refuses_at_once_what_a_distrusted_key_vouched_for(stage):
    demand(stage, "{signed: }")
    key = signatures.new_key()
    stage.trust(key)
    stage.sign(key, SHOP, APP, "1")
    assert isinstance(stage.may_run("shop/app:1"), Admitted)
    stage.house.trusted_keys.distrust(key.public.key_id, actor=OPERATOR)
    assert {"signed"} == set(refused(stage))
