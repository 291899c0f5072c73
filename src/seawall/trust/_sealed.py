"""Encryption of private keys at rest.

Written: cosign's form, so that stock `cosign sign --key` can use our keys — JSON that names scrypt
parameters and holds an XSalsa20-Poly1305 box (go-securesystemslib, package `encrypted`).
Read: that, and PKCS#8 (RFC 5958) encrypted with PBES2.

The parameters come from the file, so they are bounded before any work is done: a file must not be
able to ask for all memory or for an hour of hashing. Parameters too weak to protect anything are
refused too.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterator
from typing import Final

import nacl.bindings
import nacl.exceptions
import nacl.secret

from seawall.core import strictjson
from seawall.core.errors import SeawallError
from seawall.core.secret import Secret
from seawall.core.strictjson import Json
from seawall.trust._der import children
from seawall.trust.errors import KeyFormatError, PassphraseError

SCRYPT_N, SCRYPT_R, SCRYPT_P = 65536, 8, 1
"""What cosign writes and reads: 64 MiB of memory for one guess at the passphrase."""

SCRYPT_N_MIN: Final = 2**14
SCRYPT_MAX_MEMORY_BYTES: Final = 512 * 1024 * 1024
SCRYPT_R_MAX: Final = 32
SCRYPT_P_MAX: Final = 8
PBKDF2_MAX_ITERATIONS: Final = 10_000_000

SALT_BYTES: Final = 32
JSON_MAX_BYTES: Final = 16 * 1024
DER_MAX_DEPTH: Final = 8

_WRONG = "the passphrase does not open this key"
_WRONG_REMEDY = "type the passphrase that the key was made with"


def seal(plaintext: bytes, passphrase: Secret) -> bytes:
    """Return the JSON of cosign's form, holding `plaintext` encrypted under `passphrase`."""
    salt = secrets.token_bytes(SALT_BYTES)
    nonce = secrets.token_bytes(nacl.secret.SecretBox.NONCE_SIZE)
    key = _scrypt(passphrase, salt, SCRYPT_N, SCRYPT_R, SCRYPT_P)
    box = nacl.secret.SecretBox(key).encrypt(plaintext, nonce)
    return strictjson.encode(
        {
            "kdf": {
                "name": "scrypt",
                "params": {"N": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P},
                "salt": _b64(salt),
            },
            "cipher": {"name": "nacl/secretbox", "nonce": _b64(nonce)},
            "ciphertext": _b64(box.ciphertext),
        }
    )


def unseal(content: bytes, passphrase: Secret) -> bytes:
    """Return what `seal` (or cosign) encrypted. Raises KeyFormatError or PassphraseError."""
    try:
        document = strictjson.decode_object(content, max_bytes=JSON_MAX_BYTES, max_depth=4)
    except SeawallError as error:
        raise KeyFormatError(f"the encrypted key does not parse: {error.message}") from error
    kdf, cipher = _object(document, "kdf"), _object(document, "cipher")
    if kdf.get("name") != "scrypt" or cipher.get("name") != "nacl/secretbox":
        raise KeyFormatError("the key is encrypted in a way that Seawall does not know")
    n, r, p = _scrypt_parameters(_object(kdf, "params"))
    nonce = _bytes(cipher, "nonce")
    if len(nonce) != nacl.secret.SecretBox.NONCE_SIZE:
        raise KeyFormatError("the nonce of the encrypted key has the wrong length")
    key = _scrypt(passphrase, _bytes(kdf, "salt"), n, r, p)
    try:
        return nacl.secret.SecretBox(key).decrypt(_bytes(document, "ciphertext"), nonce)
    except (nacl.exceptions.CryptoError, ValueError) as error:
        raise PassphraseError(_WRONG, remedy=_WRONG_REMEDY) from error


def wrong_passphrase() -> PassphraseError:
    """Return the one error that every form raises for a passphrase that does not fit."""
    return PassphraseError(_WRONG, remedy=_WRONG_REMEDY)


def check_pkcs8(der: bytes) -> None:
    """Refuse an EncryptedPrivateKeyInfo whose key derivation asks for too much work.

    Every INTEGER in its AlgorithmIdentifier is a count, a length or a cost (RFC 8018, RFC 7914).
    """
    try:
        algorithm = next(children(next(children(der))[1]))[1]
        numbers = list(_integers(algorithm))
    except (StopIteration, ValueError) as error:
        raise KeyFormatError("the encrypted key is not valid PKCS#8") from error
    if any(number > PBKDF2_MAX_ITERATIONS for number in numbers):
        raise KeyFormatError(
            f"the key asks for more than {PBKDF2_MAX_ITERATIONS} rounds of key derivation",
            remedy="encrypt it again with fewer rounds",
        )


def _scrypt(passphrase: Secret, salt: bytes, n: int, r: int, p: int) -> bytes:
    # libsodium's takes two thirds of the time of OpenSSL's, and lets other threads run.
    key: bytes = nacl.bindings.crypto_pwhash_scryptsalsa208sha256_ll(
        passphrase.reveal().encode(),
        salt,
        n,
        r,
        p,
        maxmem=128 * r * (n + p + 2) + 1024 * 1024,
        dklen=nacl.secret.SecretBox.KEY_SIZE,
    )
    return key


def _scrypt_parameters(params: dict[str, Json]) -> tuple[int, int, int]:
    n, r, p = (_integer(params, name) for name in ("N", "r", "p"))
    is_sane = (
        n >= SCRYPT_N_MIN
        and n & (n - 1) == 0
        and 1 <= r <= SCRYPT_R_MAX
        and 1 <= p <= SCRYPT_P_MAX
        and 128 * n * r <= SCRYPT_MAX_MEMORY_BYTES
    )
    if not is_sane:
        raise KeyFormatError(
            f"the key's scrypt parameters N={n}, r={r}, p={p} are out of bounds",
            remedy=f"expected is N={SCRYPT_N}, r={SCRYPT_R}, p={SCRYPT_P}",
        )
    return n, r, p


def _integers(content: bytes, depth: int = 0) -> Iterator[int]:
    if depth > DER_MAX_DEPTH:
        raise ValueError("nested too deeply")
    for tag, value in children(content):
        if tag == 0x02:
            yield int.from_bytes(value, "big")
        elif tag & 0x20:
            yield from _integers(value, depth + 1)


def _object(document: dict[str, Json], key: str) -> dict[str, Json]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise KeyFormatError(f"the encrypted key lacks {key!r}")
    return value


def _integer(document: dict[str, Json], key: str) -> int:
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise KeyFormatError(f"the encrypted key lacks the number {key!r}")
    return value


def _bytes(document: dict[str, Json], key: str) -> bytes:
    value = document.get(key)
    if not isinstance(value, str):
        raise KeyFormatError(f"the encrypted key lacks {key!r}")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyFormatError(f"the encrypted key: {key!r} is not base64") from error


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
