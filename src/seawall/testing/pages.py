"""The pages' ports in memory: `SamplePages` over a small installation, and login sessions.

`SamplePages` filters and pages its lists as the real thing must, so that forms and links can be
tried without a database. `EmptyPages` is the first minute of a new installation.
"""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from aiohttp import web

from seawall.core import ids
from seawall.core.errors import DeniedError
from seawall.core.secret import Secret
from seawall.identity.errors import InvalidCredentialsError, TooManyAttemptsError
from seawall.identity.model import User
from seawall.identity.sessions import ABSOLUTE_LIFE, Session
from seawall.ingress.sessions import COOKIE
from seawall.scan import report_words
from seawall.scan.model import Reach
from seawall.testing.page_samples import (
    EVENTS,
    FINDINGS,
    IMAGE_PAGE,
    NOW,
    OVERVIEW,
    PACKAGES,
    ago,
    digest_of,
)
from seawall.testing.scan_samples import (
    COMPARISON,
    FEEDS_PAGE,
    HISTORY,
    JUDGEMENT,
    SUPPORT,
    TRENDS,
    VULNERABILITY,
)
from seawall.testing.trust_samples import TRUST_PAGE
from seawall.web import limits, scan_views, trust_views, views
from seawall.web.ports import Viewer
from seawall.web.views import Counts, Severity

TOO_MANY_ATTEMPTS: Final = 5

T = TypeVar("T")


