"""Login and logout.

Checks, in order: 1. the form comes from a page of this site (`Origin`, else `Sec-Fetch-Site`);
2. it is small and well-formed; 3. login: name and password prove a user, and the answer to a wrong
name is the answer to a wrong password; 4. logout: the session's CSRF token came with the form.
A login always opens a new session, so that nobody can plant a known one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from seawall.core import blocking, secret
from seawall.core.errors import DeniedError, InvalidInputError, LimitError
from seawall.core.secret import Secret
from seawall.web import limits, queries, rendering
from seawall.web.ports import Sessions

COOKIE: Final = "__Host-seawall"
"""`__Host-`: browsers take it only over TLS, without Domain, with Path=/ (RFC 6265bis 4.1.3.2)."""

FORM_TYPE: Final = "application/x-www-form-urlencoded"
WRONG: Final = "That name and password do not match."
TOO_MANY: Final = "Too many attempts. Wait a few minutes, then try again."


async def form(request: web.Request) -> web.Response:
    """Show the login form."""
    return _form(next_path=_next_path(request.query.get("next", "/")))


async def login(request: web.Request, sessions: Sessions) -> web.StreamResponse:
    """Open a session and send the reader on."""
    check_same_site(request)
    fields = await read_form(request)
    name, next_path = fields.get("name", "").strip(), _next_path(fields.get("next", "/"))
    password = fields.get("password", "")
    too_long = (
        len(name) > limits.NAME_MAX_CHARACTERS or len(password) > limits.PASSWORD_MAX_CHARACTERS
    )
    if not name or not password or too_long:
        return _form(next_path=next_path, name=name, problem=WRONG, status=401)
    try:
        session_id = await blocking.run(
            sessions.login, name, Secret(password), request.remote or "unknown"
        )
    except LimitError:
        return _form(next_path=next_path, name=name, problem=TOO_MANY, status=429)
    if session_id is None:
        return _form(next_path=next_path, name=name, problem=WRONG, status=401)
    response = redirect(next_path)
    response.set_cookie(
        COOKIE, session_id, secure=True, httponly=True, samesite="Lax", path="/", max_age=None
    )
    return response


async def logout(request: web.Request, sessions: Sessions) -> web.StreamResponse:
    """End the session, whose token must come with the form."""
    check_same_site(request)
    fields = await read_form(request)
    session_id = request.cookies.get(COOKIE, "")
    session = await blocking.run(sessions.session_of, session_id) if session_id else None
    if session is not None:
        if not secret.is_same(session.csrf.encode(), fields.get("csrf", "").encode()):
            raise DeniedError(
                "The form does not belong to your session.", remedy="Reload the page, try again."
            )
        await blocking.run(sessions.logout, session_id)
    response = redirect("/login")
    response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Lax")
    return response


def redirect(path: str) -> web.Response:
    """Send the reader to `path` of this site with a GET."""
    return web.Response(status=303, headers={**rendering.HEADERS, "Location": path})


def check_same_site(request: web.Request) -> None:
    """Raises DeniedError unless the browser says that the form is ours."""
    origin = request.headers.get("Origin")
    if origin is None:
        is_ours = request.headers.get("Sec-Fetch-Site") == "same-origin"
    else:
        parts = urlsplit(origin)
        is_ours = parts.netloc == request.host and parts.scheme == request.scheme
    if not is_ours:
        raise DeniedError(
            "The form was sent from another site.", remedy="Open the login page here and try again."
        )


async def read_form(request: web.Request) -> Mapping[str, str]:
    """Read a small form. Raises InvalidInputError, or 413."""
    if request.content_type != FORM_TYPE:
        raise InvalidInputError(f"The form must be sent as {FORM_TYPE}.")
    body = b""
    async for chunk in request.content.iter_chunked(limits.FORM_MAX_BYTES):
        body += chunk
        if len(body) > limits.FORM_MAX_BYTES:
            raise web.HTTPRequestEntityTooLarge(limits.FORM_MAX_BYTES, len(body))
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=16)
    except ValueError as error:
        raise InvalidInputError("The form is not well-formed.") from error
    if any(len(values) > 1 for values in fields.values()):
        raise InvalidInputError("The form gives a field twice.")
    return {name: values[0] for name, values in fields.items()}


def _next_path(path: str) -> str:
    return path if queries.is_local_path(path) else "/"


def _form(*, next_path: str, name: str = "", problem: str = "", status: int = 200) -> web.Response:
    return rendering.render(
        "login.html",
        status=status,
        next_path=next_path,
        name=name[: limits.NAME_MAX_CHARACTERS],
        problem=problem,
        session=None,
    )
