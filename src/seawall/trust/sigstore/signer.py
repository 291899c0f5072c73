"""Who made a signature with a certificate of Sigstore, as step 5 of `trust.proof` shows it. Pure.

 a. the certificate parses, is for P-256, for signing code, and no authority's
 b. its key made the signature
 c. a log of the trusted root took exactly this signature by this certificate (`trust.log.verify`;
    in the old format the log's signed promise is all there is): that is when it was made
 d. an authority of the trusted root, in use at that moment, issued the certificate, and everything
    in the chain was valid then: the certificate lives for minutes, now it is over
 e. where the trusted root lists logs of certificates, one of them was shown it
 f. the certificate names one person, whom this installation trusts under that authority

Rekor's second version, which has no time of its own and needs a time-stamping authority, is not
read.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, SeawallError
from seawall.core.strictjson import Json
from seawall.trust import bundle, certificates
from seawall.trust.certificates import Certificate
from seawall.trust.keys import KeyId, PublicKey
from seawall.trust.log import verify
from seawall.trust.model import AuthorityKind, Signatory, TrustedAuthority
from seawall.trust.sigstore import certificate_log, identity, trusted_root
from seawall.trust.sigstore.material import Material, Promise
from seawall.trust.sigstore.trusted_root import TrustedRoot


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A payload with its signature, which is over `message`."""

    payload: bytes
    message: bytes
    signature: bytes  # ASN.1 DER


def find(
    signed: Signed,
    material: Material,
    authorities: Sequence[TrustedAuthority],
    now: dt.datetime,
) -> Signatory:
    """Return who signed. `authorities` are those trusted for the repository.

    Raises SeawallError when it is nobody whom they name.
    """
    leaf, key = _leaf(material.certificate)
    if not key.has_signed(signed.signature, signed.message):
        raise InvalidInputError("it does not verify under the certificate that it shows")
    refusals = []
    for authority in authorities:
        if authority.kind is AuthorityKind.SIGSTORE:
            try:
                return _named(authority, leaf, signed, material, now)
            except SeawallError as error:
                refusals.append(f"{authority.name}: {error.message}")
    raise InvalidInputError(
        "; ".join(refusals) or "no authority that certifies people is trusted for this repository"
    )


def _leaf(der: bytes) -> tuple[Certificate, PublicKey]:
    leaf = certificates.parse(der)
    key = leaf.p256_key
    constraints = leaf.extension(x509.BasicConstraints)
    usage, extended = leaf.extension(x509.KeyUsage), leaf.extension(x509.ExtendedKeyUsage)
    if key is None:
        raise InvalidInputError("the certificate's key is not P-256")
    if constraints is not None and constraints[0].ca:
        raise InvalidInputError("the certificate is that of an authority")
    if usage is None or not usage[0].digital_signature:
        raise InvalidInputError("the certificate is not for signatures")
    if extended is None or ExtendedKeyUsageOID.CODE_SIGNING not in set(extended[0]):
        raise InvalidInputError("the certificate is not for signing code")
    return leaf, key


def _named(
    authority: TrustedAuthority,
    leaf: Certificate,
    signed: Signed,
    material: Material,
    now: dt.datetime,
) -> Signatory:
    root = trusted_root.parse(authority.content)
    if material.promise is None:
        moment = _logged_at(root, leaf, signed, material.log_entries, now)
    else:
        moment = _promised_at(root, leaf, signed, material.promise, now)
    issuer = _issuer(root, leaf, moment)
    if root.demands_certificate_logs:
        certificate_log.check(leaf, issuer, root.certificate_logs)
    person = identity.person_of(leaf)
    if not any(identity.parse(text).is_match(person) for text in authority.identities):
        raise InvalidInputError(f"{person} is not an identity trusted for this repository")
    named = f"{authority.name}\n{person.issuer}\n{person.subject}".encode()
    return Signatory(
        key_id=KeyId(hashlib.sha256(named).hexdigest()),
        name=str(person),
        public_key_id=leaf.key_id,
        authority=authority.name,
    )


