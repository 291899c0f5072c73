"""`seawall where` and `seawall trends` say in a shell what the pages say."""

from __future__ import annotations

import json

import pytest

from seawall.testing import houses
from seawall.testing.houses import ADA, SHOP, Stage
from seawall.web.scan_views import HoleQuery


@pytest.fixture
def stage(shell, tmp_path):
    directory = tmp_path / "house"
    directory.mkdir()
    with Stage.opened(directory) as stage:
        yield stage.with_signed_shop()


@pytest.fixture
def at(shell, stage):
    """Run a command on the house."""

    def run(*words):
        return shell.bare(*words, "--state", str(stage.directory / "state"))

    return run


def test_a_hole_is_found_where_the_page_finds_it(stage, at):
    done = at("where", "PYSEC-2026-1")
    assert 1 == done.code, done.err
    digest = houses.image().digest
    assert f"shop/app@{digest}" in done.out
    for text in ("in 1 image, 0 running", "pillow 9.0, critical", "fixed in 10.0", "OPEN"):
        assert text in done.out
    told = json.loads(at("where", "PYSEC-2026-1", "--json").out)
    page = stage.pages.vulnerability(ADA, HoleQuery(id="PYSEC-2026-1"))
    assert [(one.repository, one.digest, one.fixed) for one in page.holders] == [
        (one["repository"], one["digest"], one["fixed"]) for one in told["holders"]
    ]


def test_a_hole_that_no_image_has_and_one_that_nobody_knows_are_not_the_same(stage, at):
    stage.push(SHOP, houses.image(pillow="11.0"), "1", "latest")
    done = at("where", "CVE-1999-0001")
    assert 3 == done.code
    assert "nobody looked" in done.out
    assert not json.loads(at("where", "CVE-1999-0001", "--json").out)["is_known"]


@pytest.mark.parametrize("words", [["x"], ["CVE 1"], ["\x1b[2J"], ["CVE-1-1", "--page", "0"]])
def test_refuses_what_is_no_id_and_no_page(shell, words):
    done = shell("where", *words)
    assert 2 == done.code
    assert "\x1b" not in done.err


def test_trends_are_those_of_the_page(stage, at):
    assert 3 == at("trends").code
    stage.house.scanning.trending.measure()
    done = at("trends", "shop/app")
    assert 0 == done.code, done.err
    (day,) = json.loads(at("trends", "--json").out)["days"]
    page = stage.pages.trends(ADA, "")
    assert page is not None
    assert (1, 1) == (day["counts"]["critical"], page.days[0].counts.critical)
    assert str(page.days[0].day) in done.out
    assert 3 == at("trends", "no/such").code
    assert 2 == at("trends", "NO").code
