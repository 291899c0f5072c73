"""Which referrers of an image hold signatures, and where in them: one list for all formats. Pure.

A referrer is a manifest whose `subject` is the image (OCI 1.1). What it holds follows from the
types that it declares; a manifest that declares another subject is none, wherever it was listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seawall.core import limits
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.trust import bundle, cosign
from seawall.trust.model import SignatureFormat
from seawall.trust.notation import envelope
from seawall.trust.notation import signatures as notation

ARTIFACT_TYPES: Final = (bundle.MEDIA_TYPE, envelope.SIGNATURE_TYPE)
MAX_BYTES: Final = 256 * limits.KIB
"""Of a signature; each format has its own bound within this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureLayer:
    """The blob that holds a signature, and its format."""

    format: SignatureFormat
    descriptor: Descriptor


def may_be_signature(referrer: Descriptor) -> bool:
    """Tell whether a listed referrer is worth fetching; `layer` decides."""
    return cosign.may_be_bundle(referrer) or notation.may_be_signature(referrer)


def layer(referrer: bytes, subject: Digest) -> SignatureLayer | None:
    """Return the signature that a referrer's manifest holds; None when it is something else.

    Raises InvalidInputError or LimitError.
    """
    found = cosign.bundle_layer(referrer, subject)
    if found is not None:
        return SignatureLayer(format=SignatureFormat.SIGSTORE_BUNDLE, descriptor=found)
    other = notation.layer(referrer, subject)
    return (
        None if other is None else SignatureLayer(format=other.format, descriptor=other.descriptor)
    )
