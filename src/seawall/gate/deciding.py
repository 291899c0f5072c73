"""What becomes of a request that was understood: an answer, or a request, of our own."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.gate import (
    answers,
    bodies,
    creating,
    entering,
    http,
    parts,
    pulling,
    relay,
    upstream,
    versions,
)
from seawall.gate.parts import Caller, Gate
from seawall.gate.routes import Decision, Flow, Match

UPGRADE: Final = {"Connection": "Upgrade", "Upgrade": "tcp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Onward:
    """A request to the engine whose answer goes to the client, followed by what `append` brings."""

    request: bytes
    append: relay.Append | None = None


async def decide(
    gate: Gate, caller: Caller, match: Match, request: http.Request, body: bytes
) -> Onward | bytes:
    """Return what to send to the engine, or the whole answer. Raises SeawallError.

    `body` is the client's; only typed models made from it go on.
    """
    done: Onward | bytes
    match match.route.decision:
        case Decision.READ | Decision.WRITE:
            done = _onward(caller, match, request)
        case Decision.ENTER:
            done = await _enter(gate, caller, match, request)
        case Decision.VERSION:
            done = await _version(gate, caller)
        case Decision.CREATE:
            done = await creating.create(gate, caller, request.query, body)
        case Decision.PULL:
            done = await _pull(gate, caller, request.query)
        case Decision.EXEC_CREATE:
            done = await _exec_create(gate, caller, match, request, body)
        case Decision.EXEC_START:
            done = _onward(caller, match, request, bodies.parse_exec_start(body))
    return done


def _onward(
    caller: Caller,
    match: Match,
    request: http.Request,
    body: bytes | None = None,
    *,
    path: str = "",
) -> Onward:
    headers = UPGRADE if match.route.flow is Flow.HIJACK else None
    return Onward(
        request=upstream.request(
            request.method,
            path or request.path,
            request.query,
            body,
            minor=caller.minor,
            headers=headers,
        )
    )


async def _enter(
    gate: Gate, caller: Caller, match: Match, request: http.Request, body: bytes | None = None
) -> Onward | bytes:
    """Go on with the full id of a container that came through the gate."""
    name = match.names["container"]
    found = await entering.find(gate, caller, name)
    if isinstance(found, Refusal):
        return await _refuse(gate, caller, f"{match.route.verb} {name}", found)
    path = match.route.template.replace("{container}", found)
    return _onward(caller, match, request, body, path=path)


async def _version(gate: Gate, caller: Caller) -> bytes:
    reply = await gate.engine.ask("GET", "/version", minor=caller.minor)
    value = reply.json()
    if reply.head.status == HTTPStatus.OK:
        value = versions.narrow(value, caller.ceiling)
    headers = relay.passed_headers(reply.head, caller.ceiling)
    return answers.of_json(reply.head.status, value, headers)


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
        return await _refuse(gate, caller, f"exec in {match.names['container']}", parsed)
    return await _enter(gate, caller, match, request, parsed)


async def _refuse(gate: Gate, caller: Caller, action: str, refusal: Refusal) -> bytes:
    await parts.note_refusal(gate, caller.actor, action, refusal)
    return answers.of_refusal(action, refusal)
