"""A gate of a test's own, in a thread with its own loop, with fakes for what stands above it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import uvloop

from seawall.core import actor
from seawall.core.actor import Actor
from seawall.core.errors import SeawallError
from seawall.core.reason import Reason, Refusal
from seawall.core.strictjson import Json
from seawall.engine.model import Admitted
from seawall.gate import server
from seawall.gate.settings import GateSettings
from seawall.isolation import seccomp
from seawall.oci.digest import Digest
from seawall.oci.names import Reference, RepositoryName

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 30.0

UNSIGNED = Refusal(
    reasons=(
        Reason(
            rule="signature",
            evidence="no signature by a trusted key",
            remedy="sign it: seawall sign IMAGE",
        ),
    )
)


@dataclass(kw_only=True)
class FakeAdmission:
    """Admits the images that were put in `digests`, under the names as clients write them."""

    digests: dict[str, Digest] = field(default_factory=dict)
    failure: Exception | None = None
    delay_s: float = 0.0
    warnings: tuple[Reason, ...] = ()
    asked: list[tuple[str, Actor]] = field(default_factory=list)

    def admit(self, image: str, digest: Digest) -> None:
        """Admit `image`, and the same by its digest."""
        reference = Reference.parse(image)
        self.digests[image] = digest
        self.digests[f"{reference.host}/{reference.repository}@{digest}"] = digest

    def may_run(self, image: str, *, actor: Actor) -> Admitted | Refusal:
        self.asked.append((image, actor))
        time.sleep(self.delay_s)
        if self.failure is not None:
            raise self.failure
        if image not in self.digests:
            return UNSIGNED
        return Admitted(
            reference=Reference.parse(image),
            digest=self.digests[image],
            verdict=7,
            warnings=self.warnings,
        )

    may_pull = may_run


@dataclass(kw_only=True)
class FakeReceipts:
    """Keeps what it is told; fails with `failure` if there is one."""

    written: list[tuple[str, Admitted, Actor, dict[str, Json]]] = field(default_factory=list)
    refusals: list[tuple[Actor, str, Refusal]] = field(default_factory=list)
    failure: Exception | None = None
    missing: set[str] = field(default_factory=set)
    """Ids of containers that have no receipt."""

    def has(self, container_id: str) -> bool:
        return container_id not in self.missing

    def record(
        self, container_id: str, *, admitted: Admitted, actor: Actor, summary: dict[str, Json]
    ) -> None:
        if self.failure is not None:
            raise self.failure
        self.written.append((container_id, admitted, actor, summary))

    def refused(self, *, actor: Actor, action: str, refusal: Refusal) -> None:
        self.refusals.append((actor, action, refusal))


@dataclass(kw_only=True)
class GateParts:
    """What a test may set before and look at afterwards."""

    admission: FakeAdmission = field(default_factory=FakeAdmission)
    receipts: FakeReceipts = field(default_factory=FakeReceipts)
    identity: Actor | SeawallError = field(default_factory=lambda: actor.user("alice"))
    tokens: list[RepositoryName] = field(default_factory=list)

    def identify(self, der: bytes) -> Actor:
        assert der
        if isinstance(self.identity, SeawallError):
            raise self.identity
        return self.identity

    def pull_token(self, repository: RepositoryName) -> str:
        self.tokens.append(repository)
        return f"token-for-{repository}"


async def serve(
    settings: GateSettings, parts: GateParts, ready: asyncio.Event, stop: asyncio.Event
) -> None:
    """Serve on the running loop until `stop`."""
    await server.serve(
        settings,
        admission=parts.admission,
        receipts=parts.receipts,
        identify=parts.identify,
        pull_token=parts.pull_token,
        profile=seccomp.default_profile(),
        ready=ready.set,
        stop=stop,
    )


@contextlib.contextmanager
def running_gate(settings: GateSettings, parts: GateParts) -> Iterator[GateParts]:
    """Run a gate in a thread until the end of the block; its failure is raised there."""
    started = threading.Event()
    failures: list[BaseException] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        ready, stop = asyncio.Event(), asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(settings, parts, ready, stop))
            await ready.wait()
            started.set()

    def run() -> None:
        try:
            uvloop.run(main())
        except BaseException as error:
            failures.append(error)
        started.set()

    thread = threading.Thread(target=run, name="gate")
    thread.start()
    try:
        assert started.wait(START_TIMEOUT_S), "the gate did not start"
        if not failures:
            yield parts
    finally:
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop, stop = loops[0]
            loop.call_soon_threadsafe(stop.set)
        thread.join(STOP_TIMEOUT_S)
    if failures:
        raise failures[0]
    assert not thread.is_alive(), "the gate did not stop"
