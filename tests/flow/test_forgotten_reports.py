"""Reports go with the last manifest of their digest, unless a container still runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.app import processes
from seawall.engine.model import Admitted
from seawall.flows.forgetting import Forgetting
from seawall.oci.names import Reference
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import CI, OPERATOR, OTHER, SHOP, Stage, image

CONTAINER = "0" * 64


@pytest.fixture
def stage(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(processes, "_containers", lambda _settings: None)
    with Stage.opened(tmp_path, clock) as opened:
        yield opened.with_signed_shop()


def is_known(stage: Stage) -> bool:
    return stage.house.reports.latest(image().digest) is not None


def run(stage: Stage) -> None:
    stage.house.gate_log("engine").record(
        CONTAINER,
        admitted=Admitted(
            reference=Reference.parse("localhost:5443/shop/app:1"),
            digest=image().digest,
            verdict=1,
        ),
        actor=CI,
        summary={},
    )


def sweep(stage: Stage, containers: frozenset[str] | None) -> None:
    house = stage.house
    Forgetting(
        database=house.database,
        registry=house.registry,
        reports=house.reports,
        receipts=house.receipts,
        find_containers=lambda: containers,
    ).forget_deleted()


def test_a_deleted_image_has_no_report_any_more(stage: Stage) -> None:
    assert is_known(stage)
    stage.house.registry.delete_manifest(SHOP, image().digest, OPERATOR)
    stage.work()
    assert not is_known(stage)


def test_a_report_stays_while_another_repository_has_the_image(stage: Stage) -> None:
    stage.push(OTHER, image(), "1")
    stage.house.registry.delete_manifest(SHOP, image().digest, OPERATOR)
    stage.work()
    assert is_known(stage)
    sweep(stage, frozenset())
    assert is_known(stage)
    stage.house.registry.delete_manifest(OTHER, image().digest, OPERATOR)
    stage.work()
    assert not is_known(stage)


def test_a_report_stays_while_a_container_of_the_image_is_there(stage: Stage) -> None:
    run(stage)
    stage.house.registry.delete_manifest(SHOP, image().digest, OPERATOR)
    stage.work()
    assert is_known(stage), "an engine that cannot be asked may still have the container"
    sweep(stage, frozenset({CONTAINER, "1" * 64}))
    assert is_known(stage)
    sweep(stage, frozenset({"1" * 64}))
    assert not is_known(stage)


def test_what_was_deleted_long_ago_goes_with_the_next_look(stage: Stage) -> None:
    stage.house.registry.delete_manifest(SHOP, image().digest, OPERATOR)
    sweep(stage, None)
    assert not is_known(stage)


def test_an_image_that_comes_back_is_scanned_again(stage: Stage) -> None:
    stage.house.registry.delete_manifest(SHOP, image().digest, OPERATOR)
    stage.work()
    stage.push(SHOP, image(), "1")
    stage.work()
    assert is_known(stage)
