"""A policy that wants keys on hardware is met by a proven attestation, and by nothing else."""

import pytest

from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.testing import attestations, houses, signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import SHOP, Stage
from seawall.trust.tokens import attestation

POLICY = """
version: 1
policies:
  - name: all
    repositories: ["**"]
    rules:
      signed: {hardware: true}
"""


@pytest.fixture
def stage(tmp_path):
    """An image that a trusted key signed, and a policy that wants the key on hardware."""
    with Stage.opened(tmp_path, FakeClock()) as opened:
        opened.house.settings.policy.write_text(POLICY)
        opened.import_feeds()
        yield opened


def signed(stage):
    key, made = signatures.new_key(), houses.image(pillow="11.0")
    stage.trust(key)
    stage.push(SHOP, made, "1")
    stage.sign(key, SHOP, made, "1")
    stage.work()
    return key


def attest(stage, key):
    root = attestations.root()
    device = attestations.device(root)
    chain = attestations.attest(key.public, device).pem + device.pem
    proven = attestation.verify(chain, root.pem, now=stage.house.clock.now())
    stage.house.trusted_keys.trust(
        key.public.pem, name="release", patterns=["**"], actor=houses.OPERATOR, attestation=proven
    )
    stage.work()


def test_refuses_a_key_of_which_nobody_knows_where_it_is(stage):
    signed(stage)
    answer = stage.may_run("shop/app:1")
    assert isinstance(answer, Refusal)
    (reason,) = [one for one in answer.reasons if one.rule == "signed"]
    assert "not attested that the key is on hardware" in str(reason)


def test_a_key_that_was_attested_may_vouch(stage):
    attest(stage, signed(stage))
    assert isinstance(stage.may_run("shop/app:1"), Admitted)


def test_another_keys_attestation_helps_nobody(stage):
    signed(stage)
    other = signatures.new_key()
    root = attestations.root()
    device = attestations.device(root)
    chain = attestations.attest(other.public, device).pem + device.pem
    proven = attestation.verify(chain, root.pem, now=stage.house.clock.now())
    stage.house.trusted_keys.trust(
        other.public.pem, name="other", patterns=["**"], actor=houses.OPERATOR, attestation=proven
    )
    stage.work()
    assert isinstance(stage.may_run("shop/app:1"), Refusal)
