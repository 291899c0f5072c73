"""Reports older than a day are made anew, with the layers read again after an update."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from seawall import audit
from seawall.core.actor import SYSTEM
from seawall.scan.events import ReportMade
from seawall.scan.inventory_facts import FACTS_VERSION
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import OTHER, SHOP, Stage, image


def test_an_image_that_an_older_scanner_read_is_read_again_within_a_day(
    tmp_path: Path, clock: FakeClock
) -> None:
    digest = image().digest
    with Stage.opened(tmp_path, clock) as stage:
        reports = stage.with_signed_shop().house.reports
        whole = reports.latest(digest)
        assert whole is not None
        less = msgspec.structs.replace(
            whole.inventory, components=whole.inventory.components[:1], facts=FACTS_VERSION - 1
        )
        reports.make(digest, less, actor=SYSTEM, repository=SHOP)
        clock.advance(dt.timedelta(days=1, hours=2))
        stage.work()
        renewed = reports.latest(digest)
    assert renewed is not None
    assert whole.inventory == renewed.inventory


def test_a_push_is_scanned_before_the_renewals_that_wait(tmp_path: Path, clock: FakeClock) -> None:
    with Stage.opened(tmp_path, clock) as stage:
        old = [stage.push(SHOP, image(pillow=f"9.{number}"), str(number)) for number in range(4)]
        stage.work()
        clock.advance(dt.timedelta(days=1, hours=2))
        stage.house.scanning.renew_reports()
        clock.advance(dt.timedelta(seconds=1))
        pushed = stage.push(OTHER, image(), "1")
        before = _reported(stage)
        stage.work()
        assert [pushed] == _reported(stage)[len(before) : len(before) + 1]
        assert {*old, pushed} == set(_reported(stage)[len(before) :])


def _reported(stage: Stage) -> list[str | None]:
    only = audit.Filter(kinds=(ReportMade.kind(),))
    with stage.house.database.read() as connection:
        return [entry.digest for entry in audit.read(connection, only=only)]
