"""Keys and signatures for tests: right ones, and wrong ones that are validly signed."""

from __future__ import annotations

import base64
import datetime as dt

from cryptography.hazmat.primitives.asymmetric import ec

from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.trust import bundle, simple_signing
from seawall.trust.keys import PrivateKey
from seawall.trust.model import SignatureFormat, TrustedKey, UnverifiedSignature


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
    key: PrivateKey, kind: SignatureFormat, digest: Digest, image: str, now: dt.datetime
) -> UnverifiedSignature:
    """Sign `digest` as `image` (`host/repository[:tag]`), as `seawall sign` does."""
    reference = Reference.parse(image)
    if kind is SignatureFormat.COSIGN_TAG:
        return sign_payload(key, simple_signing.build(digest, reference, now))
    return sign_statement(key, bundle.build_statement(digest, reference, now))


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
