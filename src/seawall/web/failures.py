"""Friendly pages for everything that goes wrong.

The request boundary itself is `ingress.boundary`; here is how its answers look to a person. A page
tells what happened and what to do next, never how the inside looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from seawall.core.errors import UnavailableError
from seawall.ingress.boundary import Problem, answer_errors
from seawall.web import rendering

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGE_SECONDS: Final = 20
"""How long a page may take to be made."""

_TITLES: Final = {
    400: "That does not make sense here",
    401: "Log in first",
    403: "Not allowed",
    404: "There is nothing here",
    405: "Not like this",
    409: "Not now",
    413: "Too much at once",
    429: "Too many attempts",
    500: "Something broke",
    503: "Not available right now",
}


def render(_request: web.Request, problem: Problem) -> web.Response:
    """Return the page that tells of `problem`: a renderer for `ingress.boundary.answer_errors`."""
    is_plain = problem.code.startswith("http-")  # HTTP's own words say no more than the title
    return rendering.render(
        "failure.html",
        status=problem.status,
        code=problem.status,
        title=_TITLES.get(problem.status, "That did not work"),
        message="" if is_plain else _sentence(problem.message),
        remedy="" if is_plain else _sentence(problem.remedy),
        session=None,
    )


def guarded(answer: Answer) -> Answer:
    """Wrap `answer` in the request boundary, with pages for its failures and a deadline."""

    async def in_time(request: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(PAGE_SECONDS):
                return await answer(request)
        except TimeoutError as error:
            raise UnavailableError(
                f"the page was not ready within {PAGE_SECONDS} seconds", remedy="try again"
            ) from error

    async def respond(request: web.Request) -> web.StreamResponse:
        return await _boundary(request, in_time)

    return respond


_boundary = answer_errors(render)


def _sentence(text: str) -> str:
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")