def _logged_at(
    root: TrustedRoot,
    leaf: Certificate,
    signed: Signed,
    items: Sequence[Json],
    now: dt.datetime,
) -> dt.datetime:
    """Return when a trusted log took the signature. Raises InvalidInputError."""

    def check_body(body: bytes) -> str:
        _check_body(body, leaf, signed)
        return leaf.subject

    reason, furthest = "no log took the signature", 2  # another log's entry says nothing
    for item in items:
        for one in root.logs:
            proof = verify.verify_entry(item, check_body=check_body, logs=[one.log], now=now)
            moment = proof.integrated_at
            if moment is not None and one.period.holds(moment):
                return moment
            if proof.failure is not None and proof.failure.number > furthest:
                reason, furthest = proof.failure.detail, proof.failure.number
    raise InvalidInputError(reason)


def _promised_at(
    root: TrustedRoot, leaf: Certificate, signed: Signed, promise: Promise, now: dt.datetime
) -> dt.datetime:
    """Return when a trusted log promised to take the signature. Raises InvalidInputError."""
    _check_old_body(promise.body, leaf, signed)
    moment = dt.datetime.fromtimestamp(promise.integrated_at, dt.UTC)
    if moment > now + verify.MAX_CLOCK_SKEW:
        raise InvalidInputError("the entry is from the future")
    for one in root.logs:
        if one.log.log_id.hex() == promise.log_id and one.period.holds(moment):
            message = verify.promised_bytes(
                promise.body,
                integrated_at=promise.integrated_at,
                index=promise.index,
                log_id=one.log.log_id,
            )
            if one.log.key.has_signed(promise.signature, message):
                return moment
            raise InvalidInputError("the log did not sign the time of the entry")
    raise InvalidInputError("no log took the signature")


def _check_body(body: bytes, leaf: Certificate, signed: Signed) -> None:
    """Hold a `dsse` entry to the signature: what was signed, how, and under which certificate.

    The hash of the envelope, whose spelling only its sender knows, adds nothing to these.
    """
    document = strictjson.decode_object(body, max_bytes=bundle.MAX_BYTES, max_depth=8)
    spec = document.get("spec")
    if document.get("kind") != "dsse" or not isinstance(spec, dict):
        raise InvalidInputError("the entry is not of the kind dsse")
    digest = hashlib.sha256(signed.payload).hexdigest()
    if spec.get("payloadHash") != {"algorithm": "sha256", "value": digest}:
        raise InvalidInputError("the entry is that of another payload")
    one = spec.get("signatures")
    if not isinstance(one, list) or len(one) != 1 or not isinstance(one[0], dict):
        raise InvalidInputError("the entry does not hold exactly one signature")
    _check_signature(one[0].get("signature"), one[0].get("verifier"), leaf, signed)


def _check_old_body(body: bytes, leaf: Certificate, signed: Signed) -> None:
    """Hold a `hashedrekord` entry, which goes with the old format, to the signature."""
    document = strictjson.decode_object(body, max_bytes=bundle.MAX_BYTES, max_depth=8)
    spec = _object(document.get("spec"))
    if document.get("kind") != "hashedrekord" or document.get("apiVersion") != "0.0.1":
        raise InvalidInputError("the entry is not of the kind hashedrekord 0.0.1")
    digest = hashlib.sha256(signed.message).hexdigest()
    if _object(spec.get("data")).get("hash") != {"algorithm": "sha256", "value": digest}:
        raise InvalidInputError("the entry is that of another payload")
    one = _object(spec.get("signature"))
    _check_signature(one.get("content"), _object(one.get("publicKey")).get("content"), leaf, signed)


def _check_signature(signature: Json, verifier: Json, leaf: Certificate, signed: Signed) -> None:
    if bundle.decode_base64(signature, "signature") != signed.signature:
        raise InvalidInputError("the entry is that of another signature")
    shown = certificates.parse_pem(bundle.decode_base64(verifier, "verifier"))
    if [certificate.der for certificate in shown] != [leaf.der]:
        raise InvalidInputError("the entry is that of another certificate")


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise InvalidInputError("the entry lacks an object")
    return value


def _issuer(root: TrustedRoot, leaf: Certificate, moment: dt.datetime) -> Certificate:
    """Return the certificate that issued the leaf. Raises InvalidInputError."""
    reason: SeawallError = InvalidInputError("no authority was in use when it was signed")
    for authority in trusted_root.issuing(root, moment):
        chain = (leaf, *authority.chain)
        try:
            certificates.check_issued(chain)
            certificates.check_self_signed(chain[-1])
            certificates.check_valid(chain, moment, "the time of signing")
        except SeawallError as error:
            reason = error
            continue
        return authority.chain[0]
    raise reason
