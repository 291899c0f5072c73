"""The certificate that a key shows in notation's signatures: self-signed, for signatures alone.

notation trusts certificates byte for byte, so one is made once for a key and kept beside it;
another one for the same key is another signer to notation. It cannot be the certificate of a
Docker Content Trust root: that one also encrypts keys, which notation refuses.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from cryptography import x509

from seawall.core.errors import InvalidInputError
from seawall.trust import certificates, signing
from seawall.trust.certificates import Certificate
from seawall.trust.keys import PublicKey
from seawall.trust.notation import identity, profile
from seawall.trust.signing import Profile, Signer

DEFAULT_LIFETIME: Final = dt.timedelta(days=3 * 365)


def default_subject(key: PublicKey) -> str:
    """Return a subject that names the key; notation wants a country, a state and a name."""
    return f"C=ZZ, ST=unknown, O=seawall, CN={key.key_id[:16]}"


def make(
    signer: Signer,
    subject: x509.Name,
    now: dt.datetime,
    lifetime: dt.timedelta = DEFAULT_LIFETIME,
) -> Certificate:
    """Return a certificate for the signer's key, signed by itself."""
    der = signing.certify(
        signer.public,
        subject,
        issuer=signer,
        issuer_name=subject,
        profile=Profile(lifetime=lifetime),
        now=now.replace(microsecond=0),
    )
    return certificates.parse(der)


def parse_chain(pem: bytes, key: PublicKey) -> tuple[Certificate, ...]:
    """Parse a chain in PEM with which `key` is to sign, leaf first.

    Raises InvalidInputError or LimitError for a chain that notation would refuse, or one whose
    leaf is for another key.
    """
    chain = certificates.parse_chain([one.der for one in certificates.parse_pem(pem)])
    if chain[0].key_id != key.key_id:
        raise InvalidInputError(
            "the first certificate is not for this key",
            remedy="give the certificate of the key that signs, then its issuers up to the root",
        )
    profile.check(chain)
    return chain


def subject_of(text: str) -> x509.Name:
    """Parse the subject of a new certificate. Raises InvalidInputError."""
    return identity.parse_subject(text)
