import dataclasses
import datetime as dt

import pytest

from seawall import audit
from seawall.core.actor import operator
from seawall.core.errors import InvalidInputError, LimitError, NotFoundError
from seawall.oci.names import RepositoryName
from seawall.testing import authorities
from seawall.trust.authorities import MAX_AUTHORITIES, TrustedAuthorities
from seawall.trust.model import AuthorityKind, TrustedAuthority

ADA = operator("ada")
NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
ROOT = authorities.new_authority(NOW)
ACME = TrustedAuthority(
    name="acme",
    kind=AuthorityKind.NOTATION,
    content=ROOT.pem,
    identities=("x509.subject: C=US, ST=WA, O=acme",),
    patterns=("team/*",),
)


@pytest.fixture
def trusted(database, clock):
    return TrustedAuthorities(database, clock)


def _kinds(database):
    with database.read() as connection:
        return [entry.kind for entry in audit.read(connection)]


def test_an_authority_counts_where_its_patterns_fit(trusted):
    trusted.trust(ACME, actor=ADA)
    assert (ACME,) == trusted.for_repository(RepositoryName("team/app"))
    assert () == trusted.for_repository(RepositoryName("other/app"))
    assert (ACME,) == trusted.list()


def test_trusting_and_distrusting_stand_in_the_log(trusted, database):
    trusted.trust(ACME, actor=ADA)
    trusted.trust(ACME, actor=ADA)  # nothing changes
    trusted.trust(dataclasses.replace(ACME, patterns=("b",)), actor=ADA)
    assert ("b",) == trusted.distrust("acme", actor=ADA).patterns
    assert ["AuthorityTrusted", "AuthorityTrusted", "AuthorityDistrusted"] == _kinds(database)
    assert () == trusted.list()


def test_new_patterns_say_what_they_replace(trusted, database):
    trusted.trust(ACME, actor=ADA)
    trusted.trust(dataclasses.replace(ACME, patterns=("b",)), actor=ADA)
    with database.read() as connection:
        assert b'"former_patterns":["team/*"]' in list(audit.read(connection))[-1].body


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""}, {"name": "two words"}, {"identities": ()}, {"patterns": ()},
        {"identities": ("alice",)}, {"patterns": ("NOT",)}, {"content": b""},
        {"content": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
    ],
)  # fmt: skip
def test_refuses_what_would_trust_nobody_or_cannot_be_read(trusted, database, change):
    with pytest.raises(InvalidInputError):
        trusted.trust(dataclasses.replace(ACME, **change), actor=ADA)
    assert [] == _kinds(database)


def test_refuses_more_than_are_looked_at(trusted):
    for number in range(MAX_AUTHORITIES):
        trusted.trust(dataclasses.replace(ACME, name=f"a{number}"), actor=ADA)
    with pytest.raises(LimitError):
        trusted.trust(ACME, actor=ADA)


def test_an_unknown_authority_cannot_be_distrusted(trusted):
    with pytest.raises(NotFoundError, match="acme"):
        trusted.distrust("acme", actor=ADA)
