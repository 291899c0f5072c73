import datetime as dt

import pytest

from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.testing import signatures
from seawall.trust import proof
from seawall.trust.model import SignatureFormat

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
DIGEST = Digest.of(b"image")
REPOSITORY = RepositoryName("team/app")
IMAGE = "localhost:5000/team/app:v1"
KEY = signatures.new_key()

both = pytest.mark.parametrize("kind", list(SignatureFormat))


def prove(*artifacts, keys=None, tag="v1", **more):
    return proof.verify(
        more.pop("digest", DIGEST),
        repository=more.pop("repository", REPOSITORY),
        tag=tag and Tag(tag),
        artifacts=artifacts,
        keys=[signatures.trusted(KEY)] if keys is None else keys,
        now=NOW,
        **more,
    )


def signed(kind, key=KEY, image=IMAGE, digest=DIGEST, at=NOW):
    return signatures.sign(key, kind, digest, image, at)


@both
def test_a_signature_by_a_trusted_key_is_proven_in_eleven_steps(kind):
    result = prove(signed(kind))
    assert result.is_valid
    assert list(range(1, 12)) == [step.number for step in result.steps]
    assert [proof.STEPS[step.number] for step in result.steps] == [s.name for s in result.steps]
    assert (KEY.public.key_id,) == result.signers
    assert "" == result.remedy
    assert result.signatures[0].is_bound_to_repository
    assert Tag("v1") == result.signatures[0].tag


@both
def test_no_keys_are_a_no_with_a_way_out(kind):
    result = prove(signed(kind), keys=[])
    assert not result.is_valid
    assert (1,) == tuple(step.number for step in result.failures)
    assert "seawall key trust" in result.remedy


def test_no_signatures_are_a_no_with_a_way_out():
    result = prove()
    assert not result.is_valid
    assert (2,) == tuple(step.number for step in result.failures)
    assert "seawall sign" in result.remedy


@both
def test_a_key_for_other_repositories_does_not_count(kind):
    keys = [signatures.trusted(KEY, patterns=("other/**",))]
    assert [1] == [step.number for step in prove(signed(kind), keys=keys).failures]


@both
def test_one_good_signature_among_bad_ones_is_enough(kind):
    stranger = signatures.new_key()
    result = prove(signed(kind, key=stranger), signed(kind))
    assert result.is_valid
    assert [5] == [step.number for step in result.failures]


@both
def test_enough_different_signers_are_proven(kind):
    second = signatures.new_key()
    keys = [signatures.trusted(KEY), signatures.trusted(second, name="security")]
    result = prove(signed(kind), signed(kind, key=second), keys=keys, required_signers=2)
    assert result.is_valid
    assert {KEY.public.key_id, second.public.key_id} == set(result.signers)


@both
def test_an_image_asked_for_by_digest_needs_no_fitting_tag(kind):
    assert prove(signed(kind), tag=None).is_valid


@both
def test_a_signature_without_a_tag_fits_every_tag(kind):
    assert prove(signed(kind, image=f"localhost:5000/team/app@{DIGEST}")).is_valid


@both
def test_the_registry_may_be_held_to_its_names(kind):
    assert prove(signed(kind), hosts=frozenset({"LOCALHOST:5000"})).is_valid
    other = prove(signed(kind), hosts=frozenset({"registry.example"}))
    assert [8, 11] == [step.number for step in other.failures]


def test_a_time_without_zone_and_no_signers_are_mistakes_of_the_caller():
    with pytest.raises(ValueError, match="zone"):
        prove(required_signers=0)
