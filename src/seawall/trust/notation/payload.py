"""The payload of a notation signature: the descriptor of the image, with user metadata.

The format binds a digest and nothing else. What `seawall sign` makes names the image too, in the
descriptor's annotations: `notation verify -m tag=v1 -m repository=HOST/NAME` demands them, and our
verifier insists on the one full name (`dev.seawall.docker-reference`) where it stands. `tag` and
`repository` by themselves are not believed to be names: others use these words for other things.
"""

from __future__ import annotations

from typing import Final

from seawall.core import limits, strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference
from seawall.trust import bundle, simple_signing
from seawall.trust.model import Claims, NamedImage

MAX_BYTES: Final = 64 * limits.KIB
MAX_DEPTH: Final = 8


def build(image: Descriptor, reference: Reference) -> bytes:
    """Return the payload that says "this digest is this image"."""
    annotations: dict[str, Json] = {
        bundle.NAME_ANNOTATION: simple_signing.name_of(reference),
        "repository": f"{reference.host}/{reference.repository}",
    }
    if reference.tag:
        annotations["tag"] = str(reference.tag)
    target: dict[str, Json] = {
        "mediaType": image.media_type,
        "digest": str(image.digest),
        "size": image.size,
        "annotations": annotations,
    }
    return strictjson.encode({"targetArtifact": target})


def parse(payload: bytes) -> Claims:
    """Parse a payload strictly. Raises InvalidInputError or LimitError.

    The time of signing is not in here: it is a signed attribute of the envelope.
    """
    document = strictjson.decode_object(payload, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    target = document.get("targetArtifact")
    if set(document) != {"targetArtifact"} or not isinstance(target, dict):
        raise InvalidInputError("the payload is not the descriptor of one artifact")
    digest, size = target.get("digest"), target.get("size")
    if not isinstance(digest, str) or not isinstance(target.get("mediaType"), str):
        raise InvalidInputError("the payload's descriptor has no digest or media type")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise InvalidInputError("the payload's descriptor has no size")
    return Claims(digest=Digest.parse(digest), image=_image(target), signed_at=None)


def _image(target: dict[str, Json]) -> NamedImage | None:
    annotations = target.get("annotations")
    if annotations is None:
        return None
    if not isinstance(annotations, dict):
        raise InvalidInputError("the payload's annotations must be an object")
    named = annotations.get(bundle.NAME_ANNOTATION)
    if named is None:
        return None
    if not isinstance(named, str):
        raise InvalidInputError("the payload's name of the image must be a text")
    return NamedImage.parse(named)
