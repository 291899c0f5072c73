"""Every no of the gate names its rule, what it saw, and what would change it."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seawall.app.rooms import House
from seawall.core import actor as actors
from seawall.core.reason import Reason, Refusal
from seawall.engine.model import Admitted
from seawall.scan.advisories import Advisories
from seawall.testing import databases, images, signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import (
    CRITICAL,
    OPERATOR,
    OTHER,
    SHOP,
    Stage,
    image,
    osv,
)

LIN = actors.user("lin")  # may pull other/*


@pytest.fixture
def stage(tmp_path: Path, clock: FakeClock) -> Iterator[Stage]:
    with Stage.opened(tmp_path, clock) as stage:
        yield stage


@pytest.fixture
def clean(stage: Stage) -> Stage:
    return stage.with_clean_shop()


def reason(answer: Admitted | Refusal, rule: str) -> Reason:
    """Return the only reason, which must be of this rule."""
    assert isinstance(answer, Refusal)
    assert [rule] == [each.rule for each in answer.reasons]
    (found,) = answer.reasons
    assert found.evidence
    assert found.remedy
    return found


@pytest.mark.parametrize("name", ["", "UPPER/case:1", "a b", "x@sha256:12", "-:-"])
def test_refuses_what_is_no_name_of_an_image(clean: Stage, name: str) -> None:
    answer = clean.house.admission.may_run(name, actor=OPERATOR)
    assert "HOST/REPOSITORY:TAG" in reason(answer, "image-name").remedy


@pytest.mark.parametrize(
    "name", ["alpine", "shop/app:1", "docker.io/shop/app:1", "localhost:1/shop/app:1"]
)
def test_refuses_an_image_of_another_registry(clean: Stage, name: str) -> None:
    answer = clean.house.admission.may_run(name, actor=OPERATOR)
    assert clean.house.settings.registry_hosts[0] in reason(answer, "own-registry").remedy


def test_whoever_may_not_pull_learns_nothing(clean: Stage) -> None:
    digest = clean.house.registry.resolve(SHOP, "1")
    before = len(clean.events("VerdictGiven"))
    for there, absent in (
        ("shop/app:1", "shop/gone:1"),
        (f"shop/app@{digest}", f"shop/gone@{digest}"),
    ):
        forbidden = clean.may_run(there, LIN)
        unknown = clean.may_run(absent, LIN)
        assert isinstance(forbidden, Refusal)
        assert isinstance(unknown, Refusal)
        assert repr(forbidden).replace("shop/app", "shop/gone") == repr(unknown)
    assert before == len(clean.events("VerdictGiven"))


def test_absent_is_said_the_same_way_to_whoever_may_pull(clean: Stage) -> None:
    forbidden = reason(clean.may_run("shop/app:2", LIN), "image-known")
    absent = reason(clean.may_run("other/app:2", LIN), "image-known")
    assert forbidden.evidence.replace("shop", "other") == absent.evidence
    assert forbidden.remedy == absent.remedy


def test_refuses_an_image_whose_content_is_gone(clean: Stage) -> None:
    for layer in sorted(clean.house.settings.blobs.rglob("*")):
        if layer.is_file():
            layer.unlink()
    answer = clean.may_run("shop/app:1")
    assert isinstance(answer, Refusal)
    assert "content-whole" in {each.rule for each in answer.reasons}


def test_refuses_an_image_that_nobody_signed(stage: Stage) -> None:
    stage.import_feeds()
    stage.trust(signatures.new_key())
    stage.push(SHOP, image(pillow="11.0"), "1")
    stage.work()
    found = reason(stage.may_run("shop/app:1"), "signed")
    assert "no signature" in found.evidence
    host = stage.house.settings.registry_hosts[0]
    assert f"seawall sign {host}/shop/app:1" in found.remedy


def test_refuses_an_image_that_a_stranger_signed(stage: Stage) -> None:
    stage.import_feeds()
    made = image(pillow="11.0")
    stage.trust(signatures.new_key())
    stage.push(SHOP, made, "1")
    stage.sign(signatures.new_key(), SHOP, made, "1")
    stage.work()
    found = reason(stage.may_run("shop/app:1"), "signed")
    assert "does not verify under any key" in found.evidence


def test_refuses_a_signature_that_was_made_for_another_repository(stage: Stage) -> None:
    stage.import_feeds()
    key, made = signatures.new_key(), image(pillow="11.0")
    stage.trust(key)
    stage.push(SHOP, made, "1")
    stage.sign(key, OTHER, made, "1", into=SHOP)
    stage.work()
    assert "other/app" in reason(stage.may_run("shop/app:1"), "signed").evidence


def test_refuses_a_signature_from_the_future(stage: Stage, clock: FakeClock) -> None:
    stage.import_feeds()
    key, made = signatures.new_key(), image(pillow="11.0")
    stage.trust(key)
    stage.push(SHOP, made, "1")
    clock.advance(dt.timedelta(hours=1))
    stage.sign(key, SHOP, made, "1")
    clock.advance(-dt.timedelta(hours=1))
    stage.work()
    assert "future" in reason(stage.may_run("shop/app:1"), "signed").evidence


def test_a_signature_of_one_tag_vouches_for_no_other(clean: Stage) -> None:
    digest = clean.push(SHOP, image(pillow="11.0"), "2")
    clean.work()
    assert isinstance(clean.may_run("shop/app:1"), Admitted)
    found = reason(clean.may_run("shop/app:2"), "signed")
    assert "for the tag 1, not for 2" in found.evidence
    assert isinstance(clean.may_run(f"shop/app@{digest}"), Admitted)


def test_refuses_what_is_not_scanned_yet(stage: Stage) -> None:
    key, made = signatures.new_key(), image(pillow="11.0")
    stage.trust(key)
    stage.push(SHOP, made, "1")
    stage.sign(key, SHOP, made, "1")
    answer = stage.may_run("shop/app:1")
    assert isinstance(answer, Refusal)
    assert {"scan-fresh", "scan-complete", "nothing-fixable"} == {r.rule for r in answer.reasons}


def test_no_advisories_are_not_no_findings(stage: Stage) -> None:
    key, made = signatures.new_key(), image(pillow="11.0")
    stage.trust(key)
    stage.push(SHOP, made, "1")
    stage.sign(key, SHOP, made, "1")
    stage.work()
    assert "not judged" in reason(stage.may_run("shop/app:1"), "scan-complete").evidence
    stage.import_feeds()
    stage.work()
    assert isinstance(stage.may_run("shop/app:1"), Admitted)


def test_refuses_a_hole_that_a_newer_package_closes(stage: Stage) -> None:
    stage.with_signed_shop()
    found = reason(stage.may_run("shop/app:1"), "nothing-fixable")
    assert "PYSEC-2026-1 (critical) in pillow 9.0" in found.evidence
    assert "pillow 10.0" in found.remedy


def test_an_index_is_no_better_than_its_image(stage: Stage) -> None:
    stage.import_feeds()
    key = signatures.new_key()
    stage.trust(key)
    bad = image(pillow="9.0")
    index = images.index(bad)
    stage.push(SHOP, index, "1")
    stage.sign(key, SHOP, index, "1")
    stage.work()
    reason(stage.may_run("shop/app:1"), "nothing-fixable")


def test_the_signature_of_an_image_is_none_of_its_index(stage: Stage) -> None:
    stage.import_feeds()
    key, made = signatures.new_key(), image(pillow="11.0")
    stage.trust(key)
    index = images.index(made)
    stage.push(SHOP, index, "1")
    stage.sign(key, SHOP, made, "1")
    stage.work()
    reason(stage.may_run("shop/app:1"), "signed")


def test_refuses_an_index_without_an_image_for_this_machine(stage: Stage) -> None:
    stage.import_feeds()
    key, made = signatures.new_key(), image(pillow="11.0")
    stage.trust(key)
    document = json.loads(images.index(made).manifest)
    document["manifests"][0]["platform"] = {"os": "linux", "architecture": "riscv64"}
    index = images.Image(
        manifest=json.dumps(document).encode(),
        media_type=images.index(made).media_type,
        children=(made,),
    )
    stage.push(SHOP, index, "1")
    stage.sign(key, SHOP, index, "1")
    stage.work()
    answer = stage.may_run("shop/app:1")
    assert isinstance(answer, Refusal)
    assert "scan-fresh" in {each.rule for each in answer.reasons}


def published(house: House, path: Path) -> None:
    """Import a feed as its source publishes it."""
    house.advisories.import_file(path, actor=OPERATOR)


def carried(house: House, path: Path) -> None:
    """Import a feed as another installation carries it."""
    folder = path.parent / "elsewhere"
    folder.mkdir()
    database = databases.fresh_database(folder)
    elsewhere, file = Advisories(database, house.clock), io.BytesIO()
    elsewhere.import_file(path, actor=OPERATOR)
    edition = elsewhere.export_edition(path.stem, file).edition
    database.close()
    file.seek(0)
    house.advisories.import_edition(edition, file, actor=OPERATOR, signed_by=["key"])


@pytest.mark.parametrize("bring", [published, carried])
def test_an_advisory_changes_the_verdict_of_the_images_that_it_is_about_only(
    clean: Stage, tmp_path: Path, bring: Callable[[House, Path], None]
) -> None:
    key, plain = signatures.new_key(), images.image(images.layer({"etc/os-release": DEBIAN}))
    clean.trust(key, "other")
    clean.push(OTHER, plain, "1")
    clean.sign(key, OTHER, plain, "1")
    clean.work()
    about = clean.house.registry.resolve(SHOP, "1")
    assert isinstance(clean.may_run("shop/app:1"), Admitted)
    assert isinstance(clean.may_run("other/app:1"), Admitted)
    before = len(clean.events("FindingsChanged")), len(clean.events("VerdictGiven"))

    path = tmp_path / "PyPI.jsonl"
    records = [osv(f"PYSEC-2026-{n}", "PyPI", "pillow", f"1{n}.0", CRITICAL) for n in (0, 2)]
    path.write_text("\n".join(records) + "\n")
    bring(clean.house, path)
    clean.work()
    made, given = clean.events("FindingsChanged"), clean.events("VerdictGiven")
    assert {about} == {each.digest for each in made[before[0] :]}
    assert {about} == {each.digest for each in given[before[1] :]}
    reason(clean.may_run("shop/app:1"), "nothing-fixable")
    assert isinstance(clean.may_run("other/app:1"), Admitted)


DEBIAN = b'ID=debian\nVERSION_ID="12"\n'


def test_a_refused_image_of_another_registry_is_not_filed_under_ours(clean: Stage) -> None:
    log = clean.house.gate_log("/run/engine.sock")
    host = clean.house.settings.registry_hosts[0]
    refusal = Refusal(reasons=(Reason(rule="r", evidence="e", remedy="m"),))
    for name in ("evil.example:5000/shop/app:1", f"{host}/shop/app:1"):
        log.refused(actor=LIN, action=f"run {name}", refusal=refusal)
    filed = [entry.repository for entry in clean.events("AdmissionRefused")]
    assert [None, str(SHOP)] == filed[-2:]
