"""kill -9 of the worker at many moments of scans: every image gets its report, no job is lost."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.jobs import queue
from seawall.testing import images
from seawall.testing.images import Image, Layer
from seawall.testing.installations import Installation, Served, installation
from seawall.testing.push_client import PushClient, Way

pytestmark = pytest.mark.timeout(300)

IMAGES = 4
PACKAGES = 500
DEATHS = queue.MAX_ATTEMPTS - 1  # a job that sees more deaths is given up as their cause
LOOK_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The jobs as they stand in the database, seen from outside."""

    database: sqlite3.Connection

    def running(self) -> tuple[int, str, int] | None:
        """Id, kind and attempt of the job that a worker holds."""
        rows = self.database.execute("SELECT id, kind, attempts FROM job WHERE state = 'running'")
        found: tuple[int, str, int] | None = rows.fetchone()
        return found


@contextlib.contextmanager
def work(house: Installation) -> Iterator[Work]:
    with contextlib.closing(sqlite3.connect(house.settings.database)) as database:
        yield Work(database=database)


def layer_of(number: int, size: int) -> Layer:
    """Many small files: what a scan spends its time on."""
    return images.layer({f"usr/{number}/{n}": b"%d" % n for n in range(size)})


def image_of(number: int) -> Image:
    status = "".join(
        f"Package: p{n}\nStatus: install ok installed\nArchitecture: all\nVersion: {number}.{n}\n\n"
        for n in range(PACKAGES)
    )
    system = {"etc/os-release": b'ID=debian\nVERSION_ID="12"\n', "var/lib/dpkg/status": status}
    base = {
        name: text if isinstance(text, bytes) else text.encode() for name, text in system.items()
    }
    return images.image(layer_of(number, 3_000), images.layer(base), layer_of(-number - 1, 3_000))


def cpu_ns(served: Served) -> int:
    """How much work the process has done."""
    return int(Path(f"/proc/{served.pid}/schedstat").read_text().split()[0])


def work_of(worker: Served, jobs: Work) -> int:
    """Let the next scan pass, and measure its work in nanoseconds."""
    begun = 0
    for _ in looking():
        now = jobs.running()
        if now is not None and now[1] == "scan":
            begun = begun or cpu_ns(worker)
        elif begun:
            return cpu_ns(worker) - begun
    raise AssertionError("no scan was seen")


def kill_in_scan(worker: Served, jobs: Work, after_ns: int, deaths_before: int) -> bool:
    """Kill the worker when it has done so much of its next scan; whether it was still in it."""
    begun = 0
    for _ in looking():
        now = jobs.running()
        # Until it has started anew, the job stands as its former life left it.
        if now is None or now[1] != "scan" or now[2] != deaths_before + 1:
            if begun:
                break
            continue
        begun = begun or cpu_ns(worker)
        if cpu_ns(worker) - begun >= after_ns:
            break
    worker.kill()
    now = jobs.running()
    return now is not None and now[1] == "scan"


def packages(house: Installation, image: Image) -> int:
    with house.rooms() as rooms:
        report = rooms.reports.latest(image.digest)
    return 0 if report is None else len(report.inventory.components)


def looking() -> Iterator[None]:
    end = time.monotonic() + LOOK_SECONDS
    while time.monotonic() < end:
        yield


def test_refuses_to_lose_a_scan_whenever_the_worker_is_killed(tmp_path: Path) -> None:
    pushed = [image_of(number) for number in range(IMAGES + 1)]
    with installation(tmp_path) as house:
        house.prepare()
        web, worker = house.serve("web"), house.serve("worker")
        client = PushClient(
            port=house.web_port,
            authority=house.settings.server_authority,
            password=house.password,
        )
        with work(house) as jobs:
            client.push("crash/scan", "measured", pushed[0], Way.STREAM)
            whole = work_of(worker, jobs)
            house.wait_idle()
            hits = 0
            for number, image in enumerate(pushed[1:]):
                client.push("crash/scan", f"t{number}", image, Way.STREAM)
                deaths = 0
                while deaths < DEATHS:
                    part = (number + deaths * IMAGES) / (IMAGES * DEATHS)
                    was_inside = kill_in_scan(worker, jobs, int(whole * part), deaths)
                    worker.start()
                    if not was_inside:
                        break
                    deaths += 1
                hits += deaths
                house.wait_idle()
        client.close()
        web.kill()
        assert [] == house.missing_reports(image.digest for image in pushed)
        assert house.is_log_whole()
        assert [PACKAGES] * len(pushed) == [packages(house, image) for image in pushed]
        assert hits >= IMAGES * DEATHS // 2
