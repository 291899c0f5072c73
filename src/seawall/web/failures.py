"""Friendly pages for everything that goes wrong, and the request boundary of the pages.

A page tells what happened and what to do next, never how the inside looks: an unexpected exception
goes to the log under a reference, and the reader sees the reference only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from seawall.core import errors, ids
from seawall.web import rendering

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGE_SECONDS: Final = 20
"""How long a page may take to be made."""

_STATUS: Final[tuple[tuple[type[errors.SeawallError], int], ...]] = (
    (errors.InvalidInputError, 400),
    (errors.DeniedError, 403),
    (errors.NotFoundError, 404),
    (errors.ConflictError, 409),
    (errors.LimitError, 429),
    (errors.UnavailableError, 503),
)
_TITLES: Final = {
    400: "That address does not make sense",
    403: "Not allowed",
    404: "There is nothing here",
    405: "Not like this",
    409: "Not now",
    413: "Too much at once",
    429: "Too many attempts",
    500: "Something broke",
    503: "Not available right now",
}
_logger = logging.getLogger(__name__)


def guarded(answer: Handler) -> Handler:
    """Wrap `answer` so that each failure becomes a page. The pages' request boundary."""

    async def respond(request: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(PAGE_SECONDS):
                return await answer(request)
        except web.HTTPException as error:
            return error if error.status < 400 else page(error.status)
        except errors.SeawallError as error:
            return page(_status_of(error), message=error.message, remedy=error.remedy)
        except TimeoutError:
            return page(503, message=f"The page was not ready within {PAGE_SECONDS} seconds.")
        except Exception:  # the request boundary: whatever it was, the reader gets a page
            reference = ids.new_id()[:12]
            _logger.exception("page %s failed, reference %s", request.rel_url.raw_path, reference)
            return page(500, reference=reference)

    return respond


def page(status: int, *, message: str = "", remedy: str = "", reference: str = "") -> web.Response:
    """Return the page that tells of a failure with this HTTP status."""
    return rendering.render(
        "failure.html",
        status=status,
        code=status,
        title=_TITLES.get(status, "That did not work"),
        message=message,
        remedy=remedy,
        reference=reference,
        session=None,
    )


def _status_of(error: errors.SeawallError) -> int:
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
