"""The routes: each parses its address, asks `Pages` on a thread, and renders.

Every page but the login form needs a session; who has none is sent to log in and comes back after.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from seawall.core import blocking
from seawall.core.clock import Clock, SystemClock
from seawall.core.errors import InvalidInputError, NotFoundError
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.web import (
    assets,
    attention,
    commands,
    failures,
    login,
    queries,
    rendering,
)
from seawall.web.ports import Pages, Session, Sessions, Viewer

_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    pages: Pages
    sessions: Sessions
    clock: Clock


_Answer = Callable[[_Site, web.Request, Session], Awaitable[web.Response]]


def routes(
    pages: Pages, sessions: Sessions, *, clock: Clock | None = None
) -> list[web.AbstractRouteDef]:
    """Return the routes of all pages, to be added to the router beside the other doors."""
    site = _Site(pages=pages, sessions=sessions, clock=clock or SystemClock())

    async def log_in(request: web.Request) -> web.StreamResponse:
        return await login.login(request, sessions)

    async def log_out(request: web.Request) -> web.StreamResponse:
        return await login.logout(request, sessions)

    return [
        web.get("/login", failures.guarded(login.form)),
        web.post("/login", failures.guarded(log_in)),
        web.post("/logout", failures.guarded(log_out)),
        web.get("/static/{name}", failures.guarded(_static)),
        web.get("/", _for_session(site, _overview)),
        web.get("/audit", _for_session(site, _audit)),
        web.get("/images/{repository:.+}/-/{target}", _for_session(site, _image)),
    ]


def error_pages(*, but_below: Iterable[str]) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Return a middleware that answers unknown addresses with a page.

    Paths below `but_below` (such as `/v2`) belong to doors with error shapes of their own.
    """
    others = tuple(but_below)

    @web.middleware
    async def answer(request: web.Request, handler: failures.Handler) -> web.StreamResponse:
        is_ours = not any(request.path == p or request.path.startswith(f"{p}/") for p in others)
        if is_ours and request.match_info.http_exception is not None:
            return failures.page(request.match_info.http_exception.status)
        return await handler(request)

    return answer


def _for_session(site: _Site, answer: _Answer) -> failures.Handler:
    async def respond(request: web.Request) -> web.StreamResponse:
        session_id = request.cookies.get(login.COOKIE, "")
        session = await blocking.run(site.sessions.session_of, session_id) if session_id else None
        if session is None:
            here = request.rel_url.raw_path_qs
            is_worth = here != "/" and queries.is_local_path(here)
            return login.redirect(f"/login?{urlencode({'next': here})}" if is_worth else "/login")
        return await answer(site, request, session)

    return failures.guarded(respond)


async def _overview(site: _Site, request: web.Request, session: Session) -> web.Response:
    query = queries.parse_list(request.query)
    overview = await blocking.run(site.pages.overview, _viewer(session), query)
    gate = overview.gate
    return rendering.render(
        "overview.html",
        session=session,
        now=site.clock.now(),
        overview=overview,
        query=query,
        notices=attention.notices(overview),
        first_push=commands.first_push(overview.registry),
        first_run=commands.first_run(gate, overview.registry) if gate else (),
    )


async def _image(site: _Site, request: web.Request, session: Session) -> web.Response:
    repository, target = _image_named(request)
    query = queries.parse_image(request.query)
    page = await blocking.run(site.pages.image, _viewer(session), repository, target, query)
    if page is None:
        raise NotFoundError(
            f"There is no image {repository} {target}, or you may not see it.",
            remedy="Check the name, or ask for the right to pull it.",
        )
    return rendering.render(
        "image.html",
        session=session,
        now=site.clock.now(),
        page=page,
        target=target,
        query=query,
        commands=commands.for_image(page),
    )


async def _audit(site: _Site, request: web.Request, session: Session) -> web.Response:
    query = queries.parse_audit(request.query)
    page = await blocking.run(site.pages.audit, _viewer(session), query)
    return rendering.render(
        "audit.html", session=session, now=site.clock.now(), page=page, query=query
    )


async def _static(request: web.Request) -> web.Response:
    asset = assets.find(request.match_info["name"])
    if asset is None:
        raise NotFoundError("There is no such file.")
    return web.Response(
        body=asset.body,
        content_type=asset.content_type,
        headers={**rendering.HEADERS, "Cache-Control": _FOR_EVER},
    )


def _viewer(session: Session) -> Viewer:
    return Viewer(actor=session.actor, is_administrator=session.is_administrator)


def _image_named(request: web.Request) -> tuple[RepositoryName, Digest | Tag]:
    target = request.match_info["target"]
    try:
        repository = RepositoryName.parse(request.match_info["repository"])
        return repository, Digest.parse(target) if ":" in target else Tag.parse(target)
    except InvalidInputError as error:
        raise NotFoundError("No image can have that name.", remedy=error.remedy) from error
