import datetime as dt

import pytest

from seawall import audit
from seawall.core.actor import operator
from seawall.core.errors import ConflictError, InvalidInputError, NotFoundError
from seawall.oci.names import RepositoryName
from seawall.testing import attestations, signatures
from seawall.trust.tokens import attestation
from seawall.trust.trusted import TrustedKeys

NOW = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
ADA = operator("ada")


@pytest.fixture
def trusted(database, clock):
    return TrustedKeys(database, clock)


def _kinds(database):
    with database.read() as connection:
        return [entry.kind for entry in audit.read(connection)]


def test_a_trusted_key_counts_where_its_patterns_fit(trusted):
    key = signatures.new_key()
    trusted.trust(key.public.pem, name="release", patterns=["team/*"], actor=ADA)
    fitting = trusted.for_repository(RepositoryName("team/app"))
    assert [key.public.key_id] == [one.key_id for one in fitting]
    assert () == trusted.for_repository(RepositoryName("team/app/deep"))


def test_trusting_and_distrusting_stand_in_the_log(trusted, database):
    key = trusted.trust(signatures.new_key().public.pem, name="a", patterns=["**"], actor=ADA)
    trusted.distrust(key.key_id, actor=ADA)
    assert ["KeyTrusted", "KeyDistrusted"] == _kinds(database)
    assert () == trusted.list()


def test_trusting_the_same_again_is_no_event_and_new_patterns_are_one(trusted, database):
    pem = signatures.new_key().public.pem
    for wanted in (["a"], ["a"], ["b"]):
        trusted.trust(pem, name="a", patterns=wanted, actor=ADA)
    assert ["KeyTrusted", "KeyTrusted"] == _kinds(database)
    assert [("b",)] == [key.patterns for key in trusted.list()]


def test_a_name_belongs_to_one_key(trusted):
    trusted.trust(signatures.new_key().public.pem, name="a", patterns=["**"], actor=ADA)
    with pytest.raises(ConflictError):
        trusted.trust(signatures.new_key().public.pem, name="a", patterns=["**"], actor=ADA)


@pytest.mark.parametrize("wanted", [[], [""], ["a//b"], ["**/**"], ["a*b*c"], ["A"], ["x" * 201]])
def test_refuses_patterns_that_are_none(trusted, wanted):
    with pytest.raises(InvalidInputError):
        trusted.trust(signatures.new_key().public.pem, name="a", patterns=wanted, actor=ADA)


def test_an_attested_key_keeps_its_mark_when_its_patterns_change(trusted):
    key, root = signatures.new_key().public, attestations.root()
    device = attestations.device(root)
    chain = attestations.attest(key, device).pem + device.pem
    proven = attestation.verify(chain, root.pem, now=NOW)
    trusted.trust(key.pem, name="a", patterns=["**"], actor=ADA)
    assert [None] == [one.hardware for one in trusted.list()]
    trusted.trust(key.pem, name="a", patterns=["**"], actor=ADA, attestation=proven)
    trusted.trust(key.pem, name="a", patterns=["b"], actor=ADA)
    assert [proven.hardware] == [one.hardware for one in trusted.list()]
    assert proven.chain == trusted.attestation_of(key.key_id)


def test_refuses_the_attestation_of_another_key(trusted):
    root = attestations.root()
    device = attestations.device(root)
    chain = attestations.attest(signatures.new_key().public, device).pem + device.pem
    proven = attestation.verify(chain, root.pem, now=NOW)
    pem = signatures.new_key().public.pem
    with pytest.raises(InvalidInputError, match="not for"):
        trusted.trust(pem, name="a", patterns=["**"], actor=ADA, attestation=proven)
    assert () == trusted.list()


def test_distrusting_a_stranger_says_so(trusted):
    with pytest.raises(NotFoundError):
        trusted.distrust("00", actor=ADA)
