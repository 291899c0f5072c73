"""A person at the pages: with a mouse, a phone, a keyboard only, and without scripts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser

DESKTOP, PHONE, WIDE = (1440, 900), (360, 740), (2200, 1200)
IMAGE = "/images/shop/checkout/-/2.4"
TRUST = "/trust/shop/checkout"
HOLE = "/vulnerability?id=CVE-2025-9230"
COMPARE = "/compare?old=shop/checkout:2.3&new=shop/checkout:2.4"
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])


async def log_in(tab, password: str = "correct horse") -> None:
    await tab.page.goto("/login")
    await tab.page.get_by_label("Name").fill("ada")
    await tab.page.get_by_label("Password").fill(password)
    await tab.page.get_by_role("button", name="Log in").click()


@SIZES
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
async def test_a_person_logs_in_reads_filters_and_logs_out(open_tab, size, scripts) -> None:
    tab = await open_tab(size=size, scripts=scripts)
    page = tab.page

    await log_in(tab)
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    await page.locator("#images").get_by_role("link", name="shop/checkout:2.4").click()
    await expect(page.locator("h1")).to_contain_text("shop/checkout:2.4")
    await page.get_by_role("searchbox", name="Part of a package's name").fill("openssl")
    await page.locator("#packages").get_by_role("button", name="Find").click()
    await expect(page.locator("#packages")).to_contain_text("1 of 147 match")
    assert page.url.endswith("?q=openssl#packages")
    await page.get_by_role("link", name="Audit log").first.click()
    await expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("heading", name="Log in to Seawall")).to_be_visible()
    await page.goto("/")
    await expect(page.get_by_role("heading", name="Log in to Seawall")).to_be_visible()

    assert tab.complaints == []


async def test_the_keyboard_alone_logs_in_and_opens_an_image(open_tab) -> None:
    tab = await open_tab()
    page = tab.page
    await page.goto("/")
    await page.keyboard.type("ada")  # the first field has the focus
    await page.keyboard.press("Tab")
    await page.keyboard.type("correct horse")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    for _ in range(30):
        await page.keyboard.press("Tab")
        text = await page.evaluate("document.activeElement.textContent")
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
        if "shop/checkout:2.4" in text:
            break
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_contain_text("shop/checkout:2.4")


async def test_a_wrong_password_is_told_and_the_name_is_kept(open_tab) -> None:
    tab = await open_tab(scripts=False)

    await log_in(tab, password="wrong")

    await expect(tab.page.get_by_role("alert")).to_contain_text("do not match")
    await expect(tab.page.get_by_label("Name")).to_have_value("ada")
    await expect(tab.page.get_by_label("Password")).to_have_value("")


@pytest.mark.parametrize(
    "size", [PHONE, (390, 844), (768, 1000), DESKTOP, WIDE], ids=lambda size: str(size[0])
)
async def test_no_page_scrolls_sideways(open_tab, size) -> None:
    tab = await open_tab(size=size)
    await tab.page.goto("/login")
    await _assert_fits(tab, size)
    await log_in(tab)
    await expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
    for path in (
        "/", IMAGE, f"{IMAGE}?severity=high", COMPARE, HOLE, "/trends", "/feeds", TRUST, "/audit",
        "/images/no/-/such",
    ):  # fmt: skip
        await tab.page.goto(path)
        await _assert_fits(tab, size)


async def test_long_names_without_a_break_still_fit_a_phone(open_tab, site) -> None:
    long = "x" * 190
    overview = site.pages.overview_page
    site.pages.overview_page = replace(
        overview,
        registry=f"{long}.example:5443",
        containers=tuple(replace(c, name=long, image=long, why=long) for c in overview.containers),
        images=replace(
            overview.images,
            rows=tuple(replace(i, repository=long, signers=(long,)) for i in overview.images.rows),
        ),
        engines=tuple(replace(e, name=long, note=long) for e in overview.engines),
        refused=tuple(replace(r, image=long) for r in overview.refused),
    )
    image = site.pages.image_page
    site.pages.image_page = replace(
        image,
        verdict=replace(image.verdict, policy=long),
        layers=tuple(replace(layer, instruction=long) for layer in image.layers),
        signatures=tuple(replace(s, key=long, fingerprint=long) for s in image.signatures),
    )
    site.pages.packages = tuple(replace(p, name=long, version=long) for p in site.pages.packages)
    site.pages.findings = tuple(
        replace(f, id=long, package=long, installed=long, fixed=long) for f in site.pages.findings
    )
    tab = await open_tab(size=PHONE)
    await log_in(tab)
    await expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
    await _assert_fits(tab, PHONE)
    await tab.page.goto(IMAGE)
    await _assert_fits(tab, PHONE)


@SIZES
async def test_nothing_breaks_the_content_security_policy(open_tab, size) -> None:
    tab = await open_tab(size=size, dark=True)
    await log_in(tab)
    await expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
    for path in ("/", IMAGE, COMPARE, HOLE, "/trends", "/feeds", TRUST, "/audit"):
        await tab.page.goto(path)
        await expect(tab.page.locator("h1")).to_be_visible()

    assert tab.complaints == []


async def test_the_policy_stops_a_script_that_got_in_anyhow(open_tab, site) -> None:
    tab = await open_tab()
    await tab.page.goto("/login")
    await tab.page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.pwned = 1';"
        " document.body.append(s); }"
    )

    assert await tab.page.evaluate("window.pwned") is None
    assert any("Content Security Policy" in complaint for complaint in tab.complaints)


async def test_a_link_from_another_site_finds_the_reader_logged_in(open_tab, site) -> None:
    tab = await open_tab(scripts=False)
    await log_in(tab)
    await expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
    elsewhere = await asyncio.start_server(
        lambda reader, writer: _answer(writer, f'<a href="{site.url}{IMAGE}">look</a>'),
        "127.0.0.1",
        0,
    )
    async with elsewhere:
        port = elsewhere.sockets[0].getsockname()[1]
        await tab.page.goto(f"http://localhost:{port}/")
        await tab.page.get_by_role("link", name="look").click()
        await expect(tab.page.locator("h1")).to_contain_text("shop/checkout:2.4")


async def test_has_no_serious_accessibility_findings(open_tab, axe: Path) -> None:
    source = axe.read_text()
    found: list[str] = []
    for size, dark in ((DESKTOP, False), (PHONE, True)):
        tab = await open_tab(size=size, dark=dark)
        await tab.page.goto("/login")
        found += await _axe(tab, source, f"/login {size} {dark}")
        await log_in(tab)
        await expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
        for path in (
            "/",
            IMAGE,
            COMPARE,
            HOLE,
            "/trends",
            "/feeds",
            TRUST,
            "/audit",
            "/images/no/-/such",
        ):
            await tab.page.goto(path)
            found += await _axe(tab, source, f"{path} {size} {dark}")
    assert found == []


async def _axe(tab, source: str, where: str) -> list[str]:
    await tab.page.evaluate(source)  # through the debugger: the page's own policy stays as it is
    result = await tab.page.evaluate("axe.run()")
    assert len(result["passes"]) > 10, "axe looked at nothing"
    return [
        f"{where}: {item['impact']} {item['id']} {node['target']} {node.get('failureSummary')}"
        for item in result["violations"]
        for node in item["nodes"][:3]
    ]


async def _assert_fits(tab, size: tuple[int, int]) -> None:
    width = await tab.page.evaluate("document.documentElement.scrollWidth")
    too_wide = await tab.page.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('.tabs, .hidden, thead')"
        " && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.tagName + '.' + e.className).slice(0, 5)"
    )
    assert width <= size[0], (tab.page.url, too_wide)


async def _answer(writer: asyncio.StreamWriter, body: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n{body}".encode())
    await writer.drain()
    writer.close()


@SIZES
async def test_a_person_reads_who_vouches_for_a_repository(open_tab, size) -> None:
    tab = await open_tab(size=size, scripts=False)
    page = tab.page
    await log_in(tab)
    await page.goto(IMAGE)
    await page.get_by_role("link", name="Trust of shop/checkout").click()

    await expect(page.locator("h1")).to_contain_text("tree holds")
    await expect(page.locator("#tags")).to_contain_text("stable stands for")
    await expect(page.locator("#waiting")).to_contain_text("May still sign: security")
    await expect(page.locator("#signers")).to_contain_text("YubiKey 5")
    for program in ("docker", "cosign", "notation", "skopeo", "seawall"):
        await expect(page.locator("#yourself")).to_contain_text(f"{program} ")
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= size[0]
    assert tab.complaints == []
