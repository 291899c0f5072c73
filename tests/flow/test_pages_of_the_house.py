"""The pages over the real rooms: pushed, scanned, signed, refused and run, then looked at."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from seawall import audit
from seawall.app import processes, rooms, setup
from seawall.config import Home, Options, Settings
from seawall.core import actor as actors
from seawall.core import blocking
from seawall.core.errors import DeniedError
from seawall.core.reason import Reason, Refusal
from seawall.engine.docker import Docker
from seawall.engine.model import Admitted
from seawall.flows import scanning
from seawall.identity.model import Action
from seawall.jobs.worker import Worker
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference, RepositoryName, Tag
from seawall.store import Database, migrate
from seawall.testing import images, signatures
from seawall.testing.fake_engine import FakeEngine
from seawall.testing.images import Image
from seawall.trust import cosign
from seawall.trust.keys import PrivateKey
from seawall.web import views
from seawall.web.ports import Viewer
from seawall.web.reading import HousePages
from seawall.web.views import Outcome, Severity

OPERATOR = actors.operator("root")
ADA = Viewer(actor=actors.user("ada"), is_administrator=True)
LIN = Viewer(actor=actors.user("lin"), is_administrator=False)
CI = actors.user("ci")
SHOP, OTHER = RepositoryName("shop/app"), RepositoryName("other/app")
SITE = "usr/local/lib/python3/dist-packages"
EVERYTHING = views.ListQuery()
WHOLE = views.ImageQuery()


def dist(name: str, version: str) -> bytes:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()


def image(*, pillow: str = "9.0") -> Image:
    os_release = b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n'
    status = (
        b"Package: openssl\nStatus: install ok installed\nArchitecture: amd64\n"
        b"Version: 3.0.11-1~deb12u2\n\n"
    )
    base = images.layer({"etc/os-release": os_release, "var/lib/dpkg/status": status})
    site = images.layer({f"{SITE}/pillow-{pillow}.dist-info/METADATA": dist("pillow", pillow)})
    return images.image(base, site)


def osv(ident: str, ecosystem: str, package: str, fixed: str, severity: str) -> str:
    record = {
        "id": ident,
        "summary": f"a hole in {package}",
        "affected": [
            {
                "package": {"ecosystem": ecosystem, "name": package},
                "ranges": [
                    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}
                ],
            }
        ],
        "severity": [{"type": "CVSS_V3", "score": severity}],
    }
    return json.dumps(record)


CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
MEDIUM = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N"


@dataclass
class Stage:
    """A house with what tests do to it."""

    house: rooms.House
    pages: HousePages
    directory: Path

    def push(self, repository: RepositoryName, made: Image, *tags: str) -> Digest:
        registry = self.house.registry
        for one in images.walk(made):
            for digest, content in one.blobs.items():
                incoming = registry.uploads.whole(repository)
                incoming.write(content)
                incoming.finish(digest)
            is_top = one is made
            registry.put_manifest(
                repository,
                content=one.manifest,
                content_type=one.media_type,
                tags=[Tag(tag) for tag in tags] if is_top else [],
                actor=CI,
            )
        return made.digest

    def work(self) -> None:
        worker = Worker(
            database=self.house.database,
            clock=self.house.clock,
            owner="test",
            tasks=self.house.scanning.tasks(),
            rules=scanning.RULES,
        )
        while worker.step():
            pass

    def import_feeds(self) -> None:
        for name, line in (
            ("PyPI", osv("PYSEC-2026-1", "PyPI", "pillow", "10.0", CRITICAL)),
            ("Debian", osv("DSA-1-1", "Debian:12", "openssl", "3.0.17-1~deb12u3", MEDIUM)),
        ):
            path = self.directory / f"{name}.jsonl"
            path.write_text(f"{line}\n")
            self.house.advisories.import_file(path, actor=OPERATOR)

    def trust(self, key: PrivateKey, name: str = "release") -> None:
        self.house.trusted_keys.trust(key.public.pem, name=name, patterns=["**"], actor=OPERATOR)

    def sign(self, key: PrivateKey, repository: RepositoryName, made: Image, tag: str) -> None:
        host = self.house.settings.registry_hosts[0]
        subject = Descriptor(
            media_type=made.media_type, digest=made.digest, size=len(made.manifest)
        )
        reference = Reference.parse(f"{host}/{repository}:{tag}")
        for upload in cosign.plan(subject, reference, key, self.house.clock.now()):
            if isinstance(upload, cosign.BlobUpload):
                incoming = self.house.registry.uploads.whole(repository)
                incoming.write(upload.content)
                incoming.finish(upload.digest)
            else:
                self.house.registry.put_manifest(
                    repository,
                    content=upload.content,
                    content_type=upload.media_type,
                    tags=[upload.tag] if upload.tag else [],
                    actor=CI,
                )

    def row(self, name: str, viewer: Viewer = ADA) -> views.Image:
        rows = self.pages.overview(viewer, EVERYTHING).images.rows
        return next(row for row in rows if f"{row.repository}:{row.tag}" == name)

    def page(self, target: str, query: views.ImageQuery = WHOLE) -> views.ImagePage:
        page = self.pages.image(ADA, SHOP, target, query)
        assert page is not None
        return page


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    home = Home(keys=tmp_path / "keys", docker=tmp_path / "docker", login="root")
    settings = Settings(state=tmp_path / "state", options=Options(), home=home)
    setup.make_directories(settings)
    rooms.import_tables()
    database = Database.open_file(settings.database)
    migrate.migrate(database)
    house = rooms.House.build(settings, database)
    house.users.create("lin", "staple horse battery", actor=OPERATOR)
    house.grants.grant("lin", "other/*", [Action.PULL], actor=OPERATOR)
    pages = replace(processes.house_pages(house), find_engine=lambda: None)
    yield Stage(house=house, pages=pages, directory=tmp_path)
    database.close()


@pytest.fixture
def signed(stage: Stage) -> Stage:
    """A shop whose app is signed and scanned, with a critical hole."""
    key = signatures.new_key()
    made = image()
    stage.import_feeds()
    stage.trust(key)
    stage.push(SHOP, made, "1", "latest")
    stage.sign(key, SHOP, made, "1")
    stage.work()
    return stage


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


def test_an_image_is_pending_until_its_scan_is_done(stage: Stage) -> None:
    stage.import_feeds()
    digest = stage.push(SHOP, image(), "1")
    dispatch_only(stage)

    assert (Outcome.PENDING, None) == (
        stage.row("shop/app:1").outcome,
        stage.row("shop/app:1").findings,
    )
    page = stage.page(digest)
    assert (None, Outcome.PENDING, None) == (
        page.scan,
        page.verdict.outcome,
        page.verdict.judged_at,
    )
    assert "scan waits" in page.scan_note
    by_rule = {rule.name: rule.outcome for rule in page.verdict.rules}
    assert Outcome.PENDING == by_rule["scan-fresh"]
    assert Outcome.REFUSED == by_rule["signed"]

    stage.work()
    assert Outcome.REFUSED == stage.row("shop/app:1").outcome
    assert stage.page(digest).scan is not None


def dispatch_only(stage: Stage) -> None:
    """Turn events into jobs, and do none."""
    Worker(
        database=stage.house.database,
        clock=stage.house.clock,
        owner="test",
        tasks={"nothing": lambda job: None},
        rules=scanning.RULES,
    ).step()


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


def test_the_page_of_an_image_tells_all_that_is_known(signed: Stage) -> None:
    page = signed.page("1")

    assert page.scan is not None
    assert ("linux/amd64", image().digest) == (page.platform, page.digest)
    assert signed.row("shop/app:1").size == page.size
    assert {"1", "latest"} == {tag.name for tag in page.tags}
    assert {CI} == {tag.moved_by for tag in page.tags}
    assert [(1, "layer 0", 1, 1), (2, "layer 1", 1, 1)] == [
        (one.number, one.instruction, one.packages, one.findings) for one in page.layers
    ]
    assert page.verdict.policy == "policy built-in for **"
    refusing = [rule for rule in page.verdict.rules if rule.outcome is Outcome.REFUSED]
    assert ["nothing-fixable"] == [rule.name for rule in refusing]
    assert refusing[0].remedy
    assert {"ManifestPushed", "ReportMade", "ImageSigned", "VerdictGiven", "TagMoved"} == {
        event.kind for event in page.events
    }


def test_findings_are_grouped_worst_first_with_what_to_do(signed: Stage) -> None:
    scan = signed.page("1").scan

    assert scan is not None
    groups = {group.severity: group for group in scan.findings.groups}
    assert Severity.CRITICAL == scan.findings.groups[0].severity
    worst = groups[Severity.CRITICAL].rows[0]
    assert ("pillow", "9.0", "10.0", 2) == (
        worst.package,
        worst.installed,
        worst.fixed,
        worst.layer,
    )
    assert worst.fix == "require pillow>=10.0, then build and push again"
    assert "apt-get install --only-upgrade openssl" in groups[Severity.MEDIUM].rows[0].fix

    chosen = signed.page("1", views.ImageQuery(severity=Severity.MEDIUM)).scan
    assert chosen is not None
    assert [(Severity.MEDIUM, 1)] == [(g.severity, g.total) for g in chosen.findings.groups]


def test_packages_are_found_by_name_with_their_worst_finding(signed: Stage) -> None:
    query = views.ImageQuery(packages=views.ListQuery(q="SSL"))
    scan = signed.page("1", query).scan

    assert scan is not None
    assert (2, 1) == (scan.packages.total, scan.packages.matching)
    row = scan.packages.rows[0]
    assert ("openssl", "Debian 12", 1, Severity.MEDIUM) == (
        row.name,
        row.ecosystem,
        row.layer,
        row.worst,
    )


def test_each_signature_carries_its_whole_proof_and_the_public_key(signed: Stage) -> None:
    stranger = signatures.new_key()
    signed.sign(stranger, SHOP, image(), "latest")  # overwrites the tag of the first signer
    found = signed.page("1").signatures

    by_key = {one.key: one for one in found}
    good, bad = by_key["release"], by_key["unknown key"]
    assert (Outcome.ALLOWED, list(range(1, 12))) == (good.outcome, [s.number for s in good.steps])
    assert good.public_key.startswith("-----BEGIN PUBLIC KEY-----")
    assert all(step.outcome is Outcome.ALLOWED for step in good.steps)
    assert (Outcome.REFUSED, "", "") == (bad.outcome, bad.public_key, bad.fingerprint)
    outcomes = {step.number: step.outcome for step in bad.steps}
    assert (Outcome.REFUSED, Outcome.PENDING) == (outcomes[5], outcomes[6])


def test_signatures_are_shown_also_where_no_key_is_trusted(stage: Stage) -> None:
    stage.push(SHOP, image(), "1")
    stage.sign(signatures.new_key(), SHOP, image(), "1")

    found = stage.page("1").signatures
    assert [Outcome.REFUSED] * 2 == [one.outcome for one in found]
    assert Outcome.REFUSED == found[0].steps[0].outcome


def test_an_index_shows_its_platforms_and_the_report_of_ours(signed: Stage) -> None:
    digest = signed.push(SHOP, images.index(image()), "multi")
    page = signed.page("multi")

    assert (digest, "", ()) == (page.digest, page.platform, page.layers)
    assert [("linux/amd64", image().digest)] == [(p.name, p.digest) for p in page.platforms]
    assert page.size == signed.row("shop/app:multi").size
    assert page.scan is not None
    assert {None} == {package.layer for package in page.scan.packages.rows}


def test_an_artifact_has_a_page_that_says_there_is_nothing_to_scan(signed: Stage) -> None:
    artifact, *_ = signed.house.registry.referrers(SHOP, image().digest)
    page = signed.page(artifact.digest)

    assert page.scan is None
    assert "nothing in it to scan" in page.scan_note


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


def test_no_such_image_has_no_page(signed: Stage) -> None:
    assert signed.pages.image(ADA, SHOP, "none", WHOLE) is None
    assert signed.pages.image(ADA, RepositoryName("no/such"), "1", WHOLE) is None
    assert signed.pages.image(ADA, SHOP, Digest.of(b"none"), WHOLE) is None


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
    engine, socket = FakeEngine(), tmp_path / "engine.sock"
    listed = [
        {"Id": known, "Names": ["/shop"], "Image": "x", "State": "running", "Created": 1},
        {"Id": unknown, "Names": ["/stray"], "Image": "alpine", "State": "running", "Created": 2},
    ]
    engine.answers["GET /containers/json"] = engine.reply(200, listed)
    pages = replace(signed.pages, find_engine=lambda: Docker(socket))
    async with engine.listening(socket):
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
    engine, socket = FakeEngine(), tmp_path / "engine.sock"

    async def say_nothing(reader: object, writer: object) -> None:
        await blocking.run(time.sleep, 1.0)

    engine.conversations["GET /"] = say_nothing
    pages = replace(stage.pages, find_engine=lambda: Docker(socket, deadline_s=0.1))
    async with engine.listening(socket):
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
