"""An index is as good as its worst member that an engine here might choose."""

from pathlib import Path

import pytest

from seawall.core.errors import InvalidInputError
from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.gate import queries
from seawall.oci import platforms
from seawall.testing import houses, images, signatures
from seawall.testing.houses import SHOP, Stage

CLEAN, HOLED = "10.0", "9.0"


def _asked(stage: Stage, *members: images.Image) -> Admitted | Refusal:
    key = signatures.new_key()
    stage.import_feeds()
    stage.trust(key)
    made = images.index(*members)
    stage.push(SHOP, made, "1")
    stage.sign(key, SHOP, made, "1")
    stage.work()
    host = stage.house.settings.registry_hosts[0]
    return stage.house.admission.may_run(f"{host}/{SHOP}:1", actor=houses.OPERATOR)


def _rules(answer: Admitted | Refusal) -> set[str]:
    assert isinstance(answer, Refusal)
    return {reason.rule for reason in answer.reasons}


def test_refuses_nothing_of_an_index_whose_members_are_all_clean(tmp_path: Path) -> None:
    with Stage.opened(tmp_path) as stage:
        assert isinstance(_asked(stage, houses.image(pillow=CLEAN)), Admitted)


@pytest.mark.parametrize("order", [(CLEAN, HOLED), (HOLED, CLEAN)])
def test_refuses_a_holed_member_behind_a_clean_one(tmp_path: Path, order: tuple[str, ...]) -> None:
    members = [houses.image(pillow=version) for version in order]
    with Stage.opened(tmp_path) as stage:
        assert "nothing-fixable" in _rules(_asked(stage, *members))


def test_refuses_a_member_that_cannot_be_scanned(tmp_path: Path) -> None:
    unscannable = images.artifact(artifact_type="application/x-not-an-image")
    with Stage.opened(tmp_path) as stage:
        answer = _asked(stage, houses.image(pillow=CLEAN), unscannable)
        assert {"nothing-fixable", "scan-fresh", "scan-complete"} <= _rules(answer)


def test_refuses_a_nested_index_whose_inside_nobody_judged(tmp_path: Path) -> None:
    nested = images.index(houses.image(pillow=HOLED))
    with Stage.opened(tmp_path) as stage:
        assert "scan-complete" in _rules(_asked(stage, houses.image(pillow=CLEAN), nested))


@pytest.mark.parametrize("wanted", ["linux/riscv64", "windows/amd64", "x", "linux/amd64x", "/"])
def test_refuses_a_platform_that_is_not_judged(wanted: str) -> None:
    with pytest.raises(InvalidInputError):
        queries.check_platform({"platform": wanted})


def test_refuses_no_platform_of_this_machine() -> None:
    own = platforms.own_architecture()
    for wanted in ("", "linux", f"linux/{own}", f"linux/{own}/v8"):
        queries.check_platform({"platform": wanted})
