"""Reports: kept whole, made again without layers, and never by feeds that have moved."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from seawall import audit
from seawall.core.actor import SYSTEM
from seawall.core.errors import NotFoundError
from seawall.oci.digest import Digest
from seawall.scan import _sql, report_model
from seawall.scan.advisories import Advisories
from seawall.scan.errors import FeedsMovedError
from seawall.scan.inventory_facts import FACTS_VERSION
from seawall.scan.model import Component, Distribution, Inventory, PackageType
from seawall.scan.outputs import table
from seawall.scan.report_model import Finding, Report
from seawall.scan.reports import Reports
from seawall.scan.severity import Severity
from seawall.store import Database
from seawall.testing.clocks import FakeClock

IMAGE, OTHER = Digest.of(b"image"), Digest.of(b"other")
LAYER = Digest.of(b"layer")


@pytest.fixture
def reports(database: Database, clock: FakeClock) -> Reports:
    return Reports(database, clock)


@pytest.fixture
def advisories(database: Database, clock: FakeClock) -> Advisories:
    return Advisories(database, clock)


def inventory(*names: str, kind: PackageType = PackageType.PYPI) -> Inventory:
    components = tuple(
        Component(
            type=kind,
            name=name,
            version="1.0",
            purl=f"pkg:pypi/{name}@1.0",
            source_name=f"{name}-src" if kind is PackageType.DEB else "",
            path="/app",
            layer=LAYER,  # a kind of `str`, as the inventory gives it
            layer_index=0,
        )
        for name in names
    )
    return Inventory(
        components=components,
        distribution=Distribution(id="debian", version_id="12"),
        notices=(),
        layers=(),
        is_partial=False,
        facts=FACTS_VERSION,
    )


def feed(directory: Path, *packages: str, fixed: str = "2.0", name: str = "PyPI") -> Path:
    path = directory / f"{name}.jsonl"
    path.write_text(
        "\n".join(
            json.dumps(
                {
                    "id": f"CVE-2026-{number}",
                    "severity": [
                        {"score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "type": "CVSS_V3"}
                    ],
                    "affected": [
                        {
                            "package": {"ecosystem": "PyPI", "name": package},
                            "ranges": [
                                {
                                    "type": "ECOSYSTEM",
                                    "events": [{"introduced": "0"}, {"fixed": fixed}],
                                }
                            ],
                        }
                    ],
                }
            )
            for number, package in enumerate(packages, start=1)
        )
    )
    return path


def reports_made(database: Database) -> list[audit.Entry]:
    with database.read() as connection:
        return audit.read(connection, only=audit.Filter(kinds=("ReportMade",)))


def test_a_report_comes_back_whole(
    reports: Reports, advisories: Advisories, database: Database, tmp_path: Path
) -> None:
    refresh = advisories.import_file(feed(tmp_path, "flask"), actor=SYSTEM)
    made = reports.make(IMAGE, inventory("flask", "jinja2"), actor=SYSTEM, repository="team/app")
    assert made == reports.latest(IMAGE)
    assert ["CVE-2026-1"] == [finding.id for finding in made.findings]
    assert [("PyPI", refresh.digest)] == [(used.name, used.digest) for used in made.feeds]
    (entry,) = reports_made(database)
    assert ("team/app", str(IMAGE)) == (entry.repository, entry.digest)
    details = entry.details()
    assert ({"critical": 1}, 1, 2) == (
        details["findings_by_severity"],
        details["fixable"],
        details["components"],
    )


def test_an_image_that_was_never_scanned_has_no_report(reports: Reports) -> None:
    assert reports.latest(IMAGE) is None
    assert {} == reports.summaries([IMAGE])
    with pytest.raises(NotFoundError):
        reports.rematch(IMAGE, actor=SYSTEM)


def test_what_an_older_scanner_took_must_be_taken_again(reports: Reports) -> None:
    old = msgspec.structs.replace(inventory("flask"), facts=FACTS_VERSION - 1)
    reports.make(IMAGE, old, actor=SYSTEM)
    assert reports.latest(IMAGE) is not None, "what is known stays known until then"
    with pytest.raises(NotFoundError):
        reports.rematch(IMAGE, actor=SYSTEM)


def test_without_feeds_a_report_says_that_nothing_was_judged(reports: Reports) -> None:
    report = reports.make(IMAGE, inventory("flask"), actor=SYSTEM)
    assert (1, ()) == (report.unjudged, report.findings)
    assert "NOT JUDGED: no feed of advisories is imported" in list(table.lines(report))


def test_a_new_advisory_reaches_an_old_image_without_its_layers(
    reports: Reports, advisories: Advisories, tmp_path: Path
) -> None:
    advisories.import_file(feed(tmp_path, "flask"), actor=SYSTEM)
    reports.make(IMAGE, inventory("jinja2"), actor=SYSTEM)
    reports.make(OTHER, inventory("click"), actor=SYSTEM)
    refresh = advisories.import_file(feed(tmp_path, "flask", "Jinja2"), actor=SYSTEM)
    affected = reports.images_with(advisories.changed_packages(refresh.generation))
    assert {IMAGE} == affected
    assert ["CVE-2026-2"] == [f.id for f in reports.rematch(IMAGE, actor=SYSTEM).findings]


def test_a_withdrawal_clears_the_finding(
    reports: Reports, advisories: Advisories, tmp_path: Path
) -> None:
    advisories.import_file(feed(tmp_path, "flask", "click"), actor=SYSTEM)
    reports.make(IMAGE, inventory("flask"), actor=SYSTEM)
    gone = tmp_path / "withdrawn.jsonl"
    first = json.loads(feed(tmp_path, "flask").read_text())
    gone.write_text(json.dumps(first | {"withdrawn": "2026-01-01T00:00:00Z"}))
    refresh = advisories.import_file(gone, actor=SYSTEM)
    assert {IMAGE} == reports.images_with(refresh.packages)
    assert () == reports.rematch(IMAGE, actor=SYSTEM).findings


def test_debian_images_are_found_by_source_package(reports: Reports) -> None:
    reports.make(IMAGE, inventory("libssl3", kind=PackageType.DEB), actor=SYSTEM)
    assert {IMAGE} == reports.images_with([("Debian", "libssl3-src")])
    assert set() == reports.images_with([("Debian", "libssl3")])
    assert {IMAGE} == reports.images_with(None)


def test_a_second_report_takes_the_place_of_the_first(reports: Reports, database: Database) -> None:
    reports.make(IMAGE, inventory("flask"), actor=SYSTEM)
    reports.make(IMAGE, inventory("click"), actor=SYSTEM)
    assert set() == reports.images_with([("PyPI", "flask")])
    assert {IMAGE} == reports.images_with([("PyPI", "click")])
    assert 2 == len(reports_made(database))


def test_refuses_to_store_what_older_feeds_judged(
    reports: Reports, advisories: Advisories, database: Database, tmp_path: Path
) -> None:
    judged = reports.weigh(IMAGE, inventory("flask"))
    advisories.import_file(feed(tmp_path, "flask"), actor=SYSTEM)
    with pytest.raises(FeedsMovedError), database.write() as connection:
        reports.store(connection, judged, actor=SYSTEM)
    assert reports.latest(IMAGE) is None
    assert 1 == len(reports.make(IMAGE, inventory("flask"), actor=SYSTEM).findings)


def test_numbers_can_be_read_without_the_report(
    reports: Reports, advisories: Advisories, tmp_path: Path
) -> None:
    advisories.import_file(feed(tmp_path, "flask"), actor=SYSTEM)
    report = reports.make(IMAGE, inventory("flask"), actor=SYSTEM)
    assert {IMAGE: report_model.summarise(report)} == reports.summaries([IMAGE, OTHER])


def test_a_forgotten_image_leaves_nothing(reports: Reports, database: Database) -> None:
    reports.make(IMAGE, inventory("flask"), actor=SYSTEM)
    with database.write() as connection:
        reports.forget(connection, IMAGE)
    assert reports.latest(IMAGE) is None
    assert set() == reports.images_with(None)


def packages_of(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(
            sa.select(sa.func.count()).select_from(_sql.packages)
        ).scalar_one()


def test_what_no_image_holds_any_more_is_forgotten(reports: Reports, database: Database) -> None:
    reports.make(IMAGE, inventory("flask", "django"), actor=SYSTEM)
    reports.make(OTHER, inventory("flask"), actor=SYSTEM)
    assert 2 == packages_of(database)
    reports.make(IMAGE, inventory("flask"), actor=SYSTEM)
    assert 1 == packages_of(database)
    with database.write() as connection:
        reports.forget(connection, IMAGE)
    assert 1 == packages_of(database)
    with database.write() as connection:
        reports.forget(connection, OTHER)
    assert 0 == packages_of(database)


def test_facts_of_a_layer_are_kept_by_format(reports: Reports) -> None:
    assert reports.layer_facts(LAYER, format=1) is None
    reports.store_layer_facts(LAYER, b"facts", format=1)
    reports.store_layer_facts(LAYER, b"facts" * 1000, format=2)
    assert b"facts" * 1000 == reports.layer_facts(LAYER, format=2)
    assert reports.layer_facts(LAYER, format=1) is None


def finding(name: str, severity: Severity = Severity.HIGH, **fields: str) -> Finding:
    return Finding(
        id=fields.get("id", "CVE-2026-1"),
        aliases=(),
        type=PackageType.PYPI,
        name=name,
        version="1.0",
        purl="pkg:pypi/x",
        path="/app",
        layer=str(LAYER),
        layer_index=3,
        package=fields.get("package", name),
        fixed_version=fields.get("fixed", ""),
        severity=severity,
        severity_source="",
        score=None,
        summary="",
        feeds=("PyPI",),
    )


def report(*findings: Finding, is_partial: bool = False) -> Report:
    return Report(
        digest=str(IMAGE),
        inventory=inventory("a", "b"),
        findings=findings,
        scanned_at="2026-01-01T00:00:00.000000Z",
        feeds=(
            report_model.FeedUsed(name="PyPI", digest="sha256:0", imported_at="", generation=1),
        ),
        scanner_version="0",
        is_partial=is_partial,
    )


def test_the_table_groups_by_severity_and_ends_with_the_counts() -> None:
    lines = list(
        table.lines(report(finding("flask", fixed="2.0"), finding("b", Severity.LOW, package="s")))
    )
    assert "HIGH (1)" == lines[0]
    assert ["CVE-2026-1", "flask", "1.0", "2.0", "3"] == lines[2].split()
    assert "b (s)" in lines[6]
    assert "2 findings in 2 components: 1 high, 1 low; 1 fixable" == lines[-1]


def test_the_table_says_when_nothing_was_found_and_what_is_missing() -> None:
    assert ["no findings in 2 components"] == list(table.lines(report()))
    assert any("INCOMPLETE" in line for line in table.lines(report(is_partial=True)))


@pytest.mark.parametrize("hostile", ["\x1b[2Jx", "a\nb", "a\u202eb", "a\x9bb", "x" * 5_000])
def test_refuses_to_let_a_name_write_to_the_terminal(hostile: str) -> None:
    (row,) = [line for line in table.lines(report(finding(hostile, id=hostile))) if "1.0" in line]
    assert row.isprintable()
    assert len(row) < 250
