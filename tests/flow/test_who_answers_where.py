"""On the page of one hole: who answers for it in which image, and what runs of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from seawall.core import blocking
from seawall.engine.docker import Docker
from seawall.engine.model import Admitted
from seawall.oci.names import Reference
from seawall.testing import houses
from seawall.testing.fake_engine import FakeEngine
from seawall.testing.houses import ADA, CI, LIN, OPERATOR, OTHER, SHOP, Stage, image
from seawall.web import limits
from seawall.web.scan_views import HoleQuery

HOLE = HoleQuery(id="PYSEC-2026-1")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage.opened(tmp_path) as opened:
        opened.with_signed_shop()
        opened.push(OTHER, houses.image(), "1")
        opened.work()
        yield opened


def answers(stage: Stage) -> dict[str, str]:
    page = stage.pages.vulnerability(ADA, HOLE)
    return {one.repository: one.answer for one in page.holders}


def test_without_answers_everything_is_open(stage: Stage) -> None:
    assert {"shop/app": "", "other/app": ""} == answers(stage)


def test_a_statement_is_shown_at_the_image_that_it_is_about(stage: Stage) -> None:
    host = stage.house.settings.registry_hosts[0]
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "author": "shop security",
        "timestamp": "2026-01-01T00:00:00Z",
        "statements": [
            {
                "vulnerability": {"name": "PYSEC-2026-1"},
                "products": [{"@id": f"{host}/shop/app"}],
                "status": "not_affected",
                "justification": "vulnerable_code_not_present",
            }
        ],
    }
    stage.house.vex.accept(json.dumps(document).encode(), source="x.json", actor=OPERATOR)
    found = answers(stage)
    assert "" == found["other/app"]
    assert found["shop/app"].startswith("not affected, says shop security")

    row, page = stage.row("shop/app:1"), stage.page("1")
    assert row.findings is not None
    assert (0, 1) == (row.findings.critical, row.findings.answered)
    assert page.scan is not None
    assert row.findings == page.scan.findings.counts
    assert "1 answered for: 1 not affected" == page.scan.answered


def test_a_waiver_is_shown_with_its_owner_and_its_end(stage: Stage) -> None:
    stage.house.settings.policy.write_text(
        "version: 1\npolicies:\n  - name: shop\n    repositories: ['shop/*']\n"
        "    rules: {nothing-fixable: {severity: low}}\n    waivers:\n"
        "      - {finding: PYSEC-2026-1, reason: ticket 17, owner: alice, expires: 2999-01-01}\n"
        "  - name: rest\n    repositories: ['**']\n"
        "    rules: {nothing-fixable: {severity: low}}\n"
    )
    found = answers(stage)
    assert "waived, says alice until 2999-01-01: ticket 17" == found["shop/app"]
    assert "" == found["other/app"]


async def test_what_runs_is_first_and_stays_when_its_image_is_deleted(
    stage: Stage, tmp_path: Path
) -> None:
    known = "0" * 64
    stage.house.gate_log("engine").record(
        known,
        admitted=Admitted(
            reference=Reference.parse("localhost:5443/shop/app:1"),
            digest=image().digest,
            verdict=1,
        ),
        actor=CI,
        summary={},
    )
    engine, path = FakeEngine(), tmp_path / "engine.sock"
    listed = [{"Id": known, "Names": ["/web"], "Image": "x", "State": "running", "Created": 1}]
    engine.answers["GET /containers/json"] = engine.reply(200, listed)
    pages = replace(stage.pages, find_engine=lambda: Docker(path))
    async with engine.listening(path):
        page = await blocking.run(pages.vulnerability, ADA, HOLE)
        assert [("shop/app", ("web",)), ("other/app", ())] == [
            (one.repository, one.running) for one in page.holders
        ]
        assert (2, 1) == (page.images, page.running)
        assert () == (await blocking.run(pages.vulnerability, LIN, HOLE)).holders[0].running

        stage.house.registry.delete_manifest(SHOP, image().digest, OPERATOR)
        page = await blocking.run(pages.vulnerability, ADA, HOLE)
        assert [("shop/app", ("web",), False), ("other/app", (), True)] == [
            (one.repository, one.running, one.is_here) for one in page.holders
        ]
        of_lin = await blocking.run(pages.vulnerability, LIN, HOLE)
        assert ["other/app"] == [one.repository for one in of_lin.holders]


def test_images_are_shown_page_by_page(stage: Stage) -> None:
    for number in range(limits.HOLDERS_PER_PAGE):
        stage.push(OTHER, image(pillow=f"8.{number}"), f"v{number}")
    stage.work()
    first = stage.pages.vulnerability(ADA, HOLE)
    last = stage.pages.vulnerability(ADA, replace(HOLE, page=9))
    assert (limits.HOLDERS_PER_PAGE + 2, 1, 2) == (first.images, first.page, first.pages)
    assert (2, 2) == (last.page, len(last.holders))
    shown = {(one.repository, one.digest) for one in (*first.holders, *last.holders)}
    assert first.images == len(shown)
