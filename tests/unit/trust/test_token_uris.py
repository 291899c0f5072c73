"""PKCS#11 URIs: what is parsed is what was written, and nothing secret stands in one."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import SeawallError
from seawall.trust.tokens import uri as uris
from seawall.trust.tokens.errors import TokenUriError
from seawall.trust.tokens.uri import TokenUri

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=0, max_size=20
)
paths = st.from_regex(r"(/[A-Za-z0-9 ._%?&;-]{1,8}){1,4}", fullmatch=True).filter(
    lambda text: ".." not in Path(text).parts
)


@st.composite
def token_uris(draw):
    return TokenUri(
        token=draw(st.none() | texts),
        manufacturer=draw(st.none() | texts),
        model=draw(st.none() | texts),
        serial=draw(st.none() | texts),
        object=draw(st.none() | texts),
        id=draw(st.none() | st.binary(min_size=1, max_size=64)),
        slot=draw(st.none() | st.integers(0, uris.SLOT_MAX)),
        pin_file=draw(st.none() | paths.map(Path)),
        module_name=draw(st.none() | st.from_regex(r"[a-z0-9][a-z0-9.+-]{0,9}", fullmatch=True)),
        module_path=draw(st.none() | paths.map(Path)),
    )


@given(token_uris())
def test_what_is_written_is_read_again(uri):
    assume_short = len(str(uri)) <= uris.MAX_CHARACTERS
    if assume_short:
        assert uri == uris.parse(str(uri))


@given(st.text(max_size=80).map(lambda text: "pkcs11:" + text) | st.text(max_size=80))
def test_any_text_is_a_uri_or_an_error_of_ours(text):
    with contextlib.suppress(SeawallError):
        assert str(uris.parse(text)).startswith("pkcs11:")


def test_the_examples_of_the_standard_are_understood():
    assert TokenUri() == uris.parse("pkcs11:")
    assert TokenUri(object="my-pubkey") == uris.parse("pkcs11:object=my-pubkey;type=private")
    assert TokenUri(
        token="The Software PKCS#11 Softtoken", object="my-certificate", id=b"\x69\x95\x3e\x5c\xf4"
    ) == uris.parse(
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;"
        "object=my-certificate;id=%69%95%3E%5C%F4"
    )
    assert TokenUri(
        token="My token", slot=327, pin_file=Path("/etc/token_pin"), module_name="mypkcs11"
    ) == uris.parse(
        "pkcs11:token=My%20token;slot-id=327?pin-source=file:/etc/token_pin&module-name=mypkcs11"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pkcs11:token=a?pin-value=123456", "every process"),
        ("pkcs11:pin-value=123456", "every process"),
        ("pkcs11:token=a?pin-source=|/bin/echo%20123456", "no program is run"),
        ("pkcs11:token=a?pin-source=https://host/123456", "not a file"),
        ("pkcs11:token=a?pin-source=123456", "not a file"),
        ("pkcs11:token=a?pin-source=file:123456", "not an absolute path"),
        ("pkcs11:token=a?pin-value%3D123456", "something is not an attribute"),
        ("pkcs11:123456", "something is not an attribute"),
        ("pkcs11:token=a;token=b", "given twice"),
        ("pkcs11:x-vendor=1", "x-vendor is not an attribute"),
        ("pkcs11:token=a b", "must be encoded"),
        ("pkcs11:token=%4", "must be encoded"),
        ("pkcs11:token=%FF", "not text"),
        ("pkcs11:token=%00", "cannot be printed"),
        ("pkcs11:type=public", "only a private key"),
        ("pkcs11:id=", "1 to 64 bytes"),
        ("pkcs11:slot-id=-1", "not a number"),
        ("pkcs11:slot-id=1_0", "must be encoded|not a number"),
        ("pkcs11:slot-id=01", "not a number"),
        ("pkcs11:slot-id=99999999999999999999", "not a number"),
        ("pkcs11:?module-name=../../tmp/evil", "not a bare name"),
        ("pkcs11:?module-name=.hidden", "not a bare name"),
        ("pkcs11:?module-path=evil.so", "not an absolute path"),
        ("pkcs11:?module-path=/usr/lib/../../tmp/evil.so", "not an absolute path"),
        ("pkcs11:?token=a", "token is not an attribute"),
        ("vault:key", "not a PKCS#11 URI"),
        ("pkcs11:token=" + "a" * 2048, "not a PKCS#11 URI"),
    ],
)
def test_refuses_with_the_way_out_and_without_the_pin(text, why):
    with pytest.raises(TokenUriError, match=why) as caught:
        uris.parse(text)
    assert "123456" not in str(caught.value)
