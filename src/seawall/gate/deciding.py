"""What happens with a request that was understood: an answer of our own, or a request of our own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.gate import answers, bodies, creating, http, parts, pulling, relay, upstream, versions
from seawall.gate.parts import Caller, Gate
from seawall.gate.routes import Decision, Flow, Match

UPGRADE: Final = {"Connection": "Upgrade", "Upgrade": "tcp"}

Append: TypeAlias = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Onward:
    """A request to the engine whose answer goes to the client, followed by what `append` brings."""

    request: bytes
    append: Append | None = None


async def decide(
    gate: Gate, caller: Caller, match: Match, request: http.Request, body: bytes
) -> Onward | bytes:
    """Return what to send to the engine, or the whole answer. Raises SeawallError.

    `body` is the client's; only typed models made from it go on.
    """
    match match.route.decision:
        case Decision.READ | Decision.WRITE:
            return _onward(caller, match, request)
        case Decision.VERSION:
            return await _version(gate, caller)
        case Decision.CREATE:
            return await creating.create(gate, caller, request.query, body)
        case Decision.PULL:
            return await _pull(gate, caller, request.query)
        case Decision.EXEC_CREATE:
            return await _exec_create(gate, caller, match, request, body)
        case Decision.EXEC_START:
            return _onward(caller, match, request, bodies.parse_exec_start(body))


def _onward(
    caller: Caller, match: Match, request: http.Request, body: bytes | None = None
) -> Onward:
    headers = UPGRADE if match.route.flow is Flow.HIJACK else None
    return Onward(
        request=upstream.request(
            request.method, request.path, request.query, body, minor=caller.minor, headers=headers
        )
    )


async def _version(gate: Gate, caller: Caller) -> bytes:
    reply = await gate.engine.ask("GET", "/version", minor=caller.minor)
    value, ceiling = reply.json(), await gate.engine.ceiling()
    if reply.head.status == HTTPStatus.OK:
        value = versions.narrow(value, ceiling)
    return answers.of_json(reply.head.status, value, relay.passed_headers(reply.head, ceiling))


async def _pull(gate: Gate, caller: Caller, query: dict[str, str]) -> Onward | bytes:
    pull = await pulling.judge(gate, caller, query)
    return pull if isinstance(pull, bytes) else _with_tag(gate, caller, pull.request, pull.admitted)


def _with_tag(gate: Gate, caller: Caller, request: bytes, admitted: Admitted) -> Onward:
    async def append() -> bytes:
        return await pulling.tag(gate, caller, admitted)

    return Onward(request=request, append=append)


async def _exec_create(
    gate: Gate, caller: Caller, match: Match, request: http.Request, body: bytes
) -> Onward | bytes:
    parsed = bodies.parse_exec_create(body)
    if isinstance(parsed, Refusal):
        action = f"exec in {match.names['container']}"
        await parts.note_refusal(gate, caller.actor, action, parsed)
        return answers.of_refusal(action, parsed)
    return _onward(caller, match, request, parsed)
