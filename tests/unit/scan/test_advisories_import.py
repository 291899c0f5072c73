"""Importing feeds: atomic, counted, and hard to empty."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from seawall import audit, net
from seawall.core.actor import SYSTEM
from seawall.core.errors import InvalidInputError, SeawallError, UnavailableError
from seawall.scan import _sql, staging
from seawall.scan.advisories import Advisories
from seawall.scan.errors import BadFeedError, FeedBusyError, FeedShrunkError
from seawall.scan.lookup import StoredAdvisories
from seawall.scan.refreshes import Failure, Refresh
from seawall.scan.versions import ORDERS
from seawall.store import Database
from seawall.testing.clocks import FakeClock


@pytest.fixture
def advisories(database: Database, clock: FakeClock) -> Advisories:
    return Advisories(database, clock)


def record(number: int, *, fixed: str = "2.0", package: str = "", **fields: Any) -> dict[str, Any]:
    return {
        "id": f"PYSEC-2026-{number}",
        "aliases": [f"CVE-2026-{number}"],
        "summary": "a hole",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": package or f"Package_{number}"},
                "ranges": [
                    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}
                ],
            }
        ],
    } | fields


def lines(*records: Any) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in records)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def hits(database: Database, package: str, version: str = "1.0") -> list[str]:
    with database.read() as connection:
        found = StoredAdvisories(connection).hits("PyPI", package, ORDERS["PyPI"].key(version))
        return [hit.id for hit in found]


def kinds(database: Database) -> list[str]:
    with database.read() as connection:
        return [entry.kind for entry in audit.read(connection)]


def rows(database: Database, table: sa.Table) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def shape_jsonl(path: Path, items: list[Any]) -> Path:
    return write(path / "PyPI.osv.jsonl", lines(*items))


def shape_zstd(path: Path, items: list[Any]) -> Path:
    return write(path / "PyPI.osv.jsonl.zst", zstd.compress(lines(*items)))


def shape_list(path: Path, items: list[Any]) -> Path:
    return write(path / "PyPI.json", json.dumps(items, indent=1).encode())


def shape_zip(path: Path, items: list[Any]) -> Path:
    with zipfile.ZipFile(path / "PyPI.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number, item in enumerate(items):
            archive.writestr(f"{number}.json", json.dumps(item))
        archive.writestr("README.txt", "not a record")
    return path / "PyPI.zip"


@pytest.mark.parametrize("shape", [shape_jsonl, shape_zstd, shape_list, shape_zip])
def test_reads_every_shape_and_names_what_is_bad(
    advisories: Advisories, database: Database, tmp_path: Path, shape: Any
) -> None:
    path = shape(tmp_path, [record(1), {"id": 5}, record(2), record(1)])
    refresh = advisories.import_file(path, actor=SYSTEM)
    assert ("PyPI", 2, 2) == (refresh.feed, refresh.records, refresh.bad_records)
    assert "stands twice" in refresh.bad[1].reason
    assert ["PYSEC-2026-1"] == hits(database, "package-1")
    assert [] == hits(database, "package-1", "2.0")
    assert ["AdvisoriesRefreshed"] == kinds(database)


def test_a_single_document_is_a_feed_too(advisories: Advisories, tmp_path: Path) -> None:
    path = write(tmp_path / "one.json", json.dumps(record(1), indent=2).encode())
    assert 1 == advisories.import_file(path, actor=SYSTEM).records


def test_progress_ends_at_the_size_of_the_file(advisories: Advisories, tmp_path: Path) -> None:
    path = shape_jsonl(tmp_path, [record(n) for n in range(50)])
    seen: list[tuple[int, int]] = []
    advisories.import_file(path, actor=SYSTEM, progress=lambda *step: seen.append(step))
    assert (path.stat().st_size, path.stat().st_size) == seen[-1]


def test_the_delta_names_what_changed(
    advisories: Advisories, database: Database, tmp_path: Path
) -> None:
    first = [record(n) for n in range(1, 7)]
    advisories.import_file(shape_jsonl(tmp_path, first), actor=SYSTEM)
    second = [
        record(1),
        record(2, references=[{"type": "WEB", "url": "https://x"}]),  # says the same
        record(3, fixed="3.0"),
        record(4, withdrawn="2026-01-01T00:00:00Z"),
        record(5, package="moved"),
        record(7),
    ]
    refresh = advisories.import_file(shape_jsonl(tmp_path, second), actor=SYSTEM)
    assert ("PYSEC-2026-7",) == refresh.added
    assert ("PYSEC-2026-3", "PYSEC-2026-5") == refresh.changed
    assert ("PYSEC-2026-4",) == refresh.withdrawn
    assert ("PYSEC-2026-6",) == refresh.removed
    names = {"package-3", "package-4", "package-5", "moved", "package-6", "package-7"}
    assert {("PyPI", name) for name in names} == refresh.packages
    assert refresh.packages == advisories.changed_packages(refresh.generation)
    assert [] == hits(database, "package-4")
    assert [] == hits(database, "package-6")
    assert ["PYSEC-2026-3"] == hits(database, "package-3", "2.5")


def test_the_same_file_again_changes_nothing(
    advisories: Advisories, database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    import datetime as dt

    path = shape_jsonl(tmp_path, [record(1)])
    first = advisories.import_file(path, actor=SYSTEM)
    clock.advance(dt.timedelta(days=1))
    again = advisories.import_file(path, actor=SYSTEM)
    assert (True, first.generation) == (again.is_unchanged, again.generation)
    assert ["AdvisoriesRefreshed"] == kinds(database)
    (feed,) = advisories.feeds()
    assert not feed.is_stale(clock.now(), after=dt.timedelta(hours=1))


def test_a_withdrawal_in_one_feed_holds_for_all(
    advisories: Advisories, database: Database, tmp_path: Path
) -> None:
    advisories.import_file(shape_jsonl(tmp_path, [record(1), record(2)]), actor=SYSTEM)
    gone = lines(record(1, withdrawn="2026-01-01T00:00:00Z"))
    refresh = advisories.import_file(write(tmp_path / "withdrawn.jsonl", gone), actor=SYSTEM)
    assert {("PyPI", "package-1")} == refresh.packages
    assert [] == hits(database, "package-1")
    assert ["PYSEC-2026-2"] == hits(database, "package-2")


def test_a_rating_that_is_lent_touches_the_packages_that_borrow_it(
    advisories: Advisories, tmp_path: Path
) -> None:
    advisories.import_file(shape_jsonl(tmp_path, [record(1), record(2)]), actor=SYSTEM)
    rated = {
        "id": "BIT-1",
        "aliases": ["CVE-2026-1"],
        "database_specific": {"severity": "High"},
        "affected": [{"package": {"ecosystem": "Bitnami", "name": "x"}}],
    }
    path = write(tmp_path / "Bitnami.jsonl", lines(rated))
    assert {("PyPI", "package-1")} == advisories.import_file(path, actor=SYSTEM).packages
    rated["database_specific"] = {"severity": "Low"}
    path = write(tmp_path / "Bitnami.jsonl", lines(rated))
    assert {("PyPI", "package-1")} == advisories.import_file(path, actor=SYSTEM).packages


def test_other_ecosystems_are_stored_and_said_to_be_unmatched(
    advisories: Advisories, tmp_path: Path
) -> None:
    conan = record(1)
    conan["affected"][0]["package"]["ecosystem"] = "ConanCenter"
    refresh = advisories.import_file(write(tmp_path / "conan.jsonl", lines(conan)), actor=SYSTEM)
    assert {"ConanCenter": 1} == refresh.unmatched


def test_refuses_feed_without_a_valid_record(
    advisories: Advisories, database: Database, tmp_path: Path
) -> None:
    for name, content in (
        ("a.jsonl", b"{}\n"),
        ("b.json", b"[]"),
        ("c.jsonl", b""),
        ("d.json", b"{nonsense"),
        ("e.zip", b"PK\x05\x06" + bytes(18)),
        ("f.zip", b"PK\x03\x04 cut off"),
        ("g.jsonl.zst", zstd.compress(lines(record(1)))[:-9]),
    ):
        with pytest.raises(BadFeedError):
            advisories.import_file(write(tmp_path / name, content), actor=SYSTEM)
    assert [] == kinds(database)
    assert [0, 0, 0] == [
        rows(database, t) for t in (_sql.advisories, _sql.ranges, _sql.generations)
    ]


def test_refuses_feed_that_shrinks_by_more_than_half(
    advisories: Advisories, database: Database, tmp_path: Path
) -> None:
    advisories.import_file(shape_jsonl(tmp_path, [record(n) for n in range(1, 6)]), actor=SYSTEM)
    small = shape_jsonl(tmp_path, [record(1), record(2)])
    with pytest.raises(FeedShrunkError, match="2 advisories"):
        advisories.import_file(small, actor=SYSTEM)
    assert ["PYSEC-2026-5"] == hits(database, "package-5")
    refresh = advisories.import_file(small, actor=SYSTEM, unsafe_allow_shrink=True)
    assert 3 == len(refresh.removed)
    assert [] == hits(database, "package-5")


def test_refuses_mass_withdrawal_as_shrinking(advisories: Advisories, tmp_path: Path) -> None:
    advisories.import_file(shape_jsonl(tmp_path, [record(n) for n in range(1, 6)]), actor=SYSTEM)
    gone = [record(n, withdrawn="2026-01-01T00:00:00Z") for n in range(1, 6)]
    with pytest.raises(FeedShrunkError):
        advisories.import_file(shape_jsonl(tmp_path, gone), actor=SYSTEM)


def test_the_old_edition_answers_until_the_switch(
    advisories: Advisories, database: Database, tmp_path: Path
) -> None:
    advisories.import_file(shape_jsonl(tmp_path, [record(1)]), actor=SYSTEM)
    second = [record(1, fixed="1.0"), *(record(n) for n in range(2, 9))]
    path = shape_jsonl(tmp_path, second)
    during: list[list[str]] = []
    advisories.import_file(
        path, actor=SYSTEM, progress=lambda *_: during.append(hits(database, "package-1"))
    )
    assert [["PYSEC-2026-1"]] * len(during) == during
    assert [] == hits(database, "package-1")
    assert 8 == rows(database, _sql.advisories)


def test_an_import_that_dies_leaves_nothing_in_the_way(
    advisories: Advisories, database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    advisories.import_file(shape_jsonl(tmp_path, [record(1)]), actor=SYSTEM)
    dead = staging.Stage(database, feed="PyPI", at=clock.now())
    from seawall.scan import osv

    item = osv.from_json(record(9))
    dead.add([(item, staging.content(item))])
    assert [] == hits(database, "package-9")
    advisories.import_file(shape_jsonl(tmp_path, [record(1), record(2)]), actor=SYSTEM)
    assert 2 == rows(database, _sql.advisories)


def test_refuses_switch_after_a_later_import_began(
    advisories: Advisories, database: Database, tmp_path: Path, clock: FakeClock
) -> None:
    path = shape_jsonl(tmp_path, [record(1)])

    def overtake(_done: int, _total: int) -> None:
        staging.Stage(database, feed="PyPI", at=clock.now())

    with pytest.raises(FeedBusyError):
        advisories.import_file(path, actor=SYSTEM, progress=overtake)
    assert [] == kinds(database)


def test_an_unknown_generation_means_judge_everything(advisories: Advisories) -> None:
    assert advisories.changed_packages(77) is None


@pytest.mark.parametrize("name", ["", "../x", "a\nb", "x" * 65, "-x"])
def test_refuses_feed_name_that_is_no_name(
    advisories: Advisories, tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / "😀.jsonl", lines(record(1)))
    with pytest.raises(InvalidInputError):
        advisories.import_file(path, actor=SYSTEM, feed=name)


class FakeNetwork:
    """Serves prepared files; an error is raised instead of an answer."""

    def __init__(self, answers: dict[str, bytes | SeawallError]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    def __call__(
        self,
        url: str,
        to_path: Path,
        *,
        max_bytes: int,
        deadline: float,
        etag: str = "",
        progress: net.Progress | None = None,
    ) -> net.Fetched:
        self.asked.append((url, etag))
        answer = self.answers[url]
        if isinstance(answer, SeawallError):
            raise answer
        new_etag = f'"{hash(answer)}"'
        if etag == new_etag:
            return net.Fetched(is_modified=False, etag=etag, size=0)
        to_path.write_bytes(answer)
        if progress:
            progress(len(answer), len(answer))
        return net.Fetched(is_modified=True, etag=new_etag, size=len(answer))


def test_updates_each_feed_and_keeps_going_after_a_failure(
    advisories: Advisories, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "zip").mkdir()
    archive = shape_zip(tmp_path / "zip", [record(1)]).read_bytes()
    network = FakeNetwork(
        {
            "https://feeds/Debian/all.zip": UnavailableError("no route", remedy="wait"),
            "https://feeds/PyPI/all.zip": archive,
        }
    )
    seen: list[tuple[str, int, int]] = []

    def update() -> tuple[Refresh | Failure, ...]:
        return advisories.update(
            ["Debian", "PyPI"],
            base_url="https://feeds/",
            directory=tmp_path,
            actor=SYSTEM,
            fetch=network,
            progress=lambda *step: seen.append(step),
        )

    failure, refresh = update()
    assert Failure(feed="Debian", reason="no route", remedy="wait") == failure
    assert isinstance(refresh, Refresh)
    assert ["PYSEC-2026-1"] == hits(database, "package-1")
    assert ["FeedFailed", "AdvisoriesRefreshed"] == kinds(database)
    debian, pypi = advisories.feeds()
    assert ("no route", 0) == (debian.error, debian.generation)
    assert ("", "https://feeds/PyPI/all.zip") == (pypi.error, pypi.source)
    assert not (tmp_path / "PyPI.zip").exists()
    assert {"PyPI"} == {name for name, _, _ in seen}

    _, again = update()
    assert isinstance(again, Refresh)
    assert again.is_unchanged
    assert "" != network.asked[-1][1]


def test_a_failed_update_keeps_the_old_edition(
    advisories: Advisories, database: Database, tmp_path: Path
) -> None:
    advisories.import_file(shape_jsonl(tmp_path, [record(1)]), actor=SYSTEM)
    network = FakeNetwork({"https://feeds/PyPI/all.zip": b"PK not a zip"})
    (result,) = advisories.update(
        ["PyPI"], base_url="https://feeds", directory=tmp_path, actor=SYSTEM, fetch=network
    )
    assert isinstance(result, Failure)
    assert ["PYSEC-2026-1"] == hits(database, "package-1")
    (feed,) = advisories.feeds()
    assert feed.error
    assert feed.generation


def test_imports_the_real_feeds(advisories: Advisories, database: Database, shared: Path) -> None:
    for name, expected in (("PyPI", 6_800), ("Debian-changelog", 6_469), ("withdrawn", 299)):
        path = shared / f"data/feeds/{name}.osv.jsonl.zst"
        refresh = advisories.import_file(path, actor=SYSTEM)
        assert (expected, 0) == (refresh.records, refresh.bad_records)
    assert {"PYSEC-2019-10", "PYSEC-2019-11"} <= set(hits(database, "django", "2.2.1"))
