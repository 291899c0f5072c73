"""The request boundary: what goes wrong inside becomes an answer, and nothing more gets out.

A `SeawallError` is shown with its message and remedy. Anything else is our mistake: the caller sees
a number, the log holds the rest under that number. How an answer looks is the door's business.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from seawall.core import errors, ids, strictjson
from seawall.core.errors import SeawallError
from seawall.identity.errors import InvalidCredentialsError, TooManyAttemptsError

_log: Final = logging.getLogger(__name__)

_STATUS: Final[tuple[tuple[type[SeawallError], int], ...]] = (
    (TooManyAttemptsError, 429),
    (InvalidCredentialsError, 401),
    (errors.InvalidInputError, 400),
    (errors.NotFoundError, 404),
    (errors.ConflictError, 409),
    (errors.DeniedError, 403),
    (errors.LimitError, 413),
    (errors.UnavailableError, 503),
    (errors.IntegrityError, 500),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What the caller is told. `headers` belong on the answer, whatever it looks like."""

    status: int
    code: str
    message: str
    remedy: str = ""
    headers: tuple[tuple[str, str], ...] = ()


Render: TypeAlias = Callable[[web.Request, Problem], web.StreamResponse]


def problem_of(error: SeawallError) -> Problem:
    """Return what a caller is told about `error`."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, TooManyAttemptsError):
        seconds = max(1, math.ceil(error.retry_after.total_seconds()))
        headers = (("Retry-After", str(seconds)),)
    elif status == 503:
        headers = (("Retry-After", "5"),)
    return Problem(
        status=status,
        code=error.code,
        message=error.message,
        remedy=error.remedy,
        headers=headers,
    )


def as_json(_request: web.Request, problem: Problem) -> web.StreamResponse:
    """Render a problem in the shape of RFC 9457."""
    body = {
        "status": problem.status,
        "title": problem.message,
        "detail": problem.remedy,
        "code": problem.code,
    }
    return web.Response(
        status=problem.status,
        body=strictjson.encode(body),
        content_type="application/problem+json",
        headers=dict(problem.headers),
    )


def answer_errors(render: Render = as_json) -> Middleware:
    """Return the middleware that turns errors into answers made by `render`. Put it outermost."""

    @web.middleware
    async def boundary(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return _render(request, _of_http(error))
        except SeawallError as error:
            if isinstance(error, errors.IntegrityError):
                _log.error("integrity: %s", error.message)
            return _render(request, problem_of(error))
        except ConnectionError:
            raise  # the caller went away: there is nobody to answer
        except Exception:
            return _render(request, _unexpected())

    def _render(request: web.Request, problem: Problem) -> web.StreamResponse:
        abort_if_begun(request)
        response = render(request, problem)
        for name, value in problem.headers:
            response.headers[name] = value
        return response

    return boundary


def abort_if_begun(request: web.Request) -> None:
    """Cut the connection off if an answer has begun: a second one would stand in its body, and the
    caller would take it for the rest of what they asked for. Raises ConnectionResetError then."""
    if request.writer.output_size > 0:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the answer had already begun")


def _of_http(error: web.HTTPException) -> Problem:
    headers: list[tuple[str, str]] = []
    if isinstance(error, web.HTTPMethodNotAllowed):
        headers.append(("Allow", ", ".join(sorted(error.allowed_methods))))
    return Problem(
        status=error.status,
        code=f"http-{error.status}",
        message=error.reason.lower(),
        headers=tuple(headers),
    )


def _unexpected() -> Problem:
    number = ids.new_id()
    _log.exception("unexpected error %s", number)
    return Problem(
        status=500,
        code="unexpected",
        message="something went wrong on our side",
        remedy=f"tell the operator the number {number}",
    )
