"""Answers of the gate itself, in the shape that the docker client prints as its error line."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from seawall.core import errors, strictjson
from seawall.core.reason import Refusal
from seawall.core.strictjson import Json
from seawall.gate import http

_STATUS: Final[tuple[tuple[type[errors.SeawallError], HTTPStatus], ...]] = (
    (errors.InvalidInputError, HTTPStatus.BAD_REQUEST),
    (errors.ConflictError, HTTPStatus.CONFLICT),
    (errors.DeniedError, HTTPStatus.FORBIDDEN),
    (errors.LimitError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (errors.UnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
)


def of_error(error: errors.SeawallError) -> bytes:
    """Return the whole answer for `error`."""
    if isinstance(error, errors.NotFoundError):
        return of_message(HTTPStatus.NOT_FOUND, error.message)  # the engine's own words
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return of_message(status, f"seawall: {error}")
    return of_message(HTTPStatus.INTERNAL_SERVER_ERROR, f"seawall: {error}")


def of_refusal(action: str, refusal: Refusal) -> bytes:
    """Return the whole answer that says why `action` is refused."""
    return of_message(HTTPStatus.FORBIDDEN, f"seawall refused to {action}: {refusal}")


def of_message(status: int, message: str) -> bytes:
    """Return a whole answer with an error's message."""
    return of_json(status, {"message": message})


def of_json(status: int, value: dict[str, Json], headers: http.Headers | None = None) -> bytes:
    """Return a whole answer with a JSON object."""
    body = strictjson.encode(value)
    head = http.emit_response(
        status,
        {
            **(headers or {}),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        },
    )
    return head + body


def last(answer: bytes) -> bytes:
    """Mark an answer as the last one of its connection."""
    line, _, rest = answer.partition(b"\r\n")
    return line + b"\r\nConnection: close\r\n" + rest
