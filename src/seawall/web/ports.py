"""What the pages need from the house, each with a fake in `seawall.testing.pages`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from seawall.core.actor import Actor
from seawall.core.secret import Secret
from seawall.web import views


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

    def audit(self, viewer: Viewer, query: views.AuditQuery) -> views.AuditPage:
        """Return a page of the log, newest first. Raises DeniedError for who may not read it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is logged in. `csrf` stands in every form and must come back with it."""

    actor: Actor
    is_administrator: bool
    csrf: str


class Sessions(Protocol):
    """Login sessions by opaque id (the cookie's value). All calls may block: use a thread."""

    def login(self, name: str, password: Secret, address: str) -> str | None:
        """Open a session and return its id; None when name and password prove nobody.

        `address` is where the attempt comes from. Raises LimitError after too many attempts.
        """
        ...

    def session_of(self, session_id: str) -> Session | None:
        """Return the live session, or None when it is unknown, expired or its user is gone."""
        ...

    def logout(self, session_id: str) -> None:
        """End the session; an unknown one is no error."""
        ...
