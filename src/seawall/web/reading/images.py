"""The list of images: one row for each tag, newest first, one page of them judged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from seawall.registry.model import TaggedImage
from seawall.registry.service import Registry
from seawall.store import Database
from seawall.web import limits, views
from seawall.web.reading import log, paging, reports
from seawall.web.reading.sight import Sight
from seawall.web.reading.verdicts import Judged, Verdicts
from seawall.web.views import Outcome

TAGS_READ: Final = 20_000
"""The newest tags among which is looked; what is older has its own page still."""

_BESIDE_IMAGES: Final = re.compile(r"sha(256|512)-[0-9a-f]{32,128}(\.\w+)?", re.ASCII)
"""Tags that hold signatures and other things about an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Reads the list for one page."""

    database: Database
    registry: Registry
    verdicts: Verdicts
    sight: Sight

    def find(self, query: views.ListQuery) -> views.ImageList:
        """Return one page of those images whose name or tag holds the text."""
        every = [one for one in self.registry.images_tagged(TAGS_READ) if self._is_shown(one)]
        wanted = query.q.lower()
        found = [one for one in every if wanted in f"{one.repository}:{one.tag}".lower()]
        page = paging.cut(found, query.page, limits.IMAGES_PER_PAGE)
        return views.ImageList(
            rows=self._rows(page.rows),
            total=len(every),
            matching=len(found),
            page=page.page,
            pages=page.pages,
        )

    def _is_shown(self, one: TaggedImage) -> bool:
        return _BESIDE_IMAGES.fullmatch(one.tag) is None and self.sight.sees(one.repository)

    def _rows(self, found: tuple[TaggedImage, ...]) -> tuple[views.Image, ...]:
        judged = [self.verdicts.of(one.repository, one.digest, one.tag) for one in found]
        with self.database.read() as connection:
            return tuple(
                _row(connection, one, verdict) for one, verdict in zip(found, judged, strict=True)
            )


def _row(connection: sa.Connection, one: TaggedImage, judged: Judged | None) -> views.Image:
    """Return a row; what cannot be judged is refused, and still shown."""
    push = log.pushed(connection, one.repository, one.digest, one.tag, one.pushed_at)
    signatures = judged.judgement.proof.signatures if judged else ()
    report = judged.judgement.report if judged else None
    return views.Image(
        repository=one.repository,
        tag=one.tag,
        digest=one.digest,
        size=one.size,
        pushed_at=push.at,
        pushed_by=push.actor,
        signers=tuple(sorted({signature.key_name for signature in signatures})),
        findings=None if report is None else reports.counts(report),
        outcome=judged.outcome if judged else Outcome.REFUSED,
        unsupported=sum(each.is_over for each in report.end_of_life) if report else 0,
    )
