"""Who made a notation signature, numbered as the steps of `trust.proof` 4 and 5 show it. Pure.

 4. algorithm  the one that follows from the leaf's key, and the header says the same
 5. signer     a. the chain is one that notation accepts (`profile`), whole and in order
               b. every certificate is valid now, and was when the signature says it was made
               c. the leaf's key made the signature
               d. the leaf's key is a trusted key; or a certificate of the chain is one that a
                  trusted authority names, byte for byte, and the leaf's subject is one of its
                  identities

The time of signing is the signer's own word: it can make a signature invalid, never valid. Time
stamps of third parties are not looked at, so a signature ends with its certificate, as in notation
without a time-stamping authority.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

from seawall.core.errors import InvalidInputError
from seawall.trust import algorithms, certificates
from seawall.trust.algorithms import Algorithm
from seawall.trust.certificates import Certificate
from seawall.trust.keys import KeyId, PublicKey
from seawall.trust.model import AuthorityKind, Signatory, TrustedAuthority, TrustedKey
from seawall.trust.notation import identity, profile
from seawall.trust.notation.envelope import Envelope


def check_algorithm(envelope: Envelope) -> Algorithm:
    """Return the algorithm that the leaf's key and the header agree on. Raises SeawallError."""
    leaf = certificates.parse_chain(envelope.chain)[0]
    expected = algorithms.of_key(leaf)
    if envelope.attributes.algorithm is not expected:
        raise InvalidInputError(
            f"the header says {envelope.attributes.algorithm}, the certificate's key {expected}"
        )
    return expected


def find(
    envelope: Envelope,
    keys: Sequence[tuple[TrustedKey, PublicKey]],
    authorities: Sequence[TrustedAuthority],
    now: dt.datetime,
) -> Signatory:
    """Return who signed. `keys` and `authorities` are those trusted for the repository.

    Raises SeawallError when it is nobody whom they name.
    """
    chain = certificates.parse_chain(envelope.chain)
    profile.check(chain)
    certificates.check_valid(chain, envelope.attributes.signed_at, "the time of signing")
    certificates.check_valid(chain, now, "this moment")
    if not algorithms.has_signed(chain[0], envelope.signature, envelope.signed_bytes):
        raise InvalidInputError("it does not verify under the certificate that it shows")
    for trusted, key in keys:
        if key.key_id == chain[0].key_id:  # the very key under which it verified
            return Signatory(key_id=key.key_id, name=trusted.name, public_key_id=key.key_id)
    return _named(chain, authorities)


def _named(chain: tuple[Certificate, ...], authorities: Sequence[TrustedAuthority]) -> Signatory:
    ours = [one for one in authorities if one.kind is AuthorityKind.NOTATION]
    vouching = [one for one in ours if _is_under(chain, one)]
    for authority in vouching:
        if any(identity.is_match(one, chain[0]) for one in authority.identities):
            return _signatory(chain[0], authority)
    if vouching:
        raise InvalidInputError(
            f"{chain[0].subject} is not an identity trusted for this repository"
        )
    raise InvalidInputError(
        f"neither the key nor an authority of {chain[0].subject} is trusted for this repository"
    )


def _is_under(chain: tuple[Certificate, ...], authority: TrustedAuthority) -> bool:
    trusted = {certificate.der for certificate in certificates.parse_pem(authority.content)}
    return any(certificate.der in trusted for certificate in chain)


def _signatory(leaf: Certificate, authority: TrustedAuthority) -> Signatory:
    named = f"{authority.name}\n{leaf.subject}".encode()
    return Signatory(
        key_id=KeyId(hashlib.sha256(named).hexdigest()),
        name=leaf.subject,
        public_key_id=leaf.key_id,
        authority=authority.name,
    )
