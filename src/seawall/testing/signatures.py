"""Keys and signatures for tests: right ones, and wrong ones that are validly signed."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Final, assert_never

from cryptography.hazmat.primitives.asymmetric import ec

from seawall.core.strictjson import Json
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference
from seawall.trust import bundle, simple_signing
from seawall.trust.attestations import envelope, kinds, plan, statement
from seawall.trust.attestations.envelope import AttestationFormat, UnverifiedAttestation
from seawall.trust.certificates import Certificate
from seawall.trust.keys import PrivateKey
from seawall.trust.model import SignatureFormat, TrustedKey, UnverifiedSignature
from seawall.trust.notation import cose, jws, leaf
from seawall.trust.notation import payload as notation_payload


def new_key() -> PrivateKey:
    """Return a key that was never on disk."""
    return PrivateKey(ec.generate_private_key(ec.SECP256R1()))


def trusted(
    key: PrivateKey, *, name: str = "release", patterns: tuple[str, ...] = ("**",)
) -> TrustedKey:
    """Return `key` as a trusted one."""
    public = key.public
    return TrustedKey(key_id=public.key_id, name=name, public_pem=public.pem, patterns=patterns)


def sign(
    key: PrivateKey, kind: SignatureFormat, digest: Digest, name: str, now: dt.datetime
) -> UnverifiedSignature:
    """Sign `digest` as `name` (`host/repository[:tag]`), as `seawall sign` does."""
    reference = Reference.parse(name)
    match kind:
        case SignatureFormat.COSIGN_TAG:
            return sign_payload(key, simple_signing.build(digest, reference, now))
        case SignatureFormat.SIGSTORE_BUNDLE:
            return sign_statement(key, bundle.build_statement(digest, reference, now))
        case SignatureFormat.NOTATION_JWS | SignatureFormat.NOTATION_COSE:
            image = Descriptor(media_type=media.OCI_MANIFEST, digest=digest, size=1)
            content = notation_payload.build(image, reference)
            return sign_envelope(key, kind, content, now)


def sign_payload(key: PrivateKey, payload: bytes) -> UnverifiedSignature:
    """Return a signature in the old format over any bytes."""
    return UnverifiedSignature(
        format=SignatureFormat.COSIGN_TAG,
        content=payload,
        signature=base64.b64encode(key.sign(payload)).decode(),
    )


def sign_statement(key: PrivateKey, statement: bytes) -> UnverifiedSignature:
    """Return a bundle over any bytes."""
    return UnverifiedSignature(
        format=SignatureFormat.SIGSTORE_BUNDLE, content=bundle.build(statement, key)
    )


def certificate(key: PrivateKey, now: dt.datetime, subject: str = "") -> Certificate:
    """Return a certificate that notation accepts for `key`, self-signed."""
    text = subject or leaf.default_subject(key.public)
    return leaf.make(key, leaf.subject_of(text), now)


def sign_envelope(
    key: PrivateKey,
    kind: SignatureFormat,
    payload: bytes,
    now: dt.datetime,
    *,
    chain: tuple[Certificate, ...] = (),
    expires_at: dt.datetime | None = None,
) -> UnverifiedSignature:
    """Return one of notation's envelopes over any bytes; the chain defaults to a day-old leaf."""
    shown = [one.der for one in chain or (certificate(key, now - dt.timedelta(days=1)),)]
    build = jws.build if kind is SignatureFormat.NOTATION_JWS else cose.build
    return UnverifiedSignature(format=kind, content=build(payload, shown, key, now, expires_at))


def attest(
    key: PrivateKey,
    digest: Digest,
    image: str,
    now: dt.datetime,
    *,
    predicate_type: str = kinds.VULNERABILITIES,
    predicate: Json = None,
    kind: AttestationFormat = AttestationFormat.SIGSTORE_BUNDLE,
) -> UnverifiedAttestation:
    """Attest `predicate` of `digest` as `image`, as `seawall attest` does."""
    said = SCAN if predicate is None else predicate
    payload = statement.build(digest, Reference.parse(image), predicate_type, said, now)
    return attest_payload(key, payload, kind=kind)


def attest_payload(
    key: PrivateKey,
    payload: bytes,
    *,
    kind: AttestationFormat = AttestationFormat.SIGSTORE_BUNDLE,
) -> UnverifiedAttestation:
    """Return an attestation over any bytes."""
    signed = plan.sign(payload, "", key)
    match kind:
        case AttestationFormat.COSIGN_TAG:
            content = envelope.build(payload, signed.signature)
        case AttestationFormat.SIGSTORE_BUNDLE:
            content = envelope.build_bundle(payload, signed.signature, key.public)
        case other:
            assert_never(other)
    return UnverifiedAttestation(format=kind, content=content)


SCAN: Final[dict[str, Json]] = {
    "scanner": {"uri": "pkg:pypi/seawall", "version": "1", "db": {"uri": "", "version": ""}},
    "metadata": {
        "scanStartedOn": "2026-01-01T00:00:00.000000Z",
        "scanFinishedOn": "2026-01-01T00:00:00.000000Z",
    },
}
"""The smallest report of a scan."""
