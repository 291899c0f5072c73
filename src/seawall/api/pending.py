"""Partial signatures over HTTP: what waits for its threshold, and a way to add to it.

Everybody who may pull sees what waits; who may push may add signatures, begin a change and withdraw
one. Whose signatures count is for `trust.pending` to say: a right to push is none to sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from seawall.api import calls
from seawall.api.calls import Callers
from seawall.core import blocking, clock, limits, strictjson
from seawall.core.errors import InvalidInputError, NotFoundError
from seawall.core.strictjson import Json
from seawall.ingress.access import Action, Authenticator
from seawall.oci.names import RepositoryName
from seawall.trust import bundle
from seawall.trust.pending import Outcome, PendingFiles, Waiting
from seawall.trust.tuf.drafts import Requirement
from seawall.trust.tuf.names import Gun, Role

OFFER_MAX_BYTES: Final = 12 * limits.MIB
PATH: Final = "/api/trust/{repository:.+}/pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    pending: PendingFiles
    callers: Callers
    host: str
    """The first of the registry's names: its trees are meant where none is named."""

    async def list(self, request: web.Request) -> web.StreamResponse:
        """What waits for signatures, with the files themselves."""
        gun = self._gun(request)
        caller = await self.callers.reader(request)
        if not caller.may(Action.PULL, gun.repository):
            raise NotFoundError(f"there is no repository {gun.repository} that you may pull from")
        found = await blocking.run(self.pending.list, gun)
        return calls.as_json({"name": gun, "waiting": [_document(one) for one in found]})

    async def offer(self, request: web.Request) -> web.StreamResponse:
        """Add files or signatures: `{"files": {ROLE: base64 of the file}}`."""
        gun = self._gun(request)
        caller = self.callers.pusher(request, gun.repository)
        files = _files(await calls.read_body(request, OFFER_MAX_BYTES))
        outcome = await blocking.run(self.pending.offer, gun, files, actor=caller.actor)
        return calls.as_json(_answer(outcome))

    async def withdraw(self, request: web.Request) -> web.StreamResponse:
        """Let the change of `role` wait no longer."""
        gun = self._gun(request)
        role = calls.parameter(request, "role")
        if role is None:
            raise InvalidInputError("the parameter 'role' is missing")
        caller = self.callers.pusher(request, gun.repository)
        await blocking.run(self.pending.withdraw, gun, Role.parse(role), actor=caller.actor)
        return calls.as_json({"withdrawn": role})

    def _gun(self, request: web.Request) -> Gun:
        repository = RepositoryName.parse(request.match_info["repository"])
        host = calls.parameter(request, "host") or self.host
        return Gun.parse(f"{host}/{repository}")


def routes(
    pending: PendingFiles, authenticator: Authenticator, host: str
) -> Sequence[web.RouteDef]:
    """Return the routes of what waits."""
    door = _Door(pending=pending, callers=Callers(authenticator=authenticator), host=host)
    return [
        web.get(PATH, calls.answering(door.list)),
        web.post(PATH, calls.answering(door.offer)),
        web.delete(PATH, calls.answering(door.withdraw)),
    ]


def _files(body: bytes) -> dict[str, bytes]:
    document = strictjson.decode_object(body, max_bytes=OFFER_MAX_BYTES, max_depth=4)
    files = document.get("files")
    if set(document) != {"files"} or not isinstance(files, dict):
        raise InvalidInputError('an offer is {"files": {ROLE: base64 of the file}}')
    return {role: bundle.decode_base64(value, role[:80]) for role, value in files.items()}


def _answer(outcome: Outcome) -> dict[str, Json]:
    return {
        "published": [str(role) for role in outcome.published],
        "waiting": [_document(one) for one in outcome.waiting],
        "refused": outcome.refused,
    }


def _document(waiting: Waiting) -> dict[str, Json]:
    file = waiting.draft.file
    return {
        "role": str(file.role),
        "version": file.version,
        "missing": waiting.missing,
        "startedBy": waiting.started_by,
        "startedAt": clock.to_text(waiting.started_at),
        "requirements": [_requirement(one) for one in waiting.draft.requirements],
        "file": bundle.encode_base64(file.content),
    }


def _requirement(one: Requirement) -> dict[str, Json]:
    return {
        "threshold": one.threshold,
        "maySign": [*sorted(one.may_sign)],
        "haveSigned": [*sorted(one.have_signed)],
    }
