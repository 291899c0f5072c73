"""Every page says what it is for, in every state of the installation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seawall.testing.page_samples import EXPLOITED, FINDINGS, IMAGE_PAGE, SHOP, ago, digest_of
from seawall.testing.pages import EmptyPages
from seawall.web import rendering, views

IMAGE = "/images/shop/checkout/-/2.4"


async def test_overview_shows_what_is_refused_what_runs_and_what_is_here(ada) -> None:
    text = await (await ada.get("/")).text()

    assert "no signature by a trusted key (release, security)" in text
    assert "To change it:" in text
    assert "wizardly_hopper" in text
    assert "behind the gate" in text
    assert "Advisories are stale: PyPI" in text
    assert 'href="/images/shop/checkout/-/2.4"' in text
    assert "77.8 MB" in text
    assert "34 min ago" in text


async def test_overview_of_a_new_installation_teaches_the_first_push(reader) -> None:
    reader.pages.overview_page = EmptyPages().overview_page
    await reader.log_in()

    text = await (await reader.get("/")).text()

    assert "docker push seawall.example:5443/app:1" in text
    assert "sudo apt-get install docker.io" in text
    assert "seawall feeds update" in text
    assert "export DOCKER_HOST=tcp://seawall.example:2376" in text


async def test_overview_finds_images_by_a_part_of_their_name(ada) -> None:
    text = await (await ada.get("/?q=payments")).text()

    assert "1 of 5 match" in text
    assert "team/report" not in text.split('id="images"')[1].split("</section>")[0]


async def test_image_page_shows_the_verdict_and_what_would_change_it(ada) -> None:
    text = await (await ada.get(IMAGE)).text()

    for rule in IMAGE_PAGE.verdict.rules:
        assert rule.name in text
    assert "update them to 3.0.17-1~deb12u3" in text


@pytest.mark.parametrize(
    "anchor",
    ["verdict", "findings", "packages", "layers", "signatures", "tags", "yourself", "events"],
)
async def test_image_page_has_each_part_that_its_tabs_lead_to(ada, anchor) -> None:
    text = await (await ada.get(IMAGE)).text()

    assert f'href="#{anchor}"' in text
    assert text.count(f'id="{anchor}"') == 1


async def test_image_page_opens_by_digest_too(ada) -> None:
    answer = await ada.get(f"/images/shop/checkout/-/{SHOP}")

    assert answer.status == 200


async def test_image_page_gives_exact_commands(ada) -> None:
    text = await (await ada.get(IMAGE)).text()

    assert f"IMAGE=seawall.example:5443/shop/checkout@{SHOP}" in text
    assert "seawall explain &#34;$IMAGE&#34;" in text


async def test_image_page_shows_only_the_chosen_severity(ada) -> None:
    page = await (await ada.get(f"{IMAGE}?severity=low")).text()
    text = page.split('id="findings"')[1].split("</section>")[0]

    assert "CVE-2026-30022" in text
    assert "CVE-2025-9230" not in text


async def test_image_page_shows_only_what_is_reached_in_the_chosen_way(ada) -> None:
    whole = await (await ada.get(IMAGE)).text()
    assert "?reach=started#findings" in whole
    page = await (await ada.get(f"{IMAGE}?reach=started&severity=critical")).text()
    text = page.split('id="findings"')[1].split("</section>")[0]
    assert "CVE-2025-9230" in text
    assert "CVE-2024-28219" not in text
    assert '?severity=critical&amp;reach=present#findings"' in text
    assert '?severity=critical#findings">Show all' in text


async def test_image_page_says_when_nothing_is_reached_in_the_chosen_way(ada) -> None:
    ada.pages.findings = tuple(one for one in FINDINGS if one.rank is not EXPLOITED)
    page = await (await ada.get(f"{IMAGE}?reach=started")).text()
    assert "No known hole is reached in this way." in page


async def test_image_page_says_when_two_filters_leave_nothing(ada) -> None:
    page = await (await ada.get(f"{IMAGE}?reach=started&severity=low")).text()
    assert "None of severity low among these." in page


async def test_image_page_filters_packages_and_keeps_the_filter_in_links(ada) -> None:
    text = await (await ada.get(f"{IMAGE}?q=lib-sample&severity=low")).text()

    assert "140 of 147 match" in text
    assert "?q=lib-sample&amp;severity=low&amp;page=2#packages" in text


async def test_image_page_waits_for_the_scan(ada) -> None:
    page = replace(
        IMAGE_PAGE,
        verdict=views.Verdict(
            outcome=views.Outcome.PENDING, policy="default", judged_at=None, rules=()
        ),
        signatures=(),
        layers=(),
    )
    ada.pages.image = lambda *_: page

    text = await (await ada.get(IMAGE)).text()

    assert "The scan has not finished yet" in text
    assert "Nobody has signed this image." in text


async def test_a_verdict_without_rules_reads_as_a_refusal(ada) -> None:
    nothing = replace(IMAGE_PAGE.verdict, rules=())
    ada.pages.image = lambda *_: replace(IMAGE_PAGE, verdict=nothing)

    text = await (await ada.get(IMAGE)).text()

    assert "No rule says yes, so the answer is no." in text


async def test_index_page_leads_to_its_platforms(ada) -> None:
    member = views.Platform(name="linux/arm64", digest=digest_of("arm"), size=7)
    ada.pages.image = lambda *_: replace(IMAGE_PAGE, platform="", platforms=(member,), layers=())

    text = await (await ada.get(IMAGE)).text()

    assert "index of 1 platforms" in text
    assert f'href="/images/shop/checkout/-/{member.digest}"' in text


async def test_audit_lists_and_filters(ada) -> None:
    every = await (await ada.get("/audit")).text()
    some = await (await ada.get("/audit?kind=ImageSigned&actor=ada")).text()

    assert "AdvisoriesImported" in every
    assert "signed with release" in some
    assert "imported 118 new" not in some


async def test_audit_pages_backwards_from_a_number(ada) -> None:
    event = ada.pages.log[0]
    ada.pages.log = tuple(replace(event, seq=n) for n in range(250, 0, -1))

    first = await (await ada.get("/audit?actor=ci-robot")).text()
    last = await (await ada.get("/audit?before=51")).text()

    assert "/audit?actor=ci-robot&amp;before=151" in first
    assert "This is the beginning" in last


async def test_audit_is_for_administrators_and_says_so(reader) -> None:
    await reader.log_in("lin", "battery staple")

    answer = await reader.get("/audit")

    assert answer.status == 403
    assert "Only administrators read the whole log." in await answer.text()


async def test_the_viewer_is_the_one_who_logged_in(reader) -> None:
    await reader.log_in("lin", "battery staple")
    await reader.get("/")

    assert ("lin", False) == (
        reader.pages.viewers[-1].actor.name,
        reader.pages.viewers[-1].is_administrator,
    )


@pytest.mark.parametrize(
    "path",
    [
        "/images/shop/checkout/-/3",
        "/images/Shop/-/1",
        "/images/shop/checkout/-/sha256:abc",
        "/images/a/-/../x",
        "/nowhere",
        "/static/seawall.css",
        "/static/..%2f..%2fpages.py",
    ],
)
async def test_what_does_not_exist_is_a_friendly_404(ada, path) -> None:
    answer = await ada.get(path)

    assert answer.status == 404
    assert "To the overview" in await answer.text()


async def test_an_unexpected_failure_shows_a_number_and_nothing_of_the_inside(ada) -> None:
    def broken(*_: object) -> views.Overview:
        raise RuntimeError("secret path /var/lib/seawall")

    ada.pages.overview = broken

    answer = await ada.get("/")
    text = await answer.text()

    assert answer.status == 500
    assert "secret path" not in text
    assert "Something broke" in text


async def test_assets_keep_for_ever_under_a_name_with_their_hash(ada) -> None:
    text = await (await ada.get("/")).text()
    path = text.split('rel="stylesheet" href="')[1].split('"')[0]

    answer = await ada.get(path)

    assert answer.status == 200
    assert answer.content_type == "text/css"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


async def test_a_moment_ahead_of_the_clock_is_just_now(ada) -> None:
    ada.pages.image_page = replace(IMAGE_PAGE, pushed_at=ago(minutes=-5))

    assert "pushed <time" in await (await ada.get(IMAGE)).text()


def test_a_sentence_shows_the_beginning_of_each_digest() -> None:
    one, other = "a1" * 32, "b2" * 64
    told = rendering.shortened(f"stable stands for sha256:{one}, not for sha512:{other} (12 hours)")
    assert f"stable stands for sha256:{one[:12]}…, not for sha512:{other[:12]}… (12 hours)" == told
