"""Private keys in the form of docker and notary: read to leave it, written only on request.

The form is PKCS#8 with PBES2 in a PEM block with headers (`role`, `gun`). Its inner version is 1,
which no standard reader takes, so it is decrypted here. Its 2,048 rounds of PBKDF2 with SHA-1
protect little: a stolen file is as good as its passphrase is long. Refused: other ciphers, other
curves, and more rounds than an honest file has.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from seawall.core.errors import InvalidInputError
from seawall.core.secret import Secret
from seawall.trust import _der, _pem, _sealed, keys
from seawall.trust.errors import KeyFormatError
from seawall.trust.keys import PrivateKey, PublicKey
from seawall.trust.tuf import keys as tuf_keys

ROUNDS: Final = 2048
SALT_BYTES: Final = 8
HEADER_MAX_CHARACTERS: Final = 300
LABEL: Final = "ENCRYPTED PRIVATE KEY"

_BLOCK: Final = re.compile(
    r"\s*-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    r"(?P<headers>(?:[a-zA-Z-]{1,20}: [^\n]{1,300}\n)*)\n?"
    r"(?P<body>[A-Za-z0-9+/=\n]+)"
    r"-----END ENCRYPTED PRIVATE KEY-----\s*",
    re.ASCII,
)
_ROLE: Final = re.compile(r"[a-z0-9_][a-z0-9_./-]{0,99}", re.ASCII)
_GUN: Final = re.compile(r"[a-z0-9][a-z0-9._:/-]{0,254}", re.ASCII)

_PBES2: Final = bytes.fromhex("2a864886f70d01050d")
_PBKDF2: Final = bytes.fromhex("2a864886f70d01050c")
_AES_256_CBC: Final = bytes.fromhex("60864801650304012a")
_EC: Final = bytes.fromhex("2a8648ce3d0201")
_P256: Final = bytes.fromhex("2a8648ce3d030107")
_PRFS: Final = {
    bytes.fromhex("2a864886f70d0207"): "sha1",
    bytes.fromhex("2a864886f70d0209"): "sha256",
}
_AES_BYTES: Final = 32
_BLOCK_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerKey:
    """A key and what its file says of it."""

    key: PrivateKey = field(repr=False)
    role: str
    gun: str = ""
    """The image name that a targets or snapshot key is for; empty for root and signers."""


@dataclass(frozen=True, slots=True)
class _Encryption:
    salt: bytes
    rounds: int
    prf: str
    vector: bytes


def decode(pem: bytes, passphrase: Secret) -> DockerKey:
    """Decrypt a private key of docker or notary. Raises KeyFormatError or PassphraseError."""
    headers, content = _block(pem)
    try:
        (_, info), *rest = _der.children(content)
        (_, algorithm), (_, secret) = _der.children(info)
        encryption = _encryption(algorithm)
    except ValueError as error:
        raise KeyFormatError("the key is not encrypted as docker does it") from error
    if rest:
        raise KeyFormatError("something follows the key")
    if encryption.rounds > _sealed.PBKDF2_MAX_ITERATIONS:
        raise KeyFormatError(f"the key asks for {encryption.rounds} rounds of key derivation")
    scalar = _scalar(_decrypt(secret, encryption, passphrase))
    return DockerKey(
        key=keys.from_scalar(scalar), role=headers.get("role", ""), gun=headers.get("gun", "")
    )


def encode(docker_key: DockerKey, passphrase: Secret) -> bytes:
    """Return the PEM that docker and notary read. Raises InvalidInputError for a bad role or name.

    The file belongs under `file_name` in `trust/private`. The header `path` says so too: without it
    `docker trust key load` reports success for an encrypted key and keeps nothing.
    """
    _check_names(docker_key)
    encryption = _Encryption(
        secrets.token_bytes(SALT_BYTES), ROUNDS, "sha1", secrets.token_bytes(_BLOCK_BYTES)
    )
    padder = padding.PKCS7(8 * _BLOCK_BYTES).padder()
    padded = padder.update(_info(docker_key.key)) + padder.finalize()
    encryptor = _cipher(encryption, passphrase).encryptor()
    secret = encryptor.update(padded) + encryptor.finalize()
    content = _der.element(_der.SEQUENCE, _algorithm(encryption), _der.element(_der.OCTETS, secret))
    first, *lines = _pem.encode(LABEL, content).decode().split("\n")
    headers = {
        "gun": docker_key.gun,
        "path": file_name(docker_key.key.public).removesuffix(".key"),
        "role": docker_key.role,
    }
    texts = [f"{name}: {value}" for name, value in headers.items() if value]
    return "\n".join([first, *texts, "", *lines]).encode()


def file_name(public: PublicKey) -> str:
    """Return the name under which docker and notary look for the key."""
    return f"{tuf_keys.of_public(public).canonical_id}.key"


def _block(pem: bytes) -> tuple[Mapping[str, str], bytes]:
    if len(pem) > _pem.MAX_BYTES:
        raise KeyFormatError(f"a key file of more than {_pem.MAX_BYTES} bytes")
    try:
        match = _BLOCK.fullmatch(pem.decode().replace("\r\n", "\n"))
        if match is None:
            raise KeyFormatError(
                "not a private key of docker or notary",
                remedy="give a file of ~/.docker/trust/private",
            )
        body = base64.b64decode("".join(match["body"].split()), validate=True)
    except (UnicodeDecodeError, binascii.Error) as error:
        raise KeyFormatError("not a private key of docker or notary") from error
    lines = match["headers"].splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    if len(headers) != len(lines):
        raise KeyFormatError("a header of the key file is given twice")
    return headers, body


def _encryption(algorithm: bytes) -> _Encryption:
    """Read PBES2-params (RFC 8018, appendix A.4). Raises ValueError."""
    (_, name), (_, parameters) = _der.children(algorithm)
    (_, derivation), (_, scheme) = _der.children(parameters)
    (_, derivation_name), (_, derivation_parameters) = _der.children(derivation)
    (_, scheme_name), (_, vector) = _der.children(scheme)
    if (name, derivation_name, scheme_name) != (_PBES2, _PBKDF2, _AES_256_CBC):
        raise ValueError("another way of encryption")
    (_, salt), (_, rounds), *more = _der.children(derivation_parameters)
    prf = "sha1"
    for tag, value in more:
        if tag == _der.SEQUENCE:
            prf = _PRFS.get(next(iter(_der.children(value)))[1], "")
        elif int.from_bytes(value, "big") != _AES_BYTES:
            raise ValueError("another length of key")
    if not prf or len(vector) != _BLOCK_BYTES or not int.from_bytes(rounds, "big"):
        raise ValueError("parameters")
    return _Encryption(salt, int.from_bytes(rounds, "big"), prf, vector)


def _decrypt(secret: bytes, encryption: _Encryption, passphrase: Secret) -> bytes:
    decryptor = _cipher(encryption, passphrase).decryptor()
    unpadder = padding.PKCS7(8 * _BLOCK_BYTES).unpadder()
    try:
        padded = decryptor.update(secret) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise _sealed.wrong_passphrase() from None


def _cipher(encryption: _Encryption, passphrase: Secret) -> Cipher[modes.CBC]:
    key = hashlib.pbkdf2_hmac(
        encryption.prf,
        passphrase.reveal().encode(),
        encryption.salt,
        encryption.rounds,
        dklen=_AES_BYTES,
    )
    return Cipher(algorithms.AES(key), modes.CBC(encryption.vector))


def _scalar(info: bytes) -> bytes:
    """Take the secret number out of PrivateKeyInfo. What does not parse: a wrong passphrase."""
    try:
        (_, content), *_ = _der.children(info)
        (_, _version), (_, algorithm), (_, private), *_ = _der.children(content)
        names = [value for _, value in _der.children(algorithm)]
    except ValueError:
        raise _sealed.wrong_passphrase() from None
    if names != [_EC, _P256]:
        raise KeyFormatError(
            "the key is not an ECDSA P-256 key", remedy="only those can be used for every format"
        )
    try:
        (_, sec1), *_ = _der.children(private)
        (_, _version), (_, scalar), *_ = _der.children(sec1)
    except ValueError as error:
        raise KeyFormatError("the private key does not parse") from error
    return scalar.rjust(keys.SCALAR_BYTES, b"\0")


def _info(key: PrivateKey) -> bytes:
    sec1 = _der.element(
        _der.SEQUENCE,
        _der.element(_der.INTEGER, b"\x01"),
        _der.element(_der.OCTETS, key.reveal_scalar()),
        _der.element(0xA0, _der.element(_der.OBJECT, _P256)),
        _der.element(0xA1, _der.element(0x03, b"\0", key.public.point)),
    )
    return _der.element(
        _der.SEQUENCE,
        _der.element(_der.INTEGER, b"\x01"),
        _der.element(
            _der.SEQUENCE, _der.element(_der.OBJECT, _EC), _der.element(_der.OBJECT, _P256)
        ),
        _der.element(_der.OCTETS, sec1),
    )


def _algorithm(encryption: _Encryption) -> bytes:
    rounds = encryption.rounds.to_bytes(2, "big")
    derivation = _der.element(
        _der.SEQUENCE,
        _der.element(_der.OBJECT, _PBKDF2),
        _der.element(
            _der.SEQUENCE,
            _der.element(_der.OCTETS, encryption.salt),
            _der.element(_der.INTEGER, rounds),
        ),
    )
    scheme = _der.element(
        _der.SEQUENCE,
        _der.element(_der.OBJECT, _AES_256_CBC),
        _der.element(_der.OCTETS, encryption.vector),
    )
    return _der.element(
        _der.SEQUENCE,
        _der.element(_der.OBJECT, _PBES2),
        _der.element(_der.SEQUENCE, derivation, scheme),
    )


def _check_names(docker_key: DockerKey) -> None:
    if _ROLE.fullmatch(docker_key.role) is None:
        raise InvalidInputError(f"{docker_key.role[:40]!r} is not a role")
    if docker_key.gun and _GUN.fullmatch(docker_key.gun) is None:
        raise InvalidInputError(f"{docker_key.gun[:40]!r} is not an image name")
    if docker_key.role in {"targets", "snapshot"} and not docker_key.gun:
        raise InvalidInputError(
            f"a {docker_key.role} key belongs to one image name", remedy="give --gun HOST/NAME"
        )
