"""What the gate has to write down: containers that were created, and refusals."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final

from seawall import audit
from seawall.core import strictjson
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import InvalidInputError
from seawall.core.reason import Refusal
from seawall.core.strictjson import Json
from seawall.engine.model import Admitted
from seawall.fleet.receipts import Receipts
from seawall.oci.names import Reference
from seawall.policy.events import AdmissionRefused
from seawall.store import Database

CONFINEMENT_MAX_BYTES: Final = 4096

SAID_ALREADY: Final = frozenset({"image"})
"""What the event has a field of its own for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLog:
    """The gate's view of the fleet's receipts and of the log."""

    database: Database
    receipts: Receipts
    clock: Clock
    engine: str
    """How the engine behind this gate is called."""
    hosts: tuple[str, ...]
    """`host:port` under every name of this registry."""

    def record(
        self, container_id: str, *, admitted: Admitted, actor: Actor, summary: dict[str, Json]
    ) -> None:
        """Write the receipt of a container that the engine created.

        `summary` is what the gate made of it; it stands in the event, without what the event says
        itself, and whole or not at all: it may not grow with the request.
        """
        self.receipts.record(
            container_id=container_id,
            engine=self.engine,
            repository=admitted.reference.repository,
            digest=admitted.digest,
            image_asked=str(admitted.reference),
            verdict=admitted.verdict,
            actor=actor,
            confinement=_confinement(summary),
        )

    def has(self, container_id: str) -> bool:
        """Tell whether the container with this full id has a receipt."""
        return self.receipts.for_container(container_id) is not None

    def refused(self, *, actor: Actor, action: str, refusal: Refusal) -> None:
        """Write a refusal down; `action` is a verb and what it was about."""
        verb, _, target = action.partition(" ")
        event = AdmissionRefused(
            repository=self._repository(target), action=verb, image=target, reasons=refusal.reasons
        )
        with self.database.write() as connection:
            audit.record(connection, event, actor=actor, at=self.clock.now())

    def _repository(self, image: str) -> str | None:
        """Return the repository, when the image is one of ours: others' stay out of our index."""
        with contextlib.suppress(InvalidInputError):
            reference = Reference.parse(image)
            if reference.host in self.hosts:
                return str(reference.repository)
        return None


def _confinement(summary: dict[str, Json]) -> dict[str, Json]:
    told = {key: value for key, value in summary.items() if key not in SAID_ALREADY}
    if len(strictjson.encode(told)) > CONFINEMENT_MAX_BYTES:
        return {"left_out": f"more than {CONFINEMENT_MAX_BYTES} bytes"}
    return told
