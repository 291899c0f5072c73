"""From verdicts to trends: notes how images stand when they are judged, and looks at all each hour.

Only tagged images count: what no tag names is on its way out. Artifacts beside images, such as
signatures, do not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seawall.core.clock import Clock
from seawall.flows.judging import Judgement
from seawall.oci import media
from seawall.oci.digest import Digest, is_digest
from seawall.oci.names import RepositoryName
from seawall.registry.model import TaggedImage
from seawall.registry.service import Registry
from seawall.scan import standings, trends
from seawall.store import Database

TAGS_READ: Final = 100_000
PATIENCE: Final = dt.timedelta(days=1)
"""How long an image that was not judged yet keeps open what it may still have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trending:
    """Keeps the trends of an installation. Every method blocks."""

    database: Database
    registry: Registry
    clock: Clock

    def note(self, repository: RepositoryName, judgement: Judgement) -> None:
        """Write down how a judged image stands, where that is news."""
        report, digest = judgement.report, Digest(judgement.verdict.digest)
        if report is None:
            return
        with self.database.read() as connection:
            if standings.is_noted(connection, str(repository), digest, report):
                return
        with self.database.write() as connection:
            standings.note(connection, str(repository), digest, report)

    def measure(self) -> None:
        """Write today's numbers of every repository; safe to do as often as one likes."""
        tagged = self.registry.images_tagged(TAGS_READ)
        is_all = len(tagged) < TAGS_READ
        found: dict[RepositoryName, dict[Digest, dt.datetime]] = {}
        for one in filter(_is_counted, tagged):  # the newest first
            found.setdefault(one.repository, {}).setdefault(one.digest, one.pushed_at)
        for repository, images in found.items():
            self._measure(repository, images, is_all=is_all)
        if is_all:
            with self.database.write() as connection:
                trends.forget(connection, list(map(str, found)), now=self.clock.now())

    def _measure(
        self, repository: RepositoryName, images: Mapping[Digest, dt.datetime], *, is_all: bool
    ) -> None:
        now = self.clock.now()
        with self.database.write() as connection:
            judged = standings.of_images(connection, str(repository), images)
            fresh = [digest for digest in images if digest not in judged]
            waits = any(now - images[digest] < PATIENCE for digest in fresh)
            trends.measure(
                connection, str(repository), images, now=now, may_close=is_all and not waits
            )


def _is_counted(one: TaggedImage) -> bool:
    if not (one.is_image or one.media_type in media.INDEXES):
        return False
    # Behind such a tag of cosign's is what looks like an image, but holds signatures.
    name, dot, _ = one.tag.rpartition(".")
    return not is_digest((name if dot else one.tag).replace("-", ":", 1))
