"""POST /containers/create: understand, judge, harden, send our own body, write the receipt.

1. The body is parsed into types; what is not understood is refused.
2. The image is judged by admission: a tag is resolved once, the digest is what the engine is told.
   An image given by its id is judged as the digest of our registry under which the engine has it.
3. Volumes and networks that exist are looked at: their names say nothing about what they are.
4. The body that the engine gets is written from the hardened model.
5. The receipt stands before the client hears of the container; without it the container goes.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from seawall.core import limits, strictjson
from seawall.core.errors import InvalidInputError, SeawallError, UnavailableError
from seawall.core.reason import Reason, Refusal
from seawall.core.strictjson import Json
from seawall.engine.model import Admitted
from seawall.gate import answers, bodies, parts, queries, relay
from seawall.gate.parts import Caller, Gate
from seawall.gate.upstream import Reply
from seawall.isolation import files

REPO_DIGESTS_MAX_COUNT: Final = 16

_ID: Final = re.compile(r"(?:sha256:)?[0-9a-f]{4,64}", re.ASCII)
_CONTAINER_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NETWORK_DRIVERS: Final = frozenset({"bridge", "overlay", "null"})


async def create(gate: Gate, caller: Caller, query: dict[str, str], body: bytes) -> bytes:
    """Return the whole answer for a create. Raises SeawallError."""
    queries.check_platform(query)
    asked = bodies.parse_create(body)
    action = f"run {asked.image}"
    admitted = await _judge(gate, caller, asked.image)
    if isinstance(admitted, Refusal):
        every = Refusal(reasons=(*admitted.reasons, *bodies.check(asked)))  # all of it at once
        return await _refuse(gate, caller, action, every)
    hardened = bodies.harden(asked, admitted, gate.profile)
    if isinstance(hardened, Refusal):
        return await _refuse(gate, caller, action, hardened)
    if reasons := (*await _volumes(gate, caller, asked), *await _networks(gate, caller, asked)):
        return await _refuse(gate, caller, action, Refusal(reasons=reasons))
    reply = await gate.engine.ask(
        "POST", "/containers/create", query, hardened.body, minor=caller.minor
    )
    value = reply.json()
    if reply.head.status == HTTPStatus.CREATED:
        await _receipt(gate, caller, admitted, value, _summary(asked, query, hardened))
        told = [f"Seawall: {reason}" for reason in admitted.warnings]
        value["Warnings"] = [*told, *hardened.warnings, *_texts(value.get("Warnings"))]
    headers = relay.passed_headers(reply.head, caller.ceiling)
    return answers.of_json(reply.head.status, value, headers)


async def _refuse(gate: Gate, caller: Caller, action: str, refusal: Refusal) -> bytes:
    await parts.note_refusal(gate, caller.actor, action, refusal)
    return answers.of_refusal(action, refusal)


async def _judge(gate: Gate, caller: Caller, image: str) -> Admitted | Refusal:
    if _ID.fullmatch(image):
        return await _judge_id(gate, caller, image)
    return await _ask_admission(gate, caller, image)


async def _ask_admission(gate: Gate, caller: Caller, image: str) -> Admitted | Refusal:
    try:
        return await parts.ask(gate, "admission", gate.admission.may_run, image, actor=caller.actor)
    except UnavailableError as error:
        return parts.failed(error)


async def _judge_id(gate: Gate, caller: Caller, image: str) -> Admitted | Refusal:
    """Judge what our registry calls the image; the first of its digests that may run, runs."""
    refusal: Refusal | None = None
    for name in await _names_of(gate, caller, image):
        verdict = await _ask_admission(gate, caller, name)
        if isinstance(verdict, Admitted):
            return verdict
        refusal = verdict
    return refusal or Refusal(
        reasons=(
            Reason(
                rule="image/unknown",
                evidence=f"{image} is no image of this registry",
                remedy=f"push it, and run it by name: {gate.settings.registry_hosts[0]}/NAME:TAG",
            ),
        )
    )


async def _names_of(gate: Gate, caller: Caller, image: str) -> list[str]:
    reply = await gate.engine.ask("GET", f"/images/{image}/json", minor=caller.minor)
    if reply.head.status != HTTPStatus.OK:
        return []
    prefixes = tuple(f"{host}/" for host in gate.settings.registry_hosts)
    names = _texts(reply.json().get("RepoDigests"))
    return [name for name in names if name.startswith(prefixes)][:REPO_DIGESTS_MAX_COUNT]


async def _volumes(gate: Gate, caller: Caller, asked: bodies.CreateRequest) -> tuple[Reason, ...]:
    """Judge the volumes that exist; others the engine makes anew, plain and empty."""
    reasons: list[Reason] = []
    for name in asked.volumes:
        reply = await gate.engine.ask("GET", f"/volumes/{name}", minor=caller.minor)
        if reply.head.status == HTTPStatus.NOT_FOUND:
            continue
        volume = _found(reply, f"volume {name}")
        options = volume.get("Options") or {}
        if not isinstance(options, dict):
            raise UnavailableError("the engine's answer about a volume is not understood")
        reasons += files.volume_problems(
            name, str(volume.get("Driver")), {key: str(value) for key, value in options.items()}
        )
    return tuple(reasons)


async def _networks(gate: Gate, caller: Caller, asked: bodies.CreateRequest) -> tuple[Reason, ...]:
    """Judge what the names and ids of networks stand for: an id can be the host's network."""
    reasons: list[Reason] = []
    for name in asked.networks:
        reply = await gate.engine.ask("GET", f"/networks/{name}", minor=caller.minor)
        if reply.head.status == HTTPStatus.NOT_FOUND:
            continue  # the engine says so itself
        driver = str(_found(reply, f"network {name}").get("Driver"))
        if driver not in _NETWORK_DRIVERS:
            reasons.append(
                Reason(
                    rule="host-settings/NetworkMode",
                    evidence=f"the network {name} has driver {driver!r}",
                    remedy="use a bridge network, or none at all",
                )
            )
    return tuple(reasons)


def _found(reply: Reply, what: str) -> dict[str, Json]:
    if reply.head.status != HTTPStatus.OK:
        raise UnavailableError(f"the engine does not say what the {what} is: {reply.message}")
    return reply.json()


def _summary(
    asked: bodies.CreateRequest, query: dict[str, str], hardened: bodies.HardenedCreate
) -> dict[str, Json]:
    summary: dict[str, object] = {"image": asked.image, "name": query.get("name", "")}
    plain = strictjson.encode(summary | hardened.summary)
    return strictjson.decode_object(plain, max_bytes=limits.MIB)


async def _receipt(
    gate: Gate, caller: Caller, admitted: Admitted, value: dict[str, Json], summary: dict[str, Json]
) -> None:
    """Write the receipt; a container without one is removed again, and the create has failed."""
    container = value.get("Id")
    if not isinstance(container, str) or _CONTAINER_ID.fullmatch(container) is None:
        raise UnavailableError("the engine's answer names no container")
    try:
        await parts.ask(
            gate, "the ledger of receipts", gate.receipts.record, container,
            admitted=admitted, actor=caller.actor, summary=summary,
        )  # fmt: skip
    except SeawallError:
        await gate.engine.ask(
            "DELETE", f"/containers/{container}", {"force": "1", "v": "1"}, minor=caller.minor
        )
        raise


def _texts(value: Json) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidInputError("a list of texts is expected")
    return [text for text in value if isinstance(text, str)]
