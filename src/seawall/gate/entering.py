"""Starting a container or reaching into it: only those that came through the gate.

A container that someone made on the engine's own socket was judged by nobody and may be privileged;
whoever may type into it has the host. The gate's labels and receipts tell them apart: labels of the
gate's are refused from its clients, so only root on the engine's machine can forge one, and a
container whose creation was cut off has no receipt. The engine is then told the full id, so that a
container that takes over the name meanwhile is not meant.
"""

from __future__ import annotations

from http import HTTPStatus

from seawall.core.errors import NotFoundError, UnavailableError
from seawall.core.reason import Reason, Refusal
from seawall.gate import bodies, parts
from seawall.gate.parts import Caller, Gate


async def find(gate: Gate, caller: Caller, container: str) -> str | Refusal:
    """Return the full id of a container that the gate created, or why it may not be entered.

    Raises NotFoundError, in the engine's words, when there is no such container.
    """
    reply = await gate.engine.ask("GET", f"/containers/{container}/json", minor=caller.minor)
    if reply.head.status == HTTPStatus.NOT_FOUND:
        raise NotFoundError(reply.message)
    if reply.head.status != HTTPStatus.OK:
        raise UnavailableError(f"the engine does not say what {container} is: {reply.message}")
    value = reply.json()
    config, full = value.get("Config"), value.get("Id")
    if not isinstance(config, dict) or not isinstance(full, str) or not full.isalnum():
        raise UnavailableError("the engine's answer about a container is not understood")
    labels = config.get("Labels")
    if not isinstance(labels, dict) or bodies.LABEL_VERDICT not in labels:
        return _ungated(f"{container} was not created through the gate, so nobody judged it")
    if not await parts.ask(gate, "the list of receipts", gate.receipts.has, full):
        return _ungated(f"{container} has no receipt: its creation was cut off")
    return full


def _ungated(evidence: str) -> Refusal:
    return Refusal(
        reasons=(
            Reason(
                rule="container/ungated",
                evidence=evidence,
                remedy="remove it and run its image through the gate",
            ),
        )
    )
