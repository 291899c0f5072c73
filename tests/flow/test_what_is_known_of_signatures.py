"""What the policy may ask of a signature, from the real rooms: log entry, hardware, attestation."""

import pytest

from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.flows.transparency import Submission
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference, Tag
from seawall.testing import houses, signatures
from seawall.testing.houses import CI, OPERATOR, SHOP, Stage
from seawall.trust import cosign
from seawall.trust.log import entries

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


def sign_into_the_log(stage, key):
    """Push signatures as `seawall sign` does, the bundle with the log's proof in it."""
    host = stage.house.settings.registry_hosts[0]
    subject = Descriptor(media_type=APP.media_type, digest=APP.digest, size=len(APP.manifest))

    def enter(envelope, signer):
        asked = Submission(
            repository=SHOP,
            tag=Tag("1"),
            envelope=entries.parse_envelope(envelope),
            signer=signer,
        )
        logged, _ = stage.house.logging.submit(asked, actor=CI)
        return [logged.to_bundle_json()]

    reference, now = Reference.parse(f"{host}/{SHOP}:1"), stage.house.clock.now()
    for upload in cosign.plan(subject, reference, key, now, log=enter):
        if isinstance(upload, cosign.BlobUpload):
            incoming = stage.house.registry.uploads.whole(SHOP)
            incoming.write(upload.content)
            incoming.finish(upload.digest)
        else:
            stage.house.registry.put_manifest(
                SHOP,
                content=upload.content,
                content_type=upload.media_type,
                tags=[upload.tag] if upload.tag else [],
                actor=CI,
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
    sign_into_the_log(stage, key)
    assert isinstance(stage.may_run("shop/app:1"), Admitted)
    demand(stage, "{signed: {logged: true, witnesses: 1}}")
    assert "0 of 1 witnesses" in refused(stage)["signed"]


def test_the_whole_proof_names_the_log_steps_of_each_signature(stage):
    key = signatures.new_key()
    stage.trust(key)
    sign_into_the_log(stage, key)
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
