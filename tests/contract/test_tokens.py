"""What every PKCS#11 module does: SoftHSM, and the fake that the unit tests use."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from seawall.core.errors import ConflictError
from seawall.core.secret import Secret
from seawall.testing import tokens as fakes
from seawall.testing.signatures import new_key
from seawall.trust import signing
from seawall.trust.tokens import provisioning
from seawall.trust.tokens import uri as uris
from seawall.trust.tokens.cryptoki import NewKey, ObjectKind, PinState, Role
from seawall.trust.tokens.errors import (
    NoKeyError,
    NoTokenError,
    PinError,
    SeveralKeysError,
    TokenFailedError,
)
from seawall.trust.tokens.key import Tokens
from seawall.trust.tokens.provisioning import Access, Policies

NOW = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
NEW = NewKey(key_id=b"\x02", label="release")
RIGHT = Access(ask_pin=lambda _token: Secret(fakes.PIN))
URI = uris.parse("pkcs11:token=yubi;object=release;id=%02")


@pytest.fixture(params=["softhsm", "fake"])
def module(request, tmp_path):
    if request.param == "fake":
        yield fakes.FakeModule(
            fakes.FakeToken(label="yubi", serial="1", slot=1),
            fakes.FakeToken(label="other", serial="2", slot=2),
        )
        return
    if fakes.why_no_softhsm():
        pytest.skip(fakes.why_no_softhsm())
    from seawall.trust.tokens.pkcs11_module import Pkcs11Module

    with fakes.softhsm(tmp_path / "hsm", "yubi", "other") as path:
        real = Pkcs11Module(path)
        yield real
        real.close()


@pytest.fixture
def tokens(module):
    found = Tokens(fakes.FixedModules([module]))
    yield found
    found.close()


def token_of(module, label="yubi"):
    return next(token for token in module.tokens() if token.label == label)


def writing(module):
    return module.open(token_of(module), Role.USER, Secret(fakes.PIN), is_writing=True)


def test_every_initialised_token_is_described(module):
    assert ["other", "yubi"] == sorted(token.label for token in module.tokens())
    token = token_of(module)
    assert PinState.FINE is token.pin
    assert token.serial
    assert token.serial != token_of(module, "other").serial


def test_a_generated_key_signs_and_never_comes_out(module):
    session = writing(module)
    session.generate(NEW)
    private, public = (
        next(item for item in session.objects() if item.kind is kind)
        for kind in (ObjectKind.PRIVATE, ObjectKind.PUBLIC)
    )
    assert (b"\x02", "release", False) == (private.key_id, private.label, private.is_extractable)
    raw = session.sign(private, hashlib.sha256(b"message").digest())
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public.point[2:])
    from cryptography.hazmat.primitives import hashes

    key.verify(signing.der_of(raw), b"message", ec.ECDSA(hashes.SHA256()))
    session.close()


def test_private_keys_are_seen_after_the_login_only(module):
    session = writing(module)
    session.generate(NEW)
    session.close()
    stranger = module.open(token_of(module), Role.NOBODY, None, is_writing=False)
    assert {ObjectKind.PUBLIC} == {item.kind for item in stranger.objects()}
    stranger.close()


def test_a_stored_key_is_the_one_that_was_sent(module):
    key = new_key()
    session = writing(module)
    session.store_private(NEW, key.reveal_scalar(), key.public.point)
    private = next(item for item in session.objects() if item.kind is ObjectKind.PRIVATE)
    raw = session.sign(private, hashlib.sha256(b"message").digest())
    assert key.public.has_signed(signing.der_of(raw), b"message")
    assert not private.is_extractable
    session.close()


def test_a_wrong_pin_is_refused_and_told_by_the_tokens_state(module):
    with pytest.raises(PinError) as caught:
        module.open(token_of(module), Role.USER, Secret("999999"), is_writing=False)
    assert "999999" not in str(caught.value)
    assert token_of(module).pin in {PinState.FEW_TRIES, PinState.LAST_TRY}


def test_a_second_login_is_refused(module):
    session = writing(module)
    with pytest.raises(TokenFailedError):
        writing(module)
    session.close()


def test_a_provisioned_key_has_its_certificate_and_is_found_by_uri(module, tokens):
    made = provisioning.generate(tokens, URI, RIGHT, Policies(), now=NOW)
    found = tokens.open_key(URI, ask_pin=RIGHT.ask_pin)
    assert made.public == found.public
    assert found.public.has_signed(found.sign(b"message"), b"message")
    (certificate,) = tokens.certificates(URI)
    parsed = x509.load_der_x509_certificate(certificate)
    parsed.verify_directly_issued_by(parsed)
    assert "CN=release" == parsed.subject.rfc4514_string()


def test_a_key_that_was_brought_signs_as_before(tokens):
    key = new_key()
    brought = provisioning.bring(tokens, URI, key, RIGHT, Policies(), now=NOW)
    assert key.public.has_signed(brought.sign(b"message"), b"message")


def test_a_place_that_is_taken_is_never_overwritten(tokens):
    made = provisioning.generate(tokens, URI, RIGHT, Policies(), now=NOW)
    with pytest.raises(ConflictError, match="never overwritten"):
        provisioning.generate(tokens, URI, RIGHT, Policies(), now=NOW)
    assert made.public == tokens.open_key(URI, ask_pin=RIGHT.ask_pin).public


def test_the_keys_are_listed_without_a_pin(tokens):
    made = provisioning.generate(tokens, URI, RIGHT, Policies(), now=NOW)
    tokens.close()
    listed = {token.label: keys for token, keys in tokens.list(uris.parse("pkcs11:"))}
    assert {"yubi", "other"} == set(listed)
    (key,) = listed["yubi"]
    assert (made.public, "release", b"\x02") == (key.public, key.label, key.key_id)
    assert made.public == tokens.open_key(key.uri, ask_pin=RIGHT.ask_pin).public


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("pkcs11:token=none", NoTokenError),
        ("pkcs11:", SeveralKeysError),
        ("pkcs11:token=yubi;id=%09", NoKeyError),
        ("pkcs11:token=other", NoKeyError),
        ("pkcs11:token=yubi", SeveralKeysError),
    ],
)
def test_refuses_what_names_no_key_or_several(tokens, uri, error):
    provisioning.generate(tokens, URI, RIGHT, Policies(), now=NOW)
    second = uris.parse("pkcs11:token=yubi;object=second;id=%03")
    provisioning.generate(tokens, second, RIGHT, Policies(), now=NOW)
    with pytest.raises(error) as caught:
        tokens.open_key(uris.parse(uri), ask_pin=RIGHT.ask_pin)
    assert caught.value.remedy
