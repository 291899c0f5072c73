"""What would open the host is refused in the client's own line, and raw bodies with tricks too."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from seawall.testing import engine_api, running, terminals
from seawall.testing.engines import Engine
from seawall.testing.running import Installation

pytestmark = [pytest.mark.interop, pytest.mark.engine]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An installation with a signed image, and the environment of a user who may pull it."""

    place: Installation
    image: str
    bob: dict[str, str]


@pytest.fixture(scope="module")
def house(
    engine: Engine, need: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    need("skopeo")
    with running.installation(tmp_path_factory.mktemp("refusals"), engine.socket) as place:
        place.knows_advisories(running.advisory("libhole", "2.0-1"))
        image = place.push(running.debian_image("cat", "sleep", "stty", "true"), "team/app")
        place.seawall("sign", image, *place.make_key("release"))
        place.add_user("bob", "pull", "team/app")
        yield House(place=place, image=image, bob=place.certificate("bob"))


def test_the_image_runs_without_dangerous_flags(house: House) -> None:
    assert 0 == house.place.docker("run", "--rm", house.image, "true", env=house.bob).returncode


@pytest.mark.parametrize(("flags", "rule"), [
    ("--privileged", "Privileged"),
    ("-v /:/host", "Binds"),
    ("-v /var/run/docker.sock:/var/run/docker.sock", "Binds"),
    ("--mount type=bind,source=/etc,target=/host", "Mounts"),
    ("--mount type=volume,target=/x,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/",
     "Mounts"),
    ("--volume-driver other -v data:/data", "VolumeDriver"),
    ("--network host", "NetworkMode"),
    ("--network container:other", "NetworkMode"),
    ("--pid host", "PidMode"),
    ("--ipc host", "IpcMode"),
    ("--uts host", "UTSMode"),
    ("--userns host", "UsernsMode"),
    ("--cgroupns host", "CgroupnsMode"),
    ("--security-opt seccomp=unconfined", "SecurityOpt"),
    ("--security-opt apparmor=unconfined", "SecurityOpt"),
    ("--security-opt no-new-privileges=false", "SecurityOpt"),
    ("--security-opt systempaths=unconfined", ""),
    ("--cap-add SYS_ADMIN", "CapAdd"),
    ("--cap-add ALL", "CapAdd"),
    ("--device /dev/kmsg", "Devices"),
    ("--device-cgroup-rule 'a *:* rwm'", "DeviceCgroupRules"),
    ("--runtime other", "Runtime"),
    ("--cgroup-parent /", "CgroupParent"),
    ("--volumes-from other", "VolumesFrom"),
    ("--sysctl kernel.shmmax=1", "Sysctls"),
    ("--oom-score-adj -500", "OomScoreAdj"),
])  # fmt: skip
def test_a_dangerous_flag_is_refused_in_the_clients_own_line(
    house: House, flags: str, rule: str
) -> None:
    done = house.place.docker(
        "run", "--rm", *shlex.split(flags), house.image, "true", check=False, env=house.bob
    )
    assert 125 == done.returncode, done.stdout
    lines = [line for line in done.stderr.splitlines() if "seawall refused" in line]
    assert 1 == len(lines), done.stderr
    assert f"seawall refused to run {house.image}: host-settings/{rule}" in lines[0]
    assert " — " in lines[0], "the remedy stands behind the evidence"


BODIES = [
    ('{"Image":"IMAGE","HostConfig":{"Privileged":false,"Privileged":true}}', "duplicate key"),
    ('{"Image":"IMAGE","Image":"other"}', "duplicate key"),
    ('{"Image":"IMAGE","HostConfig":{"privileged":true}}', "privileged"),
    ('{"image":"IMAGE"}', "image"),
    ('{"Image":"IMAGE","hostconfig":{"Privileged":true}}', "hostconfig"),
    ('{"Image":"IMAGE","HostConfig":{"Privileged":true}}', "Privileged"),
    ('{"Image":"IMAGE","HostConfig":{"Brandnew":true}}', "Brandnew"),
    ('{"Image":"IMAGE"} {"Image":"IMAGE"}', ""),
    ('{"Image":"IMAGE",}', ""),
    ('{"Image":"IMAGE","Hostname":"\\ud800"}', ""),
]


@pytest.mark.parametrize(("body", "word"), BODIES)
def test_a_raw_body_with_a_trick_is_refused_with_a_reason(
    house: House, body: str, word: str
) -> None:
    socket = house.place.state / "run" / "docker.sock"
    before = len(house.place.docker("ps", "-aq").stdout.split())
    status, said = engine_api.call(
        socket, "POST", "/v1.41/containers/create", body.replace("IMAGE", house.image).encode()
    )
    assert status in (400, 403)
    assert "seawall" in said["message"]
    assert word in said["message"]
    assert before == len(house.place.docker("ps", "-aq").stdout.split())


def test_every_refusal_stands_in_the_log_with_who_and_why(house: House) -> None:
    place = house.place
    place.docker("run", "--privileged", house.image, check=False, env=house.bob)
    last = place.events("--kind", "AdmissionRefused")[-1]
    assert ("bob", house.image) == (last["actor"], last["image"])
    assert "host-settings/Privileged" in json.dumps(last["reasons"])


def test_a_terminal_over_mutual_tls_has_prompt_size_and_interrupt(house: House) -> None:
    command = ["docker", "run", "--rm", "-it", house.image, "sh"]
    with terminals.opened(command, env=house.place.environment(**house.bob)) as screen:
        screen.expect(r"# ")
        screen.type_until(b"stty size\n", r"\b30 100\b")
        screen.resize(41, 121)
        screen.process.send_signal(signal.SIGWINCH)
        screen.type_until(b"stty size\n", r"\b41 121\b")
        screen.type(b"echo be''gin; sleep 600\n")
        screen.expect(r"\bbegin\b")
        screen.type_until(b"\x03echo code=$?\n", r"\bcode=130\b")
        screen.type(b"exit 7\n")
        assert 7 == screen.process.wait(20)
