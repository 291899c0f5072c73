"""The in-toto statement: which image, and what is said about it.

Written as v1, read as v1 and as v0.1, which stock cosign still writes. Exactly one subject with
exactly one digest: a statement about several things could be shown as one about another thing.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Final

from seawall.core import clock, limits, strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.trust import bundle, simple_signing
from seawall.trust.attestations import kinds
from seawall.trust.model import NamedImage

PREDICATE_MAX_BYTES: Final = 16 * limits.MIB
STATEMENT_MAX_BYTES: Final = PREDICATE_MAX_BYTES + 64 * limits.KIB
MAX_DEPTH: Final = 64
"""Nesting; a bill of materials nests components."""

STATEMENT_TYPES: Final = frozenset({bundle.STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1"})
NAME_MAX_CHARACTERS: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a payload says. Read it only after its signature was verified."""

    digest: Digest
    image: NamedImage | None
    """The image that it names; None when its subject has no name that names a registry."""
    predicate_type: str
    predicate: Json = field(repr=False)
    signed_at: dt.datetime | None
    """By the signer's own clock; only Seawall writes it."""


def build(
    digest: Digest, image: Reference, predicate_type: str, predicate: Json, now: dt.datetime
) -> bytes:
    """Return the statement. Raises InvalidInputError when the predicate is not of its type."""
    kinds.check(predicate_type, predicate)
    repository = Reference(host=image.host, repository=image.repository, tag=None, digest=digest)
    subject: dict[str, Json] = {
        "name": simple_signing.name_of(repository),
        "digest": {digest.algorithm: digest.hex},
        "annotations": {bundle.TIME_ANNOTATION: clock.to_text(now)},
    }
    return strictjson.encode(
        {
            "_type": bundle.STATEMENT_TYPE,
            "subject": [subject],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def parse_predicate(content: bytes) -> Json:
    """Parse a predicate strictly. Raises InvalidInputError or LimitError."""
    return strictjson.decode(content, max_bytes=PREDICATE_MAX_BYTES, max_depth=MAX_DEPTH)


def parse(payload: bytes) -> Statement:
    """Parse a statement strictly. Raises InvalidInputError or LimitError."""
    document = strictjson.decode_object(
        payload, max_bytes=STATEMENT_MAX_BYTES, max_depth=MAX_DEPTH + 1
    )
    if document.get("_type") not in STATEMENT_TYPES:
        raise InvalidInputError("the payload is not an in-toto statement")
    subject = _subject(document.get("subject"))
    predicate_type = document.get("predicateType")
    if not isinstance(predicate_type, str):
        raise InvalidInputError("the statement names no predicateType")
    if predicate_type == bundle.SIGN_PREDICATE:
        raise InvalidInputError("the statement is a signature for an image, not about it")
    kinds.check(predicate_type, document.get("predicate"))
    return Statement(
        digest=_digest(subject.get("digest")),
        image=_image(subject.get("name")),
        predicate_type=kinds.parse(predicate_type),
        predicate=document.get("predicate"),
        signed_at=_signed_at(subject.get("annotations")),
    )


def _subject(value: Json) -> dict[str, Json]:
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise InvalidInputError("the statement must have exactly one subject")
    return value[0]


def _digest(value: Json) -> Digest:
    if not isinstance(value, dict) or len(value) != 1:
        raise InvalidInputError("the statement's subject must have exactly one digest")
    algorithm, digits = next(iter(value.items()))
    if not isinstance(digits, str):
        raise InvalidInputError("the statement's digest must be a text")
    return Digest.parse(f"{algorithm}:{digits}")


def _image(name: Json) -> NamedImage | None:
    """Return the image of a name like `host/repository`; other names bind nothing."""
    if name is None:
        return None
    if not isinstance(name, str) or len(name) > NAME_MAX_CHARACTERS:
        raise InvalidInputError("the subject's name must be a short text")
    try:
        image = NamedImage.parse(name)
    except InvalidInputError:
        return None  # a file, a package URL …
    return image if image.host is not None else None


def _signed_at(annotations: Json) -> dt.datetime | None:
    if annotations is None:
        return None
    if not isinstance(annotations, dict):
        raise InvalidInputError("the subject's annotations must be an object")
    text = annotations.get(bundle.TIME_ANNOTATION)
    if text is None:
        return None
    try:
        return clock.from_text(text if isinstance(text, str) else "")
    except ValueError as error:
        raise InvalidInputError("the statement's time of signing does not parse") from error
