"""The way of every request: path, method, caller, right, answer.

1. The raw path is parsed (`paths`); what does not follow the grammar is refused.
2. The method must be one that the endpoint has.
3. The caller must prove who it is and have the right; else 401 with a challenge that names the
   scope, so that the client can fetch a token and come again.
4. A compressed body is refused: a digest is of the bytes as sent.
5. The endpoint answers. An error that was raised on purpose is told; any other is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiohttp import web

from seawall.core.errors import InvalidInputError, SeawallError
from seawall.distribution import blobs, listings, manifests, paths, uploads
from seawall.distribution.call import Call
from seawall.distribution.errors import response_of, unexpected
from seawall.distribution.paths import Endpoint, Target
from seawall.ingress.access import Action, Authenticator, Caller, InvalidCredentialsError
from seawall.ingress.refusals import RefusedError, Shape
from seawall.registry import Registry

Answer: TypeAlias = Callable[[Call], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Rule:
    """`right` is None where any proof of who asks is enough."""

    right: Action | None
    answer: Answer


_PULL, _PUSH, _DELETE = Action.PULL, Action.PUSH, Action.DELETE

_RULES: Final[dict[Endpoint, dict[str, _Rule]]] = {
    Endpoint.PING: {"GET": _Rule(None, listings.ping), "HEAD": _Rule(None, listings.ping)},
    Endpoint.CATALOG: {"GET": _Rule(None, listings.catalog)},
    Endpoint.TAGS: {"GET": _Rule(_PULL, listings.tags)},
    Endpoint.REFERRERS: {"GET": _Rule(_PULL, listings.referrers)},
    Endpoint.MANIFEST: {
        "GET": _Rule(_PULL, manifests.get),
        "HEAD": _Rule(_PULL, manifests.get),
        "PUT": _Rule(_PUSH, manifests.put),
        "DELETE": _Rule(_DELETE, manifests.delete),
    },
    Endpoint.BLOB: {
        "GET": _Rule(_PULL, blobs.get),
        "HEAD": _Rule(_PULL, blobs.head),
        "DELETE": _Rule(_DELETE, blobs.delete),
    },
    Endpoint.UPLOADS: {"POST": _Rule(_PUSH, uploads.start)},
    Endpoint.UPLOAD: {
        "GET": _Rule(_PUSH, uploads.state),
        "PATCH": _Rule(_PUSH, uploads.append),
        "PUT": _Rule(_PUSH, uploads.finish),
        "DELETE": _Rule(_PUSH, uploads.cancel),
    },
}

_SCOPES: Final = {_PULL: "pull", _PUSH: "pull,push", _DELETE: "delete"}


def routes(registry: Registry, authenticator: Authenticator) -> list[web.RouteDef]:
    """Return the routes of `/v2/` for an application that has no other routes below it."""
    door = _Door(registry, authenticator)
    return [
        web.route("*", path, door.answer, expect_handler=_expect)
        for path in ("/v2", "/v2/{rest:.*}")
    ]


class _Door:
    def __init__(self, registry: Registry, authenticator: Authenticator) -> None:
        self._registry = registry
        self._authenticator = authenticator

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request. The boundary at which every error ends."""
        try:
            return await self._answer(request)
        except SeawallError as error:
            return self._failed(request, response_of(error))
        except (ConnectionError, web.HTTPException):
            raise
        except web.RequestPayloadError:
            shape = Shape(400, "BLOB_UPLOAD_INVALID")
            return response_of(RefusedError("the body is not valid HTTP", shape))
        except Exception:
            _log.exception("%s %r failed", request.method, request.raw_path[:300])
            return self._failed(request, unexpected())

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        target = _target(request)
        rule = _RULES[target.endpoint].get(request.method)
        if rule is None:
            allowed = {"Allow": ", ".join(_RULES[target.endpoint])}
            raise RefusedError(
                f"{request.method[:20]} is not possible here", Shape(405, "UNSUPPORTED", allowed)
            )
        caller = self._caller(request, target, rule)
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RefusedError(
                "a compressed request is not accepted",
                Shape(415, "UNSUPPORTED"),
                remedy="send the bytes as they are, without Content-Encoding",
            )
        call = Call(
            request=request,
            target=target,
            caller=caller,
            registry=self._registry,
            authenticator=self._authenticator,
        )
        return await rule.answer(call)

    def _caller(self, request: web.Request, target: Target, rule: _Rule) -> Caller:
        proofs = request.headers.getall("Authorization", [])
        scope = _scope(target, rule)
        if len(proofs) > 1:
            raise RefusedError("more than one Authorization header", Shape(400, "UNAUTHORIZED"))
        if not proofs:
            raise self._challenge("authentication is required", "UNAUTHORIZED", scope, "")
        try:
            caller = self._authenticator.caller_of(proofs[0])
        except InvalidCredentialsError as error:
            raise self._challenge(error.message, "UNAUTHORIZED", scope, "invalid_token") from error
        if rule.right is not None and not caller.may(rule.right, target.name):
            message = f"{caller.actor} may not {rule.right} {target.name}"
            raise self._challenge(message, "DENIED", scope, "insufficient_scope")
        return caller

    def _challenge(self, message: str, code: str, scope: str, error: str) -> RefusedError:
        challenge = self._authenticator.challenge(scope, error=error)
        return RefusedError(message, Shape(401, code, {"WWW-Authenticate": challenge}))

    def _failed(self, request: web.Request, response: web.Response) -> web.Response:
        if request.writer.output_size > 0:
            # Half an answer is out: only a broken connection can tell that it is not whole.
            raise ConnectionAbortedError("the answer could not be completed")
        return response


def _target(request: web.Request) -> Target:
    raw_path = request.raw_path.partition("?")[0]
    try:
        target = paths.parse(raw_path)
    except InvalidInputError as error:
        shape = Shape(400, "NAME_INVALID")
        raise RefusedError(error.message, shape, remedy=error.remedy) from error
    if target is None:
        raise RefusedError("no such endpoint", Shape(404, "NAME_UNKNOWN"))
    return target


def _scope(target: Target, rule: _Rule) -> str:
    if target.endpoint is Endpoint.CATALOG:
        return "registry:catalog:*"
    return f"repository:{target.name}:{_SCOPES[rule.right]}" if rule.right is not None else ""


async def _expect(_request: web.Request) -> None:
    """Do not ask for the body yet: it may be refused without being sent (`bodies.announce`)."""
