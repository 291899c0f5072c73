"""Trends: how what is open comes and goes, from verdicts to the page."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.testing.clocks import FakeClock
from seawall.testing.houses import ADA, LIN, OPERATOR, OTHER, SHOP, Stage, image
from seawall.web.scan_views import Day, Trends

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
WAIVED = """
version: 1
policies:
  - name: shop
    repositories: ['**']
    rules: {nothing-fixable: {severity: low}}
    waivers:
      - {finding: PYSEC-2026-1, reason: ticket 17, owner: alice, expires: 2999-01-01}
"""


@pytest.fixture
def stage(tmp_path: Path, clock: FakeClock) -> Iterator[Stage]:
    with Stage.opened(tmp_path, clock) as opened:
        yield opened.with_signed_shop()


def trends(stage: Stage, repository: str = "") -> Trends:
    page = stage.pages.trends(ADA, repository)
    assert page is not None
    return page


def later(stage: Stage, clock: FakeClock, by: dt.timedelta) -> Day:
    """Let time pass with workers at work, and return the newest day."""
    clock.advance(by)
    stage.work()
    stage.work()  # what the first round queued
    stage.house.scanning.trending.measure()
    return trends(stage).days[-1]


def test_before_the_first_look_there_is_nothing(stage: Stage) -> None:
    assert Trends() == trends(stage)


def test_each_day_has_one_point(stage: Stage, clock: FakeClock) -> None:
    today = later(stage, clock, HOUR)
    assert (1, 1, 1, 1) == (
        today.images,
        today.scanned,
        today.counts.critical,
        today.counts.medium,
    ), "two tags of one image are one image"
    for _ in range(3):
        later(stage, clock, DAY)
    days = trends(stage).days
    assert 4 == len(days)
    assert [DAY] * 3 == [b.day - a.day for a, b in itertools.pairwise(days)]
    assert days[-1].critical_age == pytest.approx(3.0, abs=0.1)


def test_a_rebuild_without_the_hole_closes_it_after_the_time_it_was_open(
    stage: Stage, clock: FakeClock
) -> None:
    later(stage, clock, HOUR)
    clock.advance(5 * DAY)
    clean = image(pillow="11.0")
    stage.push(SHOP, clean, "1", "latest")
    stage.house.scanning.trending.measure()
    assert 0 == trends(stage).closed, "an image that was not scanned yet closes nothing"
    today = later(stage, clock, HOUR)
    assert (0, 1) == (today.counts.critical, today.closed)
    assert today.critical_age is None
    assert trends(stage).time_to_fix == pytest.approx(5.0, abs=0.2)
    again = later(stage, clock, HOUR)
    assert 1 == again.closed, "it is closed once"


def test_a_rebuild_with_the_hole_keeps_its_age(stage: Stage, clock: FakeClock) -> None:
    later(stage, clock, HOUR)
    clock.advance(4 * DAY)
    stage.push(SHOP, image(pillow="9.1"), "1", "latest")
    today = later(stage, clock, HOUR)
    assert 0 == today.closed
    assert today.critical_age == pytest.approx(4.0, abs=0.2)


def test_what_is_answered_for_counts_apart(stage: Stage, clock: FakeClock) -> None:
    later(stage, clock, HOUR)
    stage.house.settings.policy.write_text(WAIVED)
    today = later(stage, clock, 2 * DAY)
    assert (0, 1, 1, 1) == (
        today.counts.critical,
        today.counts.medium,
        today.counts.answered,
        today.closed,
    )


def test_refuses_to_tell_of_repositories_that_the_viewer_may_not_pull(
    stage: Stage, clock: FakeClock
) -> None:
    stage.push(OTHER, image(), "1")
    later(stage, clock, HOUR)
    assert {"shop/app", "other/app"} == {one.name for one in trends(stage).repositories}
    of_lin = stage.pages.trends(LIN, "")
    assert of_lin is not None
    assert ["other/app"] == [one.name for one in of_lin.repositories]
    assert (1, 2) == (of_lin.days[-1].counts.critical, trends(stage).days[-1].counts.critical)
    assert stage.pages.trends(LIN, "shop/app") is None
    assert stage.pages.trends(LIN, "other/app") is not None
    assert stage.pages.trends(ADA, "no/such") is None
    one = trends(stage, "shop/app")
    assert (1, ()) == (one.days[-1].counts.critical, one.repositories)


def test_deleting_what_had_a_hole_is_no_fix_when_nothing_is_left(
    stage: Stage, clock: FakeClock
) -> None:
    later(stage, clock, HOUR)
    stage.house.registry.delete_manifest(SHOP, image().digest, OPERATOR)
    later(stage, clock, HOUR)
    assert 0 == trends(stage).closed
