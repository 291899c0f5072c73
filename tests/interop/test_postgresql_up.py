"""A real `seawall up` over a real PostgreSQL: push, scan, sign, verify, and deaths in between."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.testing import databases, houses, images
from seawall.testing.houses import CRITICAL, osv
from seawall.testing.installations import Installation, installation, wait_until
from seawall.testing.push_client import PushClient, Way

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]


@pytest.fixture
def house(tmp_path: Path, postgresql: databases.Servers) -> Iterator[Installation]:
    """On an empty database: `seawall up` makes the schema itself."""
    url = postgresql.server.url(postgresql.server.create())
    with installation(tmp_path, settings=f'[database]\nurl = "{url}"\n') as house:
        yield house


def client_of(house: Installation) -> PushClient:
    authority = house.settings.server_authority
    return PushClient(port=house.web_port, authority=authority, password=house.password)


def ran(done: subprocess.CompletedProcess[str]) -> str:
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def test_an_image_is_pushed_scanned_signed_and_verified(
    house: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEAWALL_CONFIG_HOME", str(tmp_path / "home"))
    house.start()
    assert not house.settings.database.exists(), "there is no second truth in a file"
    feed = tmp_path / "PyPI.jsonl"
    feed.write_text(osv("PYSEC-2026-1", "PyPI", "pillow", "10.0", CRITICAL) + "\n")
    ran(house.seawall("feeds", "import", str(feed)))
    made, client = houses.image(), client_of(house)
    client.push("shop/app", "1", made, Way.STREAM)
    house.wait_idle()
    name = f"localhost:{house.web_port}/shop/app:1"
    report = json.loads(ran(house.seawall("scan", "--json", name)))
    assert ["PYSEC-2026-1"] == [one["id"] for one in report["findings"]]
    phrase = tmp_path / "phrase"
    phrase.write_text("correct horse battery\n")
    key = ("--passphrase-file", str(phrase))
    ran(house.seawall("key", "generate", "--output", str(tmp_path / "release"), *key))
    ran(house.seawall("key", "trust", str(tmp_path / "release.pub")))
    ran(house.seawall("sign", name, "--key", str(tmp_path / "release.key"), *key))
    assert "VERIFIED" in ran(house.seawall("verify", name))
    client.check()
    doctor = house.seawall("doctor").stdout
    assert re.search(r"^ok +database +PostgreSQL \d+.*socket of this machine", doctor, re.M)
    assert "whole" in ran(house.seawall("audit", "verify"))
    assert 0 == house.stop()
    house.start()  # and everything is still there
    assert "VERIFIED" in ran(house.seawall("verify", name))


def test_killed_workers_and_a_restarted_server_lose_no_work(
    house: Installation, postgresql: databases.Servers
) -> None:
    house.start()
    client = client_of(house)
    made = [
        images.image(images.layer({f"usr/{k}/{n}": b"%d" % n for n in range(1_000)}))
        for k in range(4)
    ]
    for number, image in enumerate(made):
        client.push(f"team/app{number}", "1", image, Way.CHUNKS)
        worker = house.pid_of("worker-0")
        if number % 2:
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda dead=worker: is_followed(house, dead), 60)
        else:
            postgresql.server.restart()
    house.wait_idle()
    assert [] == house.missing_reports([image.digest for image in made])
    assert house.is_log_whole()
    client.check()


def is_followed(house: Installation, dead: int) -> bool:
    workers = [pid for pid, name in house.processes().items() if name == "worker-0"]
    return bool(workers) and dead not in workers
