"""The feeds that an installation knows, and the editions that are in use."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa

from seawall.core import clock as clocks
from seawall.core.errors import InvalidInputError
from seawall.scan import _sql

FORMAT: Final = 2
"""Raised whenever the same file would give other rows."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_ENDINGS: Final = (".zst", ".zip", ".jsonl", ".json", ".osv")
_ECOSYSTEMS: Final = msgspec.json.Decoder(dict[str, int])

FAILURE_MAX_CHARS: Final = 500


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """One feed. `generation` is 0 and `digest` empty until a first import succeeded."""

    name: str
    generation: int = 0
    digest: str = ""
    format: int = 0
    records: int = 0
    withdrawn: int = 0
    ecosystems: Mapping[str, int] = {}
    """Ecosystem with its suffix → records that speak about it."""
    source: str = ""
    etag: str = ""
    imported_at: str = ""
    checked_at: str = ""
    """When the source was last seen to have nothing newer."""
    error: str = ""
    """Why the last attempt failed; empty after a success."""
    failed_at: str = ""

    @property
    def live_records(self) -> int:
        return self.records - self.withdrawn

    def is_stale(self, now: dt.datetime, *, after: dt.timedelta) -> bool:
        """Tell whether the edition in use was last confirmed longer ago than `after`."""
        return not self.checked_at or clocks.from_text(self.checked_at) + after < now


def checked_name(name: str) -> str:
    """Raises InvalidInputError unless `name` can name a feed."""
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            f"{name[:64]!r} cannot name a feed",
            remedy="use up to 64 letters, digits, spaces, dots, dashes and underscores",
        )
    return name


def name_of_file(path: Path) -> str:
    """Return the file's name without its endings: `PyPI.osv.jsonl.zst` is `PyPI`."""
    name = path.name
    while (shorter := _without_ending(name)) != name:
        name = shorter
    return checked_name(name)


def get(connection: sa.Connection, name: str) -> Feed | None:
    """Return one feed."""
    row = connection.execute(sa.select(_sql.feeds).where(_sql.feeds.c.name == name)).first()
    return None if row is None else _feed(row)


def read_all(connection: sa.Connection) -> tuple[Feed, ...]:
    """Return all feeds by name, also those of which no import succeeded yet."""
    rows = connection.execute(sa.select(_sql.feeds).order_by(_sql.feeds.c.name))
    return tuple(map(_feed, rows))


def in_use(connection: sa.Connection) -> tuple[Feed, ...]:
    """Return the feeds that have an edition."""
    return tuple(feed for feed in read_all(connection) if feed.generation)


def ecosystems(connection: sa.Connection) -> frozenset[str]:
    """Return every ecosystem, with its suffix, about which a feed speaks."""
    return frozenset(name for feed in in_use(connection) for name in feed.ecosystems)


def save(connection: sa.Connection, feed: Feed) -> None:
    """Write a feed's row."""
    values = msgspec.to_builtins(feed) | {
        "ecosystems": msgspec.json.encode(feed.ecosystems, order="sorted").decode()
    }
    changed = connection.execute(
        sa.update(_sql.feeds).where(_sql.feeds.c.name == feed.name).values(values)
    )
    if changed.rowcount == 0:
        connection.execute(sa.insert(_sql.feeds).values(values))


def _without_ending(name: str) -> str:
    for ending in _ENDINGS:
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return name


def _feed(row: sa.Row[tuple[object, ...]]) -> Feed:
    return Feed(
        name=row.name,
        generation=row.generation,
        digest=row.digest,
        format=row.format,
        records=row.records,
        withdrawn=row.withdrawn,
        ecosystems=_ECOSYSTEMS.decode(row.ecosystems),
        source=row.source,
        etag=row.etag,
        imported_at=row.imported_at,
        checked_at=row.checked_at,
        error=row.error,
        failed_at=row.failed_at,
    )
