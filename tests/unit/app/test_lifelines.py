"""Locks and lifelines: who may run, and who must end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from seawall.app import lifeline, lock
from seawall.core.errors import ConflictError

ORPHAN = """
import sys, threading
from seawall.app.lifeline import Lifeline
stop = Lifeline(lifeline_descriptor=int(sys.argv[1])).stop_event()
print("here", flush=True)
stop.wait()
print("told", flush=True)
threading.Event().wait()  # busy with something long
"""
ASYNC_ORPHAN = """
import asyncio, sys, threading
from seawall.app.lifeline import Lifeline
async def main():
    stop = Lifeline(lifeline_descriptor=int(sys.argv[1])).async_stop_event()
    print("here", flush=True)
    await stop.wait()
    print("told", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.parametrize("script", [ORPHAN, ASYNC_ORPHAN])
def test_an_orphan_is_told_and_ends_even_when_it_is_busy(script: str) -> None:
    read, write = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", script, str(read)], stdout=subprocess.PIPE, pass_fds=(read,)
    ) as process:
        assert process.stdout is not None
        os.close(read)
        assert b"here\n" == process.stdout.readline()
        assert process.poll() is None
        os.close(write)  # as the kernel does when the supervisor dies
        assert b"told\n" == process.stdout.readline()
        assert lifeline.ORPHAN_EXIT == process.wait(lifeline.ORPHAN_SECONDS + 10)


def test_the_lock_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    with lock.held(tmp_path):
        assert os.getpid() == lock.holder(tmp_path)
        with pytest.raises(ConflictError, match=f"process {os.getpid()}"), lock.held(tmp_path):
            pytest.fail("two hold it")
    assert lock.holder(tmp_path) is None


def test_the_next_life_waits_for_what_an_earlier_one_started(tmp_path: Path) -> None:
    with lock.family(tmp_path, pytest.fail) as descriptor:
        child = subprocess.Popen(["sleep", "60"], pass_fds=(descriptor,))
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        child.send_signal(signal.SIGKILL)
        child.wait()

    with lock.family(tmp_path, say):
        assert ["waiting for the processes of an earlier"] == [line[:39] for line in said]


def test_an_earlier_life_that_does_not_end_is_a_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "FAMILY_SECONDS", 0.1)
    with (
        lock.family(tmp_path, pytest.fail),
        pytest.raises(ConflictError, match="do not end"),
        lock.family(tmp_path, lambda _: None),
    ):
        pytest.fail("two families at once")
