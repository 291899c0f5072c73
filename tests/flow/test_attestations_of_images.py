"""Attestations over the real rooms: what is evidence, what is not, and what the page shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.flows import attestations
from seawall.flows.attestations import Attestations
from seawall.oci.names import RepositoryName
from seawall.scan import vulnerability_predicate
from seawall.scan.events import ReportMade
from seawall.testing import images, signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import SHOP, Stage, image
from seawall.trust.attestations import kinds

KEY = signatures.new_key()
COPY = RepositoryName("shop/copy")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def stage(tmp_path: Path, clock: FakeClock) -> Iterator[Stage]:
    with Stage.opened(tmp_path, clock) as stage:
        stage.trust(KEY)
        yield stage


def looked_at(stage: Stage) -> Attestations:
    house = stage.house
    hosts = frozenset(house.settings.registry_hosts)
    return Attestations(registry=house.registry, trusted_keys=house.trusted_keys, hosts=hosts)


def test_an_attestation_in_both_forms_is_evidence_once(stage: Stage) -> None:
    digest = stage.push(SHOP, image(), "1")
    stage.attest(KEY, SHOP, image(), kinds.VULNERABILITIES, signatures.SCAN)
    stage.attest(KEY, SHOP, image(), "https://example.com/x", {"a": 1})
    now = stage.house.clock.now()

    found = looked_at(stage).of_image(SHOP, digest, [digest], now=now)
    assert {kinds.VULNERABILITIES, "https://example.com/x"} == {one.predicate_type for one in found}
    assert {KEY.public.key_id} == {one.key_id for one in found}
    only = looked_at(stage).of_image(
        SHOP, digest, [digest], now=now, predicate_type=kinds.VULNERABILITIES
    )
    assert [kinds.VULNERABILITIES] == [one.predicate_type for one in only]


def test_a_copy_in_another_repository_is_no_evidence(stage: Stage) -> None:
    digest = stage.push(COPY, image(), "1")
    stage.attest(KEY, SHOP, image(), kinds.VULNERABILITIES, signatures.SCAN, into=COPY)
    assert () == looked_at(stage).of_image(COPY, digest, [digest], now=stage.house.clock.now())


def test_the_word_of_a_key_that_nobody_trusts_is_no_evidence(stage: Stage) -> None:
    digest = stage.push(SHOP, image(), "1")
    stage.attest(signatures.new_key(), SHOP, image(), kinds.VULNERABILITIES, signatures.SCAN)
    assert () == looked_at(stage).of_image(SHOP, digest, [digest], now=stage.house.clock.now())


def test_of_an_index_only_what_is_said_of_every_member_counts_by_its_oldest(
    stage: Stage, clock: FakeClock
) -> None:
    members = [image(), image(pillow="11.0")]
    digest = stage.push(SHOP, images.index(*members), "1")
    digests = [member.digest for member in members]
    first = clock.now()
    stage.attest(KEY, SHOP, members[0], kinds.VULNERABILITIES, signatures.SCAN)
    clock.advance(dt.timedelta(hours=1))
    assert () == looked_at(stage).of_image(SHOP, digest, digests, now=clock.now())
    stage.attest(KEY, SHOP, members[1], kinds.VULNERABILITIES, signatures.SCAN)
    (found,) = looked_at(stage).of_image(SHOP, digest, digests, now=clock.now())
    assert (kinds.VULNERABILITIES, first) == (found.predicate_type, found.signed_at)


def test_more_than_the_bound_is_left_unread(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = stage.push(SHOP, image(), "1")
    stage.attest(KEY, SHOP, image(), kinds.VULNERABILITIES, signatures.SCAN)
    monkeypatch.setattr(attestations, "TOTAL_MAX_BYTES", 100)
    assert () == looked_at(stage).of_image(SHOP, digest, [digest], now=stage.house.clock.now())


def test_an_attestation_is_no_signature_and_is_not_scanned(stage: Stage) -> None:
    digest = stage.push(SHOP, image(), "1")
    stage.attest(KEY, SHOP, image(), kinds.VULNERABILITIES, signatures.SCAN)
    stage.work()
    now = stage.house.clock.now()
    assert [] == stage.house.signatures.of(SHOP, digest)
    assert not stage.house.signatures.prove(SHOP, digest, tag=None, now=now).is_valid
    assert {str(digest)} == {entry.digest for entry in stage.events(ReportMade.kind())}


def test_the_page_shows_what_verified_and_nothing_else(stage: Stage) -> None:
    digest = stage.push(SHOP, image(), "1")
    stage.attest(KEY, SHOP, image(), kinds.VULNERABILITIES, signatures.SCAN)
    stage.attest(signatures.new_key(), SHOP, image(), kinds.OPENVEX, {"@context": "x"} | VEX)
    assert [("vuln", "release")] == [(one.kind, one.key) for one in stage.page(digest).attestations]


VEX = {"statements": []}


def test_a_report_becomes_a_predicate_of_its_type(stage: Stage) -> None:
    stage.import_feeds()
    digest = stage.push(SHOP, image(), "1")
    stage.work()
    report = stage.house.reports.latest(digest)
    assert report is not None
    predicate = vulnerability_predicate.of_report(report)
    kinds.check(kinds.VULNERABILITIES, {**predicate})
    scanner, metadata = predicate["scanner"], predicate["metadata"]
    assert isinstance(scanner, dict)
    assert isinstance(metadata, dict)
    result, database = scanner["result"], scanner["db"]
    assert isinstance(result, dict)
    assert isinstance(database, dict)
    assert report.scanned_at == metadata["scanFinishedOn"]
    assert min(feed.imported_at for feed in report.feeds) == database["lastUpdate"]
    assert {"critical": 1, "medium": 1} == result["findings_by_severity"]
    assert (str(digest), False, 2) == (
        result["manifest"],
        result["is_partial"],
        len(report.findings),
    )
