"""kill -9 of `seawall up` itself, and of each of its processes while it watches."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from seawall.app import lifeline
from seawall.testing import images
from seawall.testing.images import Image
from seawall.testing.installations import Installation, installation, wait_until
from seawall.testing.killing import Killer, Moment
from seawall.testing.push_client import PushClient, Way

pytestmark = pytest.mark.timeout(300)

SUPERVISOR_MOMENTS = [Moment(steps=9, changes=2), Moment(steps=17, changes=1)]
CHILD_MOMENTS = [
    ("web", Moment(steps=8, changes=1)),
    ("worker-0", Moment(steps=20, changes=2)),
    ("gate", Moment(steps=12, changes=1)),
    ("worker-0", Moment(steps=4, changes=3)),
    ("web", Moment(steps=21, changes=2)),
]
FIRST_FILES = [
    "seawall.sqlite",
    "keys/tokens.pem",
    "pki/client-ca.key.pem",
    "pki/server-ca.key.pem",
    "pki/server.pem",
]
"""What a first start makes, in this order: it is killed when each appears."""


def image_of(number: int) -> Image:
    noise = random.Random(number).randbytes(300_000)
    small = {f"usr/share/{n}": b"%d" % n for n in range(2_000)}
    return images.image(images.layer({"etc/number": b"%d" % number, **small, "data": noise}))


def client_of(house: Installation, killer: Killer) -> PushClient:
    return PushClient(
        port=house.web_port,
        authority=house.settings.server_authority,
        password=house.password,
        progress=killer.step,
    )


def check(house: Installation, client: PushClient, count: int) -> None:
    """All that was acknowledged is there, and its work is done."""
    assert count == client.check()
    client.close()
    house.wait_idle()
    pushed = [digest for manifests in client.manifests.values() for digest in manifests]
    assert [] == house.missing_reports(pushed)
    assert house.is_log_whole()


def test_refuses_to_outlive_or_to_forget_a_killed_supervisor(tmp_path: Path) -> None:
    with installation(tmp_path, settings="[workers]\ncount = 2\n") as house:
        house.start()
        killer = Killer(state=house.state, kill=house.kill_supervisor)
        client = client_of(house, killer)

        def revive() -> None:
            killer.join()
            assert house.up is not None
            if house.up.poll() is not None:
                orphans = set(house.processes())
                house.start()
                assert set() == orphans & set(house.processes())  # none works beside the new ones

        client.revive = revive
        for number, moment in enumerate(SUPERVISOR_MOMENTS):
            killer.arm(moment)
            client.push("crash/up", "latest", image_of(number), [*Way][number])
            killer.join()
            client.close()
            revive()
        assert len(SUPERVISOR_MOMENTS) == killer.kills
        check(house, client, len(SUPERVISOR_MOMENTS))

        house.kill_supervisor()
        wait_until(lambda: not house.processes(), lifeline.ORPHAN_SECONDS + 10)


def test_refuses_to_stay_down_when_its_processes_are_killed(tmp_path: Path) -> None:
    with installation(tmp_path) as house:
        house.start()
        target = ""

        def kill() -> None:
            os.kill(house.pid_of(target), signal.SIGKILL)

        killer = Killer(state=house.state, kill=kill)
        client = client_of(house, killer)

        def revive() -> None:
            killer.join()
            wait_until(house.is_serving, 60)

        client.revive = revive
        for number, (name, moment) in enumerate(CHILD_MOMENTS):
            target = name
            said = house.said.count(f"{name} was started again")
            killer.arm(moment)
            client.push("crash/child", f"t{number}", image_of(number), [*Way][number % 3])
            killer.join()
            again = f"{name} was started again"
            wait_until(lambda again=again, said=said: house.said.count(again) > said, 60)
        assert len(CHILD_MOMENTS) == killer.kills
        wait_until(house.is_serving, 60)
        client.close()  # its kept-alive connection may end in a web process that was killed
        check(house, client, len(CHILD_MOMENTS))
        assert 0 == house.stop()
        assert {} == house.processes()


def test_refuses_to_be_kept_down_by_a_first_start_that_was_killed(tmp_path: Path) -> None:
    with installation(tmp_path) as house:
        for name in FIRST_FILES:
            with subprocess.Popen(house.command("up"), stderr=subprocess.DEVNULL) as up:
                wait_until((house.state / name).exists, 60)
                up.kill()
            wait_until(lambda: not house.processes(), lifeline.ORPHAN_SECONDS + 10)
        house.start()
        assert house.seawall("audit", "verify").returncode == 0
