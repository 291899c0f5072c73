"""A fleet after new advisories: each verdict once, each image's numbers, each place's event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pytest

from seawall import audit
from seawall.core.actor import SYSTEM
from seawall.oci.digest import Digest
from seawall.scan import report_model, whereabouts
from seawall.scan.advisories import Advisories
from seawall.scan.events import FindingsChanged
from seawall.scan.model import Component, Distribution, Inventory, PackageType
from seawall.scan.refreshes import Refresh
from seawall.scan.rematching import Rematching
from seawall.scan.reports import Reports
from seawall.store import Database
from seawall.testing.clocks import FakeClock

ONE, TWO, THREE = (Digest.of(name) for name in (b"one", b"two", b"three"))


class Fleet:
    """Images, feeds and what the workers do."""

    def __init__(self, database: Database, folder: Path) -> None:
        clock = FakeClock()
        self.database = database
        self.reports = Reports(database, clock)
        self.advisories = Advisories(database, clock)
        self.rematching = Rematching(database, clock)
        self._folder = folder

    def scan(self, digest: Digest, *packages: tuple[str, str]) -> None:
        self.reports.make(digest, inventory(packages), actor=SYSTEM, repository="app")

    def feed(self, *records: dict, name: str = "PyPI") -> Refresh:
        path = self._folder / f"{name}.jsonl"
        path.write_text("\n".join(json.dumps(each) for each in records))
        return self.advisories.import_file(path, actor=SYSTEM, unsafe_allow_shrink=True)

    def rejudge(self, refresh: Refresh) -> int:
        return self.rematching.rejudge(refresh.packages, generation=refresh.generation)

    def settle(self) -> int:
        return self.rematching.settle(places)

    def news(self) -> list[tuple[str, list[str], list[str], list[str]]]:
        with self.database.read() as connection:
            entries = audit.read(connection, only=audit.Filter(kinds=("FindingsChanged",)))
        events = [msgspec.json.decode(entry.body, type=FindingsChanged) for entry in entries]
        return [
            (event.digest or "", event.newly_vulnerable, event.newly_fixed, event.withdrawn)
            for event in events
        ]

    def is_consistent(self, *digests: Digest) -> bool:
        """Numbers, report and a judgement from nothing say the same."""
        for digest in digests:
            latest = self.reports.latest(digest)
            assert latest is not None
            fresh = self.reports.judge(digest, latest.inventory)
            if fresh.findings != latest.findings:
                return False
            kept = self.reports.summaries([digest])[digest]
            expected = report_model.summarise(latest)
            if (kept.findings_by_severity, kept.fixable_by_severity, kept.exploited) != (
                expected.findings_by_severity,
                expected.fixable_by_severity,
                expected.exploited,
            ):
                return False
        return True


def places(digests: Sequence[Digest]) -> Iterable[tuple[str, Digest]]:
    return [("app", digest) for digest in digests]


def inventory(packages: Iterable[tuple[str, str]]) -> Inventory:
    return Inventory(
        components=tuple(
            Component(
                type=PackageType.PYPI,
                name=name,
                version=version,
                purl=f"pkg:pypi/{name}@{version}",
                path="/app",
                layer="sha256:0",
                layer_index=0,
            )
            for name, version in packages
        ),
        distribution=Distribution(id="debian", version_id="12"),
        notices=(),
        layers=(),
        is_partial=False,
    )


def record(name: str, package: str, fixed: str = "2.0", **more: object) -> dict:
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    affected = {
        "package": {"ecosystem": "PyPI", "name": package},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return {"id": name, "modified": "x", "affected": [affected]} | more


@pytest.fixture
def fleet(database: Database, tmp_path: Path) -> Fleet:
    fleet = Fleet(database, tmp_path)
    fleet.rejudge(fleet.feed(record("CVE-2024-0001", "flask", fixed="")))
    fleet.scan(ONE, ("flask", "1.0"), ("click", "1.0"))
    fleet.scan(TWO, ("flask", "1.0"))
    fleet.scan(THREE, ("click", "9.0"))
    return fleet


def test_news_reach_those_whom_they_concern(fleet: Fleet) -> None:
    refresh = fleet.feed(
        record("CVE-2024-0001", "flask"), record("CVE-2024-0002", "click", fixed="3")
    )
    assert 2 == fleet.rejudge(refresh)
    assert 2 == fleet.settle()
    assert [
        (str(ONE), ["CVE-2024-0002"], ["CVE-2024-0001"], []),
        (str(TWO), [], ["CVE-2024-0001"], []),
    ] == sorted(fleet.news(), key=lambda line: line[0] != str(ONE))
    assert fleet.is_consistent(ONE, TWO, THREE)


def test_a_withdrawal_clears_what_was_found(fleet: Fleet) -> None:
    fleet.rejudge(fleet.feed(record("CVE-2024-0001", "flask", withdrawn="2026-01-01")))
    fleet.settle()
    assert {(str(ONE), "CVE-2024-0001"), (str(TWO), "CVE-2024-0001")} == {
        (digest, gone[0]) for digest, _, _, gone in fleet.news()
    }
    assert fleet.is_consistent(ONE, TWO, THREE)
    latest = fleet.reports.latest(ONE)
    assert latest is not None
    assert () == latest.findings


def test_two_editions_before_anybody_settles_are_counted_once_each(fleet: Fleet) -> None:
    fleet.rejudge(fleet.feed(record("CVE-2024-0001", "flask"), record("CVE-2024-0002", "flask")))
    fleet.rejudge(fleet.feed(record("CVE-2024-0002", "flask")))
    assert 2 == fleet.settle()
    assert fleet.is_consistent(ONE, TWO, THREE)


def test_doing_it_twice_changes_nothing(fleet: Fleet) -> None:
    refresh = fleet.feed(record("CVE-2024-0002", "flask"))
    assert [1, 0] == [fleet.rejudge(refresh), fleet.rejudge(refresh)]
    assert [2, 0] == [fleet.settle(), fleet.settle()]
    assert 2 == len(fleet.news())


def test_a_scan_between_does_not_hide_the_news_from_others(fleet: Fleet) -> None:
    refresh = fleet.feed(record("CVE-2024-0001", "flask"), record("CVE-2024-0002", "flask"))
    fleet.scan(ONE, ("flask", "1.0"), ("click", "1.0"))  # judged by the new edition at once
    assert 0 == fleet.rejudge(refresh)
    assert 1 == fleet.settle()
    assert [str(TWO)] == [digest for digest, *_ in fleet.news()]
    assert fleet.is_consistent(ONE, TWO, THREE)


def test_an_entry_in_the_list_of_exploited_ones_is_news(fleet: Fleet, tmp_path: Path) -> None:
    path = tmp_path / "kev.json"
    path.write_text(json.dumps({"CVE-2024-0001": ["2024-05-01", "Known", "x"]}))
    refresh = fleet.advisories.import_file(path, actor=SYSTEM)
    assert 1 == fleet.rejudge(refresh)
    assert 2 == fleet.settle()
    assert 1 == fleet.reports.summaries([TWO])[TWO].exploited
    latest = fleet.reports.latest(TWO)
    assert latest is not None
    assert ("2024-05-01", True) == (
        latest.findings[0].exploited_since,
        latest.findings[0].is_used_by_ransomware,
    )


def test_another_headline_of_the_same_hole_is_no_news(fleet: Fleet) -> None:
    fleet.rejudge(fleet.feed(record("CVE-2024-0001", "flask", fixed="", aliases=["CVE-2023-0009"])))
    fleet.settle()
    assert [([], [], [])] * 2 == [tuple(lists) for _, *lists in fleet.news()]


def test_the_fleet_knows_where_a_hole_is_and_since_when(fleet: Fleet) -> None:
    found = whereabouts.of_hole(fleet.database, "CVE-2024-0001")
    assert {ONE, TWO} == {one.digest for one in found.holders}
    assert {("flask", "1.0", "CVE-2024-0001")} == {
        (one.package, one.version, one.hole.ids[0]) for one in found.holders
    }
    assert all(one.since for one in found.holders)
    assert "CVE-2024-0001" in found.ids
    assert () == whereabouts.of_hole(fleet.database, "CVE-1999-0001").ids
