"""kill -9 in the middle of entering: no event is lost, none enters twice, the tree stays whole."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall import audit
from seawall.core import actor
from seawall.oci.digest import Digest
from seawall.registry.events import TagMoved
from seawall.testing.houses import Stage
from seawall.trust.log import entries, following, merkle

EVENTS = 450  # more than two portions
DEATHS = (1, 57, 200, 201, 30)
BEFORE = 2  # events of the house itself, which stand in its first portion

DYING = """
import os, signal, sys
from seawall import config
from seawall.app import setup
from seawall.jobs import queue
from seawall.trust.log.transparency import TransparencyLog

whole, calls = TransparencyLog.add, 0

def dying(self, entry, *, connection):
    global calls
    calls += 1
    number = whole(self, entry, connection=connection)
    if calls == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return number

TransparencyLog.add = dying
with setup.opened(config.load(sys.argv[1])) as house:
    house.logging.log_job(queue.Job(id=1, kind="log", key="log", payload=b"{}", attempts=1))
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage.opened(tmp_path) as stage:
        database, now = stage.house.database, stage.house.clock.now()
        with database.write() as connection:
            for number in range(EVENTS):
                event = TagMoved(
                    repository="team/app", digest=str(Digest.of(b"%d" % number)),
                    tag=f"t{number}", previous=None,
                )  # fmt: skip
                audit.record(connection, event, actor=actor.user("ci"), at=now)
        yield stage


def enter(stage: Stage, death: int) -> int:
    state = str(stage.house.settings.state)
    done = subprocess.run(
        [sys.executable, "-c", DYING, state, str(death)], capture_output=True, timeout=120
    )
    return done.returncode


def tags(stage: Stage) -> list[str]:
    found, log = [], stage.house.log
    while page := log.entries(len(found), len(found) + 256):
        for one in page:
            parsed = entries.parse(one.body)
            assert isinstance(parsed, entries.TagMove)
            found.append(parsed.tag)
    return found


def root(stage: Stage) -> bytes:
    edge = merkle.Frontier()
    while page := stage.house.log.entries(edge.size, edge.size + 256):
        for one in page:
            edge.append(one.leaf_hash)
    return edge.root


def test_refuses_to_lose_or_repeat_what_it_was_killed_over(stage: Stage) -> None:
    log = stage.house.log
    for death in DEATHS:
        assert -signal.SIGKILL == enter(stage, death)
        entered = tags(stage)
        assert [f"t{number}" for number in range(len(entered))] == entered
        assert len(entered) in {0, 200 - BEFORE, 400 - BEFORE}  # whole portions alone
        assert root(stage) == following.check(log.checkpoint(), log.trusted).root
    assert 0 == enter(stage, 10 * EVENTS)
    assert [f"t{number}" for number in range(EVENTS)] == tags(stage)
    assert root(stage) == following.check(log.checkpoint(), log.trusted).root
    assert 0 == enter(stage, 1)  # nothing is left to die over
