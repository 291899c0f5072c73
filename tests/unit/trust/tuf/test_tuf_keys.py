"""Keys of Notary v1: every kind verifies what it signed, in its own way only."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from seawall.core.strictjson import Json
from seawall.testing.signatures import new_key
from seawall.trust import signing
from seawall.trust.errors import KeyFormatError
from seawall.trust.tuf import build, keys
from seawall.trust.tuf.keys import KeyType
from seawall.trust.tuf.names import Gun

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
GUN = Gun.parse("localhost:5000/app/web")
MESSAGE = b"what is signed"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def certificate_of(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, GUN)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + dt.timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_a_p256_key_signs_bare_and_in_a_certificate_and_is_the_same_key():
    signer = new_key()
    bare = build.ecdsa_signer(signer)
    certified = build.root_signer(signer, build.root_certificate(signer, GUN, NOW))
    for one in (bare, certified):
        made = one.sign(MESSAGE)
        assert "ecdsa" == made.method
        assert 64 == len(made.value)
        assert one.key.has_signed(made.method, made.value, MESSAGE)
        assert not one.key.has_signed("ECDSA", made.value, MESSAGE)
        assert not one.key.has_signed(made.method, made.value, MESSAGE + b"!")
    assert bare.key.key_id != certified.key.key_id
    assert bare.key.canonical_id == certified.key.canonical_id
    assert signer.public.der == certified.key.spki


def test_a_high_s_signature_counts():
    signer = build.ecdsa_signer(new_key())
    value = signer.sign(MESSAGE).value
    r, s = decode_dss_signature(signing.der_of(value))
    other = signing.raw_of(encode_dss_signature(r, ORDER - s))
    assert value != other
    assert signer.key.has_signed("ecdsa", other, MESSAGE)


def test_an_ed25519_key_signs_the_message_itself():
    signer = build.ed25519_signer(ed25519.Ed25519PrivateKey.generate())
    made = signer.sign(MESSAGE)
    assert "eddsa" == made.method
    assert signer.key.has_signed(made.method, made.value, MESSAGE)
    assert not signer.key.has_signed("ecdsa", made.value, MESSAGE)


def test_an_rsa_key_verifies_pss_and_only_in_a_certificate_the_old_padding(rsa_key):
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    new = rsa_key.sign(MESSAGE, pss, hashes.SHA256())
    old = rsa_key.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA256())
    bare = keys.of(KeyType.RSA, rsa_key.public_key().public_bytes(*SPKI))
    certified = keys.of_certificate(certificate_of(rsa_key))
    assert bare.has_signed("rsapss", new, MESSAGE)
    assert certified.has_signed("rsapss", new, MESSAGE)
    assert certified.has_signed("rsapkcs1v15", old, MESSAGE)
    assert not bare.has_signed("rsapkcs1v15", old, MESSAGE)
    assert KeyType.RSA_X509 is certified.key_type
    assert bare.canonical_id == certified.canonical_id


@pytest.mark.parametrize("size", [0, 1, 63, 65, 70, 96, 128])
def test_refuses_a_signature_of_another_length(size):
    key = build.ecdsa_signer(new_key()).key
    assert not key.has_signed("ecdsa", b"\1" * size, MESSAGE)


def test_refuses_asn1_where_the_numbers_themselves_belong():
    signer = new_key()
    assert not keys.of_public(signer.public).has_signed("ecdsa", signer.sign(MESSAGE), MESSAGE)


def test_a_key_is_what_it_says_when_it_is_read_back(rsa_key):
    for key in (
        build.ecdsa_signer(new_key()).key,
        build.ed25519_signer(ed25519.Ed25519PrivateKey.generate()).key,
        keys.of_certificate(certificate_of(rsa_key)),
    ):
        assert key == keys.parse(key.to_json())


def document(kind: Json = "ecdsa", public: Json = None, **more: Json) -> Json:
    text = base64.b64encode(new_key().public.der).decode() if public is None else public
    return {"keytype": kind, "keyval": {"private": None, "public": text, **more}}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"keytype": "ecdsa"},
        document() | {"more": 1},  # type: ignore[operator]
        document(more=1),
        document(private="AAAA"),
        document(kind="rsa"),
        document(kind="ed25519"),
        document(kind="ecdsa-x509"),
        document(kind="ECDSA"),
        document(kind=["ecdsa"]),
        document(public="AAAA"),
        document(public="!"),
        document(public=7),
        document(public="A" * 100_000),
    ],
)
def test_refuses_what_is_no_key(value):
    with pytest.raises(KeyFormatError):
        keys.parse(value)


def test_refuses_a_certificate_of_a_version_that_x509_does_not_know():
    der = build.root_certificate(new_key(), GUN, NOW)
    version = bytes.fromhex("a003020102")
    assert version in der
    wrong = der.replace(version, bytes.fromhex("a003020103"), 1)
    with pytest.raises(KeyFormatError):
        keys.of_certificate(wrong)
    body = base64.encodebytes(wrong).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"
    shown = base64.b64encode(pem.encode()).decode()
    with pytest.raises(KeyFormatError):
        keys.parse(document(kind="ecdsa-x509", public=shown))


@pytest.mark.parametrize("bits", [1024, 16384])
def test_refuses_rsa_keys_that_are_too_weak_or_too_slow(bits, rsa_key):
    if bits > 8192:  # making one takes minutes: only its modulus has to be large
        numbers = rsa.RSAPublicNumbers(65537, (1 << bits) - 1)
        public = numbers.public_key()
    else:
        public = rsa.generate_private_key(65537, bits).public_key()
    with pytest.raises(KeyFormatError):
        keys.of(KeyType.RSA, public.public_bytes(*SPKI))


def test_refuses_a_curve_that_nobody_uses():
    key = ec.generate_private_key(ec.SECP256K1()).public_key()
    with pytest.raises(KeyFormatError):
        keys.of(KeyType.ECDSA, key.public_bytes(*SPKI))
