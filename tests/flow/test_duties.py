"""What the workers do by the clock, over the real rooms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.core.errors import NotFoundError
from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import OPERATOR, SHOP, Stage

DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


@pytest.fixture
def stage(tmp_path: Path, clock: FakeClock) -> Iterator[Stage]:
    with Stage.opened(tmp_path, clock) as stage:
        yield stage


def test_an_image_without_news_stays_startable(stage: Stage, clock: FakeClock) -> None:
    stage.with_clean_shop()
    for _ in range(9 * 4):
        clock.advance(6 * HOUR)
        stage.work()
    assert isinstance(stage.may_run("shop/app:1"), Admitted)
    report = stage.house.reports.latest(stage.house.registry.resolve(SHOP, "1"))
    assert report is not None
    assert clock.now() - dt.datetime.fromisoformat(report.scanned_at) <= DAY + 6 * HOUR


def test_without_workers_an_image_grows_too_old(stage: Stage, clock: FakeClock) -> None:
    stage.with_clean_shop()
    clock.advance(8 * DAY)
    refused = stage.may_run("shop/app:1")
    assert isinstance(refused, Refusal)
    assert ["scan-fresh"] == [reason.rule for reason in refused.reasons]
    stage.work()  # the workers are back: one round makes up for it
    assert isinstance(stage.may_run("shop/app:1"), Admitted)


def test_uploads_that_nobody_finishes_are_dropped(stage: Stage, clock: FakeClock) -> None:
    uploads = stage.house.registry.uploads
    upload = uploads.start(SHOP, OPERATOR)
    stage.work()
    assert uploads.state(SHOP, upload.id) is not None
    clock.advance(2 * DAY)
    stage.work()
    with pytest.raises(NotFoundError):
        uploads.state(SHOP, upload.id)
