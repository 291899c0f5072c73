"""The routes: each parses its address, asks `Pages` on a thread, and renders.

Every page but the login form needs a session; who has none is sent to log in and comes back after.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from seawall.core import blocking
from seawall.core.clock import Clock, SystemClock
from seawall.core.errors import InvalidInputError, NotFoundError
from seawall.identity.sessions import Session
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
from seawall.web.ports import Logins, Pages, Viewer

_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    pages: Pages
    logins: Logins
    clock: Clock


_PageOf = Callable[[_Site, web.Request, Session], Awaitable[web.Response]]


def routes(
    pages: Pages, logins: Logins, *, clock: Clock | None = None
) -> list[web.AbstractRouteDef]:
    """Return the routes of all pages, to be added to the router beside the other doors.

    They bring their own request boundary and headers. For addresses that no route takes, give
    `failures.render` to the application's `ingress.boundary.answer_errors`.
    """
    site = _Site(pages=pages, logins=logins, clock=clock or SystemClock())

    def with_logins(
        answer: Callable[[web.Request, Logins], Awaitable[web.StreamResponse]],
    ) -> failures.Answer:
        async def respond(request: web.Request) -> web.StreamResponse:
            return await answer(request, logins)

        return failures.guarded(respond)

    return [
        web.get("/login", with_logins(login.form)),
        web.post("/login", with_logins(login.login)),
        web.post("/logout", with_logins(login.logout)),
        web.get("/static/{name}", failures.guarded(_static)),
        web.get("/", _for_session(site, _overview)),
        web.get("/audit", _for_session(site, _audit)),
        web.get("/images/{repository:.+}/-/{target}", _for_session(site, _image)),
        web.get("/compare", _for_session(site, _compare)),
        web.get("/vulnerability", _for_session(site, _vulnerability)),
        web.get("/trends", _for_session(site, _trends)),
        web.get("/feeds", _for_session(site, _feeds)),
        web.get("/trust/{repository:.+}", _for_session(site, _trust)),
    ]


def _for_session(site: _Site, page: _PageOf) -> failures.Answer:
    async def respond(request: web.Request) -> web.StreamResponse:
        session = await site.logins.find(request)
        if session is not None:
            return await page(site, request, session)
        here = request.rel_url.raw_path_qs
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            # The cookie is `SameSite=Strict`: behind a link from elsewhere it is not sent, so the
            # reader may well be logged in. Asked again by a page of ours, the browser sends it.
            return rendering.render("again.html", session=None, here=here)
        is_worth = here != "/" and queries.is_local_path(here)
        return login.redirect(f"/login?{urlencode({'next': here})}" if is_worth else "/login")

    return failures.guarded(respond)


async def _overview(site: _Site, request: web.Request, session: Session) -> web.Response:
    query = queries.parse_list(request.query)
    overview = await blocking.run(site.pages.overview, _viewer(session), query)
    return rendering.render(
        "overview.html",
        session=session,
        now=site.clock.now(),
        overview=overview,
        query=query,
        notices=attention.notices(overview),
        first_push=commands.first_push(overview.registry),
        first_run=commands.first_run(overview),
    )


async def _image(site: _Site, request: web.Request, session: Session) -> web.Response:
    repository, target = _image_named(request)
    query = queries.parse_image(request.query)
    page = await blocking.run(site.pages.image, _viewer(session), repository, target, query)
    if page is None:
        raise NotFoundError(
            f"there is no image {repository} {target}, or you may not see it",
            remedy="check the name, or ask for the right to pull it",
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


async def _trust(site: _Site, request: web.Request, session: Session) -> web.Response:
    try:
        repository = RepositoryName.parse(request.match_info["repository"])
    except InvalidInputError as error:
        raise NotFoundError("no repository can have that name", remedy=error.remedy) from error
    page = await blocking.run(site.pages.trust, _viewer(session), repository)
    if page is None:
        raise NotFoundError(
            f"there is no repository {repository}, or you may not see it",
            remedy="check the name, or ask for the right to pull from it",
        )
    return rendering.render(
        "trust.html",
        session=session,
        now=site.clock.now(),
        page=page,
        commands=commands.for_trust(page),
    )


async def _compare(site: _Site, request: web.Request, session: Session) -> web.Response:
    query = queries.parse_comparison(request.query)
    page = await blocking.run(site.pages.comparison, _viewer(session), query)
    return rendering.render(
        "compare.html",
        session=session,
        now=site.clock.now(),
        page=page,
        query=query,
        commands=commands.for_comparison(query),
    )


async def _vulnerability(site: _Site, request: web.Request, session: Session) -> web.Response:
    query = queries.parse_vulnerability(request.query)
    page = None
    if query is not None:
        page = await blocking.run(site.pages.vulnerability, _viewer(session), query)
    return rendering.render(
        "vulnerability.html",
        session=session,
        now=site.clock.now(),
        page=page,
        commands=commands.for_vulnerability(page) if page else (),
    )


async def _trends(site: _Site, request: web.Request, session: Session) -> web.Response:
    repository = queries.parse_trends(request.query)
    page = await blocking.run(site.pages.trends, _viewer(session), repository)
    if page is None:
        raise NotFoundError(
            f"there is no repository {repository}, or you may not see it",
            remedy="check the name, or ask for the right to pull from it",
        )
    return rendering.render(
        "trends.html",
        session=session,
        now=site.clock.now(),
        page=page,
        commands=commands.for_trends(page),
    )


async def _feeds(site: _Site, request: web.Request, session: Session) -> web.Response:
    page = await blocking.run(site.pages.feeds, _viewer(session))
    return rendering.render("feeds.html", session=session, now=site.clock.now(), page=page)


async def _audit(site: _Site, request: web.Request, session: Session) -> web.Response:
    query = queries.parse_audit(request.query)
    page = await blocking.run(site.pages.audit, _viewer(session), query)
    return rendering.render(
        "audit.html", session=session, now=site.clock.now(), page=page, query=query
    )


async def _static(request: web.Request) -> web.Response:
    asset = assets.find(request.match_info["name"])
    if asset is None:
        raise NotFoundError("there is no such file")
    return web.Response(
        body=asset.body,
        content_type=asset.content_type,
        headers={**rendering.HEADERS, "Cache-Control": _FOR_EVER},
    )


def _viewer(session: Session) -> Viewer:
    return Viewer(actor=session.user.actor, is_administrator=session.user.is_administrator)


def _image_named(request: web.Request) -> tuple[RepositoryName, Digest | Tag]:
    target = request.match_info["target"]
    try:
        repository = RepositoryName.parse(request.match_info["repository"])
        return repository, Digest.parse(target) if ":" in target else Tag.parse(target)
    except InvalidInputError as error:
        raise NotFoundError("no image can have that name", remedy=error.remedy) from error
