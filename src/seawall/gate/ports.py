"""What the gate needs from above. The composition root brings flows that have these shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from seawall.core.actor import Actor
from seawall.core.reason import Refusal
from seawall.core.strictjson import Json
from seawall.engine.model import Admitted
from seawall.oci.names import RepositoryName

Identify: TypeAlias = Callable[[bytes], Actor]
"""Tell whose certificate (DER, its chain already verified) this is. Raises SeawallError to refuse:
revoked, unknown, expired account."""

PullToken: TypeAlias = Callable[[RepositoryName], str]
"""Mint a short-lived token with which the engine may pull from this repository of ours."""


class Admission(Protocol):
    """Judges images. Both are called in a thread, under a deadline; an error counts as a no.

    `image` is as the caller wrote it and not yet parsed: `host/repository:tag`, `…@digest`.
    """

    def may_run(self, image: str, *, actor: Actor) -> Admitted | Refusal: ...

    def may_pull(self, image: str, *, actor: Actor) -> Admitted | Refusal: ...


class Receipts(Protocol):
    """Notes what passed and what did not. All are called in a thread, under a deadline."""

    def record(
        self, container_id: str, *, admitted: Admitted, actor: Actor, summary: dict[str, Json]
    ) -> None:
        """Note a container that the engine created. An error removes the container again."""
        ...

    def has(self, container_id: str) -> bool:
        """Tell whether the container with this full id has a receipt."""
        ...

    def refused(self, *, actor: Actor, action: str, refusal: Refusal) -> None:
        """Note a refusal; `action` is `run IMAGE`, `pull IMAGE`, `exec CONTAINER` or a route."""
        ...
