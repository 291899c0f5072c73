"""Login sessions of the pages, as cookies, and the checks against forged requests.

A request that changes something (anything but GET and HEAD) is refused unless

1. the browser says that it comes from our own pages: `Sec-Fetch-Site: same-origin`, or else an
   `Origin` that is ours (a browser that sends neither is too old to be safe);
2. inside a session, it carries the session's secret in the field `csrf` or the header
   `X-CSRF-Token`. Signing in has no session yet and rests on 1.

The cookie is `__Host-`: HTTPS only, this host only, no script, and never sent from another site.
"""

from __future__ import annotations

import hmac
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from seawall.core import blocking
from seawall.core.errors import DeniedError
from seawall.core.secret import Secret
from seawall.identity.errors import InvalidCredentialsError
from seawall.identity.sessions import ABSOLUTE_LIFE, Session, Sessions
from seawall.ingress.credentials import Credentials

COOKIE: Final = "__Host-seawall"
CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "X-CSRF-Token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
FORM_TYPES: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})

_SESSION: Final = web.RequestKey("session", Session)


class LoginSessions:
    """Signs browsers in and out, and finds the session of a request."""

    def __init__(self, sessions: Sessions, credentials: Credentials) -> None:
        self._sessions = sessions
        self._credentials = credentials

    async def sign_in(
        self, request: web.Request, response: web.StreamResponse, *, name: str, password: str
    ) -> None:
        """Check name and password and put a new session's cookie on `response`.

        Whatever session the browser came with ends: an id planted by somebody else never becomes
        a signed-in one. Raises InvalidCredentialsError, TooManyAttemptsError, UnavailableError.
        """
        user = await self._credentials.authenticate(name, password, address=request.remote or "")
        await self._end_presented(request)
        session_id = await blocking.run(self._sessions.begin, user)
        _set_cookie(response, session_id)

    async def sign_out(self, request: web.Request, response: web.StreamResponse) -> None:
        """End the request's session and take its cookie away."""
        await self._end_presented(request)
        response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")

    async def find(self, request: web.Request) -> Session | None:
        """Return the living session whose cookie the request carries."""
        session_id = request.cookies.get(COOKIE)
        if not session_id:
            return None
        return await blocking.run(self._sessions.find, session_id)

    @property
    def middleware(self) -> Middleware:
        """The middleware of the pages: finds the session and refuses forged requests."""

        @web.middleware
        async def with_session(request: web.Request, handler: Handler) -> web.StreamResponse:
            session = await self.find(request)
            await check_genuine(request, session)
            if session is not None:
                request[_SESSION] = session
            return await handler(request)

        return with_session

    async def _end_presented(self, request: web.Request) -> None:
        session_id = request.cookies.get(COOKIE)
        if session_id:
            await blocking.run(self._sessions.end, session_id)


def session_of(request: web.Request) -> Session | None:
    """Return the session that the middleware found, None for a visitor."""
    return request.get(_SESSION)


def require_session(request: web.Request) -> Session:
    """Return the session that the middleware found. Raises InvalidCredentialsError."""
    session = session_of(request)
    if session is None:
        raise InvalidCredentialsError("nobody is signed in", remedy="sign in first")
    return session


def require_administrator(request: web.Request) -> Session:
    """Return the session of an administrator. Raises InvalidCredentialsError, DeniedError."""
    session = require_session(request)
    if not session.user.is_administrator:
        raise DeniedError("only administrators may do this")
    return session


async def check_genuine(request: web.Request, session: Session | None) -> None:
    """Raises DeniedError for a request that may have been forged by another site."""
    if request.method in SAFE_METHODS:
        return
    if not _is_from_our_pages(request):  # 1
        raise DeniedError(
            "the request does not come from one of these pages",
            remedy="open the page here and try again",
        )
    if session is not None and not await _carries(request, session.csrf):  # 2
        raise DeniedError(
            "the form is not from this login session", remedy="reload the page and try again"
        )


def _is_from_our_pages(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None and site != "same-origin":
        return False
    # Under `Referrer-Policy: no-referrer` a browser writes `null` for our own pages' origin too,
    # so `null` says nothing (Fetch standard, "append a request Origin header").
    if origin is not None and origin != "null":
        return origin == f"{request.scheme}://{request.host}"
    return site == "same-origin"


async def _carries(request: web.Request, csrf: Secret) -> bool:
    given: object = request.headers.get(CSRF_HEADER)
    if given is None and request.content_type in FORM_TYPES:
        given = (await request.post()).get(CSRF_FIELD)
    if not isinstance(given, str):
        return False
    return hmac.compare_digest(given.encode(), csrf.reveal().encode())


def _set_cookie(response: web.StreamResponse, session_id: Secret) -> None:
    response.set_cookie(
        COOKIE,
        session_id.reveal(),
        max_age=int(ABSOLUTE_LIFE.total_seconds()),
        path="/",
        secure=True,
        httponly=True,
        samesite="Strict",
    )
