"""The token service: who are you, and what of what you ask for may you do?

The protocol is Docker's token authentication (distribution-spec leaves it to Docker's documents):
`GET /token` with Basic, and `POST /token` as an OAuth 2 password grant. Missing rights are no
error: the token lists the intersection of what was asked for and what is granted, perhaps nothing.
Refused: wrong credentials (401), guessing (429), and a scope that does not parse (400).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from seawall.core import actor as actors
from seawall.core import blocking, clock, strictjson
from seawall.core.actor import Actor
from seawall.core.errors import InvalidInputError, LimitError, SeawallError
from seawall.identity import model
from seawall.identity.grants import Grants
from seawall.identity.model import ALL_ACTIONS, Action
from seawall.identity.tokens import IssuedToken, Tokens
from seawall.ingress import boundary, credentials
from seawall.ingress.credentials import Credentials
from seawall.oci.names import RepositoryName

PATH: Final = "/token"
MAX_SCOPES: Final = 16
SCOPE_MAX_CHARACTERS: Final = 512
FORM_MAX_BYTES: Final = 16 * 1024
FORM_MAX_FIELDS: Final = 64

_TYPE: Final = re.compile(r"([a-z0-9]+)(?:\([a-z0-9]*\))?", re.ASCII)
_ACTION: Final = re.compile(r"[a-z]+|\*", re.ASCII)

_CODES: Final = {401: "UNAUTHORIZED", 403: "DENIED", 429: "TOOMANYREQUESTS"}

Asked = Mapping[RepositoryName, frozenset[Action]]


class TokenService:
    """Answers at `/token`. `service` is the audience that challenges name.

    Clients of content trust put a host before the repository's name: one of `hosts`.
    """

    def __init__(
        self,
        *,
        credentials: Credentials,
        grants: Grants,
        tokens: Tokens,
        service: str,
        hosts: frozenset[str] = frozenset(),
    ) -> None:
        self._credentials = credentials
        self._grants = grants
        self._tokens = tokens
        self._service = service
        self._hosts = hosts

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Docker's way: name and password in Basic, or none for anonymous."""
        asked = parse_scopes(request.query.getall("scope", []), self._hosts)
        self._check_service(request.query.get("service"))
        actor, is_administrator = actors.ANONYMOUS, False
        authorization = request.headers.get(hdrs.AUTHORIZATION)
        if authorization is not None:
            name, password = credentials.parse_basic(authorization)
            user = await self._credentials.authenticate(
                name, password, address=request.remote or ""
            )
            actor, is_administrator = user.actor, user.is_administrator
        token, _ = await self._issue(actor, asked, is_administrator=is_administrator)
        return _answer({**_common(token), "token": token.text})

    async def post(self, request: web.Request) -> web.StreamResponse:
        """OAuth 2 (RFC 6749 section 4.3), as containerd asks. There are no refresh tokens."""
        form = await _read_form(request)
        grant_type = form.get("grant_type", "")
        if grant_type != "password":
            code = "unsupported_grant_type" if grant_type else "invalid_request"
            return _answer({"error": code}, status=400)
        asked = parse_scopes([form.get("scope", "")], self._hosts)
        self._check_service(form.get("service"))
        user = await self._credentials.authenticate(
            form.get("username", ""), form.get("password", ""), address=request.remote or ""
        )
        token, access = await self._issue(user.actor, asked, is_administrator=user.is_administrator)
        scope = " ".join(
            f"repository:{name}:{','.join(sorted(actions))}" for name, actions in access.items()
        )
        return _answer({**_common(token), "scope": scope, "token_type": "Bearer"})

    async def _issue(
        self, actor: Actor, asked: Asked, *, is_administrator: bool
    ) -> tuple[IssuedToken, Asked]:
        granted = await blocking.run(self._grants.of, actor)
        access = {
            name: allowed
            for name, actions in asked.items()
            if (
                allowed := frozenset(
                    action for action in actions if model.may(granted, actor, action, name)
                )
            )
        }
        return self._tokens.issue(actor, access, is_administrator=is_administrator), access

    def _check_service(self, service: str | None) -> None:
        if service is not None and service != self._service:
            raise InvalidInputError(f"this token service does not speak for {service[:100]!r}")


