"""What a bundle shows of a signer that has a certificate (bundle spec v0.3). Unverified."""

from __future__ import annotations

from dataclasses import dataclass

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.trust import bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A certificate in DER, and the items of `tlogEntries`."""

    certificate: bytes
    log_entries: tuple[Json, ...]


def parse(content: bytes) -> Material | None:
    """Return the certificate that a bundle shows; None when it names a key.

    Raises InvalidInputError or LimitError, also for a bundle that shows both: it could be read as
    signed by either.
    """
    document = strictjson.decode_object(
        content, max_bytes=bundle.MAX_BYTES, max_depth=bundle.MAX_DEPTH
    )
    material = document.get("verificationMaterial")
    shown = material.get("certificate") if isinstance(material, dict) else None
    if shown is None:
        return None
    if not isinstance(shown, dict) or (isinstance(material, dict) and "publicKey" in material):
        raise InvalidInputError("the bundle shows a certificate and something else beside it")
    return Material(
        certificate=bundle.decode_base64(shown.get("rawBytes"), "rawBytes"),
        log_entries=bundle.log_entries(content),
    )
