"""What the pages need from the house, each with a fake in `seawall.testing.pages`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from seawall.core.actor import Actor
from seawall.identity.sessions import Session
from seawall.web import scan_views, trust_views, views


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks. An administrator sees everything; others what their grants let them pull."""

    actor: Actor
    is_administrator: bool


class Pages(Protocol):
    """Fills the view models. Called on a thread of `core.blocking`, never on the event loop."""

    def overview(self, viewer: Viewer, query: views.ListQuery) -> views.Overview:
        """Return the first page; `query` filters its list of images."""
        ...

    def image(
        self, viewer: Viewer, repository: str, target: str, query: views.ImageQuery
    ) -> views.ImagePage | None:
        """Return the page of the image that `target`, a tag or digest, names now.

        `repository` and `target` are well-formed. None: there is no such image, or the viewer may
        not know that there is.
        """
        ...

    def trust(self, viewer: Viewer, repository: str) -> trust_views.TrustPage | None:
        """Return who vouches for the repository; None as for `image`."""
        ...

    def comparison(
        self, viewer: Viewer, query: scan_views.ComparisonQuery
    ) -> scan_views.Comparison:
        """Return two images beside each other. What the viewer may not see is "not here"."""
        ...

    def vulnerability(
        self, viewer: Viewer, query: scan_views.HoleQuery
    ) -> scan_views.Vulnerability:
        """Return where in the fleet a hole is; its id is well-formed."""
        ...

    def trends(self, viewer: Viewer, repository: str) -> scan_views.Trends | None:
        """Return open findings over time; empty: of all that the viewer may see. None as for
        `image`."""
        ...

    def feeds(self, viewer: Viewer) -> scan_views.FeedsPage:
        """Return all feeds in full."""
        ...

    def audit(self, viewer: Viewer, query: views.AuditQuery) -> views.AuditPage:
        """Return a page of the log, newest first. Raises DeniedError for who may not read it."""
        ...


class Logins(Protocol):
    """Login sessions as `ingress.sessions.LoginSessions` has them."""

    async def sign_in(
        self, request: web.Request, response: web.StreamResponse, *, name: str, password: str
    ) -> None:
        """Check name and password and put a new session's cookie on `response`.

        Raises InvalidCredentialsError, TooManyAttemptsError, UnavailableError.
        """
        ...

    async def sign_out(self, request: web.Request, response: web.StreamResponse) -> None:
        """End the request's session and take its cookie away."""
        ...

    async def find(self, request: web.Request) -> Session | None:
        """Return the living session whose cookie the request carries."""
        ...
