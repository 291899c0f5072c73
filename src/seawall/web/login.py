"""Login and logout.

Checks, in order: 1. the form is small, well-formed and says each thing once; 2. it was sent from a
page of this site, and inside a session carries its CSRF token (`ingress.sessions.check_genuine`);
3. name and password prove a user. A wrong name is answered like a wrong password.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from seawall.core.errors import InvalidInputError
from seawall.identity.errors import InvalidCredentialsError, TooManyAttemptsError
from seawall.ingress.sessions import check_genuine
from seawall.web import limits, queries, rendering
from seawall.web.ports import Logins

FORM_TYPE: Final = "application/x-www-form-urlencoded"
WRONG: Final = "That name and password do not match."


async def form(request: web.Request, logins: Logins) -> web.Response:
    """Show the login form; who is logged in already is sent on."""
    next_path = _local(request.query.get("next", "/"))
    if await logins.find(request) is not None:
        return redirect(next_path)
    return _form(next_path=next_path)


async def login(request: web.Request, logins: Logins) -> web.StreamResponse:
    """Open a session and send the reader on."""
    fields = await _read_form(request)
    await check_genuine(request, None)
    name, next_path = fields.get("name", "").strip(), _local(fields.get("next", "/"))
    password = fields.get("password", "")
    response = redirect(next_path)
    try:
        if not name or not password or len(password) > limits.PASSWORD_MAX_CHARACTERS:
            raise InvalidCredentialsError("name or password is missing or too long")
        await logins.sign_in(request, response, name=name, password=password)
    except InvalidCredentialsError:
        return _form(next_path=next_path, name=name, problem=WRONG, status=401)
    except TooManyAttemptsError as error:
        seconds = max(1, round(error.retry_after.total_seconds()))
        problem = f"Too many attempts. Try again in {seconds} seconds."
        answer = _form(next_path=next_path, name=name, problem=problem, status=429)
        answer.headers["Retry-After"] = str(seconds)
        return answer
    return response


async def logout(request: web.Request, logins: Logins) -> web.StreamResponse:
    """End the session, whose token must come with the form."""
    await _read_form(request)
    await check_genuine(request, await logins.find(request))
    response = redirect("/login")
    await logins.sign_out(request, response)
    return response


def redirect(path: str) -> web.Response:
    """Send the reader to `path` of this site with a GET."""
    return web.Response(status=303, headers={**rendering.HEADERS, "Location": path})


async def _read_form(request: web.Request) -> Mapping[str, str]:
    """Read a small form. Raises InvalidInputError, or 411 and 413 for its length."""
    if request.content_type != FORM_TYPE:
        raise InvalidInputError(f"the form must be sent as {FORM_TYPE}")
    if request.content_length is None:
        raise web.HTTPLengthRequired
    if request.content_length > limits.FORM_MAX_BYTES:
        raise web.HTTPRequestEntityTooLarge(limits.FORM_MAX_BYTES, request.content_length)
    try:
        fields = await request.post()
    except (ValueError, LookupError) as error:  # not UTF-8, or a charset that does not exist
        raise InvalidInputError("the form is not well-formed") from error
    if len(fields) != len(set(fields)):
        raise InvalidInputError("the form gives a field twice")
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def _local(path: str) -> str:
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
