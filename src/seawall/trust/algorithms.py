"""The algorithms with which certificates sign, each following from the key and never from a header.

A signature says which algorithm it used; what counts is the key. The two must agree, and nothing
outside this table exists: no `none`, no HMAC, no PKCS#1 v1.5, no SHA-1, no keys below 2048 bits.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from seawall.core.errors import InvalidInputError
from seawall.trust.certificates import Certificate


class Algorithm(enum.StrEnum):
    """JWS names (RFC 7518, 3.1); COSE's numbers are in `cose_id`."""

    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"

    @property
    def cose_id(self) -> int:
        """The identifier of COSE (RFC 9053, 2.1; RFC 8230)."""
        return _COSE[self]


_COSE: Final = {
    Algorithm.ES256: -7,
    Algorithm.ES384: -35,
    Algorithm.ES512: -36,
    Algorithm.PS256: -37,
    Algorithm.PS384: -38,
    Algorithm.PS512: -39,
}


@dataclass(frozen=True, slots=True)
class _Kind:
    algorithm: Algorithm
    hash: type[hashes.SHA256] | type[hashes.SHA384] | type[hashes.SHA512]
    octets: int  # of one coordinate


_CURVES: Final = {
    "secp256r1": _Kind(Algorithm.ES256, hashes.SHA256, 32),
    "secp384r1": _Kind(Algorithm.ES384, hashes.SHA384, 48),
    "secp521r1": _Kind(Algorithm.ES512, hashes.SHA512, 66),
}
_MODULI: Final = {
    2048: _Kind(Algorithm.PS256, hashes.SHA256, 0),
    3072: _Kind(Algorithm.PS384, hashes.SHA384, 0),
    4096: _Kind(Algorithm.PS512, hashes.SHA512, 0),
}


def by_name(name: object) -> Algorithm:
    """Return the algorithm of a JWS header. Raises InvalidInputError."""
    try:
        return Algorithm(str(name))
    except ValueError as error:
        raise _unknown(name) from error


def by_cose_id(number: object) -> Algorithm:
    """Return the algorithm of a COSE header. Raises InvalidInputError."""
    for algorithm, known in _COSE.items():
        if type(number) is int and number == known:
            return algorithm
    raise _unknown(number)


def of_key(certificate: Certificate) -> Algorithm:
    """Return the one algorithm with which this certificate's key signs (notation's table).

    Raises InvalidInputError for any other kind or size of key.
    """
    return _row(certificate).algorithm


def has_signed(certificate: Certificate, signature: bytes, message: bytes) -> bool:
    """Tell whether the certificate's key made this signature, in the form of JWS and COSE.

    ECDSA as r‖s of the curve's exact length; RSA as PSS with a salt as long as the hash.
    """
    row, key = _row(certificate), certificate.parsed.public_key()
    digest = row.hash()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            if len(signature) != 2 * row.octets:
                return False
            r = int.from_bytes(signature[: row.octets], "big")
            s = int.from_bytes(signature[row.octets :], "big")
            key.verify(encode_dss_signature(r, s), message, ec.ECDSA(digest))
        else:
            assert isinstance(key, rsa.RSAPublicKey)
            pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
            key.verify(signature, message, pss, digest)
    except InvalidSignature:
        return False
    return True


def _row(certificate: Certificate) -> _Kind:
    key = certificate.parsed.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, rsa.RSAPublicKey) and key.key_size in _MODULI:
        return _MODULI[key.key_size]
    raise InvalidInputError(
        "the certificate's key is not P-256, P-384, P-521 or RSA of 2048, 3072 or 4096 bits"
    )


def _unknown(name: object) -> InvalidInputError:
    return InvalidInputError(f"the algorithm {str(name)[:40]!r} is not allowed")