def token_routes(service: TokenService) -> list[web.RouteDef]:
    """Return the routes of the token service. They answer their own errors."""
    return [
        web.get(PATH, _with_errors(service.get), allow_head=False),
        web.post(PATH, _with_errors(service.post)),
    ]


def parse_scopes(texts: Iterable[str], hosts: frozenset[str] = frozenset()) -> Asked:
    """Parse `scope` parameters, each with one scope or several between spaces.

    A name may begin with one of `hosts`: that is the repository of the rest.
    What this registry has no name for — another type, another registry's host in the name, an
    unknown action — is asked in vain, not refused. Raises InvalidInputError for what does not
    parse, LimitError for too many.
    """
    scopes = [scope for text in texts for scope in text.split(" ") if scope]
    if len(scopes) > MAX_SCOPES:
        raise LimitError(f"{len(scopes)} scopes, more than the {MAX_SCOPES} allowed")
    asked: dict[RepositoryName, frozenset[Action]] = {}
    for scope in scopes:
        parsed = _parse_scope(scope, hosts)
        if parsed is not None:
            name, actions = parsed
            asked[name] = asked.get(name, frozenset()) | actions
    return asked


def _parse_scope(
    text: str, hosts: frozenset[str]
) -> tuple[RepositoryName, frozenset[Action]] | None:
    # A name may hold colons (a port): type and actions are taken from the two ends.
    kind, first, rest = text.partition(":")
    name, last, listed = rest.rpartition(":")
    match = _TYPE.fullmatch(kind)
    words = listed.split(",") if listed else []
    if (
        len(text) > SCOPE_MAX_CHARACTERS
        or not (first and last and name)
        or match is None
        or not all(_ACTION.fullmatch(word) for word in words)
    ):
        raise InvalidInputError(
            f"{text[:100]!r} is not a scope", remedy="write type:name:action[,action…]"
        )
    if match.group(1) != "repository":
        return None
    host, _, path = name.partition("/")
    try:
        repository = RepositoryName.parse(path if host in hosts else name)
    except InvalidInputError:
        return None
    actions = frozenset(Action(word) for word in words if word in ALL_ACTIONS)
    return repository, ALL_ACTIONS if "*" in words else actions


async def _read_form(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise InvalidInputError("a form is expected")
    body = await request.content.read(FORM_MAX_BYTES + 1)
    while len(body) <= FORM_MAX_BYTES and (more := await request.content.read(FORM_MAX_BYTES)):
        body += more
    if len(body) > FORM_MAX_BYTES:
        raise LimitError(f"the form is larger than {FORM_MAX_BYTES} bytes")
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FORM_MAX_FIELDS,
        )
    except ValueError as error:
        raise InvalidInputError("the form does not parse") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise InvalidInputError("the form names a field twice")
    return form


def _common(token: IssuedToken) -> dict[str, object]:
    return {
        "access_token": token.text,
        "expires_in": int(token.lifetime.total_seconds()),
        "issued_at": clock.to_text(token.issued),
    }


def _answer(body: Mapping[str, object], *, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=strictjson.encode(dict(body)),
        content_type="application/json",
        headers={hdrs.CACHE_CONTROL: "no-store"},
    )


def _with_errors(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except SeawallError as error:
            return _refuse(boundary.problem_of(error))

    return answer


def _refuse(problem: boundary.Problem) -> web.Response:
    message = f"{problem.message}: {problem.remedy}" if problem.remedy else problem.message
    code = _CODES.get(problem.status, "UNSUPPORTED")
    response = _answer(
        {"errors": [{"code": code, "message": message, "detail": None}]}, status=problem.status
    )
    for name, value in problem.headers:
        response.headers[name] = value
    if problem.status == 401:
        response.headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="Seawall"'
    return response
