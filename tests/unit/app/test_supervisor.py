"""The supervisor, with tiny programs in the place of the real processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from seawall.app import supervisor
from seawall.app.supervisor import Child, Supervisor
from seawall.core.errors import UnavailableError

READY = "import os, sys, time; os.write(int(sys.argv[sys.argv.index('--ready-fd') + 1]), b'+')\n"
FOREVER = READY + "time.sleep(60)"
DIES = READY + "sys.exit(9)"
NEVER_READY = "raise SystemExit('the port is taken')"
IS_DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FOREVER

STOPPED_SECONDS = 5.0


@dataclass
class Ground:
    """A supervisor that is told to stop after so many of its messages."""

    directory: Path
    family: int
    said: list[tuple[float, str]] = field(default_factory=list)
    stop_after: int = 1_000

    def supervisor(self, **scripts: str) -> Supervisor:
        children = [
            Child(name=name, arguments=["-c", script], log=self.directory / f"{name}.log")
            for name, script in scripts.items()
        ]
        return Supervisor(
            children=children, say=self.say, family=self.family, program=[sys.executable]
        )

    def say(self, line: str) -> None:
        self.said.append((time.monotonic(), line))
        if len(self.said) == self.stop_after:
            stop()


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    descriptor = os.open(tmp_path / "family", os.O_RDWR | os.O_CREAT)
    yield Ground(directory=tmp_path, family=descriptor)
    os.close(descriptor)


def test_a_child_that_keeps_dying_is_started_again_with_growing_pauses(ground: Ground) -> None:
    ground.stop_after = 8  # four deaths, four starts
    one = ground.supervisor(dying=DIES)
    one.run(stop_nothing)
    assert 4 == one.children[0].restarts
    ends = [at for at, line in ground.said if "ended unasked" in line]
    starts = [at for at, line in ground.said if "was started again" in line]
    for n, (end, start) in enumerate(zip(ends, starts, strict=True)):
        assert start - end >= supervisor.FIRST_PAUSE_SECONDS * 2**n


def test_pauses_end_at_half_a_minute(ground: Ground) -> None:
    child = ground.supervisor(dying=DIES).children[0]
    child.pause = supervisor.LONGEST_PAUSE_SECONDS
    ground.stop_after = 1
    Supervisor(
        children=[child], say=ground.say, family=ground.family, program=[sys.executable]
    ).run(stop_nothing)
    assert supervisor.LONGEST_PAUSE_SECONDS == child.pause


def test_one_childs_death_leaves_the_others_alone(ground: Ground) -> None:
    ground.stop_after = 2
    one = ground.supervisor(steady=FOREVER, dying=DIES)
    one.run(stop_nothing)
    assert [0, 1] == [child.restarts for child in one.children]


def test_sigterm_stops_all_children(ground: Ground) -> None:
    one = ground.supervisor(one=FOREVER, two=FOREVER)
    one.run(stop)
    assert [] == [c.name for c in one.children if c.process and is_running(c.process.pid)]
    assert [-signal.SIGTERM] * 2 == [c.process and c.process.returncode for c in one.children]


def test_a_child_that_will_not_stop_is_ended(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.3)
    one = ground.supervisor(deaf=IS_DEAF)
    one.run(stop)
    assert one.children[0].process is not None
    assert -signal.SIGKILL == one.children[0].process.returncode
    assert "deaf did not stop" in ground.said[-1][1]


def test_a_child_that_does_not_come_up_stops_all_and_is_named(ground: Ground) -> None:
    one = ground.supervisor(steady=FOREVER, broken=NEVER_READY)
    with pytest.raises(UnavailableError, match="broken process did not start: the port is taken"):
        one.run(pytest.fail)
    assert [] == [c.name for c in one.children if c.process and is_running(c.process.pid)]


def test_a_signal_before_all_are_ready_stops_all(ground: Ground) -> None:
    script = f"import os, signal, time; os.kill({os.getpid()}, signal.SIGTERM); time.sleep(60)"
    one = ground.supervisor(slow=script)
    one.run(pytest.fail)
    assert one.children[0].process is not None
    assert one.children[0].process.returncode is not None


def stop_nothing() -> None:
    """All are ready; go on."""
