"""The pages about scans: what to do, what is wrong with the image itself, comparisons, feeds."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest

from seawall.scan.model import Reach
from seawall.scan.report_model import Report
from seawall.testing import reports as samples
from seawall.testing.page_samples import NOW
from seawall.testing.scan_samples import COMPARISON
from seawall.web import limits, scan_views, views
from seawall.web.reading import reports, scans
from seawall.web.severities import Counts, Severity

IMAGE = "/images/shop/checkout/-/2.4"
COMPARE = "/compare?old=shop/checkout:2.3&new=shop/checkout:2.4"


async def test_the_image_page_says_what_to_do_and_what_is_left(ada) -> None:
    text = await (await ada.get(IMAGE)).text()

    assert "apt-get install --only-upgrade -y libssl3 openssl" in text
    assert "and 3 more" in text
    assert "It came with the base image" in text
    assert "After that, 2 holes in 2 packages without a known fix are left" in text
    assert 'href="#todo"' in text


async def test_the_image_page_shows_secrets_without_showing_them(ada) -> None:
    text = await (await ada.get(IMAGE)).text()

    assert "Token of GitHub" in text
    assert "/app/.env:3" in text
    assert "ghp_… (40 characters)" in text


async def test_the_image_page_shows_what_nothing_explains(ada) -> None:
    text = await (await ada.get(IMAGE)).text()

    assert "/opt/agent/bin/collector" in text
    assert "no finding can be about them" in text


async def test_the_image_page_shows_who_answers_for_what(ada) -> None:
    text = await (await ada.get(IMAGE)).text()

    assert "MiniZip is not built" in text
    assert "Not applied: CVE-2025-9230" in text


async def test_the_image_page_shows_how_findings_came_and_went(ada) -> None:
    text = await (await ada.get(IMAGE)).text()

    assert 'class="trend"' in text
    assert "14 reports" in text
    ada.pages.history = ada.pages.history[:1]
    assert 'class="trend"' not in await (await ada.get(IMAGE)).text()


async def test_an_image_without_a_report_has_nothing_to_do(ada) -> None:
    ada.pages.judgement, ada.pages.history = None, ()
    text = await (await ada.get(IMAGE)).text()

    assert 'id="todo"' not in text
    assert 'id="weaknesses"' not in text


async def test_layers_lead_to_what_they_brought(ada) -> None:
    text = await (await ada.get(IMAGE)).text()

    assert re.search(r'href="\?layer=\d+#findings"', text)
    assert 200 == (await ada.get(f"{IMAGE}?layer=1")).status


@pytest.mark.parametrize("layer", ["0", "-1", "x", "999999999", "1&layer=2"])
async def test_refuses_a_layer_that_is_no_number(ada, layer) -> None:
    assert 400 == (await ada.get(f"{IMAGE}?layer={layer}")).status


async def test_two_images_are_beside_each_other(ada) -> None:
    text = await (await ada.get(COMPARE)).text()

    assert "1 new, 1 gone, 1 changed, 1 as before" in text
    assert "version 10.1.0 → 10.2.0" in text
    assert "Not quite comparable" in text
    assert "seawall scan shop/checkout:2.4 --against shop/checkout:2.3" in text


async def test_a_comparison_asks_for_two_images_first(ada) -> None:
    text = await (await ada.get("/compare?new=shop/checkout:2.4")).text()

    assert 'value="shop/checkout:2.4"' in text
    assert "Do it yourself" not in text


async def test_an_image_that_is_not_here_is_told(ada) -> None:
    missing = scan_views.Side(name="no/such:1", repository="", target="", problem="not here")
    ada.pages.comparison_page = replace(COMPARISON, old=missing)
    text = await (await ada.get(COMPARE)).text()

    assert "not here" in text
    assert "New findings" not in text


async def test_feeds_are_shown_with_their_age(ada) -> None:
    text = await (await ada.get("/feeds")).text()

    assert text.index("PyPI") < text.index("Debian:12")
    assert "stale" in text
    assert "9 days ago" in text
    assert "last attempt failed" in text
    assert "17,482" in text


async def test_without_feeds_the_page_says_how_to_get_them(ada) -> None:
    ada.pages.feeds_page = scan_views.FeedsPage(feeds=(), stale_after_days=7)
    text = await (await ada.get("/feeds")).text()

    assert "No advisories yet" in text
    assert "seawall feeds update" in text


@pytest.mark.parametrize("path", ["/compare", "/feeds", "/trends", "/vulnerability"])
async def test_refuses_who_is_not_logged_in(reader, path) -> None:
    assert 303 == (await reader.get(path)).status


async def test_hostile_texts_stay_text(ada) -> None:
    bad = samples.HOSTILE
    ada.pages.judgement = scans.judgement(samples.hostile(), has_layers=True)
    ada.pages.history = (
        scan_views.Point(at=NOW, counts=Counts()),
        scan_views.Point(at=NOW, counts=Counts(low=1)),
    )
    row = scan_views.Difference(id=bad, severity=Severity.LOW, package=bad, detail=bad, fixed=bad)
    rows = scan_views.Differences(rows=(row,), total=1)
    ada.pages.comparison_page = replace(COMPARISON, added=rows, gone=rows, changed=rows)
    for path in (IMAGE, COMPARE):
        text = await (await ada.get(path)).text()
        assert "<script" not in text
        assert "javascript:" not in re.sub(r">[^<]*<", "><", text)
        assert "\x1b" not in text
        assert "\u202e" not in text


# -- from reports to views


def findings_of(layer: int | None, report: Report) -> views.FindingList:
    query = views.ImageQuery(layer=layer)
    return reports.scan(report, query, has_layers=True).findings


def test_findings_of_one_layer_are_those_that_it_brought() -> None:
    report = samples.full()
    assert 7 == findings_of(None, report).counts.total
    assert {1: 3, 2: 4, 3: 0} == {n: findings_of(n, report).counts.total for n in (1, 2, 3)}
    assert 2 == findings_of(2, report).layer


def test_findings_reached_in_one_way_are_counted_beside_those_reached_in_others() -> None:
    full = samples.full()
    started, *rest = full.findings
    report = msgspec.structs.replace(
        full,
        findings=(
            msgspec.structs.replace(started, reach=Reach.STARTED),
            *(msgspec.structs.replace(one, reach=Reach.PRESENT) for one in rest),
        ),
    )
    seen = reports.scan(report, views.ImageQuery(reach=Reach.STARTED), has_layers=True)
    assert [started.id] == [one.id for group in seen.findings.groups for one in group.rows]
    assert 1 == seen.findings.counts.total
    assert [
        scan_views.Reached(reach=Reach.STARTED, text="1 run at start"),
        scan_views.Reached(reach=Reach.PRESENT, text=f"{len(rest)} not on the load path"),
    ] == list(seen.reached)


def test_layers_count_from_one_and_the_config_is_none() -> None:
    found = scans.judgement(samples.full(), has_layers=True)
    assert [2, 2, 2, 1] == [one.layer for one in found.plan.rows]
    assert [2, None] == [one.layer for one in found.weaknesses]
    assert "/etc/ssl/private/site key.pem:1" == found.weaknesses[0].place
    assert "the image's config" == found.weaknesses[1].place
    flat = scans.judgement(samples.full(), has_layers=False)
    assert {None} == {one.layer for one in (*flat.plan.rows, *flat.weaknesses)}


def test_no_list_is_longer_than_its_bound() -> None:
    full = samples.full()
    many = msgspec.structs.replace(
        full,
        findings=tuple(
            msgspec.structs.replace(full.findings[1], path=f"/{n}", id=f"CVE-1-{n}")
            for n in range(200)
        ),
        suppressed=full.suppressed * 100,
        unapplied=full.unapplied * 100,
    )
    found = scans.judgement(many, has_layers=True)
    assert (limits.CHANGES_SHOWN, 200) == (len(found.plan.rows), found.plan.total)
    assert limits.ANSWERS_SHOWN == len(found.answers) == len(found.unapplied)


HOLE = "/vulnerability?id=CVE-2025-9230"


async def test_a_hole_is_shown_with_where_it_is_and_what_runs(ada) -> None:
    text = await (await ada.get(HOLE)).text()

    assert "checkout-1, checkout-2" in text
    assert "exploited since 2025-11-20" in text
    assert "EPSS 41.2 %, percentile 97.4" in text
    assert "by ransomware" in text
    assert "In <b>2</b> images, <b>2</b> containers run with it." in text
    assert text.index("checkout-1") < text.index("2 days ago")


async def test_a_hole_that_no_advisory_knows_is_no_good_news(ada) -> None:
    text = await (await ada.get("/vulnerability?id=CVE-1999-0001")).text()

    assert "That is no proof that nothing has it" in text


async def test_the_page_of_holes_asks_for_an_id_first(ada) -> None:
    text = await (await ada.get("/vulnerability")).text()

    assert "Where is a hole?" in text
    assert not ada.pages.viewers


@pytest.mark.parametrize("text", ["a", "<script>", "CVE 1", "x" * 101, "CVE-1&id=CVE-2", "%00"])
async def test_refuses_what_is_no_id(ada, text) -> None:
    assert 400 == (await ada.get(f"/vulnerability?id={text}")).status


async def test_findings_lead_to_where_else_they_are(ada) -> None:
    text = await (await ada.get(IMAGE)).text()

    assert 'href="/vulnerability?id=CVE-2025-9230"' in text


async def test_who_answers_is_shown_beside_each_image(ada) -> None:
    text = await (await ada.get(HOLE)).text()

    assert "<b>open</b>" in text
    assert "seawall where CVE-2025-9230" in text
    assert "waived by alice until 2026-02-01: ticket 17" in text
    assert "may come with a point release" in text
    assert 'href="?id=CVE-2025-9230&amp;page=2#where"' in text


async def test_an_image_that_only_runs_still_is_no_link(ada) -> None:
    page = ada.pages.vulnerability_page
    gone = replace(page.holders[0], is_here=False)
    ada.pages.vulnerability_page = replace(page, holders=(gone,))
    text = await (await ada.get(HOLE)).text()

    assert "deleted here" in text
    assert 'href="/images/shop/checkout' not in text


async def test_findings_say_what_ranks_them(ada) -> None:
    text = await (await ada.get(IMAGE)).text()

    assert "exploited since 2025-11-20, by ransomware" in text
    assert "EPSS 41.2 %, percentile 97.4" in text
    assert "rated by CVSS:3.1, 9.8" in text
    assert "may come with a point release" in text
    assert "No more fixes: support of debian 11 ended 2024-08-14" in " ".join(text.split())
    assert "1 known to be exploited" in text


async def test_what_is_answered_for_is_told_apart_and_leads_there(ada) -> None:
    text = await (await ada.get(IMAGE)).text()

    assert '<a href="#answers">1 answered for: 1 not affected</a>' in text
    overview = await (await ada.get("/")).text()
    assert "1 answered for" in overview
    assert "1 exploited" in overview
    assert "none open" in overview, "an image whose findings are all answered for"


async def test_comparisons_say_what_ranks_new_findings_and_what_has_no_support(ada) -> None:
    text = await (await ada.get(COMPARE)).text()

    assert "exploited since 2025-11-20" in text
    assert "support of debian 11 ended 2024-08-14" in text
    assert "3 answered for" in text


async def test_trends_are_drawn_and_stand_in_a_table(ada) -> None:
    text = await (await ada.get("/trends")).text()
    newest = ada.pages.trends_page.days[-1]

    assert 4 == text.count('class="trend"')
    assert 59 == text.split('id="table"')[1].count("<time ")
    assert f"{newest.scanned} of {newest.images}" in text
    assert "9.9 d" in text
    assert "88 closed in 59 days" in text
    assert "seawall trends --json" in text
    assert "<script" not in text
    assert 'href="/trends" aria-current="page"' in text
    assert 'href="/trends?repository=shop%2Fcheckout"' in text


async def test_trends_of_one_repository_are_asked_for_by_name(ada) -> None:
    found = await ada.get("/trends?repository=shop/checkout")
    assert "Trends of shop/checkout" in await found.text()
    assert 404 == (await ada.get("/trends?repository=no/such")).status
    assert 400 == (await ada.get("/trends?repository=NO%20SUCH")).status


async def test_before_the_first_day_there_is_no_chart(ada) -> None:
    ada.pages.trends_page = scan_views.Trends()
    text = await (await ada.get("/trends")).text()

    assert "No day is measured yet" in text
    assert "<svg class=" not in text.split("<main")[1]


async def test_a_day_without_anything_open_is_drawn_as_nothing(ada) -> None:
    day = replace(ada.pages.trends_page.days[0], counts=Counts(), scanned=0)
    ada.pages.trends_page = scan_views.Trends(days=(day,))
    assert 200 == (await ada.get("/trends")).status


def test_a_report_is_counted_without_its_answers() -> None:
    full = samples.full()
    found = reports.counts(full)
    assert (7, 1, 3) == (found.total, found.exploited, found.answered)
    seen = reports.scan(full, views.ImageQuery(), has_layers=True)
    assert found == seen.findings.counts
    assert "3 answered for: 1 fixed, 1 not affected, 1 waived" == seen.answered
    assert [True, False] == [one.is_over for one in seen.support]
    ranks = {row.id: row.rank for group in seen.findings.groups for row in group.rows}
    assert "will not be fixed" == ranks["CVE-2024-3"].state
    assert "" == ranks["CVE-2024-1"].state
