"""The pictures of the README. To draw them anew:

PICTURES=docs/images pytest tests/browser/test_pictures.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import expect

pytestmark = pytest.mark.browser

MAX_BYTES = 300_000


async def test_the_pictures_of_the_readme_can_be_drawn_and_stay_small(open_tab, tmp_path) -> None:
    folder = Path(os.environ.get("PICTURES") or tmp_path)
    shots = [
        ("overview.png", "/", (1280, 1130), 1, False),
        ("overview-dark.png", "/", (1280, 1130), 1, True),
        ("image.png", "/images/shop/checkout/-/2.4", (1280, 1040), 1, False),
        ("overview-phone.png", "/", (380, 800), 2, False),
    ]
    for name, path, size, scale, dark in shots:
        tab = await open_tab(size=size, dark=dark, scale=scale)
        await tab.page.goto("/login")
        await tab.page.get_by_label("Name").fill("ada")
        await tab.page.get_by_label("Password").fill("correct horse")
        await tab.page.get_by_role("button", name="Log in").click()
        await expect(tab.page.get_by_role("heading", name="Overview")).to_be_visible()
        await tab.page.goto(path)
        await tab.page.screenshot(path=folder / name)

        assert (folder / name).stat().st_size < MAX_BYTES
