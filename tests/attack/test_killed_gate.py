"""kill -9 of the gate at many moments of creates: what it answered with has its receipt."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from seawall.testing import engines, running
from seawall.testing.engines import Engine
from seawall.testing.installations import Installation, Served, installation
from seawall.testing.killing import Moment, disk
from seawall.testing.push_client import PushClient, Way

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

REPOSITORY = "crash/run"
PARTS = 8  # kills spread over the gate's own work on one create
ANSWER_SECONDS = 30.0


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


@dataclass(slots=True, kw_only=True)
class Creates:
    """Asks the gate for containers, and notes which it was told of."""

    house: Installation
    image: str
    asked: int = 0
    acknowledged: list[str] = field(default_factory=list)

    def one(self) -> bool:
        """Ask for one container; whether there was an answer."""
        self.asked += 1
        body = json.dumps({"Image": self.image, "Cmd": ["cat"]})
        path = f"/v1.40/containers/create?name=crash{self.asked}"
        try:
            status, content = ask(self.house.settings.gate_socket, "POST", path, body)
        except (OSError, http.client.HTTPException):
            return False
        assert status == 201, content
        self.acknowledged.append(json.loads(content)["Id"])
        return True


def ask(path: Path, method: str, target: str, body: str = "") -> tuple[int, bytes]:
    with contextlib.closing(UnixConnection(path)) as connection:
        connection.request(method, target, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()


def containers(engine: Engine) -> dict[str, str]:
    """The state of every container of the engine, by its id."""
    _, content = ask(engine.socket, "GET", "/v1.40/containers/json?all=1")
    return {one["Id"]: one["State"] for one in json.loads(content)}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if reason := engines.why_no_engine():
        pytest.skip(reason)
    with engines.private_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


def a_signed_image(house: Installation, engine: Engine) -> str:
    """Push, scan and sign an image that may run, and pull it; return its name."""
    feed, phrase = house.directory / "tests.jsonl", house.directory / "phrase"
    feed.write_text(running.advisory("libhole", "2.0-1"))
    phrase.write_text("a passphrase for tests\n")
    key = house.directory / "release"
    done(house, "feeds", "import", str(feed))
    done(house, "key", "generate", "--output", str(key), "--passphrase-file", str(phrase))
    done(house, "key", "trust", f"{key}.pub", "--name", "release")
    client = PushClient(
        port=house.web_port, authority=house.settings.server_authority, password=house.password
    )
    client.push(REPOSITORY, "1", running.debian_image("cat"), Way.STREAM)
    client.close()
    name = f"localhost:{house.web_port}/{REPOSITORY}:1"
    done(house, "sign", name, "--key", f"{key}.key", "--passphrase-file", str(phrase))
    house.wait_idle()
    config = engine.directory / "client"
    engines.docker(f"unix://{house.settings.gate_socket}", "pull", name, config=config)
    return name


def done(house: Installation, *words: str) -> None:
    result = house.seawall(*words)
    assert result.returncode == 0, (words, result.stdout, result.stderr)


def cpu_ns(served: Served) -> int:
    return int(Path(f"/proc/{served.pid}/schedstat").read_text().split()[0])


def kill_during(gate: Served, creates: Creates, is_time: Iterator[bool]) -> bool:
    """Kill the gate during a create, when it is time; whether the create was answered before."""
    answers: list[bool] = []
    asking = threading.Thread(target=lambda: answers.append(creates.one()))
    asking.start()
    for now in is_time:
        if now or answers:
            break
    gate.kill()
    asking.join()
    return answers == [True]


def when_worked(gate: Served, ns: int) -> Iterator[bool]:
    begin = cpu_ns(gate)
    while True:
        yield cpu_ns(gate) - begin >= ns


def when_in_engine(engine: Engine) -> Iterator[bool]:
    before = containers(engine)
    while True:
        yield containers(engine) != before


def when_written(house: Installation, moment: Moment) -> Iterator[bool]:
    before, changes = disk(house.state), 0
    while True:
        now = disk(house.state)
        changes += now != before
        before = now
        yield changes >= moment.changes


def test_refuses_to_answer_with_a_container_that_has_no_receipt(
    tmp_path: Path, engine: Engine
) -> None:
    settings = f'[engine]\nsocket = "{engine.socket}"\n'
    with installation(tmp_path, settings=settings) as house:
        house.prepare()
        house.serve("web")
        house.serve("worker")
        gate = house.serve("gate")
        creates = Creates(house=house, image=a_signed_image(house, engine))
        begin = cpu_ns(gate)
        assert creates.one()
        whole = cpu_ns(gate) - begin

        def moments() -> Iterator[Iterator[bool]]:
            for part in range(PARTS):
                yield when_worked(gate, whole * part // PARTS)
            for _ in range(2):
                yield when_in_engine(engine)
            for changes in (1, 2, 3, 4):
                yield when_written(house, Moment(steps=0, changes=changes))

        cut_off = 0
        for is_time in moments():
            cut_off += not kill_during(gate, creates, is_time)
            gate.start()
        assert cut_off >= PARTS // 2
        assert creates.one()  # the gate serves again

        there = containers(engine)
        assert set() == set(creates.acknowledged) - set(there)
        with house.rooms() as rooms:
            receipts = {one for one in there if rooms.receipts.for_container(one) is not None}
        assert set() == set(creates.acknowledged) - receipts
        # What the engine made and the gate could not write down was told to nobody and never ran.
        assert {"created"} == set(there.values())
        assert house.is_log_whole()
        assert len(there) > len(creates.acknowledged)  # or no kill fell between engine and receipt
