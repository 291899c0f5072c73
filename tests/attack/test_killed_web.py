"""kill -9 of the web process at many moments of pushes: what it acknowledged is there."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.testing import images
from seawall.testing.images import Image
from seawall.testing.installations import installation
from seawall.testing.killing import Killer, Moment
from seawall.testing.push_client import PushClient, Way

pytestmark = pytest.mark.timeout(300)

CHANGES = (0, 1, 2, 4)
MOMENTS = 7  # per way of pushing: from its first step to the answer to its manifest


def moments(steps: int, way: int) -> Iterator[Moment]:
    """Moments all through a push of so many steps; the last ones lie around its manifest."""
    for n in range(MOMENTS - 2):
        yield Moment(steps=1 + steps * n // (MOMENTS - 2), changes=CHANGES[(n + way) % 4])
    yield Moment(steps=steps - 2, changes=1 + way)  # sent, and being written
    yield Moment(steps=steps, changes=0)  # acknowledged this very moment


def image_of(number: int) -> Image:
    """An image of two layers; the big one does not compress, and takes several pieces to send."""
    noise = random.Random(number)
    status = f"Package: thing{number}\nStatus: install ok installed\nVersion: {number}\n\n".encode()
    return images.image(
        images.layer({"var/lib/dpkg/status": status, "etc/os-release": b"ID=debian\n"}),
        images.layer({f"data/{number}": noise.randbytes(300_000)}),
    )


def test_refuses_to_lose_what_web_acknowledged_whenever_it_is_killed(tmp_path: Path) -> None:
    with installation(tmp_path) as house:
        house.prepare()
        web = house.serve("web")
        killer = Killer(state=house.state, kill=web.kill)

        def revive() -> None:
            killer.join()
            web.start()

        client = PushClient(
            port=house.web_port,
            authority=house.settings.server_authority,
            password=house.password,
            progress=killer.step,
            revive=revive,
        )
        numbers = itertools.count()
        for index, way in enumerate(Way):
            killer.join()
            web.kill()
            web.start()
            client.close()
            client.ask("GET", "crash/app", "tags/list")  # connected, with a token
            killer.take_steps()
            client.push("crash/app", "measured", image_of(next(numbers)), way)
            for moment in [*moments(killer.take_steps(), index)]:
                killer.arm(moment)
                client.push("crash/app", f"t{index}", image_of(next(numbers)), way)
        killer.join()
        pushes = next(numbers)
        assert pushes - len(Way) == killer.kills
        assert client.interruptions >= killer.kills * 3 // 4  # the others hit an idle process
        client.close()
        web.kill()

        house.start()
        client.progress = client.revive = lambda: None
        assert pushes == client.check()
        client.close()
        house.wait_idle()
        assert 0 == house.stop()
        pushed = [digest for manifests in client.manifests.values() for digest in manifests]
        assert [] == house.missing_reports(pushed)
        assert house.is_log_whole()
