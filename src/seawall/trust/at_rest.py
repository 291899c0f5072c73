"""Secrets of the server at rest: sealed, so that a copy of the database alone gives nothing away.

The sealing key is 32 random bytes in a private file of the state's `keys` folder. Whatever is
sealed (XChaCha20-Poly1305, RFC 8439 with the longer nonce, which may be drawn at random) is bound
to a purpose: what was sealed for one thing does not open as another.

Refused: a sealing key that others can read, sealed bytes that were changed, and ones that were
sealed for another purpose or by another key. What this does not stop: somebody who reads the whole
state directory.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final

import nacl.bindings
import nacl.exceptions
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from seawall.core import files
from seawall.core.errors import IntegrityError
from seawall.trust.keys import PrivateKey

FILE_NAME: Final = "at-rest.key"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

_VERSION: Final = b"\x01"


class SealingKey:
    """Seals and unseals what the server keeps for itself."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise IntegrityError(f"a sealing key of {len(key)} bytes, not {KEY_BYTES}")
        self._key = key

    @classmethod
    def open(cls, path: Path) -> SealingKey:
        """Read the key at `path`; make it when there is none. Raises UnavailableError."""
        return cls(files.read_or_create_private(path, lambda: secrets.token_bytes(KEY_BYTES)))

    def seal(self, plaintext: bytes, *, purpose: str) -> bytes:
        """Return `plaintext` encrypted for `purpose`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        box = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
            plaintext, _VERSION + purpose.encode(), nonce, self._key
        )
        return _VERSION + nonce + box

    def unseal(self, sealed: bytes, *, purpose: str) -> bytes:
        """Return what was sealed for `purpose`. Raises IntegrityError."""
        nonce, box = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if sealed[:1] != _VERSION or len(nonce) != NONCE_BYTES:
            raise _broken(purpose)
        try:
            return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                box, _VERSION + purpose.encode(), nonce, self._key
            )
        except (nacl.exceptions.CryptoError, ValueError, TypeError) as error:
            raise _broken(purpose) from error

    def blind(self, message: bytes, *, purpose: str) -> bytes:
        """Return 32 bytes that only this key can make of `message`, always the same ones."""
        label = b"blind" + len(purpose).to_bytes(4, "big") + purpose.encode()
        return hmac.digest(self._key, label + message, hashlib.sha256)

    def generate_p256(self, *, purpose: str) -> bytes:
        """Return a new P-256 signing key, sealed for `purpose`."""
        plain = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return self.seal(plain, purpose=purpose)

    def open_p256(self, sealed: bytes, *, purpose: str) -> PrivateKey:
        """Return what `generate_p256` sealed. Raises IntegrityError."""
        plain = self.unseal(sealed, purpose=purpose)
        key = serialization.load_der_private_key(plain, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise _broken(purpose)
        return PrivateKey(key)


def _broken(purpose: str) -> IntegrityError:
    return IntegrityError(
        f"what is kept sealed as {purpose[:80]!r} does not open",
        remedy=f"was {FILE_NAME} of the keys folder replaced? Restore the two together",
    )
