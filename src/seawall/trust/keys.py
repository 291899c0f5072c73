"""Signing keys: ECDSA on P-256 with SHA-256, the one kind that every verifier of the field takes.

Refused: other curves and algorithms (a key type that does not fit is how algorithm confusion
starts), private keys that are not encrypted, files with more than one key.

A key's id is the SHA-256 of its SubjectPublicKeyInfo in DER, as lower-case hex. It is computed from
the point itself, so two encodings of one key have one id: signers are counted by key.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from typing import Final, NewType

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from seawall.core.errors import InvalidInputError
from seawall.core.secret import Secret
from seawall.trust import _pem, _sealed
from seawall.trust.errors import KeyFormatError
from seawall.trust.memory import SIGNATURES_MAX, Memory

KeyId = NewType("KeyId", str)
"""SHA-256 of the key's SPKI DER, 64 lower-case hex digits."""

PASSPHRASE_MIN_CHARACTERS: Final = 8
CACHED: Final = 256
"""Public keys that stay parsed, by their bytes."""
POINT_BYTES: Final = 65
SCALAR_BYTES: Final = 32

LABEL_SEALED: Final = "ENCRYPTED SIGSTORE PRIVATE KEY"
LABEL_SEALED_OLD: Final = "ENCRYPTED COSIGN PRIVATE KEY"
LABEL_PKCS8: Final = "ENCRYPTED PRIVATE KEY"
LABEL_PUBLIC: Final = "PUBLIC KEY"
LABELS_OPEN: Final = frozenset({"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"})

# Order of the group of P-256 (SEC 2, 2.4.2).
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ALGORITHM: Final = ec.ECDSA(hashes.SHA256())
_verified: Final[Memory[bool]] = Memory(SIGNATURES_MAX)
"""What depends on bytes alone: key, signature and message."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A P-256 key that verifies."""

    _key: ec.EllipticCurvePublicKey = field(repr=False)
    der: bytes = field(repr=False)  # SubjectPublicKeyInfo
    key_id: KeyId

    @property
    def pem(self) -> bytes:
        return _pem.encode(LABEL_PUBLIC, self.der)

    @property
    def point(self) -> bytes:
        """The uncompressed point, 65 bytes: the end of the SPKI."""
        return self.der[-POINT_BYTES:]

    def has_signed(self, signature: bytes, message: bytes) -> bool:
        """Tell whether `signature` (ASN.1 DER) over `message` was made by this key.

        High-S signatures count: stock clients make them. Never use signature bytes as an identity.
        """
        parts = (self.der, signature, message)
        place = hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in parts)).digest()
        known = _verified.get(place)
        if known is None:
            known = self._has_signed(signature, message)
            _verified.keep(place, known, 1)
        return known

    def _has_signed(self, signature: bytes, message: bytes) -> bool:
        try:
            self._key.verify(signature, message, _ALGORITHM)
        except InvalidSignature:
            return False
        return True


