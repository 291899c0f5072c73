"""From a push to a container, and every way in which the answer is no."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall import audit, policy
from seawall.core import actor as actors
from seawall.core.actor import Actor
from seawall.core.reason import Reason, Refusal
from seawall.engine.model import Admitted
from seawall.testing import signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import OPERATOR, SHOP, Stage, image

LIN = actors.user("lin")


@pytest.fixture
def stage(tmp_path: Path, clock: FakeClock) -> Iterator[Stage]:
    with Stage.opened(tmp_path, clock) as stage:
        yield stage


@pytest.fixture
def clean(stage: Stage) -> Stage:
    """A house with one image that may run: `shop/app:1`."""
    stage.import_feeds()
    key, made = signatures.new_key(), image(pillow="11.0")
    stage.trust(key)
    stage.push(SHOP, made, "1")
    stage.sign(key, SHOP, made, "1")
    stage.work()
    return stage


def named(stage: Stage, name: str) -> str:
    return f"{stage.house.settings.registry_hosts[0]}/{name}"


def may_run(stage: Stage, name: str, actor: Actor = OPERATOR) -> Admitted | Refusal:
    return stage.house.admission.may_run(named(stage, name), actor=actor)


def reasons(answer: Admitted | Refusal) -> dict[str, Reason]:
    assert isinstance(answer, Refusal)
    return {reason.rule: reason for reason in answer.reasons}


def kinds(stage: Stage, kind: str) -> list[audit.Entry]:
    with stage.house.database.read() as connection:
        return list(audit.read(connection, only=audit.Filter(kinds=(kind,))))


def test_refuses_everything_while_the_policy_cannot_be_read(clean: Stage) -> None:
    path = clean.house.settings.policy
    path.write_text("version: 1\npolicies: [{name: prod}]\n")
    reason = reasons(may_run(clean, "shop/app:1"))["policy"]
    assert "policies[0]: 'repositories' is missing" in reason.evidence
    assert "seawall policy check" in reason.remedy
    newest = kinds(clean, "VerdictGiven")[-1].details()
    assert (False, "unreadable") == (newest["allowed"], newest["policy"])

    path.unlink()
    assert isinstance(may_run(clean, "shop/app:1"), Admitted)


def test_a_policy_that_cannot_be_read_is_explained_and_fails_no_job(clean: Stage) -> None:
    clean.house.settings.policy.write_bytes(b"\xff\xfe")
    digest = clean.push(SHOP, image(pillow="12.0"), "2")
    clean.work()
    verdict = clean.house.judge.judge(SHOP, digest, tag=None).verdict
    assert "seawall policy check" in policy.explain(verdict)
    assert {digest} <= {entry.digest for entry in kinds(clean, "VerdictGiven")}
