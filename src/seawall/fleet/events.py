"""Facts that the fleet announces."""

from __future__ import annotations

import msgspec

from seawall import audit


class ContainerCreated(audit.Event, frozen=True, kw_only=True):
    """An engine made a container of an admitted image, through the gate.

    `container` is the engine's full id, `image` what the caller asked for, `verdict` the number of
    the verdict in this log, `confinement` what the gate added (plain JSON).
    """

    container: str
    engine: str
    image: str
    verdict: int
    confinement: dict[str, object] = msgspec.field(default_factory=dict)
