"""Answers and errors as Notary v1 clients read them.

Of an error they understand: 404 (there is no trust data), 401, and 400 with exactly one error in a
body of at most 1024 bytes, whose `detail` is `{"Name": …, "Error": {"Msg": …}}`. Any other status
is an unreachable server to them, and they go on with what they remember until it expires.
"""

from __future__ import annotations

import http
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from seawall.core import strictjson
from seawall.core.errors import (
    InvalidInputError,
    LimitError,
    NotFoundError,
    SeawallError,
    UnavailableError,
)
from seawall.ingress.refusals import RefusedError, Shape
from seawall.trust.errors import ForeignNameError, UpdateRefusedError
from seawall.trust.tuf.rules import Fault

BODY_MAX_BYTES: Final = 1024
"""Clients do not look at a longer error."""
MESSAGE_MAX: Final = 300
_SAID_IN_PROTOCOL: Final = frozenset(
    {Fault.VALIDATION, Fault.HIERARCHY, Fault.ROOT, Fault.TARGETS, Fault.SNAPSHOT}
)


NOT_FOUND: Final = Shape(404, "METADATA_NOT_FOUND")
MALFORMED: Final = Shape(400, "MALFORMED_UPLOAD")
PARAMETERS: Final = Shape(400, "INVALID_PARAMETERS")
_INVALID_UPDATE: Final = "INVALID_UPDATE"
_SHAPES: Final[tuple[tuple[type[SeawallError], Shape], ...]] = (
    # The first kind that fits: the finer ones come first.
    (ForeignNameError, Shape(400, "INVALID_GUN")),
    (NotFoundError, NOT_FOUND),
    (LimitError, Shape(400, _INVALID_UPDATE)),
    (InvalidInputError, Shape(400, _INVALID_UPDATE)),
    (UnavailableError, Shape(503, "UPDATING", {"Retry-After": "5"})),
)
_UNEXPECTED: Final = Shape(500, "UNKNOWN")


def response_of(error: SeawallError) -> web.Response:
    """Return the answer for an error that was raised on purpose."""
    message = f"{error.message} ({error.remedy})" if error.remedy else error.message
    if isinstance(error, UpdateRefusedError):
        return _refusal(error, message)
    if isinstance(error, RefusedError):
        return _error(error.shape, message)
    shape = next((shape for kind, shape in _SHAPES if isinstance(error, kind)), _UNEXPECTED)
    return _error(shape, message if shape is not _UNEXPECTED else _FAILED)


def unexpected() -> web.Response:
    """Return the answer for an error that nobody foresaw: it tells nothing."""
    return _error(_UNEXPECTED, _FAILED)


def as_json(value: object, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a JSON answer that no cache keeps."""
    return web.Response(
        body=strictjson.encode(value),
        headers={
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            **(headers or {}),
        },
    )


_FAILED: Final = "the trust server failed; its log says why"


def _refusal(error: UpdateRefusedError, message: str) -> web.Response:
    match error.fault:
        case Fault.ROLE:
            return _error(Shape(400, "INVALID_ROLE"), message)
        case Fault.VERSION:
            shape = Shape(400, "VERSION")
        case _:
            shape = Shape(400, _INVALID_UPDATE)
    name = error.fault if error.fault in _SAID_IN_PROTOCOL else Fault.VALIDATION
    return _error(shape, message, name=str(name), missing=error.missing)


def _error(
    shape: Shape, message: str, *, name: str = str(Fault.VALIDATION), missing: str | None = None
) -> web.Response:
    said = _bounded(message)
    entry: dict[str, object] = {"code": shape.code, "message": said}
    if shape.status == 400:
        detail = {"Msg": said} | ({"Missing": missing} if missing else {})
        entry["detail"] = {"Name": name, "Error": detail}
    return web.Response(
        status=shape.status,
        reason=http.HTTPStatus(shape.status).phrase,
        body=strictjson.encode({"errors": [entry]}),
        headers={"Content-Type": "application/json", "Cache-Control": "no-store", **shape.headers},
    )


def _bounded(text: str) -> str:
    """Cut a text so that twice it, as JSON, fits into an error that clients read."""
    text = text[:MESSAGE_MAX].encode("utf-8", "replace").decode()
    while len(strictjson.encode(text)) > MESSAGE_MAX:
        text = text[: len(text) * 3 // 4]
    return text
