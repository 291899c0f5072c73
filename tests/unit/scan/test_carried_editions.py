"""Editions that travel: the same rows on the other side, an honest age, and no way back in time."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from seawall import audit
from seawall.core import clock as clocks
from seawall.core.actor import SYSTEM
from seawall.core.errors import ConflictError, InvalidInputError, NotFoundError
from seawall.scan import _sql, carried_editions, feeds
from seawall.scan.advisories import Advisories
from seawall.scan.carried_editions import Edition
from seawall.scan.feeds import Feed
from seawall.scan.refreshes import Failure, Refresh
from seawall.store import Database
from seawall.testing import databases
from seawall.testing.clocks import FakeClock

DAY = dt.timedelta(days=1)


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Database]:
    """The database of the machine with a network."""
    (tmp_path / "theirs").mkdir()
    database = databases.fresh_database(tmp_path / "theirs")
    yield database
    database.close()


@pytest.fixture
def there(theirs: Database, clock: FakeClock) -> Advisories:
    return Advisories(theirs, clock)


@pytest.fixture
def here(database: Database, clock: FakeClock) -> Advisories:
    return Advisories(database, clock)


def record(number: int, *, fixed: str = "2.0", **fields: Any) -> dict[str, Any]:
    span = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}
    affected = [
        {"package": {"ecosystem": "PyPI", "name": f"p{number}\t\\u0000"}, "ranges": [span]},
        {"package": {"ecosystem": "Nobody", "name": "x"}, "versions": ["1"]},
        {
            "package": {"ecosystem": "Go", "name": "g"},
            "ranges": [span | {"type": "SEMVER"}],
            "ecosystem_specific": {"imports": [{"path": "net/http", "symbols": ["Serve"]}]},
        },
    ]
    return {
        "id": f"PYSEC-2026-{number}",
        "aliases": [f"CVE-2026-{number}"],
        "summary": 'say "a hole"',
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected": affected,
    } | fields


def edition_file(path: Path, *records: Any, name: str = "PyPI") -> Path:
    file = path / f"{name}.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in records))
    return file


def carried(there: Advisories, name: str = "PyPI") -> tuple[Edition, bytes]:
    out = io.BytesIO()
    exported = there.export_edition(name, out)
    assert exported.digest.is_of(out.getvalue())
    assert len(out.getvalue()) == exported.size
    return exported.edition, out.getvalue()


def bring(here: Advisories, edition: Edition, content: bytes, **more: Any) -> Refresh:
    result = here.import_edition(edition, io.BytesIO(content), actor=SYSTEM, **more)
    assert isinstance(result, Refresh), result
    return result


def refused(here: Advisories, edition: Edition, content: bytes, **more: Any) -> str:
    result = here.import_edition(edition, io.BytesIO(content), actor=SYSTEM, **more)
    assert isinstance(result, Failure), result
    assert result.remedy
    return result.reason


def rows(database: Database) -> list[list[str]]:
    """All that is stored, but for the keys."""
    tables = (_sql.advisories, _sql.ranges, _sql.aliases, _sql.signals, _sql.lifecycles)
    found = []
    with database.read() as connection:
        for table in tables:
            columns = [c for c in table.c if c.name not in ("key", "advisory")]
            stored = connection.execute(sa.select(*columns))
            found.append(sorted(repr(tuple(row)) for row in stored))
    return found


def known(database: Database) -> list[Feed]:
    with database.read() as connection:
        return [msgspec.structs.replace(one, generation=0) for one in feeds.read_all(connection)]


def kinds(database: Database) -> list[str]:
    with database.read() as connection:
        return [entry.kind for entry in audit.read(connection)]


def test_the_other_side_has_the_same_rows_and_says_the_same_of_them(
    here: Advisories, there: Advisories, database: Database, theirs: Database,
    tmp_path: Path, clock: FakeClock,
) -> None:  # fmt: skip
    gone = record(3, withdrawn="2026-01-01T00:00:00Z")
    there.import_file(
        edition_file(tmp_path, record(1), record(2), gone),
        actor=SYSTEM, source="https://feeds/all.zip", etag='"e1"',
    )  # fmt: skip
    edition, content = carried(there)
    clock.advance(DAY)
    seen: list[tuple[int, int]] = []
    refresh = bring(here, edition, content, progress=lambda *step: seen.append(step))
    assert (3, 1, 0) == (refresh.records, refresh.withdrawn_records, refresh.bad_records)
    assert ({"Nobody": 3}, (3, 3)) == (refresh.unmatched, seen[-1])
    assert rows(theirs) == rows(database)
    assert known(theirs) == known(database)
    assert ("https://feeds/all.zip", '"e1"') == (known(database)[0].source, known(database)[0].etag)


def test_signals_and_lifecycles_travel_too(
    here: Advisories, there: Advisories, database: Database, theirs: Database, tmp_path: Path
) -> None:
    (tmp_path / "kev.json").write_text(
        json.dumps({"CVE-2026-1000": ["2026-01-01", "Known", "a hole"]})
    )
    (tmp_path / "epss.csv").write_text("cve,epss,percentile\nCVE-2026-1000,0.5,0.9\n")
    (tmp_path / "endoflife.json").write_text(
        json.dumps({"node": {"identifiers": [{"purl": "pkg:generic/node"}], "releases": [
            {"releaseCycle": "18", "eol": "2025-04-30"}]}})
    )  # fmt: skip
    for name in ("kev.json", "epss.csv", "endoflife.json"):
        there.import_file(tmp_path / name, actor=SYSTEM)
    for feed in there.feeds():
        bring(here, *carried(there, feed.name))
    assert rows(theirs) == rows(database)
    assert [1, 2, 1] == [len(rows(database)[n]) for n in (4, 3, 4)]


def test_the_next_edition_of_the_source_is_compared_with_what_was_carried(
    here: Advisories, there: Advisories, tmp_path: Path, clock: FakeClock
) -> None:
    there.import_file(edition_file(tmp_path, record(1), record(2)), actor=SYSTEM)
    bring(here, *carried(there))
    clock.advance(DAY)
    newer = edition_file(tmp_path, record(1), record(2, fixed="3.0"))
    refresh = here.import_file(newer, actor=SYSTEM)
    assert ((), ("PYSEC-2026-2",)) == (refresh.added, refresh.changed)
    assert {("PyPI", "p2\t\\u0000"), ("Go", "g")} == refresh.packages


def test_an_edition_in_use_is_left_and_only_its_age_is_noted(
    here: Advisories, there: Advisories, database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    file = edition_file(tmp_path, record(1))
    there.import_file(file, actor=SYSTEM)
    first = carried(there)
    assert not bring(here, *first).is_unchanged
    clock.advance(DAY)
    there.import_file(file, actor=SYSTEM)  # the source has nothing newer
    second = carried(there)
    clock.advance(DAY)
    for edition, content in (second, first):
        assert bring(here, edition, content).is_unchanged
        assert second[0].checked_at == known(database)[0].checked_at
    assert ["AdvisoriesRefreshed"] == kinds(database)


def test_an_edition_that_is_carried_is_as_old_as_it_was(
    here: Advisories, there: Advisories, tmp_path: Path, clock: FakeClock
) -> None:
    there.import_file(edition_file(tmp_path, record(1)), actor=SYSTEM)
    clock.advance(8 * DAY)
    bring(here, *carried(there))
    (feed,) = here.feeds()
    assert feed.is_stale(clock.now(), after=7 * DAY)
    assert clocks.to_text(clock.now() - 8 * DAY) == feed.imported_at


def test_an_older_edition_is_refused_and_written_down(
    here: Advisories, there: Advisories, database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    there.import_file(edition_file(tmp_path, record(1)), actor=SYSTEM)
    old = carried(there)
    clock.advance(DAY)
    there.import_file(edition_file(tmp_path, record(1), record(2)), actor=SYSTEM)
    bring(here, *carried(there), signed_by=["k1"])
    assert "older than the one in use" in refused(here, *old)
    assert ["AdvisoriesRefreshed", "FeedFailed"] == kinds(database)
    (feed,) = here.feeds()
    assert (2, True) == (feed.records, "older" in feed.error)
    with database.read() as connection:
        first = next(iter(audit.read(connection)))
    assert ["k1"] == first.details()["signed_by"]
    assert 1 == bring(here, *old, unsafe_allow_older=True).records


def test_an_edition_that_lost_most_of_its_records_is_refused(
    here: Advisories, there: Advisories, tmp_path: Path, clock: FakeClock
) -> None:
    there.import_file(edition_file(tmp_path, *map(record, range(5))), actor=SYSTEM)
    bring(here, *carried(there))
    clock.advance(DAY)
    there.import_file(edition_file(tmp_path, record(1)), actor=SYSTEM, unsafe_allow_shrink=True)
    small = carried(there)
    assert "has 1 advisories that hold" in refused(here, *small)
    assert 5 == here.feeds()[0].records
    assert 1 == bring(here, *small, unsafe_allow_shrink=True).records


def test_an_edition_from_the_future_is_refused(
    here: Advisories, there: Advisories, tmp_path: Path, clock: FakeClock
) -> None:
    clock.advance(DAY)
    there.import_file(edition_file(tmp_path, record(1)), actor=SYSTEM)
    ahead = carried(there)
    clock.advance(-DAY)
    assert "in the future" in refused(here, *ahead, unsafe_allow_older=True)
    assert 0 == here.feeds()[0].generation


def test_what_has_no_edition_or_one_of_another_format_is_not_exported(
    there: Advisories, theirs: Database, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="no edition of a feed PyPI"):
        carried(there)
    there.import_file(edition_file(tmp_path, record(1)), actor=SYSTEM)
    with theirs.write() as connection:
        connection.execute(sa.update(_sql.feeds).values(format=feeds.FORMAT - 1))
    with pytest.raises(ConflictError, match="older version"):
        carried(there)


def test_an_edition_that_is_replaced_while_it_is_written_is_no_edition(
    there: Advisories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seawall.scan.staging.BATCH_ADVISORIES", 1)
    there.import_file(edition_file(tmp_path, record(1), record(2)), actor=SYSTEM)

    def replaced(done: int, _total: int) -> None:
        if done == 1:
            newer = edition_file(tmp_path, record(1), record(2), record(3))
            there.import_file(newer, actor=SYSTEM)

    with pytest.raises(ConflictError, match="another edition while"):
        there.export_edition("PyPI", io.BytesIO(), replaced)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "../up"},
        {"name": "x" * 65},
        {"digest": "sha256:0"},
        {"records": -1},
        {"records": 2**40},
        {"format": 1},
        {"format": "2"},
        {"imported_at": "2026-1-1T00:00:00.000000Z"},
        {"imported_at": "yesterday"},
        {"checked_at": ""},
        {"unpacked_bytes": 2**50},
        {"ecosystems": {"PyPI": "many"}},
        {"more": 1},
    ],
)
def test_what_is_said_of_an_edition_is_read_strictly(
    there: Advisories, tmp_path: Path, change: dict[str, object]
) -> None:
    there.import_file(edition_file(tmp_path, record(1)), actor=SYSTEM)
    said = msgspec.to_builtins(carried(there)[0])
    assert said == msgspec.to_builtins(carried_editions.parse(said))
    with pytest.raises(InvalidInputError):
        carried_editions.parse(said | change)


def test_carries_the_real_feeds(
    here: Advisories, there: Advisories, database: Database, theirs: Database, shared: Path
) -> None:
    for name in ("Go.osv.jsonl", "kev.json", "node-core.json"):
        path = shared / f"data/feeds/{name}.zst"
        refresh = there.import_file(path, actor=SYSTEM)
        brought = bring(here, *carried(there, refresh.feed))
        assert (refresh.records, refresh.unmatched) == (brought.records, brought.unmatched)
    assert rows(theirs) == rows(database)
    assert known(theirs) == known(database)
