"""What signs: a key in memory, on a token, or at a signing service. Everything here is P-256.

`Signer` is all that the formats need; they never see a private key. `certify` lets such a signer
issue an X.509 certificate, for the formats that show one (the root of a Docker Content Trust tree,
notation).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final, Never, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from seawall.core.errors import InvalidInputError
from seawall.trust.keys import PublicKey

COORDINATE_BYTES: Final = 32


class Signer(Protocol):
    """One P-256 key that signs."""

    @property
    def public(self) -> PublicKey: ...

    def sign(self, message: bytes) -> bytes:
        """Return the ECDSA signature over SHA-256 of `message`, as ASN.1 DER."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a certificate says of its key, beside the names."""

    lifetime: dt.timedelta
    is_authority: bool = False
    has_key_encipherment: bool = False
    """As stock notary writes it; notation refuses such a leaf."""
    is_for_code_signing: bool = True


def raw_of(signature: bytes) -> bytes:
    """Return an ASN.1 signature as r‖s, 64 bytes: the form of notary, JWS and COSE."""
    r, s = decode_dss_signature(signature)
    return r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")


def der_of(raw: bytes) -> bytes:
    """Return r‖s as ASN.1 DER. Raises InvalidInputError unless it is 64 bytes."""
    if len(raw) != 2 * COORDINATE_BYTES:
        raise InvalidInputError(f"a signature of {len(raw)} bytes, not the 64 of r‖s on P-256")
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    return encode_dss_signature(r, s)


def certify(
    public: PublicKey,
    subject: x509.Name,
    *,
    issuer: Signer,
    issuer_name: x509.Name,
    profile: Profile,
    now: dt.datetime,
) -> bytes:
    """Return a certificate in DER for `public`, signed by `issuer`; self-signed when it is its own.

    It names no place to ask for revocation: verifiers stay off the network.
    """
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(serialization.load_der_public_key(public.der))  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + profile.lifetime)
        .add_extension(x509.BasicConstraints(profile.is_authority, None), critical=True)
        .add_extension(_usage(profile), critical=True)
    )
    if profile.is_for_code_signing:
        usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CODE_SIGNING])
        builder = builder.add_extension(usage, critical=False)
    certificate = builder.sign(_AsPrivateKey(issuer), hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.DER)


def _usage(profile: Profile) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=profile.has_key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=profile.is_authority,
        crl_sign=profile.is_authority,
        encipher_only=False,
        decipher_only=False,
    )


class _AsPrivateKey(ec.EllipticCurvePrivateKey):
    """Lets the builder of certificates sign with a `Signer`: it calls `sign` and nothing else."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def sign(self, data: object, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        if not isinstance(data, bytes) or not isinstance(
            signature_algorithm.algorithm, hashes.SHA256
        ):
            raise TypeError("only bytes, and only SHA-256")
        return self._signer.sign(data)

    def public_key(self) -> ec.EllipticCurvePublicKey:
        key = serialization.load_der_public_key(self._signer.public.der)
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return key

    @property
    def curve(self) -> ec.EllipticCurve:
        return ec.SECP256R1()

    @property
    def key_size(self) -> int:
        return self.curve.key_size

    def exchange(self, *_: object) -> Never:
        raise NotImplementedError

    def private_numbers(self) -> Never:
        raise NotImplementedError

    def private_bytes(self, *_: object) -> Never:
        raise NotImplementedError

    def __copy__(self) -> _AsPrivateKey:
        return self

    def __deepcopy__(self, _memo: object) -> _AsPrivateKey:
        return self
