"""What needs a person first: the facts of the overview, sorted by how much they matter.

Pure. It judges nothing: it only counts what the view models already say.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from seawall.web import views


class Level(enum.StrEnum):
    """How much a notice matters."""

    BAD = "bad"
    WARN = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One line at the top of the overview, leading to the part that shows more."""

    level: Level
    text: str
    href: str


def notices(overview: views.Overview) -> tuple[Notice, ...]:
    """Return what needs attention, worst first; empty when nothing does."""
    found = [*_containers(overview), *_engines(overview), *_feeds(overview)]
    return tuple(sorted(found, key=lambda notice: notice.level is not Level.BAD))


def _containers(overview: views.Overview) -> Iterator[Notice]:
    unknown = sum(not container.is_known for container in overview.containers)
    refused = sum(c.outcome is views.Outcome.REFUSED and c.is_known for c in overview.containers)
    if refused:
        text = f"{_count(refused, 'container runs', 'containers run')} an image refused today"
        yield Notice(level=Level.BAD, text=text, href="#running")
    if unknown:
        text = f"{_count(unknown, 'container was', 'containers were')} started behind the gate"
        yield Notice(level=Level.BAD, text=text, href="#running")


def _engines(overview: views.Overview) -> Iterator[Notice]:
    if not overview.engines:
        yield Notice(level=Level.WARN, text="No engine: nothing can run here yet", href="#engines")
    for engine in overview.engines:
        if not engine.is_reachable:
            affected = sum(c.engine == engine.name for c in overview.containers)
            more = f", {_count(affected, 'container', 'containers')} last seen" if affected else ""
            text = f"Engine {engine.name} does not answer{more}"
            yield Notice(level=Level.BAD, text=text, href="#engines")


def _feeds(overview: views.Overview) -> Iterator[Notice]:
    if not overview.feeds:
        text = "No advisories: findings cannot be known"
        yield Notice(level=Level.WARN, text=text, href="#feeds")
    stale = [feed.name for feed in overview.feeds if feed.is_stale]
    if stale:
        text = f"Advisories are stale: {', '.join(stale)}"
        yield Notice(level=Level.WARN, text=text, href="#feeds")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
