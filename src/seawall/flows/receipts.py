"""What the gate has to write down: containers that were created, and refusals."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from seawall import audit
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


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLog:
    """The gate's view of the fleet's receipts and of the log."""

    database: Database
    receipts: Receipts
    clock: Clock
    engine: str
    """How the engine behind this gate is called."""

    def record(
        self, container_id: str, *, admitted: Admitted, actor: Actor, summary: dict[str, Json]
    ) -> None:
        """Write the receipt of a container that the engine created."""
        self.receipts.record(
            container_id=container_id,
            engine=self.engine,
            repository=admitted.reference.repository,
            digest=admitted.digest,
            image_asked=str(admitted.reference),
            verdict=admitted.verdict,
            actor=actor,
        )

    def refused(self, *, actor: Actor, action: str, refusal: Refusal) -> None:
        """Write a refusal down; `action` is a verb and what it was about."""
        verb, _, target = action.partition(" ")
        event = AdmissionRefused(
            repository=_repository(target), action=verb, image=target, reasons=refusal.reasons
        )
        with self.database.write() as connection:
            audit.record(connection, event, actor=actor, at=self.clock.now())


def _repository(image: str) -> str | None:
    with contextlib.suppress(InvalidInputError):
        reference = Reference.parse(image)
        if reference.host is not None:
            return reference.repository
    return None
