"""Errors in the shape that registry clients read: `{"errors":[{code, message, detail}]}`.

The codes are those of the distribution-spec ("Error Codes"). What was refused and why stands in
`message`, the way out in `detail`. Nothing of the server's inside is told.
"""

from __future__ import annotations

import http
from typing import Final

from aiohttp import web

from seawall.core import strictjson
from seawall.core.errors import (
    ConflictError,
    DeniedError,
    IntegrityError,
    InvalidInputError,
    LimitError,
    NotFoundError,
    SeawallError,
    UnavailableError,
)
from seawall.ingress.refusals import RefusedError, Shape
from seawall.registry import errors as registry

MESSAGE_MAX: Final = 1_000  # characters

API_VERSION: Final = {"Docker-Distribution-Api-Version": "registry/2.0"}


_SHAPES: Final[tuple[tuple[type[SeawallError], Shape], ...]] = (
    # The first kind that fits: the finer ones come first.
    (registry.RepositoryUnknownError, Shape(404, "NAME_UNKNOWN")),
    (registry.ManifestUnknownError, Shape(404, "MANIFEST_UNKNOWN")),
    (registry.BlobUnknownError, Shape(404, "BLOB_UNKNOWN")),
    (registry.UploadUnknownError, Shape(404, "BLOB_UPLOAD_UNKNOWN")),
    (registry.ManifestInvalidError, Shape(400, "MANIFEST_INVALID")),
    (registry.DigestMismatchError, Shape(400, "DIGEST_INVALID")),
    (registry.SizeMismatchError, Shape(400, "SIZE_INVALID")),
    (registry.ContentMissingError, Shape(400, "MANIFEST_BLOB_UNKNOWN")),
    (registry.OffsetError, Shape(416, "BLOB_UPLOAD_INVALID")),
    (registry.StillReferencedError, Shape(409, "DENIED")),
    (registry.TooLargeError, Shape(413, "SIZE_INVALID")),
    (registry.TooManyUploadsError, Shape(429, "TOOMANYREQUESTS", {"Retry-After": "60"})),
    # Damaged content was put aside: from now on it is as unknown as HEAD says.
    (registry.ManifestDamagedError, Shape(404, "MANIFEST_UNKNOWN")),
    (IntegrityError, Shape(404, "BLOB_UNKNOWN")),
    (NotFoundError, Shape(404, "NAME_UNKNOWN")),
    (InvalidInputError, Shape(400, "UNSUPPORTED")),
    (ConflictError, Shape(409, "BLOB_UPLOAD_INVALID")),
    (DeniedError, Shape(403, "DENIED")),
    (LimitError, Shape(413, "SIZE_INVALID")),
    (UnavailableError, Shape(503, "UNAVAILABLE", {"Retry-After": "5"})),
)

_DISK_FULL: Final = Shape(507, "UNAVAILABLE")
_UNEXPECTED: Final = Shape(500, "UNKNOWN")


def response_of(error: SeawallError) -> web.Response:
    """Return the answer for an error that was raised on purpose."""
    return respond(_shape_of(error), error.message, error.remedy)


def unexpected() -> web.Response:
    """Return the answer for an error that nobody foresaw: it tells nothing."""
    return respond(_UNEXPECTED, "the registry failed; its log says why")


def respond(shape: Shape, message: str, remedy: str = "") -> web.Response:
    """Return an answer in the shape of the specification."""
    entry: dict[str, object] = {"code": shape.code, "message": _bounded(message)}
    if remedy:
        entry["message"] = _bounded(f"{message} ({remedy})")
        entry["detail"] = {"remedy": _bounded(remedy)}
    return web.Response(
        status=shape.status,
        reason=http.HTTPStatus(shape.status).phrase,
        body=strictjson.encode({"errors": [entry]}),
        headers={**API_VERSION, **shape.headers, "Content-Type": "application/json"},
    )


def _shape_of(error: SeawallError) -> Shape:
    if isinstance(error, RefusedError):
        return error.shape
    if error.code == "disk-full":
        return _DISK_FULL
    return next((shape for kind, shape in _SHAPES if isinstance(error, kind)), _UNEXPECTED)


def _bounded(text: str) -> str:
    # A header or query may have brought bytes that are no text.
    return text[:MESSAGE_MAX].encode("utf-8", "replace").decode()
