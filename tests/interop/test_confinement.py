"""A real container, started with the hardened body: confined inside, outside, and still useful."""

import json
import platform

import pytest

from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.gate import bodies
from seawall.isolation import files, probe, seccomp
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.testing import engine_api, images

pytestmark = [pytest.mark.interop, pytest.mark.engine]

IMAGE = "confinement/app:1"
PROFILE = seccomp.default_profile()
ADMITTED = Admitted(
    reference=Reference.parse("registry.example/app:1"), digest=Digest.of(b"m"), verdict=1
)
PROGRAMS = ("perl", "cat", "sleep", "bash", "id", "date", "chown", "ls", "mkdir", "setpriv", "tar")


@pytest.fixture(scope="module")
def loaded(engine, need, tmp_path_factory):
    need(*PROGRAMS)
    path = tmp_path_factory.mktemp("confinement") / "image.tar"
    image = images.runnable_image(*PROGRAMS)
    engine.docker("load", "-i", str(images.write_docker_archive(path, image, name=IMAGE)))
    return engine


@pytest.fixture
def create(loaded):
    """Create a container from a client's body, hardened; removed at the end of the test."""
    made = []

    def one(*command, **host):
        asked = {
            "Image": IMAGE,
            "Cmd": list(command),
            "HostConfig": {"NetworkMode": "none", **host},
        }
        result = bodies.harden(bodies.parse_create(json.dumps(asked).encode()), ADMITTED, PROFILE)
        assert not isinstance(result, Refusal), result
        body = json.loads(result.body) | {"Image": IMAGE}
        status, answer = engine_api.call(
            loaded.socket, "POST", "/v1.41/containers/create", json.dumps(body).encode()
        )
        assert 201 == status, answer
        made.append(answer["Id"])
        return answer["Id"], result

    yield one
    for container in made:
        engine_api.call(loaded.socket, "DELETE", f"/v1.41/containers/{container}?force=1&v=1")


def output(engine, container):
    return engine.docker("start", "-a", container).stdout


def test_a_container_is_confined_from_inside_and_outside(loaded, create):
    container, result = create("sleep", "600")
    loaded.docker("start", container)
    _, seen = engine_api.call(loaded.socket, "GET", f"/v1.41/containers/{container}/json")
    findings = probe.prove(
        lambda command: loaded.docker("exec", container, *command).stdout,
        seen["State"]["Pid"],
        granted=tuple(result.summary["capabilities"]),
        pids_limit=result.summary["pids_limit"],
        machine=platform.machine(),
    )
    assert [] == [finding for finding in findings if not finding.passed]
    assert len(findings) > 30


def test_the_probe_notices_a_container_that_is_not_confined(loaded):
    run = loaded.docker(
        "run", "-d", "--network=none", "--security-opt=seccomp=unconfined", IMAGE, "sleep", "600"
    )
    container = run.stdout.strip()
    try:
        _, seen = engine_api.call(loaded.socket, "GET", f"/v1.41/containers/{container}/json")
        findings = probe.prove(
            lambda command: loaded.docker("exec", container, *command).stdout,
            seen["State"]["Pid"],
            granted=(),
            pids_limit=64,
            machine=platform.machine(),
        )
        weak = {finding.name for finding in findings if not finding.passed}
        assert weak >= {
            "inside: Seccomp",
            "outside: Seccomp",
            "outside: NoNewPrivs",
            "outside: CapBnd",
            "outside: pids.max of its cgroup",
        }
    finally:
        loaded.docker("rm", "-f", container)


def test_the_kernel_holds_what_the_body_says(loaded, create):
    container, _ = create("cat", "/proc/self/status", CapDrop=["ALL"], PidsLimit=50)
    status = output(loaded, container)
    assert "CapBnd:\t0000000000000000" in status
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("echo $((6*7)) | cat", "42\n"),
        ("for i in 1 2 3; do (echo $i) & done | cat; wait", None),
        ("mkdir /data; chown 65534:65534 /data; ls -nd /data", None),
        ("setpriv --reuid=65534 --regid=65534 --clear-groups id -u", "65534\n"),
        ("date +%Z", "UTC\n"),
        ("tar -C /etc -cf - passwd | tar -tf -", "passwd\n"),
        ('perl -e "socket(S,2,1,0) or die; socket(U,1,1,0) or die; print 1"', "1"),
    ],
)
def test_ordinary_programs_run_under_the_profile(loaded, create, command, expected):
    container, _ = create("bash", "-ec", command)
    seen = output(loaded, container)
    if expected is not None:
        assert expected == seen


def test_volumes_and_tmpfs_hold_what_they_are_given(loaded, create):
    container, _ = create(
        "bash",
        "-ec",
        "echo a > /data/f; echo b > /scratch/f; cat /data/f /scratch/f; ! echo c > /g",
        Binds=["confinement-vol:/data"],
        Tmpfs={"/scratch": "size=1m"},
        ReadonlyRootfs=True,
    )
    try:
        assert "a\nb\n" == output(loaded, container)
    finally:
        loaded.docker("rm", "-f", container, check=False)
        loaded.docker("volume", "rm", "confinement-vol", check=False)


def test_a_fork_bomb_meets_its_limit(loaded, create):
    bomb = "my $n; while (defined(my $p = fork)) { $p or exec 'sleep', '9'; $n++ } print $n"
    container, _ = create("perl", "-e", bomb, PidsLimit=20)
    assert 20 > int(output(loaded, container)) > 5


def test_refuses_a_volume_of_the_engine_that_hides_a_bind(loaded):
    for name, options in (("confinement-plain", None), ("confinement-bind", {"device": "/etc"})):
        asked = {"Name": name, "DriverOpts": options and {**options, "o": "bind", "type": "none"}}
        engine_api.call(loaded.socket, "POST", "/v1.41/volumes/create", json.dumps(asked).encode())
    try:
        judged = {}
        for name in ("confinement-plain", "confinement-bind"):
            _, seen = engine_api.call(loaded.socket, "GET", f"/v1.41/volumes/{name}")
            judged[name] = files.volume_problems(name, seen["Driver"], seen["Options"])
        assert () == judged["confinement-plain"]
        assert "/etc" in judged["confinement-bind"][0].evidence
    finally:
        loaded.docker("volume", "rm", "confinement-plain", "confinement-bind", check=False)
