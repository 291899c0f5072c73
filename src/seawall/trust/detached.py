"""Signatures that are made far from the registry that will hold them. Pure.

`make` needs the image's descriptor, its name and the key, and no registry. What it returns is
carried, and may have been altered on the way: `check` holds each signature against the key and the
image before `uploads` says what to push. A log is entered only then: who is offline has none.

Refused: a signature that does not verify under the key or names another image, a bundle that holds
more than the signed envelope, and a set from which one of cosign's formats was taken away.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from seawall.core.errors import IntegrityError, SeawallError
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference
from seawall.trust import algorithms, bundle, certificates, cosign, payloads, simple_signing
from seawall.trust.cosign import Upload
from seawall.trust.keys import PublicKey
from seawall.trust.model import NamedImage, SignatureFormat, UnverifiedSignature
from seawall.trust.notation import envelopes, profile, signatures, signer
from seawall.trust.notation.signatures import Identity, Shown
from seawall.trust.payloads import Opened
from seawall.trust.signing import Signer

REQUIRED: Final = frozenset({SignatureFormat.COSIGN_TAG, SignatureFormat.SIGSTORE_BUNDLE})
MAX_FORMATS: Final = 3
"""cosign's two, and one of notation's."""
_ENVELOPES: Final = {form: kind for kind, form in envelopes.FORMATS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a set of signatures is to say: this is that image, says this key."""

    digest: Digest
    reference: Reference
    key: PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What stands beside the image where the signatures are to go. Nothing of it is verified."""

    existing: Sequence[UnverifiedSignature] = ()
    tag_manifest: bytes | None = None
    """Behind the `.sig` tag."""


def make(
    image: Descriptor,
    reference: Reference,
    key: Signer,
    now: dt.datetime,
    *,
    identity: Identity | None = None,
) -> tuple[UnverifiedSignature, ...]:
    """Sign `image` under its name in cosign's two formats, and in notation's for an `identity`.

    Raises InvalidInputError when the image or the certificate cannot be used.
    """
    cosign.signature_tag(image.digest)  # refuses what the format cannot name
    payload = simple_signing.build(image.digest, reference, now)
    statement = bundle.build_statement(image.digest, reference, now)
    made = [
        UnverifiedSignature(
            format=SignatureFormat.COSIGN_TAG,
            content=payload,
            signature=base64.b64encode(key.sign(payload)).decode("ascii"),
        ),
        UnverifiedSignature(
            format=SignatureFormat.SIGSTORE_BUNDLE, content=bundle.build(statement, key)
        ),
    ]
    if identity is not None:
        content = signatures.sign(image, reference, identity, now)
        made.append(UnverifiedSignature(format=envelopes.FORMATS[identity.kind], content=content))
    return tuple(made)


def check(made: Sequence[UnverifiedSignature], wanted: Wanted) -> None:
    """Raises IntegrityError unless `made` is a set as `make` returns it, of this key and image."""
    formats = [one.format for one in made]
    if len(set(formats)) != len(formats) or len(formats) > MAX_FORMATS:
        raise IntegrityError(f"{wanted.digest} has several signatures of one kind")
    if not frozenset(formats) >= REQUIRED:
        raise IntegrityError(f"{wanted.digest} has lost one of its signatures")
    for one in made:
        try:
            _check_one(one, wanted)
        except SeawallError as error:
            raise IntegrityError(
                f"the {one.format} signature of {wanted.digest} does not hold: {error.message}",
                remedy="the file was altered, or is about another image: sign again",
            ) from error


def uploads(
    made: Sequence[UnverifiedSignature],
    image: Descriptor,
    wanted: Wanted,
    signed_at: dt.datetime,
    *,
    beside: Beside,
    log: bundle.Log | None = None,
) -> list[Upload]:
    """Return what to push, in this order, of what was checked; nothing when all of it is there.

    With a `log`, a bundle is entered there and holds the proof, and one without does not count as
    there. Raises ConflictError when the `.sig` tag holds something else, and what `log` raises.
    """
    found: list[Upload] = []
    existing = _counting(beside.existing, has_log=log is not None)
    for one in made:
        if _is_there(one, image, wanted, existing, signed_at):
            continue
        match one.format:
            case SignatureFormat.COSIGN_TAG:
                found += cosign.tag_uploads(
                    image.digest, one.content, one.signature, beside.tag_manifest
                )
            case SignatureFormat.SIGSTORE_BUNDLE:
                content = one.content
                if log is not None:
                    content = bundle.entered(content, wanted.key, log)
                found += cosign.bundle_uploads(image, content, bundle.SIGN_PREDICATE, signed_at)
            case SignatureFormat.NOTATION_JWS | SignatureFormat.NOTATION_COSE:
                found += signatures.uploads(image, one.content, _shown(one), signed_at)
    return found


def _check_one(one: UnverifiedSignature, wanted: Wanted) -> None:
    opened = payloads.open_artifact(one)
    if not _is_by(opened, wanted.key):
        raise IntegrityError(f"it is not by the key {wanted.key.key_id}")
    claims = payloads.read(one.format, opened.payload)
    named = NamedImage.parse(simple_signing.name_of(wanted.reference))
    if claims.digest != wanted.digest or claims.image != named:
        raise IntegrityError("it names another image")
    if one.format is SignatureFormat.SIGSTORE_BUNDLE:
        alone = bundle.entered(one.content, wanted.key, lambda _envelope, _signer: ())
        if one.content != alone:
            raise IntegrityError("it holds more than the signed envelope")


def _is_by(opened: Opened, key: PublicKey) -> bool:
    if opened.envelope is None:
        return key.has_signed(opened.signature, opened.signed_bytes)
    signer.check_algorithm(opened.envelope)
    chain = certificates.parse_chain(opened.envelope.chain)
    profile.check(chain)
    return chain[0].key_id == key.key_id and algorithms.has_signed(
        chain[0], opened.signature, opened.signed_bytes
    )


def _counting(
    existing: Sequence[UnverifiedSignature], *, has_log: bool
) -> list[UnverifiedSignature]:
    """Return what counts as there: of bundles, with a log, those alone that hold its proof."""
    return [
        one
        for one in existing
        if not (has_log and one.format is SignatureFormat.SIGSTORE_BUNDLE) or cosign.is_logged(one)
    ]


def _is_there(
    one: UnverifiedSignature,
    image: Descriptor,
    wanted: Wanted,
    existing: Sequence[UnverifiedSignature],
    signed_at: dt.datetime,
) -> bool:
    if one.format in _ENVELOPES:
        return signatures.is_signed(existing, image, wanted.reference, _shown(one), signed_at)
    return cosign.is_signed(existing, one.format, image.digest, wanted.reference, wanted.key)


def _shown(one: UnverifiedSignature) -> Shown:
    chain = certificates.parse_chain(envelopes.parse(one.format, one.content).chain)
    return Shown(chain=chain, kind=_ENVELOPES[one.format])
