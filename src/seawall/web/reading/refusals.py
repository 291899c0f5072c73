"""What was asked for and refused in the last 24 hours, the same refusals counted together."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from seawall import audit
from seawall.core import clock as clocks
from seawall.core.clock import Clock
from seawall.core.errors import SeawallError
from seawall.oci.names import Reference
from seawall.policy.events import AdmissionRefused
from seawall.registry.service import Registry
from seawall.store import Database
from seawall.web import limits, views
from seawall.web.reading.sight import Sight

WINDOW: Final = dt.timedelta(hours=24)
EVENTS_READ: Final = 1_000
"""The newest refusals that are looked at: a client in a loop must not slow the page down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Reads refusals from the log."""

    database: Database
    registry: Registry
    hosts: frozenset[str]
    clock: Clock

    def lately(self, sight: Sight) -> tuple[views.Refused, ...]:
        """Return what the viewer may see of them: their own, and those of images they see."""
        only = audit.Filter(kinds=(AdmissionRefused.kind(),), since=self.clock.now() - WINDOW)
        with self.database.read() as connection:
            entries = audit.read(connection, limit=EVENTS_READ, newest_first=True, only=only)
        rows = _grouped(entry for entry in entries if self._is_visible(entry, sight))
        return tuple(self._linked(row, sight) for row in rows[: limits.REFUSED_ROWS])

    def _is_visible(self, entry: audit.Entry, sight: Sight) -> bool:
        return entry.actor == sight.viewer.actor or sight.sees(entry.repository)

    def _linked(self, row: views.Refused, sight: Sight) -> views.Refused:
        """Name the image's page, if there is one that the viewer may open."""
        with contextlib.suppress(SeawallError):
            reference = Reference.parse(row.image)
            if reference.host in self.hosts and sight.sees(reference.repository):
                self.registry.resolve(reference.repository, reference.target)
                return replace(row, repository=reference.repository, target=reference.target)
        return row


def _grouped(entries: Iterable[audit.Entry]) -> list[views.Refused]:
    """Return one row for the same actor, verb, image and rules; entries are newest first."""
    rows: dict[tuple[object, ...], views.Refused] = {}
    for entry in entries:
        with contextlib.suppress(msgspec.DecodeError):
            event = msgspec.json.decode(entry.body, type=AdmissionRefused)
            rules = tuple(reason.rule for reason in event.reasons)
            key = (entry.actor, event.action, event.image, rules)
            known = rows.get(key)
            rows[key] = _row(entry, event) if known is None else _once_more(known)
    return list(rows.values())


def _once_more(row: views.Refused) -> views.Refused:
    return replace(row, times=row.times + 1)


def _row(entry: audit.Entry, event: AdmissionRefused) -> views.Refused:
    return views.Refused(
        at=clocks.from_text(entry.at),
        verb=event.action,
        image=event.image,
        repository=None,
        target=None,
        actor=entry.actor,
        reasons=event.reasons,
    )