def page_of(rows: Sequence[T], page: int, per_page: int) -> tuple[tuple[T, ...], int, int]:
    """Return the rows of `page`, its number held within bounds, and the number of pages."""
    pages = max(1, -(-len(rows) // per_page))
    page = min(page, pages)
    return tuple(rows[(page - 1) * per_page : page * per_page]), page, pages


@dataclass
class SamplePages:
    """`Pages` over the samples above; replace `overview_page` or `image_page` to show others."""

    overview_page: views.Overview = OVERVIEW
    image_page: views.ImagePage = IMAGE_PAGE
    packages: tuple[views.Package, ...] = PACKAGES
    findings: tuple[views.Finding, ...] = FINDINGS
    log: tuple[views.Event, ...] = EVENTS
    trust_page: trust_views.TrustPage = TRUST_PAGE
    comparison_page: scan_views.Comparison = COMPARISON
    feeds_page: scan_views.FeedsPage = FEEDS_PAGE
    trends_page: scan_views.Trends = TRENDS
    vulnerability_page: scan_views.Vulnerability = VULNERABILITY
    judgement: scan_views.Judgement | None = JUDGEMENT
    history: tuple[scan_views.Point, ...] = HISTORY
    viewers: list[Viewer] = field(default_factory=list)

    def overview(self, viewer: Viewer, query: views.ListQuery) -> views.Overview:
        self.viewers.append(viewer)
        every = self.overview_page.images.rows
        found = [row for row in every if query.q in f"{row.repository}:{row.tag or ''}"]
        rows, page, pages = page_of(found, query.page, limits.IMAGES_PER_PAGE)
        images = views.ImageList(
            rows=rows, total=len(every), matching=len(found), page=page, pages=pages
        )
        return replace(self.overview_page, images=images)

    def image(
        self, viewer: Viewer, repository: str, target: str, query: views.ImageQuery
    ) -> views.ImagePage | None:
        self.viewers.append(viewer)
        page = self.image_page
        names = {page.digest, *(tag.name for tag in page.tags)}
        if repository != page.repository or target not in names:
            return None
        scan = views.Scan(
            scanned_at=ago(minutes=33),
            advisories_from=ago(minutes=42),
            findings=_findings(
                [one for one in self.findings if query.reach in (None, _reach(one))], query
            ),
            packages=_packages(self.packages, query.packages),
            support=SUPPORT,
            reached=_reached(self.findings),
            answered="1 answered for: 1 not affected",
            notes=("1 file could not be read: /app/data/huge.bin is larger than the limit",),
        )
        return replace(page, scan=scan, judgement=self.judgement, history=self.history)

    def comparison(
        self, viewer: Viewer, query: scan_views.ComparisonQuery
    ) -> scan_views.Comparison:
        self.viewers.append(viewer)
        return self.comparison_page if query.old and query.new else scan_views.Comparison()

    def vulnerability(
        self, viewer: Viewer, query: scan_views.HoleQuery
    ) -> scan_views.Vulnerability:
        self.viewers.append(viewer)
        if query.id == self.vulnerability_page.id:
            return replace(self.vulnerability_page, page=query.page)
        return scan_views.Vulnerability(id=query.id, is_known=False)

    def trends(self, viewer: Viewer, repository: str) -> scan_views.Trends | None:
        self.viewers.append(viewer)
        known = {one.name for one in self.trends_page.repositories}
        if repository and repository not in known:
            return None
        return replace(self.trends_page, repository=repository) if repository else self.trends_page

    def feeds(self, viewer: Viewer) -> scan_views.FeedsPage:
        self.viewers.append(viewer)
        return self.feeds_page

    def trust(self, viewer: Viewer, repository: str) -> trust_views.TrustPage | None:
        self.viewers.append(viewer)
        return self.trust_page if repository == self.trust_page.repository else None

    def audit(self, viewer: Viewer, query: views.AuditQuery) -> views.AuditPage:
        if not viewer.is_administrator:
            raise DeniedError(
                "only administrators read the whole log",
                remedy="the page of each image shows what happened to it",
            )
        found = [
            event
            for event in self.log
            if query.kind in ("", event.kind)
            and query.actor in ("", event.actor.name)
            and query.repository in ("", event.repository)
            and (query.before is None or event.seq < query.before)
        ]
        rows = tuple(found[: limits.AUDIT_PER_PAGE])
        return views.AuditPage(
            rows=rows,
            kinds=tuple(sorted({event.kind for event in self.log})),
            head=f"{self.log[0].seq}:{digest_of('head').hex}" if self.log else f"0:{'0' * 64}",
            older=rows[-1].seq if len(rows) < len(found) else None,
        )


class EmptyPages(SamplePages):
    """Nothing pushed, no engine, no advisories."""

    def __init__(self) -> None:
        nothing = views.ImageList(rows=(), total=0, matching=0, page=1, pages=1)
        super().__init__(
            overview_page=replace(
                OVERVIEW,
                refused=(),
                containers=(),
                images=nothing,
                feeds=(),
                engines=(),
                events=(),
            ),
            log=(),
            trends_page=scan_views.Trends(),
            feeds_page=scan_views.FeedsPage(feeds=(), stale_after_days=7),
        )


@dataclass
class FakeLogins:
    """`Logins` in memory, at no cost. Users are `ada`, an administrator, and `lin`."""

    passwords: dict[str, str] = field(
        default_factory=lambda: {"ada": "correct horse", "lin": "battery staple"}
    )
    administrators: frozenset[str] = frozenset({"ada"})
    live: dict[str, Session] = field(default_factory=dict)
    failures: int = 0

    async def sign_in(
        self, request: web.Request, response: web.StreamResponse, *, name: str, password: str
    ) -> None:
        if self.failures >= TOO_MANY_ATTEMPTS:
            raise TooManyAttemptsError(dt.timedelta(seconds=30))
        if self.passwords.get(name) != password:
            self.failures += 1
            raise InvalidCredentialsError("the name or the password is wrong")
        self.live.pop(request.cookies.get(COOKIE, ""), None)
        session_id = ids.new_id()
        self.live[session_id] = Session(
            user=User(
                name=name,
                is_administrator=name in self.administrators,
                is_disabled=False,
                created=NOW,
            ),
            csrf=Secret(ids.new_id()),
            created=NOW,
            expires=NOW + ABSOLUTE_LIFE,
        )
        response.set_cookie(
            COOKIE, session_id, path="/", secure=True, httponly=True, samesite="Strict"
        )

    async def sign_out(self, request: web.Request, response: web.StreamResponse) -> None:
        self.live.pop(request.cookies.get(COOKIE, ""), None)
        response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")

    async def find(self, request: web.Request) -> Session | None:
        return self.live.get(request.cookies.get(COOKIE, ""))


def _findings(findings: Sequence[views.Finding], query: views.ImageQuery) -> views.FindingList:
    by = {level: [f for f in findings if f.severity is level] for level in Severity}
    counts = Counts(
        **{level.value: len(rows) for level, rows in by.items()},
        fixable=sum(finding.fixed is not None for finding in findings),
        exploited=sum(finding.rank.exploited != "" for finding in findings),
        answered=1,
    )
    chosen = query.severity
    if chosen is None:
        groups = tuple(
            views.FindingGroup(
                severity=level, total=len(rows), rows=tuple(rows[: limits.FINDINGS_PER_GROUP])
            )
            for level, rows in by.items()
        )
        return views.FindingList(counts=counts, groups=groups)
    rows, page, pages = page_of(by[chosen], query.findings_page, limits.FINDINGS_PER_PAGE)
    group = views.FindingGroup(severity=chosen, total=len(by[chosen]), rows=rows)
    return views.FindingList(counts=counts, groups=(group,), page=page, pages=pages)


def _reach(finding: views.Finding) -> Reach:
    words = finding.rank.reached.partition(":")[0]
    return next(reach for reach, text in report_words.REACHES.items() if text == words)


def _reached(findings: Sequence[views.Finding]) -> tuple[scan_views.Reached, ...]:
    return tuple(
        scan_views.Reached(reach=reach, text=f"{count} {report_words.REACHES[reach]}")
        for reach, count in collections.Counter(map(_reach, findings)).items()
    )


def _packages(packages: Sequence[views.Package], query: views.ListQuery) -> views.PackageList:
    found = [package for package in packages if query.q.lower() in package.name.lower()]
    rows, page, pages = page_of(found, query.page, limits.PACKAGES_PER_PAGE)
    return views.PackageList(
        rows=rows, total=len(packages), matching=len(found), page=page, pages=pages
    )
