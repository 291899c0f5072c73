"""What runs, joined with the receipts: who has none was started behind the gate."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from seawall.core.errors import SeawallError
from seawall.engine import docker
from seawall.fleet.receipts import LATEST_MAX, Receipt, Receipts
from seawall.oci.names import Reference, RepositoryName, Tag
from seawall.web import limits, views
from seawall.web.reading.engines import Seen
from seawall.web.reading.sight import Sight
from seawall.web.reading.verdicts import Verdicts
from seawall.web.views import Outcome

BEHIND_THE_GATE: Final = "it has no receipt: nobody judged it before it started"
GONE: Final = "the image is no longer in this registry, or damaged there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Reads containers for one page."""

    receipts: Receipts
    verdicts: Verdicts
    sight: Sight

    def all(self, seen: Seen) -> tuple[views.Container, ...]:
        """Return what runs and may be seen: first what needs a person, then the newest."""
        known = {receipt.container_id: receipt for receipt in self.receipts.latest(LATEST_MAX)}
        pairs = ((one, known.get(one.id) or self._older(one.id)) for one in self._first(seen))
        return self._sorted(self._rows(seen, pairs))

    def of_image(self, seen: Seen, receipts: Iterable[Receipt]) -> tuple[views.Container, ...]:
        """Return those that still run of the containers that `receipts` are about."""
        known = {receipt.container_id: receipt for receipt in receipts}
        pairs = [(one, known[one.id]) for one in seen.containers if one.id in known]
        return self._sorted(self._rows(seen, pairs))[: limits.CONTAINER_ROWS]

    def _first(self, seen: Seen) -> list[docker.Container]:
        newest = sorted(seen.containers, key=lambda one: one.created, reverse=True)
        return newest[: limits.CONTAINER_ROWS]

    def _older(self, container: str) -> Receipt | None:
        return self.receipts.for_container(container)

    def _rows(
        self, seen: Seen, pairs: Iterable[tuple[docker.Container, Receipt | None]]
    ) -> Iterator[views.Container]:
        engine = seen.engine.name if seen.engine else ""
        for container, receipt in pairs:
            if receipt is None and self.sight.is_everything:
                yield self._unknown(container, engine)
            elif receipt is not None and self.sight.sees(receipt.repository):
                yield self._known(container, receipt, engine)

    def _known(self, container: docker.Container, receipt: Receipt, engine: str) -> views.Container:
        repository, tag = RepositoryName(receipt.repository), _tag_of(receipt.image_asked)
        judged = self.verdicts.of(repository, receipt.digest, tag)
        return views.Container(
            name=_name(container),
            id=container.id,
            engine=engine,
            image=f"{repository}:{tag}" if tag else str(repository),
            repository=str(repository) if judged else None,
            digest=str(receipt.digest),
            outcome=judged.outcome if judged else Outcome.REFUSED,
            why=judged.why if judged else GONE,
            status=container.state,
            since=_since(container),
            is_known=True,
        )

    def _unknown(self, container: docker.Container, engine: str) -> views.Container:
        return views.Container(
            name=_name(container),
            id=container.id,
            engine=engine,
            image=container.image or container.image_id,
            repository=None,
            digest=None,
            outcome=Outcome.REFUSED,
            why=BEHIND_THE_GATE,
            status=container.state,
            since=_since(container),
            is_known=False,
        )

    def _sorted(self, rows: Iterable[views.Container]) -> tuple[views.Container, ...]:
        return tuple(sorted(rows, key=lambda row: (row.outcome is Outcome.ALLOWED, row.is_known)))


def _tag_of(image: str) -> Tag | None:
    """Return the tag by which an image was asked for; None for a digest."""
    with contextlib.suppress(SeawallError):
        reference = Reference.parse(image)
        return None if reference.digest else reference.tag
    return None


def _name(container: docker.Container) -> str:
    return container.names[0] if container.names else container.id[:12]


def _since(container: docker.Container) -> dt.datetime:
    return dt.datetime.fromtimestamp(container.created, dt.UTC)
