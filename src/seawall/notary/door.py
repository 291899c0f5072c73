"""The way of every request: path, method, caller, right, answer.

1. The raw path is parsed (`paths`). What is no endpoint, and any other method, is not found: that
   is what clients of this protocol expect.
2. The caller must have the right on the name's repository; else 401 with a challenge that names the
   scope. Clients ask for `pull`, `pull,push`, or `*` where something is destroyed or replaced; the
   latter takes the right to delete.
3. The endpoint answers. An error that was raised on purpose is told; any other is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiohttp import web

from seawall.core import blocking, clock
from seawall.core.errors import NotFoundError, SeawallError
from seawall.ingress.access import (
    ANONYMOUS,
    Action,
    Authenticator,
    Caller,
    InvalidCredentialsError,
)
from seawall.ingress.refusals import RefusedError, Shape
from seawall.notary import answers, files, paths
from seawall.notary.answers import PARAMETERS
from seawall.notary.parts import Uploads
from seawall.notary.paths import Endpoint, Target
from seawall.trust.errors import ForeignNameError
from seawall.trust.trees import Change, StoredFile, Trees
from seawall.trust.tuf.names import Gun, Role

DEFAULT_RECORDS: Final = 100
_NUMBER_MAX_CHARACTERS: Final = 18

_log = logging.getLogger(__name__)


def routes(
    trees: Trees, authenticator: Authenticator, uploads: Uploads | None = None
) -> list[web.RouteDef]:
    """Return the routes of this door. Add them before those of `distribution`."""
    door = _Door(trees, authenticator, uploads or Uploads())
    return [
        web.route("*", path, door.answer)
        for path in ("/v2/_trust/{rest:.*}", "/v2/{gun:.+}/_trust/{rest:.*}", paths.HEALTH)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    request: web.Request
    target: Target
    caller: Caller

    @property
    def gun(self) -> Gun:
        assert self.target.gun is not None
        return self.target.gun

    @property
    def role(self) -> Role:
        assert self.target.role is not None
        return self.target.role


Answer: TypeAlias = Callable[[_Call], Awaitable[web.StreamResponse]]


class _Door:
    def __init__(self, trees: Trees, authenticator: Authenticator, uploads: Uploads) -> None:
        self._trees = trees
        self._authenticator = authenticator
        self._uploads = uploads
        pull, push, delete = Action.PULL, Action.PUSH, Action.DELETE
        self._rules: dict[tuple[Endpoint, str], tuple[Action | None, Answer]] = {
            (Endpoint.FILE, "GET"): (pull, self._file),
            (Endpoint.TREE, "POST"): (push, self._publish),
            (Endpoint.TREE, "DELETE"): (delete, self._delete),
            (Endpoint.KEY, "GET"): (push, self._key),
            (Endpoint.KEY, "POST"): (delete, self._rotate),
            (Endpoint.FEED, "GET"): (pull, self._feed),
            (Endpoint.WHOLE_FEED, "GET"): (None, self._whole_feed),
            (Endpoint.HEALTH, "GET"): (None, self._health),
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request. The boundary at which every error ends."""
        try:
            return await self._answer(request)
        except ForeignNameError as error:
            is_read = request.method != "POST"
            return answers.response_of(NotFoundError(error.message) if is_read else error)
        except SeawallError as error:
            response = answers.response_of(error)
            if response.status >= 500:
                _log.error("%s %r: %s", request.method, request.raw_path[:300], error.message)
            return response
        except (ConnectionError, web.HTTPException):
            raise
        except web.RequestPayloadError:
            return answers.response_of(
                RefusedError("the body is not valid HTTP", answers.MALFORMED)
            )
        except Exception:
            _log.exception("%s %r failed", request.method, request.raw_path[:300])
            return answers.unexpected()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        target = paths.parse(request.raw_path.partition("?")[0])
        rule = self._rules.get((target.endpoint, request.method)) if target else None
        if target is None or rule is None:
            raise NotFoundError("there is nothing here")
        right, answer = rule
        if target.endpoint is Endpoint.HEALTH:
            return await answer(_Call(request=request, target=target, caller=ANONYMOUS))
        if target.gun is not None:
            self._trees.require_ours(target.gun)
        caller = self._caller(request, target.gun, right)
        return await answer(_Call(request=request, target=target, caller=caller))

    def _caller(self, request: web.Request, gun: Gun | None, right: Action | None) -> Caller:
        proofs = request.headers.getall("Authorization", [])
        scope = _scope(gun, right)
        if len(proofs) > 1:
            raise RefusedError("more than one Authorization header", Shape(400, "UNAUTHORIZED"))
        try:
            caller = self._authenticator.caller_of(proofs[0] if proofs else None)
        except InvalidCredentialsError as error:
            raise self._challenge(error.message, scope, "invalid_token") from error
        if gun is None or right is None:
            is_allowed = caller.is_administrator
        else:
            is_allowed = caller.may(right, gun.repository)
        if not is_allowed:
            said = "insufficient_scope" if proofs else ""
            raise self._challenge("authentication is required", scope, said)
        return caller

    def _challenge(self, message: str, scope: str, error: str) -> RefusedError:
        challenge = self._authenticator.challenge(scope, error=error)
        return RefusedError(message, Shape(401, "UNAUTHORIZED", {"WWW-Authenticate": challenge}))

    async def _file(self, call: _Call) -> web.StreamResponse:
        found = files.remembered(self._trees, call.target)
        if found is None:
            found = await blocking.run(self._find, call)
        return web.Response(body=found.content, headers=dict(files.fields(found, call.target)))

    def _find(self, call: _Call) -> StoredFile:
        target, trees = call.target, self._trees
        if target.sha256 is not None:
            return trees.stored_by_hash(call.gun, call.role, target.sha256)
        if target.version is not None:
            return trees.stored_by_version(call.gun, call.role, target.version)
        return trees.stored(call.gun, call.role)

    async def _publish(self, call: _Call) -> web.StreamResponse:
        uploaded = await self._uploads.read(call.request)
        await blocking.run(self._trees.publish, call.gun, uploaded, actor=call.caller.actor)
        return web.Response()

    async def _delete(self, call: _Call) -> web.StreamResponse:
        await blocking.run(self._trees.delete, call.gun, actor=call.caller.actor)
        return web.Response()

    async def _key(self, call: _Call) -> web.StreamResponse:
        actor = call.caller.actor
        key = await blocking.run(self._trees.public_key, call.gun, call.role, actor=actor)
        return answers.as_json(key.to_json())

    async def _rotate(self, call: _Call) -> web.StreamResponse:
        actor = call.caller.actor
        key = await blocking.run(self._trees.rotate_key, call.gun, call.role, actor=actor)
        return answers.as_json(key.to_json())

    async def _feed(self, call: _Call) -> web.StreamResponse:
        return await self._changes(call, call.gun)

    async def _whole_feed(self, call: _Call) -> web.StreamResponse:
        return await self._changes(call, None)

    async def _changes(self, call: _Call, gun: Gun | None) -> web.StreamResponse:
        query = call.request.query
        count = _number(query.get("records"), "records") or DEFAULT_RECORDS
        number = _number(query.get("change_id") or "0", "change_id")
        after = None if number == -1 else number
        found = await blocking.run(self._trees.changes, gun, after=after, count=count)
        return answers.as_json({"count": len(found), "records": [_record(one) for one in found]})

    async def _health(self, _call: _Call) -> web.StreamResponse:
        return answers.as_json({})


def _scope(gun: Gun | None, right: Action | None) -> str:
    if gun is None or right is None:
        return "registry:catalog:*"
    actions = {Action.PULL: "pull", Action.PUSH: "pull,push", Action.DELETE: "*"}[right]
    return f"repository:{gun}:{actions}"


def _number(text: str | None, name: str) -> int:
    digits = (text or "").removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > _NUMBER_MAX_CHARACTERS:
        raise RefusedError(f"{name} is not a number", PARAMETERS)
    return int(text or "")


def _record(change: Change) -> dict[str, object]:
    return {
        "ID": str(change.number),
        "CreatedAt": clock.to_text(change.created_at),
        "GUN": change.gun,
        "Version": change.version,
        "SHA256": change.sha256,
        "Category": change.category,
    }
