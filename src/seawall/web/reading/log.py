"""What the log says, for people: lines of it, and who pushed and moved what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from seawall import audit
from seawall.core import clock as clocks
from seawall.core.actor import Actor, ActorKind
from seawall.core.errors import DeniedError
from seawall.identity.events import LoginSucceeded
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.registry.events import ManifestPushed, TagMoved
from seawall.store import Database
from seawall.web import limits, sentences, views
from seawall.web.reading.sight import Sight

PUSHES_READ: Final = 20
"""Pushes of one digest among which the one with a tag is looked for."""

MOVES_READ: Final = 500
"""Moves of tags to one digest that are looked at."""

LINES_READ: Final = 200
ROUNDS: Final = 10
"""For who may see little of it, no more than so many times `LINES_READ` lines are looked through"""

LOGIN: Final = LoginSucceeded.kind()

_NOBODY: Final = Actor(kind=ActorKind.ANONYMOUS, name="unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When something was done, and by whom."""

    at: dt.datetime
    actor: Actor


def line(entry: audit.Entry) -> views.Event:
    """Return a line of the log for a reader."""
    return views.Event(
        seq=entry.seq,
        at=clocks.from_text(entry.at),
        kind=entry.kind,
        actor=entry.actor,
        repository=entry.repository,
        digest=entry.digest,
        summary=sentences.of_entry(entry),
    )


def lately(database: Database, sight: Sight) -> tuple[views.Event, ...]:
    """Return the newest lines that the viewer may see; logins stand in the whole log only."""
    found: list[views.Event] = []
    before: int | None = None
    with database.read() as connection:
        for _ in range(ROUNDS):
            entries = audit.read(connection, limit=LINES_READ, newest_first=True, before=before)
            for entry in entries:
                if entry.kind != LOGIN and sight.sees(entry.repository):
                    found.append(line(entry))
                if len(found) == limits.EVENT_ROWS:
                    return tuple(found)
            if len(entries) < LINES_READ:
                break
            before = entries[-1].seq
    return tuple(found)


def about(
    database: Database, repository: RepositoryName, digest: Digest
) -> tuple[views.Event, ...]:
    """Return the newest lines about one image."""
    only = audit.Filter(repository=str(repository), digest=str(digest))
    with database.read() as connection:
        entries = audit.read(connection, limit=limits.EVENT_ROWS, newest_first=True, only=only)
    return tuple(map(line, entries))


def page(database: Database, sight: Sight, query: views.AuditQuery) -> views.AuditPage:
    """Return a page of the whole log. Raises DeniedError for who is no administrator."""
    if not sight.is_everything:
        raise DeniedError(
            "only administrators read the whole log",
            remedy="the page of each image shows what happened to it",
        )
    only = audit.Filter(
        kinds=(query.kind,) if query.kind else (),
        repository=query.repository or None,
        actor=query.actor or None,
    )
    most = limits.AUDIT_PER_PAGE
    with database.read() as connection:
        head = audit.head(connection)
        entries = audit.read(
            connection, limit=most + 1, newest_first=True, only=only, before=query.before
        )
    return views.AuditPage(
        rows=tuple(map(line, entries[:most])),
        kinds=tuple(sorted(sentences.kinds())),
        head=str(head),
        older=entries[most - 1].seq if len(entries) > most else None,
    )


def pushed(
    connection: sa.Connection,
    repository: RepositoryName,
    digest: Digest,
    tag: Tag | None,
    otherwise: dt.datetime,
) -> Moment:
    """Return the newest push of an image, the one under `tag` if there is one.

    A log that does not tell gives `otherwise` and somebody unknown.
    """
    entries = _entries(connection, ManifestPushed, repository, digest, PUSHES_READ)
    tagged = (entry for entry in entries if tag in _listed(entry.details().get("tags")))
    newest = next(tagged, None) or next(iter(entries), None)
    if newest is None:
        return Moment(at=otherwise, actor=_NOBODY)
    return Moment(at=clocks.from_text(newest.at), actor=newest.actor)


def moves(
    connection: sa.Connection, repository: RepositoryName, digest: Digest
) -> dict[str, Moment]:
    """Return the newest move of each tag to this digest."""
    found: dict[str, Moment] = {}
    for entry in _entries(connection, TagMoved, repository, digest, MOVES_READ):
        moment = Moment(at=clocks.from_text(entry.at), actor=entry.actor)
        found.setdefault(str(entry.details().get("tag")), moment)
    return found


def tags(
    database: Database, repository: RepositoryName, digest: Digest, names: Iterator[Tag]
) -> tuple[views.Tag, ...]:
    """Return the tags with who pointed them at this digest; those without a record are last."""
    with database.read() as connection:
        moved = moves(connection, repository, digest)
    unknown = Moment(at=dt.datetime.min.replace(tzinfo=dt.UTC), actor=_NOBODY)
    found = [(name, moved.get(name, unknown)) for name in names]
    return tuple(
        views.Tag(name=name, moved_at=moment.at, moved_by=moment.actor)
        for name, moment in sorted(found, key=lambda pair: pair[1].at, reverse=True)
    )


def _entries(
    connection: sa.Connection,
    kind: type[audit.Event],
    repository: RepositoryName,
    digest: Digest,
    limit: int,
) -> list[audit.Entry]:
    only = audit.Filter(kinds=(kind.kind(),), repository=str(repository), digest=str(digest))
    return audit.read(connection, limit=limit, newest_first=True, only=only)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
