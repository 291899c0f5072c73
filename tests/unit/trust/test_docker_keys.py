"""Private keys of docker and notary: what is written is read, and nothing else is."""

from __future__ import annotations

import base64
import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError, SeawallError
from seawall.core.secret import Secret
from seawall.testing.signatures import new_key
from seawall.trust import _der, docker_keys
from seawall.trust.docker_keys import DockerKey
from seawall.trust.errors import KeyFormatError, PassphraseError

PHRASE = Secret("correct horse battery")
KEY = new_key()
PEM = docker_keys.encode(DockerKey(key=KEY, role="targets", gun="host:5000/team/app"), PHRASE)


def repacked(change) -> bytes:
    """The key file with other bytes in its block."""
    text = PEM.decode()
    body = text.partition("\n\n")[2].partition("-----END")[0]
    content = base64.encodebytes(change(base64.b64decode(body))).decode()
    return text.replace(body, content).encode()


def test_what_is_written_is_read_with_its_passphrase_alone():
    found = docker_keys.decode(PEM, PHRASE)
    assert KEY.public == found.key.public
    assert ("targets", "host:5000/team/app") == (found.role, found.gun)
    with pytest.raises(PassphraseError):
        docker_keys.decode(PEM, Secret("another passphrase"))


def test_the_block_and_its_headers_are_those_of_docker():
    lines = PEM.decode().splitlines()
    assert "-----BEGIN ENCRYPTED PRIVATE KEY-----" == lines[0]
    path = docker_keys.file_name(KEY.public).removesuffix(".key")
    assert ["gun: host:5000/team/app", f"path: {path}", "role: targets", ""] == lines[1:5]
    assert re.fullmatch("[0-9a-f]{64}", path)


@pytest.mark.parametrize(
    ("role", "gun"),
    [
        ("", ""),
        ("Root", ""),
        ("a\nb: c", ""),
        ("targets", ""),
        ("root", "Host\nx: y"),
        ("../a", ""),
    ],
)
def test_refuses_to_write_what_is_no_role_or_name(role, gun):
    with pytest.raises(InvalidInputError):
        docker_keys.encode(DockerKey(key=KEY, role=role, gun=gun), PHRASE)


def test_refuses_more_rounds_than_an_honest_file_has():
    rounds = _der.element(_der.INTEGER, (2048).to_bytes(2, "big"))
    many = _der.element(_der.INTEGER, b"\x7f\xff")
    assert docker_keys.decode(PEM, PHRASE).key.public == KEY.public
    with pytest.raises((KeyFormatError, PassphraseError)):
        docker_keys.decode(repacked(lambda der: der.replace(rounds, many)), PHRASE)
    huge = b"\x7f\xff\xff\xff"

    def grow(der: bytes) -> bytes:
        (_, info), *_ = _der.children(der)
        (_, algorithm), (_, secret) = _der.children(info)
        salt = docker_keys._encryption(algorithm).salt
        derivation = _der.element(
            _der.SEQUENCE,
            _der.element(_der.OBJECT, docker_keys._PBKDF2),
            _der.element(
                _der.SEQUENCE,
                _der.element(_der.OCTETS, salt),
                _der.element(_der.INTEGER, huge),
            ),
        )
        scheme = _der.element(
            _der.SEQUENCE,
            _der.element(_der.OBJECT, docker_keys._AES_256_CBC),
            _der.element(_der.OCTETS, b"\0" * 16),
        )
        outer = _der.element(
            _der.SEQUENCE,
            _der.element(_der.OBJECT, docker_keys._PBES2),
            _der.element(_der.SEQUENCE, derivation, scheme),
        )
        return _der.element(_der.SEQUENCE, outer, _der.element(_der.OCTETS, secret))

    with pytest.raises(KeyFormatError, match="rounds of key derivation"):
        docker_keys.decode(repacked(grow), PHRASE)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"\xff",
        PEM + PEM,
        PEM.replace(b"role: targets", b"role: a\nrole: b"),
        PEM.replace(b"ENCRYPTED PRIVATE", b"PRIVATE"),
        repacked(lambda der: der + b"\x05\x00"),
        repacked(lambda der: b"\x30\x00"),
        repacked(lambda der: der[:40]),
        b" " * 20_000,
    ],
)
def test_refuses_what_is_no_key_of_docker(pem):
    with pytest.raises(KeyFormatError):
        docker_keys.decode(pem, PHRASE)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 240), st.integers(1, 255))
def test_a_changed_byte_is_an_error_of_ours_or_the_same_key(place, change):
    def changed(der: bytes) -> bytes:
        content = bytearray(der)
        content[place % len(content)] ^= change
        return bytes(content)

    with contextlib.suppress(SeawallError):
        docker_keys.decode(repacked(changed), PHRASE)


@given(st.binary(max_size=200))
def test_any_bytes_are_elements_or_a_value_error(content):
    with contextlib.suppress(ValueError):
        assert sum(len(value) for _, value in _der.children(content)) <= len(content)


@given(st.binary(max_size=70_000))
def test_an_element_is_read_as_it_was_written(content):
    if len(content) < 65536:
        assert [(4, content)] == list(_der.children(_der.element(_der.OCTETS, content)))
