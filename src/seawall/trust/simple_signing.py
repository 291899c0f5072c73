"""The payload of cosign's old format (containers/image, "simple signing").

`docker-reference` names the image *with its tag*: cosign ignores it, but skopeo, podman and CRI-O
check it, so it is the one place where stock tools bind a tag and a repository to a digest.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from seawall.core import limits, strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.trust.model import Claims, NamedImage

MEDIA_TYPE: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
TYPE: Final = "cosign container image signature"
CREATOR: Final = "seawall"

MAX_BYTES: Final = 64 * limits.KIB
MAX_DEPTH: Final = 8


def build(digest: Digest, image: Reference, now: dt.datetime) -> bytes:
    """Return the payload that says "this digest is this image"."""
    return strictjson.encode(
        {
            "critical": {
                "identity": {"docker-reference": name_of(image)},
                "image": {"docker-manifest-digest": str(digest)},
                "type": TYPE,
            },
            "optional": {"creator": CREATOR, "timestamp": int(now.timestamp())},
        }
    )


def parse(payload: bytes) -> Claims:
    """Parse a payload strictly. Raises InvalidInputError or LimitError."""
    document = strictjson.decode_object(payload, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    critical = _object(document.get("critical"), "critical")
    if critical.get("type") != TYPE:
        raise InvalidInputError("the payload is not a signature of a container image")
    identity = _object(critical.get("identity"), "critical.identity")
    image = _object(critical.get("image"), "critical.image")
    named = identity.get("docker-reference")
    if not isinstance(named, str):
        raise InvalidInputError("the payload's docker-reference must be a text")
    digest = image.get("docker-manifest-digest")
    if not isinstance(digest, str):
        raise InvalidInputError("the payload names no digest")
    return Claims(
        digest=Digest.parse(digest),
        image=NamedImage.parse(named) if named else None,
        signed_at=_signed_at(document.get("optional")),
    )


def name_of(image: Reference) -> str:
    """Return `host/repository[:tag]`, the form in which signers name an image."""
    if image.host is None:
        raise InvalidInputError(f"{image} names no registry", remedy="write HOST/REPOSITORY:TAG")
    tag = f":{image.tag}" if image.tag else ""
    return f"{image.host}/{image.repository}{tag}"


def _signed_at(optional: Json) -> dt.datetime | None:
    if optional is None:
        return None
    stamp = _object(optional, "optional").get("timestamp")
    if stamp is None:
        return None
    if isinstance(stamp, bool) or not isinstance(stamp, int) or not 0 <= stamp < 2**33:
        raise InvalidInputError("the payload's timestamp is not seconds since 1970")
    return dt.datetime.fromtimestamp(stamp, dt.UTC)


def _object(value: Json, where: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise InvalidInputError(f"the payload's {where} must be an object")
    return value
