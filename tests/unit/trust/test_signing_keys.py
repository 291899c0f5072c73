import stat
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from seawall.core import strictjson
from seawall.core.errors import ConflictError, InvalidInputError, SeawallError
from seawall.core.secret import Secret
from seawall.trust import _pem, key_files, keys
from seawall.trust.errors import KeyFormatError, PassphraseError

PHRASE = Secret("correct horse battery")


@pytest.fixture(scope="module")
def pair():
    return keys.generate(PHRASE)


def _public_pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _pkcs8(key, phrase=PHRASE):
    algorithm = (
        serialization.BestAvailableEncryption(phrase.reveal().encode())
        if phrase
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, algorithm
    )


def test_what_the_private_half_signs_the_public_half_verifies(pair):
    private = keys.open_private(pair.private_pem, PHRASE)
    public = keys.parse_public(pair.public_pem)
    signature = private.sign(b"message")
    assert public.has_signed(signature, b"message")
    assert not public.has_signed(signature, b"massage")
    assert pair.key_id == private.public.key_id == public.key_id


def test_the_private_half_is_encrypted_in_cosigns_form(pair):
    label, content = _pem.decode(pair.private_pem)
    document = strictjson.decode_object(content, max_bytes=10_000)
    assert "ENCRYPTED SIGSTORE PRIVATE KEY" == label
    assert {"N": 65536, "r": 8, "p": 1} == document["kdf"]["params"]
    assert "nacl/secretbox" == document["cipher"]["name"]


def test_the_older_label_of_cosign_opens_too(pair):
    old = pair.private_pem.replace(b"SIGSTORE", b"COSIGN")
    assert pair.key_id == keys.open_private(old, PHRASE).public.key_id


def test_encrypted_pkcs8_opens():
    key = ec.generate_private_key(ec.SECP256R1())
    opened = keys.open_private(_pkcs8(key), PHRASE)
    assert keys.parse_public(_public_pem(key)).key_id == opened.public.key_id


def test_a_wrong_passphrase_says_so(pair):
    for pem in (pair.private_pem, _pkcs8(ec.generate_private_key(ec.SECP256R1()))):
        with pytest.raises(PassphraseError, match="passphrase"):
            keys.open_private(pem, Secret("wrong horse"))


def test_two_encodings_of_one_key_have_one_id():
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    prefix = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    compressed = _pem.encode("PUBLIC KEY", prefix + point)
    whole = _pem.encode(
        "PUBLIC KEY",
        key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )
    assert compressed != whole
    assert keys.parse_public(whole).key_id == keys.parse_public(compressed).key_id


@pytest.mark.parametrize(
    "key",
    [
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["ed25519", "p384", "secp256k1", "rsa"],
)
def test_refuses_other_kinds_of_keys(key):
    with pytest.raises(KeyFormatError, match="P-256"):
        keys.parse_public(_public_pem(key))
    with pytest.raises(KeyFormatError):
        keys.open_private(_pkcs8(key), PHRASE)


def test_refuses_a_private_key_that_is_not_encrypted():
    with pytest.raises(KeyFormatError, match="not encrypted"):
        keys.open_private(_pkcs8(ec.generate_private_key(ec.SECP256R1()), None), PHRASE)


def test_refuses_a_private_key_where_a_public_one_is_expected(pair):
    with pytest.raises(KeyFormatError, match="public key"):
        keys.parse_public(pair.private_pem)


def test_refuses_a_file_with_two_keys(pair):
    with pytest.raises(KeyFormatError):
        keys.parse_public(pair.public_pem + pair.public_pem)


def test_refuses_a_short_passphrase():
    with pytest.raises(InvalidInputError, match="8 characters"):
        keys.generate(Secret("short"))


@pytest.mark.parametrize(
    "params",
    [
        {"N": 2**30, "r": 8, "p": 1},
        {"N": 2**20, "r": 32, "p": 1},
        {"N": 65536, "r": 8, "p": 10_000},
        {"N": 65537, "r": 8, "p": 1},
        {"N": 2, "r": 8, "p": 1},
        {"N": -65536, "r": 8, "p": 1},
        {"N": 65536, "r": 0, "p": 1},
        {"N": True, "r": 8, "p": 1},
        {"r": 8, "p": 1},
    ],
)
def test_refuses_key_derivation_that_costs_too_much_or_too_little(pair, params):
    document = strictjson.decode_object(_pem.decode(pair.private_pem)[1], max_bytes=10_000)
    document["kdf"]["params"] = params
    pem = _pem.encode(keys.LABEL_SEALED, strictjson.encode(document))
    with pytest.raises(KeyFormatError):
        keys.open_private(pem, PHRASE)


def test_refuses_pkcs8_that_asks_for_hours_of_key_derivation():
    key = ec.generate_private_key(ec.SECP256R1())
    label, der = _pem.decode(_pkcs8(key))
    at = der.index(bytes.fromhex("02020800"))  # INTEGER 2048, the rounds
    greedy = der[:at] + bytes.fromhex("02047fffffff") + der[at + 4 :]
    # The lengths around it are now wrong by two; fix the four SEQUENCEs that hold it.
    grown = _grow(greedy, at)
    with pytest.raises(KeyFormatError, match="rounds"):
        keys.open_private(_pem.encode(label, grown), PHRASE)


def _grow(der, position):
    """Add two to every definite length of the constructed elements that hold `position`."""
    result, at = bytearray(der), 0
    while at < position:
        tag, first = result[at], result[at + 1]
        header = 2 + (first & 0x7F if first & 0x80 else 0)
        length = int.from_bytes(result[at + 2 : at + header], "big") if first & 0x80 else first
        if tag & 0x20 and at + header <= position < at + header + length:
            if first & 0x80:
                result[at + 2 : at + header] = (length + 2).to_bytes(header - 2, "big")
            else:
                result[at + 1] = length + 2
            at += header
        else:
            at += header + length
    return bytes(result)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_parsers_fail_in_another_way(content):
    for pem in (
        content,
        _pem.encode("PUBLIC KEY", content),
        _pem.encode(keys.LABEL_PKCS8, content),
    ):
        for parse in (keys.parse_public, lambda pem: keys.open_private(pem, PHRASE)):
            with pytest.raises(SeawallError):
                parse(pem)


def test_files_are_private_and_never_overwritten(tmp_path, pair):
    private, public = tmp_path / "a.key", tmp_path / "a.pub"
    key_files.write(pair, private=private, public=public)
    assert 0o600 == stat.S_IMODE(private.stat().st_mode)
    assert pair.key_id == key_files.read_public(public).key_id
    assert pair.key_id == key_files.read_private(private, PHRASE).public.key_id
    with pytest.raises(ConflictError, match="never overwritten"):
        key_files.write(pair, private=private, public=public)


def test_a_dangling_link_in_the_place_of_a_key_is_not_followed(tmp_path, pair):
    private = tmp_path / "a.key"
    private.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConflictError):
        key_files.write(pair, private=private, public=tmp_path / "a.pub")
    assert not (tmp_path / "elsewhere").exists()


def test_openssl_reads_the_public_half(tmp_path, pair):
    path = tmp_path / "a.pub"
    path.write_bytes(pair.public_pem)
    out = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", path, "-noout", "-text"],
        capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    assert "prime256v1" in out
