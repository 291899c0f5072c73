"""From a push to a container, and every way in which the answer is no."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from seawall import audit, policy
from seawall.app import processes
from seawall.cli import scan as scan_command
from seawall.core import actor as actors
from seawall.core.errors import UnavailableError
from seawall.core.reason import Reason, Refusal
from seawall.engine.model import Admitted
from seawall.flows import rejudging, scanning
from seawall.jobs import queue
from seawall.oci.names import RepositoryName
from seawall.scan import inventory, inventory_layer
from seawall.scan.image_source import LayerSource
from seawall.scan.inventory_facts import LayerFacts
from seawall.testing import databases, images, signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import OPERATOR, OTHER, SHOP, Stage, image
from seawall.trust import cosign

LIN = actors.user("lin")
CONTAINER = "c" * 64
HOUR = dt.timedelta(hours=1)
TAKE_DEFAULTS: Final[dict[str, Any]] = dict(inventory.take.__kwdefaults__ or {})


@pytest.fixture(params=databases.KINDS)
def stage(tmp_path: Path, clock: FakeClock, request: pytest.FixtureRequest) -> Iterator[Stage]:
    url = "" if request.param == databases.SQLITE else request.getfixturevalue("postgresql_url")
    with Stage.opened(tmp_path, clock, database_url=url) as stage:
        yield stage


@pytest.fixture
def clean(stage: Stage) -> Stage:
    return stage.with_clean_shop()


def reasons(answer: Admitted | Refusal) -> dict[str, Reason]:
    assert isinstance(answer, Refusal)
    return {reason.rule: reason for reason in answer.reasons}


def work_without(stage: Stage, *left_out: str) -> None:
    """Do all work but that of some kinds."""
    worker = processes.worker(stage.house, processes.duties(stage.house), owner="test")
    tasks = {kind: task for kind, task in worker.tasks.items() if kind not in left_out}
    worker = replace(worker, tasks=tasks)
    while worker.step():
        pass


def test_refuses_everything_while_the_policy_cannot_be_read(clean: Stage) -> None:
    path = clean.house.settings.policy
    path.write_text("version: 1\npolicies: [{name: prod}]\n")
    reason = reasons(clean.may_run("shop/app:1"))["policy"]
    assert "policies[0]: 'repositories' is missing" in reason.evidence
    assert "seawall policy check" in reason.remedy
    newest = clean.events("VerdictGiven")[-1].details()
    assert (False, "unreadable") == (newest["allowed"], newest["policy"])

    path.unlink()
    assert isinstance(clean.may_run("shop/app:1"), Admitted)


def test_a_policy_that_cannot_be_read_is_explained_and_fails_no_job(clean: Stage) -> None:
    clean.house.settings.policy.write_bytes(b"\xff\xfe")
    digest = clean.push(SHOP, image(pillow="12.0"), "2")
    clean.work()
    verdict = clean.house.judge.judge(SHOP, digest, tag=None).verdict
    assert "seawall policy check" in policy.explain(verdict)
    assert {digest} <= {entry.digest for entry in clean.events("VerdictGiven")}


# -- keys


def test_a_key_that_is_trusted_no_longer_has_its_images_judged_again(clean: Stage) -> None:
    assert clean.events("VerdictGiven")[-1].details()["allowed"] is True
    (key,) = clean.house.trusted_keys.list()
    clean.house.trusted_keys.distrust(key.key_id, actor=OPERATOR)
    assert "signed" in reasons(clean.may_run("shop/app:1"))
    clean.work()
    newest = clean.events("VerdictGiven")[-1]
    assert (SHOP, False) == (newest.repository, newest.details()["allowed"])


def test_a_key_that_is_trusted_later_has_its_images_judged_again(stage: Stage) -> None:
    stage.import_feeds()
    key, made = signatures.new_key(), image(pillow="11.0")
    stage.push(SHOP, made, "1")
    stage.sign(key, SHOP, made, "1")
    stage.work()
    assert stage.events("VerdictGiven")[-1].details()["allowed"] is False
    stage.trust(key)
    stage.work()
    assert stage.events("VerdictGiven")[-1].details()["allowed"] is True


def test_fewer_patterns_of_a_key_have_what_they_leave_out_judged_again(clean: Stage) -> None:
    (key,) = clean.house.trusted_keys.list()
    clean.house.trusted_keys.trust(
        key.public_pem, name=key.name, patterns=["other/*"], actor=OPERATOR
    )
    clean.work()
    assert clean.events("VerdictGiven")[-1].details()["allowed"] is False


def test_a_key_has_only_its_repositories_judged_again_in_portions(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejudging, "REPOSITORIES_BATCH", 2)
    monkeypatch.setattr(rejudging, "TAGS_BATCH", 2)
    made = image(pillow="11.0")
    inside = [RepositoryName(f"shop/app-{n}") for n in range(5)]
    for name in (*inside, OTHER):
        stage.push(name, made, "1", "2", "3")
    stage.work()
    asked: list[tuple[str, str | None]] = []

    def judge_job(job: queue.Job) -> None:
        found = msgspec.json.decode(job.payload, type=scanning.ImageJob)
        asked.append((found.repository, found.tag))

    stage.trust(signatures.new_key(), patterns=("shop/*",))
    worker = processes.worker(stage.house, processes.duties(stage.house), owner="test")
    worker = replace(worker, tasks={**worker.tasks, scanning.JUDGE: judge_job})
    while worker.step():
        pass
    assert sorted((str(name), tag) for name in inside for tag in "123") == sorted(asked)


# -- what is scanned and judged


def test_an_index_is_judged_when_its_image_is_scanned_whichever_comes_first(stage: Stage) -> None:
    stage.import_feeds()
    key, made = signatures.new_key(), image(pillow="11.0")
    stage.trust(key)
    index = images.index(made)
    stage.push(SHOP, index, "1")
    stage.sign(key, SHOP, index, "1")
    work_without(stage, scanning.SCAN)
    stage.work()
    verdicts = [each for each in stage.events("VerdictGiven") if each.digest == index.digest]
    assert [False, True] == [each.details()["allowed"] for each in verdicts]
    assert isinstance(stage.may_run("shop/app:1"), Admitted)
    again = images.index(made, annotations={"made": "later, of an image that is scanned already"})
    stage.push(SHOP, again, "2")
    stage.sign(key, SHOP, again, "2")
    stage.work()
    assert isinstance(stage.may_run("shop/app:2"), Admitted)


def test_signatures_are_never_scanned_or_judged(clean: Stage) -> None:
    digest = clean.house.registry.resolve(SHOP, "1")
    behind = clean.house.registry.resolve(SHOP, cosign.signature_tag(digest))
    about = {
        entry.digest for kind in ("ReportMade", "VerdictGiven") for entry in clean.events(kind)
    }
    assert digest in about
    assert behind not in about


def test_an_image_that_refers_to_another_is_scanned_like_any(stage: Stage) -> None:
    stage.import_feeds()
    made = image(pillow="11.0")
    stage.push(SHOP, made, "1")
    layers = images.layer({"etc/os-release": b"ID=debian\nVERSION_ID=12\n"})
    referrer = images.image(layers, subject=made)
    stage.push(SHOP, referrer, "debug")
    stage.work()
    assert stage.house.reports.latest(referrer.digest) is not None


# -- from the push to the receipt


def test_what_is_pushed_signed_and_scanned_runs_and_leaves_a_receipt(clean: Stage) -> None:
    admitted = clean.may_run("shop/app:1")
    assert isinstance(admitted, Admitted)
    clean.house.gate_log("engine").record(
        CONTAINER,
        admitted=admitted,
        actor=LIN,
        summary={"image": "shop/app:1", "capabilities": ["CHOWN"], "seccomp": "default"},
    )
    receipt = clean.house.receipts.for_container(CONTAINER)
    assert receipt is not None
    assert (SHOP, admitted.digest, "user:lin") == (
        receipt.repository, receipt.digest, receipt.actor,
    )  # fmt: skip
    with clean.house.database.read() as connection:
        (verdict,) = audit.read(connection, after=receipt.verdict - 1, limit=1)
    assert ("VerdictGiven", admitted.digest) == (verdict.kind, verdict.digest)
    assert verdict.details()["allowed"] is True
    (created,) = clean.events("ContainerCreated")
    assert {"capabilities": ["CHOWN"], "seccomp": "default"} == created.details()["confinement"]


def test_a_summary_does_not_make_the_log_grow_with_the_request(clean: Stage) -> None:
    admitted = clean.may_run("shop/app:1")
    assert isinstance(admitted, Admitted)
    log = clean.house.gate_log("engine")
    log.record(CONTAINER, admitted=admitted, actor=LIN, summary={"name": "x" * 100_000})
    (created,) = clean.events("ContainerCreated")
    assert len(created.body) < 10_000


# -- the scan


def test_a_layer_is_read_once_for_all_images_that_hold_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def facts_of(source: LayerSource, *limits: Any, **more: Any) -> LayerFacts:
        read.append(source.digest)
        return inventory_layer.facts_of(source, *limits, **more)

    monkeypatch.setattr(inventory, "facts_of", facts_of)
    stage.push(SHOP, image(pillow="11.0"), "1")
    stage.push(OTHER, image(pillow="11.1"), "1")
    stage.work()
    assert 3 == len(read) == len(set(read))  # one base, two others


def test_a_scan_that_has_no_time_left_is_partial_and_its_facts_are_not_kept(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory.take, "__kwdefaults__", TAKE_DEFAULTS | {"max_seconds": 0.0})
    digest = stage.push(SHOP, image(pillow="11.0"), "1")
    stage.work()
    report = stage.house.reports.latest(digest)
    assert report is not None
    assert report.is_partial
    assert "scan-complete" in reasons(stage.may_run("shop/app:1"))
    monkeypatch.undo()
    stage.house.scanning.scan(SHOP, digest)
    report = stage.house.reports.latest(digest)
    assert report is not None
    assert not report.is_partial


def test_a_component_names_the_instruction_that_brought_it(clean: Stage) -> None:
    report = clean.house.reports.latest(clean.house.registry.resolve(SHOP, "1"))
    assert report is not None
    told = {component.name: component.created_by for component in report.inventory.components}
    assert {"openssl": "layer 0", "pillow": "layer 1"} == told


def test_why_a_scan_fails_is_told_and_forgotten_when_it_succeeds(
    stage: Stage, clock: FakeClock
) -> None:
    stage.import_feeds()
    made = image(pillow="11.0")
    digest = stage.push(SHOP, made, "1")
    worker = processes.worker(stage.house, processes.duties(stage.house), owner="test")

    def scan(_job: queue.Job) -> None:
        raise UnavailableError("the store of blobs does not answer")

    broken = replace(worker, tasks={**worker.tasks, scanning.SCAN: scan})
    while broken.step():
        pass
    assert "does not answer. It is tried again" in stage.page(digest).scan_note
    for _ in range(queue.MAX_ATTEMPTS):
        clock.advance(HOUR)
        while broken.step():
            pass
    assert "does not answer" in stage.page(digest).scan_note
    assert "tried again" not in stage.page(digest).scan_note
    options = argparse.Namespace(image=f"{SHOP}:1", again=False, wait=0.0)
    with pytest.raises(UnavailableError, match="failed: the store of blobs does not answer"):
        scan_command._report(stage.house, SHOP, digest, options)
    job = scanning.image_job(scanning.SCAN, SHOP, digest)
    with stage.house.database.write() as connection:
        queue.enqueue(connection, job, now=clock.now())
    stage.work()
    assert "" == stage.page(digest).scan_note
    with stage.house.database.read() as connection:
        assert queue.last_error(connection, kind=job.kind, key=job.key) is None
