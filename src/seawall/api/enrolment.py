"""Enrolment over HTTP: the owner of a repository's tree pins its root for the gate, once.

Who may push may pin, where nothing is pinned yet: the first root is believed because its maker, who
is known by name, says which it is, not because it was seen first. A pin only adds to what the gate
demands: an image still needs a signature by a trusted key. Another root than the pinned one is for
the operator to allow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from seawall.api import calls
from seawall.api.calls import Callers
from seawall.core import blocking, limits, strictjson
from seawall.core.clock import Clock
from seawall.core.errors import InvalidInputError
from seawall.flows.pinned_trees import PinnedTrees
from seawall.ingress.access import Authenticator
from seawall.oci.names import RepositoryName
from seawall.trust.pins import MAX_ROOT_KEYS
from seawall.trust.tuf.chain import Pin

BODY_MAX_BYTES: Final = 16 * limits.KIB
PATH: Final = "/api/trust/{repository:.+}/pin"
_KEY_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    trees: PinnedTrees
    callers: Callers
    clock: Clock

    async def enrol(self, request: web.Request) -> web.StreamResponse:
        """Pin the root that these keys have signed: `{"rootKeys": [ID, …]}`."""
        repository = RepositoryName.parse(request.match_info["repository"])
        caller = self.callers.pusher(request, repository)
        pin = Pin(root_key_ids=_root_keys(await calls.read_body(request, BODY_MAX_BYTES)))
        now = self.clock.now()
        await blocking.run(self.trees.enrol, repository, pin, actor=caller.actor, now=now)
        return calls.as_json({"name": self.trees.gun(repository)})


def routes(
    trees: PinnedTrees, authenticator: Authenticator, clock: Clock
) -> Sequence[web.RouteDef]:
    """Return the route of enrolment."""
    door = _Door(trees=trees, callers=Callers(authenticator=authenticator), clock=clock)
    return [web.put(PATH, calls.answering(door.enrol))]


def _root_keys(body: bytes) -> frozenset[str]:
    document = strictjson.decode_object(body, max_bytes=BODY_MAX_BYTES, max_depth=4)
    ids = document.get("rootKeys")
    if set(document) != {"rootKeys"} or not isinstance(ids, list):
        raise InvalidInputError('a pin is {"rootKeys": [ID, …]}')
    found = frozenset(one for one in ids if isinstance(one, str) and _KEY_ID.fullmatch(one))
    if len(found) != len(ids) or not 1 <= len(ids) <= MAX_ROOT_KEYS:
        raise InvalidInputError(f"a pin names 1 to {MAX_ROOT_KEYS} different ids of keys")
    return found
