"""Images that were pushed here: their report, the verdict, and what would change it."""

from __future__ import annotations

import json

import pytest

from seawall.testing import houses
from seawall.testing.houses import SHOP, Stage
from seawall.testing.signatures import new_key

IMAGE = "localhost:5443/shop/app:1"


@pytest.fixture
def stage(shell, tmp_path):
    """A house without workers over the state that the shell's commands open."""
    directory = tmp_path / "house"
    directory.mkdir()
    with Stage.opened(directory) as stage:
        yield stage


@pytest.fixture
def at(shell, stage):
    """Run a command on the house."""

    def run(*words):
        return shell.bare(*words, "--state", str(stage.directory / "state"))

    return run


def test_an_unsigned_image_may_not_run_and_the_way_out_is_told(stage, at):
    stage.push(SHOP, houses.image(), "1")
    done = at("explain", IMAGE)
    assert 1 == done.code
    assert "signed" in done.out
    assert "seawall sign" in done.out
    told = json.loads(at("explain", IMAGE, "--json").out)
    assert (False, "shop/app", "built-in") == (
        told["is_allowed"], told["repository"], told["policy"],
    )  # fmt: skip
    rules = {rule["rule"]: rule for rule in told["rules"]}
    assert rules["content-whole"]["is_passed"]
    for name in ("signed", "scan-fresh", "nothing-fixable"):
        assert not rules[name]["is_passed"]
        assert rules[name]["remedy"]


def test_a_signed_image_with_a_fixable_hole_may_not_run_and_one_without_may(stage, at):
    stage.with_signed_shop()
    done = at("explain", "shop/app:1")
    assert 1 == done.code
    assert "pillow" in done.out
    key = new_key()
    stage.trust(key, "second")
    mended = houses.image(pillow="10.0")
    stage.push(SHOP, mended, "2")
    stage.sign(key, SHOP, mended, "2")
    stage.work()
    done = at("explain", "shop/app:2")
    assert (0, "") == (done.code, done.err), done.out
    told = json.loads(at("explain", "shop/app:2", "--json").out)
    assert told["is_allowed"]
    assert str(mended.digest) == told["digest"]
    by_digest = at("explain", f"shop/app@{mended.digest}")
    assert 0 == by_digest.code


def test_explaining_decides_nothing_and_writes_nothing(stage, at):
    stage.with_signed_shop()
    before = at("audit", "head").out
    at("explain", IMAGE)
    assert before == at("audit", "head").out


def test_the_report_of_a_pushed_image_is_shown_in_every_form(stage, at):
    stage.with_signed_shop()
    table = at("scan", IMAGE)
    assert (0, "") == (table.code, table.err)
    assert "PYSEC-2026-1" in table.out
    report = json.loads(at("scan", IMAGE, "--json").out)
    assert {"PYSEC-2026-1", "DSA-1-1"} == {one["id"] for one in report["findings"]}
    assert "CycloneDX" == json.loads(at("scan", IMAGE, "--sbom").out)["bomFormat"]
    assert 1 == len(at("scan", IMAGE, "--summary").out.splitlines())
    assert 1 == at("scan", IMAGE, "--summary", "--fail-on", "critical").code


def test_without_a_worker_the_wait_for_a_report_ends(stage, at):
    stage.push(SHOP, houses.image(), "1")
    done = at("scan", IMAGE, "--wait", "0")
    assert (3, "") == (done.code, done.out)
    assert "report about shop/app@" in done.err
    assert "seawall up" in done.err


def test_scanning_again_waits_for_a_newer_report(stage, at, monkeypatch):
    stage.with_signed_shop()
    before = json.loads(at("scan", IMAGE, "--json").out)["scanned_at"]
    monkeypatch.setattr("seawall.cli.scan.time.sleep", lambda _: stage.work())
    again = at("scan", IMAGE, "--again", "--json", "--wait", "60")
    assert 0 == again.code, again.err
    assert before < json.loads(again.out)["scanned_at"]


@pytest.mark.parametrize("words", [("explain",), ("scan", "--wait", "0")])
def test_refuses_a_digest_that_is_not_in_the_repository(stage, at, words):
    stage.with_signed_shop()
    done = at(*words, f"shop/app@sha256:{'0' * 64}")
    assert 3 == done.code
    assert "push it to localhost:5443/shop/app" in done.err
