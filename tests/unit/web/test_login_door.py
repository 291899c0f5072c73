"""Login, logout, and who is kept out."""

from __future__ import annotations

import pytest


async def test_login_sets_a_cookie_that_scripts_and_other_sites_cannot_use(reader) -> None:
    answer = await reader.log_in()

    cookie = answer.cookies["__Host-seawall"]
    assert (True, True, "Strict", "/", "") == (
        cookie["secure"],
        cookie["httponly"],
        cookie["samesite"],
        cookie["path"],
        cookie["domain"],
    )
    assert answer.headers["Location"] == "/"


async def test_wrong_name_and_wrong_password_are_answered_alike(reader) -> None:
    wrong_name = await reader.post("/login", {"name": "xyz", "password": "correct horse"})
    wrong_password = await reader.post("/login", {"name": "ada", "password": "xyz"})

    assert wrong_name.status == wrong_password.status == 401
    one = (await wrong_name.text()).replace('value="xyz"', "")
    other = (await wrong_password.text()).replace('value="ada"', "")
    assert one == other


@pytest.mark.parametrize("fields", [{}, {"name": "ada"}, {"name": "", "password": "x"}])
async def test_a_half_filled_form_is_wrong_not_broken(reader, fields) -> None:
    assert (await reader.post("/login", fields)).status in {400, 401}


async def test_too_many_attempts_say_how_long_to_wait(reader) -> None:
    for _ in range(5):
        await reader.post("/login", {"name": "ada", "password": "guess"})

    answer = await reader.post("/login", {"name": "ada", "password": "correct horse"})

    assert answer.status == 429
    assert answer.headers["Retry-After"] == "30"
    assert "Try again in 30 seconds" in await answer.text()


async def test_the_password_is_never_sent_back(reader) -> None:
    answer = await reader.post("/login", {"name": "ada", "password": "hunter2-hunter2"})

    assert "hunter2" not in await answer.text()


async def test_a_reader_comes_back_to_the_page_that_asked_for_the_login(reader) -> None:
    sent_away = await reader.get("/images/shop/checkout/-/2.4?q=ssl")
    assert sent_away.status == 303
    assert sent_away.headers["Location"] == (
        "/login?next=%2Fimages%2Fshop%2Fcheckout%2F-%2F2.4%3Fq%3Dssl"
    )
    fields = {
        "name": "ada",
        "password": "correct horse",
        "next": "/images/shop/checkout/-/2.4?q=ssl",
    }

    answer = await reader.post("/login", fields)

    assert answer.headers["Location"] == "/images/shop/checkout/-/2.4?q=ssl"


async def test_who_is_logged_in_does_not_see_the_form_again(ada) -> None:
    answer = await ada.get("/login?next=/audit")

    assert (303, "/audit") == (answer.status, answer.headers["Location"])


async def test_a_link_from_another_site_asks_the_browser_once_more(reader) -> None:
    answer = await reader.get("/audit?kind=X", **{"Sec-Fetch-Site": "cross-site"})

    assert answer.status == 200
    assert '<meta http-equiv="refresh" content="0">' in await answer.text()


async def test_logout_ends_the_session(ada) -> None:
    csrf = next(iter(ada.logins.live.values())).csrf.reveal()

    answer = await ada.post("/logout", {"csrf": csrf})

    assert (303, "/login") == (answer.status, answer.headers["Location"])
    assert ada.logins.live == {}
    assert (await ada.get("/")).status == 303


async def test_logout_is_not_a_link(ada) -> None:
    assert (await ada.get("/logout")).status == 405
