"""Reports of images that are gone are forgotten, unless a container still runs one.

Deleting a manifest is an event, and that its cause; each hour all reports are looked through, for
what a container held then, and for what was deleted before there was this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from seawall import audit
from seawall.fleet.receipts import Receipts
from seawall.jobs.queue import Job, NewJob
from seawall.jobs.worker import Task
from seawall.oci.digest import Digest
from seawall.registry.events import ManifestDeleted
from seawall.registry.service import Registry
from seawall.scan import standings
from seawall.scan.reports import Reports
from seawall.store import Database

FORGET: Final = "forget"
BATCH: Final = 200


class ForgetJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Forget an image, if it is gone."""

    digest: str


def on_deleted(entry: audit.Entry) -> Sequence[NewJob]:
    """A manifest that is deleted may have been the last of its digest."""
    if entry.digest is None:
        return ()
    payload = msgspec.json.encode(ForgetJob(digest=entry.digest))
    return [NewJob(kind=FORGET, key=entry.digest, payload=payload)]


RULES: Final = {ManifestDeleted.kind(): on_deleted}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """The tasks of the workers."""

    database: Database
    registry: Registry
    reports: Reports
    receipts: Receipts
    find_containers: Callable[[], frozenset[str] | None]
    """Returns the ids of all containers that the engine has; None when it cannot be asked."""

    def tasks(self) -> dict[str, Task]:
        """Return the tasks by the kind of job."""
        return {FORGET: self.forget_job}

    def forget_job(self, job: Job) -> None:
        """Forget the image of the job, if it is gone."""
        asked = msgspec.json.decode(job.payload, type=ForgetJob)
        self._forget([Digest.parse(asked.digest)])

    def forget_deleted(self) -> None:
        """Forget every image that is gone."""
        known = sorted(self.reports.images_with(None))
        for start in range(0, len(known), BATCH):
            self._forget(known[start : start + BATCH])

    def _forget(self, digests: Sequence[Digest]) -> None:
        gone = self._without_place(digests)
        if not gone:
            return
        containers = self.find_containers()
        for digest in gone:
            if not self._is_run(digest, containers):
                self._forget_one(digest)

    def _forget_one(self, digest: Digest) -> None:
        with self.database.write() as connection:
            if not self._without_place([digest]):
                return  # it was pushed again; nobody pushes while this writes
            self.reports.forget(connection, digest)
            standings.forget(connection, digest)

    def _without_place(self, digests: Iterable[Digest]) -> list[Digest]:
        asked = list(digests)
        held = {digest for _, digest in self.registry.places_of(asked)}
        return [digest for digest in asked if digest not in held]

    def _is_run(self, digest: Digest, containers: frozenset[str] | None) -> bool:
        """Tell whether a container was made of the image and is there still; when in doubt, yes."""
        with self.database.read() as connection:
            names = {digest, *standings.names_of(connection, digest)}
        made = [one.container_id for name in names for one in self.receipts.by_digest(name)]
        return bool(made) and (containers is None or not containers.isdisjoint(made))
