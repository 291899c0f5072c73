"""kill -9 of the web process at many moments of pushes: what it acknowledged is there."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from seawall.testing import images
from seawall.testing.images import Image
from seawall.testing.installations import installation
from seawall.testing.killing import Killer, Moment
from seawall.testing.push_client import PushClient, Way

pytestmark = pytest.mark.timeout(180)

MOMENTS = [
    Moment(steps=steps, changes=changes)
    for steps, changes in (
        *((1, changes) for changes in range(2)),
        *((7, changes) for changes in (0, 1, 4)),
        *((12, changes) for changes in (1, 2, 4)),
        *((16, changes) for changes in (1, 2, 3)),
        *((21, changes) for changes in (0, 1, 2, 4)),
        *((25, changes) for changes in (1, 2)),
        *((29, changes) for changes in (0, 1, 2)),
    )
]


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
        for number, moment in enumerate(MOMENTS):
            killer.arm(moment)
            client.push(f"crash/app{number % 3}", "latest", image_of(number), [*Way][number % 3])
        killer.join()
        assert len(MOMENTS) == killer.kills
        assert client.interruptions >= len(MOMENTS) * 3 // 4  # the others hit an idle process
        client.close()
        web.kill()

        house.start()
        client.progress = client.revive = lambda: None
        assert len(MOMENTS) == client.check()
        client.close()
        house.wait_idle()
        assert 0 == house.stop()
        pushed = [digest for manifests in client.manifests.values() for digest in manifests]
        assert [] == house.missing_reports(pushed)
        assert house.is_log_whole()
