"""A worker that dies between any two steps loses nothing, and its next life ends the work."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from seawall.engine.model import Admitted
from seawall.jobs import queue
from seawall.oci.names import RepositoryName
from seawall.store import Database
from seawall.testing import signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import Stage, image

STEPS_MAX: Final = 60
"""More transactions than a worker makes for one signed image."""


class Died(BaseException):
    """The process is gone: nothing catches it."""


class Mortal:
    """Dies at one write of the database: before it is committed, or right after."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._write = Database.write

    def dies_at(self, step: int, *, is_committed: bool) -> None:
        left, write = iter(range(step, -1, -1)), self._write

        @contextlib.contextmanager
        def mortal(database: Database) -> Iterator[sa.Connection]:
            is_last = next(left, -1) == 0
            with write(database) as connection:
                yield connection
                if is_last and not is_committed:
                    raise Died
            if is_last:
                raise Died

        self._monkeypatch.setattr(Database, "write", mortal)

    def lives(self) -> None:
        self._monkeypatch.setattr(Database, "write", self._write)


@pytest.mark.parametrize("is_committed", [False, True])
def test_whatever_step_a_worker_dies_at_the_work_is_done_once_more(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    mortal, key = Mortal(monkeypatch), signatures.new_key()
    with Stage.opened(tmp_path, clock) as stage:
        stage.import_feeds()
        stage.trust(key)
        stage.work()
        for step in range(STEPS_MAX):
            name, made = RepositoryName(f"shop/app-{step}"), image(pillow=f"11.{step}")
            stage.push(name, made, "1")
            stage.sign(key, name, made, "1")
            mortal.dies_at(step, is_committed=is_committed)
            try:
                stage.work()
            except Died:
                has_died = True
            else:
                has_died = False
            mortal.lives()
            clock.advance(queue.LEASE + dt.timedelta(seconds=1))
            stage.work()
            assert_done(stage, name)
            if not has_died:
                break
        else:
            pytest.fail(f"a worker makes more than {STEPS_MAX} steps")
        assert step > 5


def assert_done(stage: Stage, name: RepositoryName) -> None:
    assert isinstance(stage.may_run(f"{name}:1"), Admitted)
    with stage.house.database.read() as connection:
        assert queue.counts(connection, now=stage.house.clock.now()) == queue.Counts(
            queued=0, running=0, failed=0
        )
    said = [e.details()["allowed"] for e in stage.events("VerdictGiven") if e.repository == name]
    assert said
    assert said[-1] is True
    assert len(said) == len([one for i, one in enumerate(said) if i == 0 or said[i - 1] != one])
    assert 1 == len([e for e in stage.events("ImageSigned") if e.repository == name])
