"""The page of an image over the real rooms: verdict, findings, layers, signatures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.flows import scanning
from seawall.jobs.worker import Worker
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.testing import images, signatures
from seawall.testing.houses import (
    ADA,
    CI,
    SHOP,
    WHOLE,
    Stage,
    image,
)
from seawall.web import views
from seawall.web.views import Outcome, Severity


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage.opened(tmp_path) as stage:
        yield stage


@pytest.fixture
def signed(stage: Stage) -> Stage:
    return stage.with_signed_shop()


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


def test_no_such_image_has_no_page(signed: Stage) -> None:
    assert signed.pages.image(ADA, SHOP, "none", WHOLE) is None
    assert signed.pages.image(ADA, RepositoryName("no/such"), "1", WHOLE) is None
    assert signed.pages.image(ADA, SHOP, Digest.of(b"none"), WHOLE) is None
