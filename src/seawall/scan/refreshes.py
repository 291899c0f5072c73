"""What an import did, and what it changed against the edition before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import sqlalchemy as sa

from seawall.scan import feeds, staging, versions
from seawall.scan.advisory_model import Advisory, Item, SignalKind
from seawall.scan.feeds import Feed

BAD_RECORDS_NAMED: Final = 20


class BadRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was left out: where it stands and what is wrong with it."""

    place: str
    reason: str


class Refresh(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did.

    `packages` are (ecosystem without suffix, package) about which something else is said now:
    images that hold one of them need another judgement.
    """

    feed: str
    digest: str
    generation: int
    records: int
    withdrawn_records: int
    is_unchanged: bool = False
    bad_records: int = 0
    bad: tuple[BadRecord, ...] = ()
    """The first of the bad records."""
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    packages: frozenset[staging.Package] = frozenset()
    unmatched: Mapping[str, int] = {}
    """Ecosystem → records that are stored but that Seawall cannot match yet."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A feed that could not be refreshed; its old edition stays in use."""

    feed: str
    reason: str
    remedy: str = ""


class Tally:
    """What was read so far."""

    def __init__(self) -> None:
        self.contents: dict[str, tuple[bytes, bool]] = {}
        self.ecosystems: dict[str, int] = {}
        self.bad: list[BadRecord] = []
        self.bad_records = 0

    def count(self, item: Item, content: bytes) -> None:
        """Count an item; `content` is the hash of all that a judgement can depend on."""
        gone = isinstance(item, Advisory) and item.is_withdrawn
        self.contents[staging.name_of(item)] = (content, gone)
        if not isinstance(item, Advisory):
            return
        advisory = item
        for ecosystem in {affected.ecosystem for affected in advisory.affected}:
            self.ecosystems[ecosystem] = self.ecosystems.get(ecosystem, 0) + 1

    def count_bad(self, place: str, reason: str) -> None:
        self.bad_records += 1
        if len(self.bad) < BAD_RECORDS_NAMED:
            self.bad.append(BadRecord(place=place, reason=reason[: feeds.FAILURE_MAX_CHARS]))


def compare(
    connection: sa.Connection, stage: staging.Stage, tally: Tally, *, old: Feed, digest: str
) -> Refresh:
    """Return what a staged generation changes against the edition `old`."""
    before = staging.known_contents(connection, old.generation) if old.generation else {}
    now = tally.contents
    withdrawn = [i for i, (_, gone) in now.items() if gone and not before.get(i, (b"", False))[1]]
    added = [i for i, (_, gone) in now.items() if i not in before and not gone]
    fresh = {*withdrawn, *added}
    changed = [i for i in now if i not in fresh and before.get(i, now[i]) != now[i]]
    removed = [i for i in before if i not in now]
    touched = [*fresh, *changed, *removed]
    packages = staging.packages_of(connection, [stage.generation, old.generation], touched)
    packages |= staging.packages_signalled(connection, _exploited(touched))
    return Refresh(
        feed=stage.feed,
        digest=digest,
        generation=stage.generation,
        records=len(now),
        withdrawn_records=sum(gone for _, gone in now.values()),
        bad_records=tally.bad_records,
        bad=tuple(tally.bad),
        added=tuple(sorted(added)),
        changed=tuple(sorted(changed)),
        withdrawn=tuple(sorted(withdrawn)),
        removed=tuple(sorted(removed)),
        packages=frozenset(packages),
        unmatched=unmatched(tally.ecosystems),
    )


def _exploited(names: Iterable[str]) -> list[str]:
    """Return the CVEs whose entry in the list of exploited ones changed.

    Other signals change daily and for every CVE. They sort, and are looked up when a report is
    shown: nothing is judged again for them.
    """
    start = f"{SignalKind.KEV}:"
    return [name.removeprefix(start) for name in names if name.startswith(start)]


def unmatched(ecosystems: Mapping[str, int]) -> dict[str, int]:
    """Return the ecosystems that have no version order here, with their records."""
    return {e: n for e, n in sorted(ecosystems.items()) if versions.order_of(e) is None}
