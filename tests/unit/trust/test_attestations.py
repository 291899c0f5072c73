"""A YubiKey's attestation proves a key to be on a device of the given root, or nothing."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError, SeawallError
from seawall.testing import attestations as making
from seawall.testing import tokens as fakes
from seawall.testing.signatures import new_key
from seawall.trust.keys import PrivateKey
from seawall.trust.model import Hardware
from seawall.trust.tokens import attestation
from seawall.trust.tokens.attestation import AttestationError

NOW = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
ROOT = making.root()
DEVICE = making.device(ROOT)
KEY = new_key().public
LEAF = making.attest(KEY, DEVICE)


def verified(*certificates, roots=(ROOT,), now=NOW):
    return attestation.verify(
        b"".join(one.pem for one in certificates), b"".join(one.pem for one in roots), now=now
    )


def test_an_attestation_tells_which_device_keeps_the_key_and_how():
    leaf = making.attest(KEY, DEVICE)
    for given_order in ((leaf, DEVICE), (DEVICE, leaf), (leaf, DEVICE, ROOT)):
        found = verified(*given_order)
        assert KEY == found.public
        assert (
            Hardware(
                device="YubiKey PIV", serial="1234567", firmware="5.4.3", slot="9c",
                form="USB-C keychain", pin="once", touch="cached",
            )
            == found.hardware
        )  # fmt: skip
        assert leaf.pem + DEVICE.pem + ROOT.pem == found.chain


def test_certificates_between_device_and_root_may_come_with_either_file():
    between = making.issue("Intermediate", ROOT, is_authority=True)
    device = making.device(between)
    leaf = making.attest(KEY, device)
    assert KEY == verified(leaf, device, between).public
    assert KEY == verified(leaf, device, roots=(ROOT, between)).public


def test_an_old_device_whose_certificate_says_nothing_of_authority_counts_under_the_root():
    device = making.device(ROOT, is_authority=None)
    assert KEY == verified(making.attest(KEY, device), device).public


def test_a_device_may_hide_its_serial_number():
    leaf = making.attest(KEY, DEVICE, extensions={attestation.SERIAL: None})
    assert "" == verified(leaf, DEVICE).hardware.serial


def test_refuses_another_root_of_the_same_name():
    with pytest.raises(AttestationError, match="nobody among the roots"):
        verified(making.attest(KEY, DEVICE), DEVICE, roots=(making.root(),))


def test_refuses_a_key_that_vouches_for_others_with_its_own_attestation():
    """The key in slot 9c signs whatever its owner wants: it must not be taken for a device."""
    key = ec.generate_private_key(ec.SECP256R1())
    attested = making.attest(PrivateKey(key).public, DEVICE)
    forger = making.Issuer(certificate=attested.certificate, key=key)
    software = making.attest(KEY, forger)
    with pytest.raises(AttestationError):
        verified(software, attested, DEVICE)
    nameless = making.attest(PrivateKey(key).public, DEVICE, extensions={attestation.POLICY: None})
    forger = making.Issuer(certificate=nameless.certificate, key=key)
    with pytest.raises(AttestationError, match="may not vouch"):
        verified(making.attest(KEY, forger), nameless, DEVICE)


def test_refuses_a_device_that_says_it_is_no_authority():
    device = making.device(ROOT, is_authority=False)
    with pytest.raises(AttestationError, match="may not vouch"):
        verified(making.attest(KEY, device), device)


@pytest.mark.parametrize("years", [-10, 40])
def test_refuses_certificates_that_are_not_valid_now(years):
    with pytest.raises(AttestationError, match="not valid now"):
        verified(making.attest(KEY, DEVICE), DEVICE, now=NOW.replace(year=NOW.year + years))


@pytest.mark.parametrize(
    ("extension", "value"),
    [
        (attestation.POLICY, b"\x02"),
        (attestation.POLICY, b"\x00\x03"),
        (attestation.POLICY, b"\x02\x07"),
        (attestation.FIRMWARE, b"\x05\x04"),
        (attestation.FIRMWARE, None),
        (attestation.SERIAL, b"\x02\x05\x01"),
        (attestation.SERIAL, b""),
    ],
)
def test_refuses_extensions_of_another_shape(extension, value):
    with pytest.raises(AttestationError):
        verified(making.attest(KEY, DEVICE, extensions={extension: value}), DEVICE)


@pytest.mark.parametrize("slot", ["", "9c9c", "zz", "9 "])
def test_refuses_a_slot_that_is_none(slot):
    with pytest.raises(AttestationError, match="is called"):
        verified(making.attest(KEY, DEVICE, slot=slot), DEVICE)


def test_refuses_no_leaf_two_leaves_and_a_root_that_attests_itself():
    with pytest.raises(AttestationError, match="0 certificates attest"):
        verified(DEVICE)
    with pytest.raises(AttestationError, match="2 certificates attest"):
        verified(making.attest(KEY, DEVICE), making.attest(KEY, DEVICE), DEVICE)
    with pytest.raises(AttestationError, match="root itself"):
        verified(making.attest(KEY, ROOT))


def test_refuses_what_is_too_much_or_nothing():
    with pytest.raises(InvalidInputError, match="more than 8"):
        verified(*[DEVICE] * 9)
    with pytest.raises(InvalidInputError, match="larger than"):
        attestation.verify(b" " * 70_000, ROOT.pem, now=NOW)
    with pytest.raises(InvalidInputError, match="not certificates"):
        attestation.verify(b"", ROOT.pem, now=NOW)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_no_changed_byte_proves_a_key(data):
    content = bytearray(LEAF.der)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    found = attestation.for_key([bytes(content), DEVICE.der], KEY)
    with pytest.raises(SeawallError):
        attestation.prove(found, [ROOT.certificate], now=NOW)


def test_the_attestation_is_picked_out_of_all_that_a_card_holds():
    leaf, other = making.attest(KEY, DEVICE), making.attest(new_key().public, DEVICE, slot="9a")
    found = attestation.for_key([b"rubbish", other.der, leaf.der, DEVICE.der], KEY)
    assert KEY == attestation.prove(found, [ROOT.certificate], now=NOW).public


def test_a_key_on_the_fake_token_and_its_attestation_name_one_key():
    key = new_key()
    scalar = fakes.keys_scalar(key)
    assert PrivateKey(scalar).public == verified(making.attest(key.public, DEVICE), DEVICE).public
