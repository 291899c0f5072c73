"""From a hole to the images that hold it, as a viewer may see them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.oci.names import RepositoryName
from seawall.scan import whereabouts
from seawall.testing import houses
from seawall.testing.houses import ADA, LIN, SHOP, Stage
from seawall.web.scan_views import ComparisonQuery, HoleQuery

OTHER = RepositoryName("other/app")
HOLE = HoleQuery(id="PYSEC-2026-1")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage.opened(tmp_path_factory.mktemp("where")) as opened:
        opened.with_signed_shop()
        opened.push(OTHER, houses.image(), "1")
        opened.push(SHOP, houses.image(pillow="11.0"), "clean")
        opened.work()
        yield opened


@pytest.mark.parametrize("name", ["PYSEC-2026-1"])
def test_every_image_with_the_hole_is_found(stage: Stage, name: str) -> None:
    page = stage.pages.vulnerability(ADA, HoleQuery(id=name))
    assert page.is_known
    assert {"shop/app", "other/app"} == {one.repository for one in page.holders}
    assert {"9.0"} == {one.version for one in page.holders}
    assert {"10.0"} == {one.fixed for one in page.holders}
    assert "critical" == page.severity
    assert (2, 0) == (page.images, page.running)


def test_images_that_would_run_it_come_first_and_say_so(tmp_path: Path) -> None:
    with Stage.opened(tmp_path) as stage:
        stage.with_signed_shop()
        stage.push(OTHER, houses.image(has_python=True), "1")
        stage.work()
        page = stage.pages.vulnerability(ADA, HOLE)
    assert [("other/app", "can be loaded"), ("shop/app", "")] == [
        (one.repository, one.reached) for one in page.holders
    ]


def test_refuses_to_tell_of_images_that_the_viewer_may_not_pull(stage: Stage) -> None:
    page = stage.pages.vulnerability(LIN, HOLE)
    assert {"other/app"} == {one.repository for one in page.holders}
    assert 1 == page.images


def test_a_hole_that_nobody_knows_is_told_as_that(stage: Stage) -> None:
    assert not stage.pages.vulnerability(ADA, HoleQuery(id="CVE-1999-0001")).is_known


def test_a_known_hole_that_no_image_has_is_no_warning(stage: Stage) -> None:
    found = whereabouts.of_hole(stage.house.database, "DSA-1-1")
    assert found.ids
    page = stage.pages.vulnerability(ADA, HoleQuery(id="DSA-1-1"))
    assert page.is_known
    assert {one.digest for one in page.holders} == {str(one.digest) for one in found.holders}


def test_two_images_are_compared_by_their_reports(stage: Stage) -> None:
    query = ComparisonQuery(old="shop/app:1", new="shop/app:clean")
    found = stage.pages.comparison(ADA, query)
    assert found.is_made
    assert found.is_comparable
    assert {"PYSEC-2026-1"} <= {one.id for one in found.gone.rows}
    assert [("pillow", "9.0", "11.0")] == [(p.name, p.before, p.after) for p in found.packages]
    back = stage.pages.comparison(ADA, ComparisonQuery(old=query.new, new=query.old))
    assert (found.gone.total, found.added.total) == (back.added.total, back.gone.total)


@pytest.mark.parametrize("name", ["shop/app:1", "shop/none:1", "elsewhere.example/a:1", "A B", "x"])
def test_refuses_to_compare_what_is_not_here_or_not_to_be_seen(stage: Stage, name: str) -> None:
    found = stage.pages.comparison(LIN, ComparisonQuery(old=name, new="other/app:1"))
    assert not found.is_made
    assert found.old is not None
    assert found.old.problem
    assert () == found.packages


def test_the_trend_of_an_image_is_read_from_the_log(stage: Stage) -> None:
    page = stage.page("1")
    assert page.history
    assert page.scan is not None
    assert page.scan.findings.counts.total == page.history[-1].counts.total


def test_the_page_of_an_image_says_what_to_do(stage: Stage) -> None:
    judged = stage.page("1").judgement
    assert judged is not None
    assert [("pillow", "10.0")] == [
        (one.package, one.to) for one in judged.plan.rows if one.package == "pillow"
    ]
    assert "processes run as root (CIS 4.1)" in {one.title for one in judged.weaknesses}


def test_feeds_are_read_with_what_they_speak_about(stage: Stage) -> None:
    page = stage.pages.feeds(ADA)
    assert {"Debian": ("Debian:12",), "PyPI": ("PyPI",)} == {
        one.name: one.ecosystems for one in page.feeds
    }
    assert not any(one.is_stale or one.error for one in page.feeds)
