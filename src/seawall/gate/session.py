"""One client's connection: request by request, each parsed, routed, decided, and sent anew.

The order of the checks, for every request:

1. the head parses strictly (`http`), within its size and time;
2. the caller is known (`identify`), and was so a moment ago;
3. the route exists; an upgrade is asked for only where there is one, and only to `tcp`;
4. an engine answers, and the version of the API is one that both sides speak;
5. the parameters are those of the route; a body stands only where the route has one, as JSON.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from seawall.core import limits
from seawall.core.actor import Actor
from seawall.core.errors import InvalidInputError, LimitError, SeawallError
from seawall.core.reason import Refusal
from seawall.gate import answers, deciding, http, parts, relay, routes, upstream, versions
from seawall.gate.deciding import Onward
from seawall.gate.parts import Caller, Gate
from seawall.gate.routes import Decision, Flow, Match
from seawall.gate.wire import Wire

RAW_STREAM: Final = "application/vnd.docker.raw-stream"
JSON: Final = "application/json"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_log: Final = logging.getLogger("seawall.gate")

Who = Callable[[], Awaitable[Actor]]


class Session:
    """Serves one connection until it ends.

    `is_idle` while it waits for a request; `is_creating` while cutting it off could leave a
    container without a receipt.
    """

    def __init__(self, gate: Gate, wire: Wire, who: Who) -> None:
        self._gate = gate
        self._wire = wire
        self._who = who
        self.is_idle = True
        self.is_creating = False
        self.is_stopping = False

    async def run(self) -> None:
        """Serve requests until the connection must end. Raises OSError when it was cut."""
        while await self._serve_next() and not self.is_stopping:
            self.is_idle = not self._wire.has_bytes

    async def _serve_next(self) -> bool:
        """Serve one request; False when the connection must end."""
        try:
            head = await self._next_head()
            if not head:
                return False
            request = http.parse_request(head)
        except SeawallError as error:
            await self._end(answers.of_error(error))
            return False
        try:
            actor = await self._who()
        except SeawallError as error:
            await self._end(answers.of_message(HTTPStatus.UNAUTHORIZED, f"seawall: {error}"))
            return False
        return await self._serve(request, actor)

    async def _next_head(self) -> bytes:
        settings = self._gate.settings
        if not self._wire.has_bytes:
            try:
                async with asyncio.timeout(settings.idle_s):
                    if not await self._wire.fill():
                        return b""
            except TimeoutError:
                return b""
        self.is_idle = False
        try:
            async with asyncio.timeout(settings.head_s):
                return await self._wire.read_head()
        except TimeoutError as error:
            raise LimitError(f"the head took longer than {settings.head_s:g} s") from error

    async def _serve(self, request: http.Request, actor: Actor) -> bool:
        _log.info("%s: %s %s", actor, request.method, request.path)
        match = routes.find(request.method, request.path)
        if isinstance(match, Refusal):
            action = f"{request.method} {request.path[:200]}"
            await parts.note_refusal(self._gate, actor, action, match)
            await self._end(answers.of_message(HTTPStatus.FORBIDDEN, f"seawall refused: {match}"))
            return False
        try:
            _check_upgrade(match, request)
            _check_framing(match, request)
            ceiling = await self._gate.engine.ceiling()
            minor = versions.choose(request.minor, ceiling)
            caller = Caller(actor=actor, minor=minor, ceiling=ceiling)
            routes.check_query(match.route, request.query)
            body = await self._read_body(request)
        except SeawallError as error:
            await self._end(answers.of_error(error))
            return False
        return await self._carry_out(match, request, caller, body)

    async def _carry_out(
        self, match: Match, request: http.Request, caller: Caller, body: bytes
    ) -> bool:
        self.is_creating = match.route.decision is Decision.CREATE
        try:
            done = await deciding.decide(self._gate, caller, match, request, body)
            if isinstance(done, Onward):
                return await self._forward(done, match, request, caller)
            await self._wire.stream.send(done)
        except SeawallError as error:
            await self._wire.stream.send(answers.of_error(error))
        finally:
            self.is_creating = False
        return request.is_keeping_alive

    async def _read_body(self, request: http.Request) -> bytes:
        if not request.has_body:
            return b""
        if (request.length or 0) > limits.GATE_BODY_MAX_BYTES:
            raise LimitError(f"a body of more than {limits.GATE_BODY_MAX_BYTES} bytes")
        if request.is_expecting_continue:
            await self._wire.stream.send(CONTINUE)
        wire, length, body = self._wire, request.length, bytearray()
        pieces = wire.read_chunked() if length is None else wire.read_exactly(length)
        try:
            async with asyncio.timeout(self._gate.settings.body_s):
                async for piece in pieces:
                    body += piece
                    if len(body) > limits.GATE_BODY_MAX_BYTES:
                        raise LimitError(f"a body of more than {limits.GATE_BODY_MAX_BYTES} bytes")
        except TimeoutError as error:
            raise LimitError("the body took too long") from error
        return bytes(body)

    async def _forward(
        self, onward: Onward, match: Match, request: http.Request, caller: Caller
    ) -> bool:
        answer_s = self._gate.settings.answer_s
        async with self._gate.engine.connect() as engine:
            match match.route.flow:
                case Flow.HIJACK:
                    return await self._hijack(engine, onward, request, caller)
                case Flow.STREAM:
                    work = self._relay(engine, onward, request, caller)
                    await relay.while_present(self._wire, work)
                case Flow.JSON:
                    async with asyncio.timeout(answer_s):  # then the connection is cut
                        await self._relay(engine, onward, request, caller)
        return request.is_keeping_alive

    async def _hijack(
        self, engine: Wire, onward: Onward, request: http.Request, caller: Caller
    ) -> bool:
        """Hand the connection over after the engine's 101; anything else is a plain answer."""
        async with asyncio.timeout(self._gate.settings.answer_s):
            head = await self._ask(engine, onward)
        if head.status != HTTPStatus.SWITCHING_PROTOCOLS:
            await self._answer(engine, head, request, caller)
            return request.is_keeping_alive
        headers = {"Content-Type": head.headers.get("content-type", RAW_STREAM)}
        if request.upgrade:
            raw = http.emit_response(head.status, headers | deciding.UPGRADE)
        else:  # an old client: 200, and then the raw stream until the end
            raw = http.emit_response(HTTPStatus.OK, headers | {"Connection": "close"})
        await self._wire.stream.send(raw)
        await relay.tunnel(self._wire, engine)
        return False

    async def _relay(
        self, engine: Wire, onward: Onward, request: http.Request, caller: Caller
    ) -> None:
        head = await self._ask(engine, onward)
        await self._answer(engine, head, request, caller, onward.append)

    async def _ask(self, engine: Wire, onward: Onward) -> http.Response:
        try:
            await engine.stream.send(onward.request)
            return await upstream.read_head(engine)
        except (OSError, InvalidInputError) as error:
            raise self._gate.engine.silent() from error

    async def _answer(
        self,
        engine: Wire,
        head: http.Response,
        request: http.Request,
        caller: Caller,
        append: relay.Append | None = None,
    ) -> None:
        try:
            await relay.answer(
                self._wire,
                engine,
                head,
                method=request.method,
                ceiling=caller.ceiling,
                append=append if head.status == HTTPStatus.OK else None,
            )
        except SeawallError as error:  # after our head has left, the only true sign is a cut
            raise ConnectionAbortedError(str(error)) from error

    async def _end(self, answer: bytes) -> None:
        """Send the last answer of this connection, and let the client read it."""
        await self._wire.stream.send(answers.last(answer))
        await relay.linger(self._wire.stream)


def _check_upgrade(match: Match, request: http.Request) -> None:
    if not request.upgrade:
        return
    if match.route.flow is not Flow.HIJACK:
        raise InvalidInputError(f"{match.route} has no upgrade", remedy="leave out Upgrade")
    if request.upgrade != "tcp":
        raise InvalidInputError(
            f"the gate does not speak {request.upgrade[:40]!r}", remedy="upgrade to tcp"
        )


def _check_framing(match: Match, request: http.Request) -> None:
    if match.route.has_body:
        media_type = request.content_type.partition(";")[0].strip().lower()
        if media_type != JSON:
            raise InvalidInputError(f"{match.route} takes {JSON}", remedy="set Content-Type")
    elif request.has_body:
        raise InvalidInputError(f"{match.route} has no body", remedy="send none")
