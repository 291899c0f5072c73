"""What the Notary Project demands of certificates ("Certificate requirements"), and no more.

leaf       no authority; key usage critical, with digitalSignature and nothing that encrypts,
           agrees on keys or issues; extended key usage, if any, without anyExtendedKeyUsage,
           serverAuth, clientAuth, emailProtection and timeStamping
authority  basic constraints critical and CA:true; key usage critical with keyCertSign
chain      in order, whole to a self-signed root; one self-signed leaf may stand alone
all        no SHA-1; RSA of 2048 bits or more, curves of 256 or more
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from seawall.core.errors import InvalidInputError
from seawall.trust import certificates
from seawall.trust.certificates import Certificate

MIN_RSA_BITS: Final = 2048
MIN_CURVE_BITS: Final = 256
_REFUSED_USAGES: Final = frozenset(
    {
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.TIME_STAMPING,
    }
)


def check(chain: Sequence[Certificate]) -> None:
    """Raises InvalidInputError unless the chain, leaf first, is one that notation accepts."""
    leaf, authorities = chain[0], chain[1:]
    _check_leaf(leaf)
    for authority in authorities:
        _check_authority(authority)
    for certificate in chain:
        _check_key(certificate)
    certificates.check_issued(chain)
    certificates.check_self_signed(chain[-1])


def _check_leaf(leaf: Certificate) -> None:
    constraints = leaf.extension(x509.BasicConstraints)
    if constraints is not None and constraints[0].ca:
        raise InvalidInputError("the signer's certificate is that of an authority")
    usage = leaf.extension(x509.KeyUsage)
    if usage is None or not usage[1]:
        raise InvalidInputError("the signer's certificate has no critical key usage")
    bits = usage[0]
    if not bits.digital_signature:
        raise InvalidInputError("the signer's certificate is not for signatures")
    if (
        bits.key_encipherment
        or bits.data_encipherment
        or bits.key_agreement
        or bits.key_cert_sign
        or bits.crl_sign
    ):
        raise InvalidInputError("the signer's certificate is for more than signatures")
    extended = leaf.extension(x509.ExtendedKeyUsage)
    if extended is not None and _REFUSED_USAGES & set(extended[0]):
        raise InvalidInputError("the signer's certificate is for something else than code")


def _check_authority(authority: Certificate) -> None:
    for kind in (x509.BasicConstraints, x509.KeyUsage):
        found = authority.extension(kind)
        if found is None or not found[1]:
            raise InvalidInputError(
                f"the certificate of {authority.subject} lacks critical constraints of authorities"
            )


def _check_key(certificate: Certificate) -> None:
    key = certificate.parsed.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size >= MIN_CURVE_BITS:
        return
    raise InvalidInputError(f"the key of {certificate.subject} is too weak or of another kind")
