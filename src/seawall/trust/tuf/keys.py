"""Keys in Notary v1's form, and how each kind verifies.

A key's id is the SHA-256 of its canonical JSON. Two ids can mean one key (bare, and in a
certificate): signers are counted by `canonical_id`, which is the id of the bare key.

 keytype      decoded `public`   method          signature
 ecdsa        SPKI DER           ecdsa           r‖s, each padded to the curve, over SHA-256
 ecdsa-x509   PEM certificates   ecdsa           the same
 rsa          SPKI DER           rsapss          PSS, SHA-256, salt of 32 bytes
 rsa-x509     PEM certificates   rsapss          the same; also rsapkcs1v15
 ed25519      32 bytes           eddsa           64 bytes over the message itself

High-S signatures count: stock clients make them. Methods are written exactly so.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.trust.errors import KeyFormatError
from seawall.trust.keys import PublicKey
from seawall.trust.tuf import canonical

PUBLIC_MAX_BYTES: Final = 32 * 1024
CERTIFICATES_MAX: Final = 8
RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 8192
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_SPKI: Final = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

_UNPARSABLE: Final = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion)

_Verifier: TypeAlias = "ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey"


class KeyType(enum.StrEnum):
    ECDSA = "ecdsa"
    ECDSA_X509 = "ecdsa-x509"
    RSA = "rsa"
    RSA_X509 = "rsa-x509"
    ED25519 = "ed25519"

    @property
    def is_certified(self) -> bool:
        return self in (KeyType.ECDSA_X509, KeyType.RSA_X509)


_KINDS: Final = frozenset(map(str, KeyType))
_METHODS: Final = {
    KeyType.ECDSA: ("ecdsa",),
    KeyType.ECDSA_X509: ("ecdsa",),
    KeyType.RSA: ("rsapss",),
    KeyType.RSA_X509: ("rsapss", "rsapkcs1v15"),
    KeyType.ED25519: ("eddsa",),
}


@dataclass(frozen=True, slots=True)
class TufKey:
    """A public key as metadata names it."""

    key_type: KeyType
    public: bytes = field(repr=False)
    """The decoded `public` value."""
    key_id: str
    canonical_id: str
    certificates: tuple[x509.Certificate, ...] = field(repr=False, compare=False)
    """Of the x509 kinds: leaf first, then intermediates. Nothing in them has been checked."""
    _verifier: _Verifier = field(repr=False, compare=False)

    @property
    def method(self) -> str:
        """The method with which this kind of key signs."""
        return _METHODS[self.key_type][0]

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo in DER."""
        return self._verifier.public_bytes(*_SPKI)

    def to_json(self) -> dict[str, Json]:
        return _document(self.key_type, self.public)

    def has_signed(self, method: str, signature: bytes, message: bytes) -> bool:
        """Tell whether `signature` over `message` was made by this key, in a way of its kind."""
        if method not in _METHODS[self.key_type]:
            return False
        try:
            match self._verifier:
                case ed25519.Ed25519PublicKey() as key:
                    key.verify(signature, message)
                case rsa.RSAPublicKey() as key:
                    key.verify(signature, message, _rsa_padding(method), hashes.SHA256())
                case key:
                    key.verify(_der(signature, key), message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


def parse(value: Json) -> TufKey:
    """Parse `{"keytype":…,"keyval":{"private":null,"public":…}}`. Raises KeyFormatError."""
    if not isinstance(value, dict) or value.keys() != {"keytype", "keyval"}:
        raise KeyFormatError("a key must have keytype and keyval and nothing else")
    kind, keyval = value["keytype"], value["keyval"]
    if not isinstance(keyval, dict) or not keyval.keys() <= {"private", "public"}:
        raise KeyFormatError("keyval must have public and private and nothing else")
    if keyval.get("private") is not None:
        raise KeyFormatError("the metadata holds a private key", remedy="that key is lost: rotate")
    public = keyval.get("public")
    if not isinstance(kind, str) or kind not in _KINDS or not isinstance(public, str):
        raise KeyFormatError(f"a key of the type {str(kind)[:40]!r} is not known")
    try:
        decoded = base64.b64decode(public, validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyFormatError("the public key is not base64") from error
    return of(KeyType(kind), decoded)


def of(key_type: KeyType, public: bytes) -> TufKey:
    """Return the key of this type with this decoded `public` value. Raises KeyFormatError."""
    if len(public) > PUBLIC_MAX_BYTES:
        raise KeyFormatError(f"a public key of {len(public)} bytes")
    certificates = _certificates(public) if key_type.is_certified else ()
    try:
        verifier = _verifier(key_type, public, certificates)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFormatError(f"the {key_type} key does not parse") from error
    key_id = _id(key_type, public)
    return TufKey(key_type, public, key_id, _canonical_id(verifier, key_id), certificates, verifier)


def of_public(key: PublicKey) -> TufKey:
    """Return a P-256 key as a bare `ecdsa` key."""
    return of(KeyType.ECDSA, key.der)


def of_certificate(der: bytes) -> TufKey:
    """Return the key of a certificate as an x509 key, for the root role. Raises KeyFormatError."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        is_rsa = isinstance(certificate.public_key(), rsa.RSAPublicKey)
    except _UNPARSABLE as error:
        raise KeyFormatError("the certificate does not parse") from error
    kind = KeyType.RSA_X509 if is_rsa else KeyType.ECDSA_X509
    return of(kind, certificate.public_bytes(serialization.Encoding.PEM))


def _document(key_type: KeyType, public: bytes) -> dict[str, Json]:
    # "private": null belongs to the bytes that are hashed
    text = base64.b64encode(public).decode("ascii")
    return {"keytype": str(key_type), "keyval": {"private": None, "public": text}}


def _id(key_type: KeyType, public: bytes) -> str:
    return hashlib.sha256(canonical.encode(_document(key_type, public))).hexdigest()


def _canonical_id(verifier: _Verifier, key_id: str) -> str:
    match verifier:
        case ed25519.Ed25519PublicKey():
            return key_id
        case rsa.RSAPublicKey():
            return _id(KeyType.RSA, verifier.public_bytes(*_SPKI))
        case _:
            return _id(KeyType.ECDSA, verifier.public_bytes(*_SPKI))


def _certificates(public: bytes) -> tuple[x509.Certificate, ...]:
    try:
        found = x509.load_pem_x509_certificates(public)
    except _UNPARSABLE as error:
        raise KeyFormatError("an x509 key holds no certificate in PEM") from error
    if len(found) > CERTIFICATES_MAX:
        raise KeyFormatError(f"an x509 key of {len(found)} certificates")
    return tuple(found)


def _verifier(
    key_type: KeyType, public: bytes, certificates: tuple[x509.Certificate, ...]
) -> _Verifier:
    if key_type is KeyType.ED25519:
        return ed25519.Ed25519PublicKey.from_public_bytes(public)
    if certificates:
        key = certificates[0].public_key()
    else:
        key = serialization.load_der_public_key(public)  # type: ignore[assignment]
    wants_rsa = key_type in (KeyType.RSA, KeyType.RSA_X509)
    if wants_rsa and isinstance(key, rsa.RSAPublicKey):
        if RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
            return key
        raise KeyFormatError(f"an RSA key of {key.key_size} bits")
    if not wants_rsa and isinstance(key, ec.EllipticCurvePublicKey):
        if isinstance(key.curve, _CURVES):
            return key
        raise KeyFormatError(f"an ECDSA key on the curve {key.curve.name}")
    raise KeyFormatError(f"a key that is not of its type {key_type}")


def _rsa_padding(method: str) -> padding.AsymmetricPadding:
    if method == "rsapkcs1v15":
        return padding.PKCS1v15()
    return padding.PSS(padding.MGF1(hashes.SHA256()), 32)


def _der(raw: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    size = (key.curve.key_size + 7) // 8
    if len(raw) != 2 * size:
        raise InvalidSignature
    return encode_dss_signature(
        int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big")
    )


def parse_public_file(content: bytes) -> TufKey:
    """Parse the JSON with which a server answers for its keys. Raises InvalidInputError."""
    document = strictjson.decode(content, max_bytes=PUBLIC_MAX_BYTES * 2, max_depth=4)
    try:
        return parse(document)
    except KeyFormatError as error:
        raise InvalidInputError(f"the server's key does not parse: {error.message}") from error
