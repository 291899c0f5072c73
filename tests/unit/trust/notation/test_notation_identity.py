import datetime as dt

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError
from seawall.testing import authorities
from seawall.testing.authorities import Wanted
from seawall.trust.notation import identity

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def certificate(subject="C=US, ST=WA, O=acme, OU=web, CN=release"):
    return authorities.self_signed(authorities.new_key(), Wanted(subject=subject), NOW)


LEAF = certificate()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", True),
        ("x509.subject: C=US, ST=WA, O=acme", True),
        ("x509.subject:C=US,ST=WA,O=acme,CN=release", True),
        ("x509.subject: CN=release, O=acme, S=WA, C=US", True),
        ("x509.subject: C=US, ST=WA, O=acme, CN=Release", False),
        ("x509.subject: C=US, ST=WA, O=acme, CN=rel", False),
        ("x509.subject: C=US, ST=WA, O=acme, L=Seattle", False),
        ("x509.subject: C=US, ST=OR, O=acme", False),
    ],
)
def test_a_subject_fits_when_it_holds_every_part(text, expected):
    assert expected == identity.is_match(text, LEAF)


@pytest.mark.parametrize(
    "text",
    [
        "", "**", "x509.subject:", "C=US, ST=WA, O=acme", "x509.subject: C=US, ST=WA",
        "x509.subject: C=US, ST=WA, O=acme,", "x509.subject: C=US, C=DE, ST=WA, O=acme",
        "x509.subject: C=US, ST=WA, S=WA, O=acme", "x509.subject: C=US+ST=WA, O=acme",
        "x509.subject: C=US, ST=WA, O=acme, X=1", "x509.subject: C=US, ST=WA, O=",
        'x509.subject: C=US, ST=WA, O="acme"', "x509.subject: C=US; ST=WA; O=acme",
        "x509.subject: C=US, ST=WA, O=" + "a" * 600, "x509.subject: C=US, ST=WA, O=ac\\me",
    ],
)  # fmt: skip
def test_refuses_identities_that_could_be_read_in_two_ways(text):
    with pytest.raises(InvalidInputError):
        identity.check(text)


def test_special_characters_are_written_with_a_backslash():
    subject = r"C=US, ST=WA, O=Acme\, Inc\., CN=a\+b".replace(r"\.", ".")
    assert "Acme, Inc." in [part.value for part in identity.parse_subject(subject)]
    assert identity.is_match(f"x509.subject: {subject}", certificate(subject))


def test_a_certificate_with_a_part_twice_fits_nothing():
    names = [(NameOID.COUNTRY_NAME, "US"), (NameOID.STATE_OR_PROVINCE_NAME, "WA"),
             (NameOID.ORGANIZATION_NAME, "acme"), (NameOID.ORGANIZATION_NAME, "evil")]  # fmt: skip
    subject = x509.Name([x509.NameAttribute(*name) for name in names])
    made = authorities.certify(
        authorities.new_key(), Wanted(subject="C=US, ST=WA, O=x"),
        issuer_key=authorities.new_key(), issuer=subject, now=NOW, subject=subject,
    )  # fmt: skip
    assert not identity.is_match("x509.subject: C=US, ST=WA, O=acme", made)
    assert not identity.is_match("x509.subject: C=US, ST=WA, O=evil", made)


@given(st.text(max_size=80))
def test_any_text_is_an_identity_or_refused(text):
    for one in (text, f"x509.subject:{text}", f"x509.subject: C=US, ST=WA, O={text}"):
        try:
            identity.check(one)
        except InvalidInputError:
            continue
        assert identity.is_match(one, LEAF) in (True, False)
