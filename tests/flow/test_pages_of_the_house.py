"""The overview and the log over the real rooms: what happened is told, to whom it may be."""

from __future__ import annotations

import datetime as dt
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from seawall import audit
from seawall.core import blocking
from seawall.core.errors import DeniedError
from seawall.core.reason import Reason, Refusal
from seawall.engine.docker import Docker
from seawall.engine.model import Admitted
from seawall.identity.events import LoginSucceeded
from seawall.identity.model import Action
from seawall.oci.names import Reference
from seawall.testing import signatures
from seawall.testing.fake_engine import FakeEngine
from seawall.testing.houses import (
    ADA,
    CI,
    EVERYTHING,
    LIN,
    OPERATOR,
    OTHER,
    SHOP,
    WHOLE,
    Stage,
    image,
)
from seawall.web import views
from seawall.web.reading import engines
from seawall.web.views import Outcome


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage.opened(tmp_path) as stage:
        yield stage


@pytest.fixture
def signed(stage: Stage) -> Stage:
    return stage.with_signed_shop()


def test_a_new_house_shows_that_nothing_is_there(stage: Stage) -> None:
    overview = stage.pages.overview(ADA, EVERYTHING)

    assert ((), (), (), (), 0) == (
        overview.refused,
        overview.containers,
        overview.feeds,
        overview.engines,
        overview.images.total,
    )
    assert overview.registry == "localhost:5443"
    assert {"UserCreated", "GrantAdded"} == {event.kind for event in overview.events}


def test_a_row_tells_who_pushed_who_signed_and_what_was_found(signed: Stage) -> None:
    row = signed.row("shop/app:1")

    assert ("shop/app", "1", image().digest) == (row.repository, row.tag, row.digest)
    assert CI == row.pushed_by
    assert ("release",) == row.signers
    assert views.Counts(critical=1, medium=1, fixable=2) == row.findings
    assert Outcome.REFUSED == row.outcome


def test_an_image_without_holes_that_is_signed_is_allowed(signed: Stage) -> None:
    key, made = signatures.new_key(), image(pillow="11.0")
    signed.trust(key, "second")
    signed.push(SHOP, made, "2")
    signed.sign(key, SHOP, made, "2")
    signed.work()

    row = signed.row("shop/app:2")
    assert (Outcome.ALLOWED, ("second",)) == (row.outcome, row.signers)
    assert all(rule.outcome is Outcome.ALLOWED for rule in signed.page("2").verdict.rules)


def test_tags_that_hold_signatures_are_no_images(signed: Stage) -> None:
    listed = signed.pages.overview(ADA, EVERYTHING).images

    assert (2, ["1", "latest"]) == (listed.total, sorted(str(row.tag) for row in listed.rows))


def test_the_list_is_filtered_by_name_and_tag(signed: Stage) -> None:
    signed.push(OTHER, image(), "x")

    found = signed.pages.overview(ADA, views.ListQuery(q="APP:la")).images
    assert (3, 1, ["latest"]) == (found.total, found.matching, [row.tag for row in found.rows])
    assert () == signed.pages.overview(ADA, views.ListQuery(q="none")).images.rows


def test_nothing_is_shown_of_what_the_viewer_may_not_pull(signed: Stage) -> None:
    signed.push(OTHER, image(), "x")
    signed.work()
    overview = signed.pages.overview(LIN, EVERYTHING)

    assert ["other/app:x"] == [f"{row.repository}:{row.tag}" for row in overview.images.rows]
    assert 1 == overview.images.total
    assert {"other/app"} == {event.repository for event in overview.events}
    assert signed.pages.image(LIN, SHOP, "1", WHOLE) is None
    assert signed.pages.image(LIN, SHOP, image().digest, WHOLE) is None
    assert signed.pages.image(LIN, OTHER, "x", WHOLE) is not None
    with pytest.raises(DeniedError):
        signed.pages.audit(LIN, views.AuditQuery())


def test_refusals_are_counted_together_and_lead_to_the_image(signed: Stage) -> None:
    log = signed.house.gate_log("engine")
    refusal = Refusal(reasons=(Reason(rule="signed", evidence="unsigned", remedy="sign"),))
    for _ in range(3):
        log.refused(actor=CI, action="run localhost:5443/shop/app:1", refusal=refusal)
    log.refused(actor=LIN.actor, action="run docker.io/library/alpine:3", refusal=refusal)

    shown = signed.pages.overview(ADA, EVERYTHING).refused
    assert [("lin", 1, None, None), ("ci", 3, "shop/app", "1")] == [
        (row.actor.name, row.times, row.repository, row.target) for row in shown
    ]
    assert refusal.reasons == shown[1].reasons
    own = signed.pages.overview(LIN, EVERYTHING).refused
    assert ["docker.io/library/alpine:3"] == [row.image for row in own]


