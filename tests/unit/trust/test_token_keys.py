"""Keys on tokens: one login, checked signatures, and clear words when something is wrong."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import IntegrityError, InvalidInputError, SeawallError
from seawall.core.secret import Secret
from seawall.testing import tokens as fakes
from seawall.testing.signatures import new_key
from seawall.trust.errors import KeyFormatError
from seawall.trust.tokens import key as token_keys
from seawall.trust.tokens import modules, provisioning
from seawall.trust.tokens import uri as uris
from seawall.trust.tokens.cryptoki import NewKey, PinPolicy, Touch
from seawall.trust.tokens.errors import (
    NoModuleError,
    NoTokenError,
    PinError,
    TokenFailedError,
    TokenRemovedError,
    TokenUriError,
    UnsafeModuleError,
)
from seawall.trust.tokens.key import Tokens
from seawall.trust.tokens.provisioning import Access, Policies

NOW = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
NEW = NewKey(key_id=b"\x02", label="release")
URI = uris.parse("pkcs11:token=yubi;id=%02")
YUBICO = "Yubico (www.yubico.com)"
P384 = bytes.fromhex("06052b81040022")


def right(_token):
    return Secret(fakes.PIN)


def never(_token):
    pytest.fail("a PIN was asked for")


def wrong(_token):
    return Secret("999999")


def over(*tokens):
    return Tokens(fakes.FixedModules([fakes.FakeModule(*tokens)]))


@pytest.fixture
def fake():
    token = fakes.FakeToken()
    token.add(new_key(), NEW)
    return token


def test_one_login_is_enough_for_several_keys_and_signatures(fake):
    fake.add(new_key(), NewKey(key_id=b"\x03", label="second"))
    tokens, asked = over(fake), []
    one = tokens.open_key(URI, ask_pin=lambda token: asked.append(token) or Secret(fakes.PIN))
    two = tokens.open_key(uris.parse("pkcs11:object=second"), ask_pin=never)
    for message in (b"1", b"2", b"3"):
        assert one.public.has_signed(one.sign(message), message)
        assert two.public.has_signed(two.sign(message), message)
    assert (1, 1, 6) == (len(asked), fake.logins, fake.signatures)


def test_no_pin_is_asked_for_where_no_token_fits(fake):
    with pytest.raises(NoTokenError, match="no token fits pkcs11:token=none"):
        over(fake).open_key(uris.parse("pkcs11:token=none"), ask_pin=never)


def test_the_words_for_a_wrong_pin_tell_how_many_tries_are_left(fake):
    said = []
    for _ in range(3):
        with pytest.raises(PinError) as caught:
            over(fake).open_key(URI, ask_pin=wrong)
        said.append(caught.value.message)
        assert "999999" not in f"{caught.value} {caught.value!r} {caught.value.__context__}"
    assert "few tries are left" in said[0]
    assert "one try is left" in said[1]
    assert "locked" in said[2]
    with pytest.raises(PinError, match="locked"):
        over(fake).open_key(URI, ask_pin=right)


def test_refuses_a_token_that_is_pulled_out_in_the_middle(fake):
    key = over(fake).open_key(URI, ask_pin=right)
    assert key.sign(b"1")
    fake.is_present = False
    with pytest.raises(TokenRemovedError):
        key.sign(b"2")


def test_refuses_what_a_lying_token_signs(fake):
    key = over(fake).open_key(URI, ask_pin=right)
    fake.is_lying = True
    with pytest.raises(IntegrityError, match="not a signature by this key"):
        key.sign(b"message")


def test_refuses_a_token_that_returns_something_else_than_a_signature(fake, monkeypatch):
    key = over(fake).open_key(URI, ask_pin=right)
    monkeypatch.setattr(fakes.FakeToken, "sign", lambda *_: b"short")
    with pytest.raises(TokenFailedError, match="no signature"):
        key.sign(b"message")


def test_refuses_a_key_of_another_curve():
    token = fakes.FakeToken()
    token.add(new_key(), NEW, curve=P384)
    with pytest.raises(KeyFormatError, match="not an ECDSA P-256 key"):
        over(token).open_key(URI, ask_pin=right)
    ((_, listed),) = over(token).list(uris.parse("pkcs11:"))
    assert [None] == [item.public for item in listed]


def test_refuses_another_key_than_the_expected_one(fake):
    with pytest.raises(IntegrityError, match=", not "):
        over(fake).open_key(URI, ask_pin=right, expected=new_key().public)


def test_the_module_that_is_asked_first_and_knows_the_token_is_used(fake):
    other = fakes.FakeModule(fakes.FakeToken(label="elsewhere", serial="9"))
    tokens = Tokens(fakes.FixedModules([other, fakes.FakeModule(fake)]))
    assert "yubi" == tokens.open_key(URI, ask_pin=right).token.label


def test_a_module_that_does_not_answer_hides_no_token_of_another(fake):
    silent = fakes.FakeModule()
    silent.is_silent = True
    tokens = Tokens(fakes.FixedModules([silent, fakes.FakeModule(fake)]))
    assert "yubi" == tokens.open_key(URI, ask_pin=right).token.label
    assert 1 == len(tokens.list(uris.parse("pkcs11:")))
    with pytest.raises(NoTokenError, match="; the module fake does not answer"):
        tokens.find_token(uris.parse("pkcs11:token=none"))
    alone = Tokens(fakes.FixedModules([silent]))
    with pytest.raises(TokenFailedError):
        alone.find_token(URI)
    with pytest.raises(TokenFailedError):
        alone.list(URI)


@pytest.mark.parametrize(
    ("manufacturer", "told", "known"),
    [
        ("Somebody", Touch.UNKNOWN, Touch.NEVER),
        (YUBICO, Touch.UNKNOWN, Touch.UNKNOWN),
        (YUBICO, Touch.CACHED, Touch.CACHED),
        (YUBICO, Touch.NEVER, Touch.NEVER),
    ],
)
def test_whether_a_touch_is_wanted_is_what_the_token_says(manufacturer, told, known):
    token = fakes.FakeToken(manufacturer=manufacturer)
    token.add(new_key(), NewKey(key_id=b"\x02", label="release", touch=told))
    assert known is over(token).open_key(URI, ask_pin=right).touch


def test_a_yubikey_is_written_by_its_manager_and_signs_for_its_user():
    token = fakes.FakeToken(manufacturer=YUBICO)
    access = Access(ask_pin=right, management_key=Secret(fakes.MANAGEMENT_KEY))
    policies = Policies(touch=Touch.CACHED, pin=PinPolicy.ONCE)
    made = provisioning.generate(over(token), URI, access, policies, now=NOW)
    assert Touch.CACHED is made.touch
    assert made.public.has_signed(made.sign(b"message"), b"message")
    assert [] != over(token).certificates(URI)
    other = uris.parse("pkcs11:token=yubi;id=%01")
    with pytest.raises(PinError):
        provisioning.generate(over(token), other, Access(ask_pin=right), policies, now=NOW)


def test_a_module_that_knows_no_policies_makes_the_vendors_command_be_told():
    token = fakes.FakeToken(manufacturer=YUBICO, knows_policies=False)
    access = Access(ask_pin=right, management_key=Secret(fakes.MANAGEMENT_KEY))
    policies = Policies(touch=Touch.CACHED, pin=PinPolicy.ONCE)
    with pytest.raises(TokenFailedError) as caught:
        provisioning.generate(over(token), URI, access, policies, now=NOW)
    assert (
        "yubico-piv-tool -k -a generate -s 9c -A ECCP256 --touch-policy=cached --pin-policy=once"
        in caught.value.remedy
    )
    assert fakes.MANAGEMENT_KEY not in str(caught.value)


def test_refuses_policies_that_the_token_does_not_have():
    with pytest.raises(InvalidInputError, match="knows no policies"):
        provisioning.generate(
            over(fakes.FakeToken()),
            URI,
            Access(ask_pin=right),
            Policies(touch=Touch.ALWAYS),
            now=NOW,
        )


def test_refuses_a_place_that_a_yubikey_does_not_have():
    with pytest.raises(TokenUriError, match="fixed places"):
        provisioning.generate(
            over(fakes.FakeToken(manufacturer=YUBICO)),
            uris.parse("pkcs11:token=yubi"),
            Access(ask_pin=right),
            Policies(),
            now=NOW,
        )


@given(st.binary(max_size=80))
def test_any_bytes_are_a_point_or_an_error_of_ours(content):
    for parse in (token_keys.parse_point, token_keys.parse_certificate):
        with pytest.raises(SeawallError):
            parse(content)


def test_a_point_is_read_with_and_without_its_wrapping():
    public = new_key().public
    assert public == token_keys.parse_point(public.point)
    assert public == token_keys.parse_point(b"\x04\x41" + public.point)


@pytest.fixture
def places(tmp_path):
    place = tmp_path / "lib"
    place.mkdir(mode=0o755)
    for name in ("libsofthsm2.so", "libykcs11.so", "libykcs11.so.2"):
        (place / name).write_bytes(b"")
        (place / name).chmod(0o644)
    return place


def loaded(places, uri, named=()):
    paths = []
    found = modules.InstalledModules(
        named, load=lambda path: paths.append(path.name) or fakes.FakeModule(), places=[places]
    )
    assert len(found.for_uri(uris.parse(uri))) == len(paths)
    found.for_uri(uris.parse(uri))  # each is loaded once
    return paths


def test_modules_are_looked_for_at_the_usual_places_or_where_they_are_named(places):
    assert ["libykcs11.so", "libsofthsm2.so"] == loaded(places, "pkcs11:")
    assert ["libsofthsm2.so"] == loaded(places, "pkcs11:?module-name=softhsm2")
    path = places / "libsofthsm2.so"
    assert ["libsofthsm2.so"] == loaded(places, f"pkcs11:?module-path={path}")
    assert ["libsofthsm2.so"] == loaded(places, "pkcs11:", [path])


def test_refuses_modules_that_are_not_there_or_that_others_may_replace(places, tmp_path):
    with pytest.raises(NoModuleError, match="no module 'none'"):
        loaded(places, "pkcs11:?module-name=none")
    with pytest.raises(NoModuleError):
        loaded(places, f"pkcs11:?module-path={places}/none.so")
    with pytest.raises(NoModuleError, match="no PKCS#11 module on this machine") as caught:
        loaded(tmp_path, "pkcs11:")
    assert "softhsm2" in caught.value.remedy
    (places / "libsofthsm2.so").chmod(0o666)
    with pytest.raises(UnsafeModuleError):
        loaded(places, "pkcs11:?module-name=softhsm2")
    (places / "libsofthsm2.so").chmod(0o644)
    places.chmod(0o777)
    with pytest.raises(UnsafeModuleError):
        loaded(places, "pkcs11:")


def test_a_file_that_is_no_module_is_told_as_such(tmp_path):
    from seawall.trust.tokens.pkcs11_module import Pkcs11Module

    (tmp_path / "x.so").write_bytes(b"not a library")
    with pytest.raises(NoModuleError, match="no PKCS#11 module that loads here"):
        Pkcs11Module(tmp_path / "x.so")


def test_nothing_native_is_loaded_before_a_token_is_used():
    import subprocess
    import sys

    code = (
        "import sys; import seawall.cli.main, seawall.cli.sign, seawall.cli.key, "
        "seawall.trust.tokens.key, seawall.trust.tokens.modules; "
        "sys.exit(any(name.partition('.')[0] == 'pkcs11' for name in sys.modules))"
    )
    assert 0 == subprocess.run([sys.executable, "-c", code], timeout=60).returncode


def test_a_digest_is_what_travels_to_the_token(fake, monkeypatch):
    sent = []
    original = fakes.FakeToken.sign
    monkeypatch.setattr(
        fakes.FakeToken,
        "sign",
        lambda self, h, digest: sent.append(digest) or original(self, h, digest),
    )
    over(fake).open_key(URI, ask_pin=right).sign(b"message")
    assert [hashlib.sha256(b"message").digest()] == sent
