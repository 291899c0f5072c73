import pytest

from seawall import audit
from seawall.core.actor import operator
from seawall.core.errors import ConflictError, InvalidInputError, NotFoundError
from seawall.oci.names import RepositoryName
from seawall.testing import signatures
from seawall.trust.trusted import TrustedKeys

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


def test_distrusting_a_stranger_says_so(trusted):
    with pytest.raises(NotFoundError):
        trusted.distrust("00", actor=ADA)