class PrivateKey:
    """A P-256 key that signs. It lives in memory only as long as the caller keeps it."""

    __slots__ = ("_key", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.public = _public(key.public_key())

    def sign(self, message: bytes) -> bytes:
        """Return the ECDSA signature over SHA-256 of `message`, as ASN.1 DER."""
        return self._key.sign(message, _ALGORITHM)

    def reveal_scalar(self) -> bytes:
        """Return the secret number, 32 bytes: only for bringing the key elsewhere."""
        return self._key.private_numbers().private_value.to_bytes(SCALAR_BYTES, "big")

    def reveal_pkcs8(self) -> bytes:
        """Return the key as PKCS#8 DER in the clear: only for encrypting it."""
        return self._key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A new key, ready to be written: the private half is encrypted."""

    private_pem: bytes = field(repr=False)
    public_pem: bytes
    key_id: KeyId


def generate(passphrase: Secret) -> KeyPair:
    """Make a new key and encrypt it in cosign's form. Raises InvalidInputError for a short phrase.

    The encryption costs about a fifth of a second and 64 MiB, on purpose.
    """
    return seal(PrivateKey(ec.generate_private_key(ec.SECP256R1())), passphrase)


def seal(key: PrivateKey, passphrase: Secret) -> KeyPair:
    """Encrypt a key in cosign's form. Raises InvalidInputError for a short phrase."""
    if len(passphrase.reveal()) < PASSPHRASE_MIN_CHARACTERS:
        raise InvalidInputError(
            f"a passphrase of fewer than {PASSPHRASE_MIN_CHARACTERS} characters",
            remedy="choose a longer one: it is all that protects a stolen key file",
        )
    sealed = _sealed.seal(key.reveal_pkcs8(), passphrase)
    return KeyPair(
        private_pem=_pem.encode(LABEL_SEALED, sealed),
        public_pem=key.public.pem,
        key_id=key.public.key_id,
    )


def from_scalar(scalar: bytes) -> PrivateKey:
    """Return the key with this secret number. Raises KeyFormatError when P-256 has none such."""
    number = int.from_bytes(scalar, "big")
    if len(scalar) != SCALAR_BYTES or not 0 < number < _ORDER:
        raise KeyFormatError("not a private key of P-256")
    return PrivateKey(ec.derive_private_key(number, ec.SECP256R1()))


def parse_public(pem: bytes) -> PublicKey:
    """Parse SubjectPublicKeyInfo in PEM. Raises KeyFormatError for anything but one P-256 key."""
    label, der = _pem.decode(pem)
    if label != LABEL_PUBLIC:
        raise KeyFormatError(
            f"a PEM block {label!r} where a public key is expected",
            remedy="give the .pub file of the key pair",
        )
    return public_of_der(der)


@functools.lru_cache(CACHED)
def public_of_der(der: bytes) -> PublicKey:
    """Parse SubjectPublicKeyInfo. Raises KeyFormatError for anything but a P-256 key."""
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFormatError("the public key does not parse") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyFormatError(
            "the public key is not an ECDSA P-256 key",
            remedy="make one with: seawall key generate",
        )
    return _public(key)


def open_private(pem: bytes, passphrase: Secret) -> PrivateKey:
    """Decrypt a private key in cosign's form (new or old) or in encrypted PKCS#8.

    Raises KeyFormatError, or PassphraseError when the passphrase does not fit.
    """
    label, content = _pem.decode(pem)
    if label in LABELS_OPEN:
        raise KeyFormatError(
            "the private key is not encrypted",
            remedy="protect it: openssl pkcs8 -topk8 -in KEY -out ENCRYPTED-KEY",
        )
    if label in (LABEL_SEALED, LABEL_SEALED_OLD):
        return _private(_sealed.unseal(content, passphrase), None)
    if label == LABEL_PKCS8:
        _sealed.check_pkcs8(content)
        return _private(content, passphrase)
    raise KeyFormatError(f"a PEM block {label!r} where an encrypted private key is expected")


def check_signature_form(signature: bytes) -> None:
    """Refuse what is not an ECDSA signature for P-256 in DER. Raises InvalidInputError.

    `r‖s` of 64 bytes (notary, JWS) is another form and is refused here. High-S is accepted.
    """
    try:
        r, s = decode_dss_signature(signature)
    except ValueError as error:
        raise InvalidInputError("the signature is not ECDSA in ASN.1 DER") from error
    if not (0 < r < _ORDER and 0 < s < _ORDER):
        raise InvalidInputError("the signature's numbers do not fit the curve P-256")


def _public(key: ec.EllipticCurvePublicKey) -> PublicKey:
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return PublicKey(key, der, KeyId(hashlib.sha256(der).hexdigest()))


def _private(der: bytes, passphrase: Secret | None) -> PrivateKey:
    password = None if passphrase is None else passphrase.reveal().encode()
    try:
        key = serialization.load_der_private_key(der, password)
    except ValueError as error:
        if passphrase is not None:
            raise _sealed.wrong_passphrase() from error
        raise KeyFormatError("the private key does not parse") from error
    except (TypeError, UnsupportedAlgorithm) as error:
        raise KeyFormatError("the private key is in a form that Seawall does not know") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyFormatError("the private key is not an ECDSA P-256 key")
    return PrivateKey(key)