async def test_containers_are_joined_with_their_receipts(signed: Stage, tmp_path: Path) -> None:
    known, unknown = "a" * 64, "b" * 64
    signed.house.gate_log("engine").record(
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
    listed = [
        {"Id": known, "Names": ["/shop"], "Image": "x", "State": "running", "Created": 1},
        {"Id": unknown, "Names": ["/stray"], "Image": "alpine", "State": "running", "Created": 2},
    ]
    engine.answers["GET /containers/json"] = engine.reply(200, listed)
    pages = replace(signed.pages, find_engine=lambda: Docker(path))
    async with engine.listening(path):
        overview = await blocking.run(pages.overview, ADA, EVERYTHING)
        page = await blocking.run(pages.image, ADA, SHOP, "1", WHOLE)
        of_lin = await blocking.run(pages.overview, LIN, EVERYTHING)

    assert ["stray", "shop"] == [one.name for one in overview.containers]
    stray, shop = overview.containers
    assert (False, None, Outcome.REFUSED) == (stray.is_known, stray.digest, stray.outcome)
    assert (True, image().digest, Outcome.REFUSED) == (shop.is_known, shop.digest, shop.outcome)
    assert shop.why.startswith("nothing-fixable: ")
    assert "root in a container is root" in overview.engines[0].note
    assert page is not None
    assert ["shop"] == [one.name for one in page.containers]
    assert ((), "") == (of_lin.containers, of_lin.engines[0].note)


async def test_a_silent_engine_does_not_hang_the_page(stage: Stage, tmp_path: Path) -> None:
    engine, path = FakeEngine(), tmp_path / "engine.sock"

    async def say_nothing(reader: object, writer: object) -> None:
        await blocking.run(time.sleep, 1.0)

    engine.conversations["GET /"] = say_nothing
    pages = replace(stage.pages, find_engine=lambda: Docker(path, deadline_s=0.1))
    async with engine.listening(path):
        overview = await blocking.run(pages.overview, ADA, EVERYTHING)

    assert [False] == [one.is_reachable for one in overview.engines]
    assert "no engine answers" in overview.engines[0].note


def test_feeds_are_stale_when_nobody_confirmed_them_for_long(signed: Stage) -> None:
    def feeds(after: dt.timedelta) -> list[tuple[str, int, bool]]:
        shown = replace(signed.pages, feeds_stale_after=after).overview(ADA, EVERYTHING).feeds
        return [(feed.name, feed.advisories, feed.is_stale) for feed in shown]

    assert [("Debian", 1, False), ("PyPI", 1, False)] == feeds(dt.timedelta(days=1))
    assert [("Debian", 1, True), ("PyPI", 1, True)] == feeds(dt.timedelta(0))


def test_a_policy_that_cannot_be_read_refuses_and_says_so(signed: Stage) -> None:
    signed.house.settings.policy.write_text("policies: [")

    verdict = signed.page("1").verdict
    assert (Outcome.REFUSED, ["policy"]) == (verdict.outcome, [r.name for r in verdict.rules])
    assert signed.row("shop/app:1").outcome is Outcome.REFUSED


def test_the_log_is_read_page_by_page_and_filtered(signed: Stage) -> None:
    database = signed.house.database
    with database.read() as connection:
        head = audit.head(connection)

    def rows(**query: object) -> list[views.Event]:
        return list(signed.pages.audit(ADA, views.AuditQuery(**query)).rows)  # type: ignore[arg-type]

    first = signed.pages.audit(ADA, views.AuditQuery())
    assert (str(head), head.seq) == (first.head, first.rows[0].seq)
    assert [2, 1] == [row.seq for row in rows(before=3)]
    assert {"ReportMade"} == {row.kind for row in rows(kind="ReportMade")}
    assert {"ci"} == {row.actor.name for row in rows(actor="ci")}
    assert {"shop/app"} == {row.repository for row in rows(repository="shop/app")}
    assert {"ReportMade", "KeyTrusted", "LoginFailed"} <= set(first.kinds)


def test_the_log_goes_on_below_its_first_page(stage: Stage) -> None:
    for number in range(120):
        stage.house.grants.grant("lin", f"x{number}/*", [Action.PULL], actor=OPERATOR)

    first = stage.pages.audit(ADA, views.AuditQuery())
    assert first.older == first.rows[-1].seq
    rest = stage.pages.audit(ADA, views.AuditQuery(before=first.older))
    assert rest.older is None
    assert rest.rows[0].seq == first.older - 1


def test_looking_writes_nothing(signed: Stage) -> None:
    def head() -> audit.Head:
        with signed.house.database.read() as connection:
            return audit.head(connection)

    noted = head()
    signed.pages.overview(ADA, EVERYTHING)
    signed.page("1")
    signed.pages.audit(ADA, views.AuditQuery())
    assert noted == head()


def test_a_damaged_image_is_shown_and_refused(signed: Stage) -> None:
    with signed.house.database.write() as connection:
        connection.execute(
            sa.text("UPDATE manifest SET content = :content WHERE digest = :digest"),
            {"content": b"{}", "digest": str(image().digest)},
        )

    assert Outcome.REFUSED is signed.row("shop/app:1").outcome
    row = signed.restarted().row("shop/app:1")
    assert (Outcome.REFUSED, (), None) == (row.outcome, row.signers, row.findings)


async def test_the_engine_that_answers_is_found_before_a_silent_one(tmp_path: Path) -> None:
    silent, engine = tmp_path / "silent.sock", FakeEngine()
    link = tmp_path / "link.sock"
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(str(silent))  # it is there, and nobody listens
        async with engine.listening(tmp_path / "engine.sock"):
            link.symlink_to(tmp_path / "engine.sock")
            paths = [tmp_path / "none", silent, link]
            found = await blocking.run(engines.find, paths)
            alone = await blocking.run(engines.find, [silent])

    assert found is not None
    assert found.socket == tmp_path / "engine.sock"
    assert alone is not None
    assert alone.socket == silent
    assert engines.find([tmp_path / "none"]) is None


def test_logins_do_not_crowd_out_what_happened_lately(stage: Stage) -> None:
    with stage.house.database.write() as connection:
        for _ in range(30):
            now = stage.house.clock.now()
            audit.record(connection, LoginSucceeded(name="ada"), actor=ADA.actor, at=now)

    lately = stage.pages.overview(ADA, EVERYTHING).events
    assert {"UserCreated", "GrantAdded"} == {event.kind for event in lately}
    assert "LoginSucceeded" == stage.pages.audit(ADA, views.AuditQuery()).rows[0].kind
