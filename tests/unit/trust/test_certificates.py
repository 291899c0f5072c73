import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError, LimitError, SeawallError
from seawall.testing import authorities, fulcio, signatures
from seawall.testing.authorities import DAY, Wanted
from seawall.trust import certificates
from seawall.trust.notation import identity, profile
from seawall.trust.sigstore import identity as person

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
ROOT = authorities.new_authority(NOW)
LEAF = Wanted(subject="C=US, ST=WA, O=acme, CN=release")
CHAIN = ROOT.issue(authorities.new_key(), LEAF, NOW)
PERSON = fulcio.new(NOW).certify(signatures.new_key(), NOW)
SAMPLES = (*CHAIN, PERSON)


def test_a_chain_is_read_from_pem_in_its_order():
    pem = b"".join(map(certificates.to_pem, CHAIN))
    assert [one.der for one in CHAIN] == [one.der for one in certificates.parse_pem(pem)]


def test_times_hold_to_their_ends_and_no_further():
    certificates.check_valid(CHAIN, NOW - DAY, "then")
    certificates.check_valid(CHAIN, NOW + 365 * DAY, "then")
    for moment in (NOW - DAY - dt.timedelta(seconds=1), NOW + 365 * DAY + dt.timedelta(seconds=1)):
        with pytest.raises(InvalidInputError, match="not at then"):
            certificates.check_valid(CHAIN, moment, "then")


def test_a_chain_holds_only_in_order_and_whole():
    certificates.check_issued(CHAIN)
    twin = authorities.new_authority(NOW)
    for chain in (CHAIN[::-1], (CHAIN[0], *twin.chain), (CHAIN[0], CHAIN[0])):
        with pytest.raises(InvalidInputError):
            certificates.check_issued(chain)


def test_refuses_too_many_and_too_large():
    with pytest.raises(LimitError):
        certificates.parse_chain([CHAIN[0].der] * 9)
    with pytest.raises(LimitError):
        certificates.parse(b"0" * 20_000)
    with pytest.raises(InvalidInputError, match="no certificate"):
        certificates.parse_chain([])


@given(st.sampled_from(SAMPLES), st.data())
def test_a_certificate_with_a_changed_byte_is_read_or_refused_and_never_issued(sample, data):
    changed = bytearray(sample.der)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(SeawallError):  # anything else fails the test
        found = certificates.parse(bytes(changed))
        identity.is_match("x509.subject: C=US, ST=WA, O=acme", found)
        with contextlib.suppress(SeawallError):
            person.person_of(found)
        if sample is CHAIN[0]:
            with pytest.raises(SeawallError):
                profile.check((found, *CHAIN[1:]))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_our_own_errors(noise):
    for parse in (certificates.parse, certificates.parse_pem):
        with pytest.raises(SeawallError):
            parse(noise)
