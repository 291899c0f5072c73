"""`seawall up` as the operating system sees it: one per state, all or nothing, gone when told."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from seawall.testing import images
from seawall.testing.installations import installation
from seawall.testing.push_client import PushClient, Way


def test_sigterm_stops_all_processes(tmp_path: Path) -> None:
    with installation(tmp_path) as house:
        house.start()
        assert ["gate", "up", "web", "worker-0"] == sorted(house.processes().values())
        assert 0 == house.stop()
        assert {} == house.processes()
        assert house.said.endswith("seawall: stopped\n")


def test_a_second_up_on_the_same_state_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with installation(tmp_path) as house:
        house.start()
        before = house.processes()
        second = house.seawall("up")
        assert 3 == second.returncode
        assert f"(process {house.pid_of('up')})" in second.stderr
        assert before == house.processes()
        assert house.is_serving()


def test_a_port_in_use_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    for section in ("web", "gate"):
        (tmp_path / section).mkdir()
        with installation(tmp_path / section) as house, socket.socket() as taken:
            port = house.web_port if section == "web" else house.gate_port
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", port))
            taken.listen()
            done = house.seawall("up")
            assert 3 == done.returncode
            assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr
            assert {} == house.processes()


def test_a_first_start_that_fails_does_not_swallow_the_password(tmp_path: Path) -> None:
    with installation(tmp_path) as house:
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("127.0.0.1", house.web_port))
            taken.listen()
            said = house.seawall("up").stderr
        (password,) = re.findall(r"^seawall: password +(\S+)$", said, re.M)
        house.start()
        assert "" == house.password  # it is not shown again
        client = PushClient(
            port=house.web_port, authority=house.settings.server_authority, password=password
        )
        client.push("team/app", "1", images.image(images.layer({"f": b"1"})), Way.STREAM)
        client.close()
