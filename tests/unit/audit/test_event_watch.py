"""A watch that ignores harmless events, and nothing else."""

from __future__ import annotations

from pathlib import Path

from seawall import audit
from seawall.audit.watching import EventWatch
from seawall.core import actor as actors
from seawall.policy.events import VerdictGiven
from seawall.store import Database
from seawall.testing.clocks import FakeClock
from seawall.testing.databases import fresh_database
from seawall.trust.events import KeyDistrusted

VERDICT = VerdictGiven(
    repository="team/app", digest="sha256:0", tag=None, allowed=True, policy="p", reasons=()
)
DISTRUSTED = KeyDistrusted(key_id="0", name="release", patterns=("**",))


def record(database: Database, event: audit.Event) -> None:
    with database.write() as connection:
        audit.record(connection, event, actor=actors.SYSTEM, at=FakeClock().now())


def test_only_harmless_events_leave_the_number_as_it_is(tmp_path: Path) -> None:
    database = fresh_database(tmp_path)
    record(database, DISTRUSTED)
    watch = EventWatch(database, frozenset({"VerdictGiven"}))
    first = watch.number()
    assert first == watch.number()
    record(database, VERDICT)
    assert first == watch.number()
    record(database, DISTRUSTED)
    second = watch.number()
    assert first != second
    record(database, VERDICT)
    record(database, DISTRUSTED)
    record(database, VERDICT)
    assert second != watch.number()


def test_an_unknown_kind_matters(tmp_path: Path) -> None:
    database = fresh_database(tmp_path)
    watch = EventWatch(database, frozenset())
    first = watch.number()
    record(database, VERDICT)
    assert first != watch.number()


def test_all_but_the_kinds_that_matter_can_be_ignored(tmp_path: Path) -> None:
    database = fresh_database(tmp_path)
    watch = EventWatch(database, only=frozenset({"VerdictGiven"}))
    first = watch.number()
    record(database, DISTRUSTED)
    assert first == watch.number()
    record(database, DISTRUSTED)
    record(database, VERDICT)
    record(database, DISTRUSTED)
    assert first != watch.number()
