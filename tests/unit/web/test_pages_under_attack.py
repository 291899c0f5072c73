"""Hostile names, forms and query strings at the pages."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import MultiDict

from seawall.core.actor import user
from seawall.core.errors import InvalidInputError
from seawall.testing import page_samples as samples
from seawall.web import attention, commands, queries, rendering, views

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "</title><script>alert(1)</script>",
    "</textarea><svg/onload=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "<!--<script>",
    "&lt;script&gt;",
    "\u202egnp.exe",
    "a\x00b\x1b[31mred",
    "\ud7ff\uffff<style>*{display:none}</style>",
    "`;$(reboot)`",
    "x" * 3000,
]
ALLOWED_TAGS_WITH_CODE = {"script", "style", "iframe", "object", "embed", "base", "textarea"}


class Markup(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def assert_harmless(text: str) -> None:
    markup = Markup(text)
    assert not ALLOWED_TAGS_WITH_CODE & set(markup.tags)
    assert not [name for name, _ in markup.attributes if name.startswith("on") or name == "style"]
    links = [value for name, value in markup.attributes if name in {"href", "src", "action"}]
    assert not [
        link
        for link in links
        if not link.startswith(("/", "#", "?", "https://")) or link[:2] == "//"
    ]
    assert not set(text) & set("\x00\x1b\u202e")


@pytest.fixture
def poisoned():
    """Return a function that puts one hostile text wherever the pages show a text."""

    def poison(text: str) -> tuple[views.Overview, views.ImagePage, tuple[views.Event, ...]]:
        actor = user(text)
        reason = samples.Reason(rule=text, evidence=text, remedy=text)
        container = replace(
            samples.CONTAINERS[0],
            name=text,
            id=text,
            engine=text,
            image=text,
            why=text,
            status=text,
        )
        event = replace(samples.EVENTS[0], kind=text, actor=actor, summary=text)
        signature = replace(
            samples.SIGNATURES[0],
            key=text,
            fingerprint=text,
            form=text,
            outcome=views.Outcome.ALLOWED,
            steps=(views.ProofStep(number=1, text=text, outcome=views.Outcome.PENDING),),
        )
        overview = replace(
            samples.OVERVIEW,
            registry=text,
            gate=text,
            gate_setup=(text,),
            refused=(replace(samples.REFUSED[0], verb=text, image=text, reasons=(reason,)),),
            containers=(container,),
            images=replace(
                samples.OVERVIEW.images,
                rows=(replace(samples.IMAGES[0], signers=(text,), pushed_by=actor),),
            ),
            feeds=(replace(samples.FEEDS[1], name=text),),
            engines=(replace(samples.ENGINES[0], name=text, version=text, note=text),),
            events=(event,),
        )
        rule = views.Rule(name=text, outcome=views.Outcome.REFUSED, evidence=text, remedy=text)
        page = replace(
            samples.IMAGE_PAGE,
            registry=text,
            platform=text,
            media_type=text,
            pushed_by=actor,
            verdict=replace(samples.IMAGE_PAGE.verdict, policy=text, rules=(rule,)),
            containers=(container,),
            layers=(replace(samples.IMAGE_PAGE.layers[0], instruction=text),),
            scan_note=text,
            signatures=(signature,),
            events=(event,),
        )
        return overview, page, (event,)

    return poison


@pytest.mark.parametrize("text", HOSTILE)
async def test_refuses_markup_in_every_text(ada, poisoned, text) -> None:
    ada.pages.overview_page, ada.pages.image_page, ada.pages.log = poisoned(text)
    finding = replace(
        samples.FINDINGS[0],
        id=text,
        aliases=(text,),
        package=text,
        fix=text,
        summary=text,
        url=text,
    )
    ada.pages.findings = (replace(finding, installed=text, fixed=text),)
    ada.pages.packages = (replace(samples.PACKAGES[0], name=text, version=text, ecosystem=text),)

    for path in ("/", "/images/shop/checkout/-/2.4", "/audit"):
        answer = await ada.get(path)
        assert answer.status == 200
        assert_harmless(await answer.text())


@pytest.mark.parametrize("text", HOSTILE[:8])
async def test_refuses_markup_in_what_the_reader_typed(ada, text) -> None:
    for path in ("/?q=", "/images/shop/checkout/-/2.4?q=", "/audit?actor=", "/login?next="):
        assert_harmless(await (await ada.get(path + quote(text))).text())
    answer = await ada.post("/login", {"name": text, "password": "x", "next": text})
    assert_harmless(await answer.text())


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "http://plain.example/",
        "https://",
        "//evil.example",
        "https://user@evil.example/",
        "data:text/html,x",
        "https://[broken",
        " https://x\njavascript:1",
    ],
)
def test_refuses_links_out_that_are_not_https(url) -> None:
    assert not rendering.is_https(url)


@pytest.mark.parametrize("path", ["/", "/login", "/nowhere", "/images/x/-/y", "/audit?before=x"])
async def test_every_page_forbids_what_it_does_not_need(ada, path) -> None:
    headers = (await ada.get(path)).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_refuses_forms_from_other_sites(ada, headers) -> None:
    csrf = next(iter(ada.logins.live.values())).csrf.reveal()

    logout = await ada.post("/logout", {"csrf": csrf}, **headers)
    login = await ada.post("/login", {"name": "ada", "password": "correct horse"}, **headers)

    assert logout.status == login.status == 403
    assert len(ada.logins.live) == 1


@pytest.mark.parametrize("fields", [{}, {"csrf": ""}, {"csrf": "0" * 32}, {"csrf": "é\x00"}])
async def test_refuses_a_form_without_the_sessions_token(ada, fields) -> None:
    answer = await ada.post(
        "/logout", fields, **{"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert answer.status == 403
    assert len(ada.logins.live) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"name=ada&password=%ff%fe", "application/x-www-form-urlencoded", {400, 401}),
        (b"\xff\xfe", "application/x-www-form-urlencoded", {400}),
        (b"name=a&name=b&password=x", "application/x-www-form-urlencoded", {400}),
        (b"name=ada&password=x", "application/x-www-form-urlencoded; charset=nope", {400}),
        (b"name=" + b"a" * 9000, "application/x-www-form-urlencoded", {413}),
        (b"{}", "application/json", {400}),
        (b'--x\r\nContent-Disposition: form-data; name="n"\r\n\r\n', "multipart/form-data", {400}),
        (b"&".join(b"a%d=1" % n for n in range(900)), "application/x-www-form-urlencoded", {401}),
    ],
)
async def test_refuses_forms_that_are_not_ours(reader, body, content_type, status) -> None:
    answer = await reader.post("/login", body, **{"Content-Type": content_type})

    assert answer.status in status


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=1",
        "",
        "\\\\evil",
        "/é",
    ],
)
async def test_refuses_to_send_the_reader_elsewhere_after_login(reader, path) -> None:
    answer = await reader.post("/login", {"name": "ada", "password": "correct horse", "next": path})

    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=x",
        "page=1e9",
        "page=99999999999999999999999",
        "page=1&page=2",
        "page=%D9%A1",
        "page=1000001",
        "q=%00",
        "q=%E2%80%AE",
        "q=" + "a" * 201,
        "q=a&q=b",
    ],
)
async def test_refuses_odd_query_strings_with_400(ada, query) -> None:
    for path in ("/", "/images/shop/checkout/-/2.4"):
        assert (await ada.get(f"{path}?{query}")).status == 400


@pytest.mark.parametrize(
    "query",
    [
        "severity=worst",
        "reach=everything",
        "findings=0",
        "kind=%3Cb%3E",
        "repository=UPPER",
        "repository=../x",
        "before=0",
        "before=9223372036854775808",
        "actor=a%0ab",
    ],
)
async def test_refuses_odd_filters_with_400(ada, query) -> None:
    path = (
        "/images/shop/checkout/-/2.4"
        if query.partition("=")[0] in {"severity", "reach", "findings"}
        else "/audit"
    )

    assert (await ada.get(f"{path}?{query}")).status == 400


@pytest.mark.parametrize("query", ["%", "q=%ff", "%00=1", "&&&=&", "q", "utm=1", "q=%f0%28"])
async def test_no_query_string_breaks_a_page(ada, query) -> None:
    for path in ("/", "/audit", "/images/shop/checkout/-/2.4", "/login"):
        assert (await ada.get(f"{path}?{query}")).status in {200, 303, 400}


async def test_a_page_beyond_the_last_shows_the_last(ada) -> None:
    answer = await ada.get("/images/shop/checkout/-/2.4?page=1000000")

    assert "Page 6 of 6" in await answer.text()


@given(st.dictionaries(st.sampled_from(["q", "page", "severity", "reach", "findings"]), st.text()))
def test_a_query_is_parsed_or_refused(fields) -> None:
    try:
        query = queries.parse_image(MultiDict(fields))
    except InvalidInputError:
        return
    assert query.packages.page >= 1
    assert len(query.packages.q) <= 200


@settings(max_examples=300)
@given(st.text(max_size=40))
def test_a_local_path_never_leaves_the_site(text) -> None:
    from urllib.parse import urljoin

    if queries.is_local_path(text):
        assert urljoin("https://here.example/login", text).startswith("https://here.example/")


@given(st.text())
def test_commands_quote_what_came_from_outside(text) -> None:
    import shlex

    page = replace(samples.IMAGE_PAGE, registry=text)
    line = commands.for_image(page)[0].line

    assert [f"IMAGE={text}/shop/checkout@{samples.SHOP}"] == shlex.split(line)


def test_attention_is_empty_when_all_is_well() -> None:
    calm = replace(samples.OVERVIEW, containers=(samples.CONTAINERS[1],), feeds=(samples.FEEDS[0],))

    assert attention.notices(calm) == ()


def test_attention_puts_the_worst_first() -> None:
    silent = replace(samples.ENGINES[0], is_reachable=False)
    levels = [n.level for n in attention.notices(replace(samples.OVERVIEW, engines=(silent,)))]

    assert levels == [attention.Level.BAD] * 3 + [attention.Level.WARN]
