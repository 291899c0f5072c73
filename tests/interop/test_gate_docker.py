"""The stock docker client through the gate to a real engine, over mutual TLS and a unix socket."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pty
import random
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seawall.core.errors import DeniedError
from seawall.testing import gate_stage, images, token_registry
from seawall.testing.certificates import Authority
from seawall.testing.gate_stage import Stage
from seawall.testing.gates import GateParts, running_gate

pytestmark = [pytest.mark.interop, pytest.mark.engine]

PROGRAMS = ("cat", "sleep", "head", "stty", "sha256sum", "seq", "true")
Way = tuple[str, ...]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if reason := gate_stage.why_no_stage():
        pytest.skip(reason)
    with gate_stage.set_stage(tmp_path_factory.mktemp("gate")) as stage:
        yield stage


@pytest.fixture(scope="module")
def image(stage: Stage) -> str:
    reference = stage.push("app", *PROGRAMS)
    assert 0 == stage.docker(stage.unix, "pull", reference).returncode
    return reference


@pytest.fixture(params=["unix", "mtls"])
def way(request: pytest.FixtureRequest, stage: Stage) -> Way:
    return stage.unix if request.param == "unix" else stage.mtls


@pytest.fixture
def sleeper(stage: Stage, image: str) -> Iterator[str]:
    done = stage.docker(stage.unix, "run", "-d", "--name", "sleeper", image, "sleep", "600")
    assert 0 == done.returncode, done.stderr
    yield "sleeper"
    stage.docker(stage.unix, "rm", "-f", "sleeper")


def test_version_info_and_ping_answer(stage: Stage, way: Way) -> None:
    version = json.loads(stage.docker(way, "version", "--format", "{{json .}}").stdout)
    assert "1.40" == version["Server"]["MinAPIVersion"]
    assert version["Client"]["ApiVersion"] == version["Server"]["ApiVersion"]
    assert b"Server Version" in stage.docker(way, "info").stdout


def test_piped_input_ends_and_its_output_comes_back(stage: Stage, image: str, way: Way) -> None:
    done = stage.docker(way, "run", "-i", "--rm", image, "cat", stdin=b"a\nb\n")
    assert (b"a\nb\n", 0) == (done.stdout, done.returncode)


def test_output_after_the_end_of_input_is_complete(stage: Stage, image: str, way: Way) -> None:
    script = "cat; sleep 1; echo after"
    done = stage.docker(way, "run", "-i", "--rm", image, "sh", "-c", script, stdin=b"a\nb\n")
    assert (b"a\nb\nafter\n", 0) == (done.stdout, done.returncode)


def test_a_program_that_does_not_read_its_input_loses_no_output(stage: Stage, sleeper: str) -> None:
    done = stage.docker(
        stage.mtls, "exec", "-i", sleeper, "head", "-1", stdin=b"first\n" + b"x\n" * 2_000_000
    )
    assert (b"first\n", 0) == (done.stdout, done.returncode)


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exit_codes_pass_through(stage: Stage, image: str, sleeper: str, code: int) -> None:
    run = stage.docker(stage.mtls, "run", "--rm", image, "sh", "-c", f"exit {code}")
    assert code == run.returncode
    exec_ = stage.docker(stage.mtls, "exec", sleeper, "sh", "-c", f"exit {code}")
    assert code == exec_.returncode


def test_three_megabytes_go_in_and_out_of_an_exec(stage: Stage, sleeper: str, way: Way) -> None:
    content = random.Random(7).randbytes(3_000_000)
    done = stage.docker(way, "exec", "-i", sleeper, "cat", stdin=content)
    assert done.stdout == content


def test_a_large_output_is_complete(stage: Stage, image: str, way: Way) -> None:
    done = stage.docker(way, "run", "--rm", image, "sh", "-c", "head -c 50000000 /dev/zero")
    assert (50_000_000, 0) == (len(done.stdout), done.returncode)


def test_standard_error_stays_apart(stage: Stage, image: str) -> None:
    done = stage.docker(stage.mtls, "run", "--rm", image, "sh", "-c", "echo out; echo err >&2")
    assert b"out\n" == done.stdout
    assert b"err\n" in done.stderr


class Terminal:
    """A docker command under a pseudo-terminal."""

    def __init__(self, command: list[str]) -> None:
        self._master, slave = pty.openpty()
        self.resize(30, 100)
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )  # fmt: skip
        os.close(slave)
        self.text = ""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def expect(self, pattern: str, timeout: float = 20) -> None:
        """Read until `pattern` was seen in what came since the last one."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if found := re.search(pattern, self.text):
                self.text = self.text[found.end() :]
                return
            if select.select([self._master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self.text += os.read(self._master, 4096).decode(errors="replace")
        raise AssertionError(f"{pattern!r} did not come; the screen: {self.text!r}")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal() -> Iterator[Callable[[list[str]], Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(command: list[str]) -> Terminal:
        opened.append(Terminal(command))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def test_a_terminal_has_prompt_resize_ctrl_c_and_detach(
    stage: Stage, image: str, way: Way, terminal: Callable[[list[str]], Terminal]
) -> None:
    screen = terminal(
        stage.command(way, "run", "-it", "--name", "terminal", image, "sh")
    )  # fmt: skip
    try:
        screen.expect(r"# ")
        _until(screen, b"stty size\n", r"\b30 100\b")
        screen.resize(40, 120)
        screen.process.send_signal(signal.SIGWINCH)
        _until(screen, b"stty size\n", r"\b40 120\b")
        screen.type(b"echo be''gin; sleep 600\n")
        screen.expect(r"\bbegin\b")
        _until(screen, b"\x03echo code=$?\n", r"\bcode=130\b")
        screen.type(b"\x10\x11")
        assert 0 == screen.process.wait(10)
        running = stage.docker(way, "inspect", "-f", "{{.State.Running}}", "terminal")
        assert b"true\n" == running.stdout
        again = terminal(stage.command(way, "attach", "terminal"))
        again.type(b"echo ba''ck; exit 5\n")
        again.expect(r"\bback\b")
        assert 5 == again.process.wait(10)
    finally:
        stage.docker(way, "rm", "-f", "terminal")


def _until(screen: Terminal, keys: bytes, pattern: str) -> None:
    """Type until the answer fits: the new size takes a moment to reach the container."""
    for _ in range(20):
        screen.type(keys)
        with contextlib.suppress(AssertionError):
            screen.expect(pattern, timeout=1)
            return
    raise AssertionError(f"{pattern!r} never came; the screen: {screen.text!r}")


def test_a_container_lives_its_life(stage: Stage, image: str, way: Way) -> None:
    def docker(*arguments: str) -> str:
        done = stage.docker(way, *arguments)
        assert 0 == done.returncode, done.stderr
        return done.stdout.decode().strip()

    started = time.time()
    identity = docker("create", "--name", "life", image, "sleep", "600")
    try:
        assert "created" == docker("inspect", "-f", "{{.State.Status}}", "life")
        docker("start", "life")
        assert "life" == docker("ps", "--filter", "name=life", "--format", "{{.Names}}")
        docker("pause", "life")
        docker("unpause", "life")
        assert "sleep 600" in docker("top", "life")
        assert "life" in docker("stats", "--no-stream", "--format", "{{.Name}}", "life")
        docker("restart", "-t", "0", "life")
        waiting = subprocess.Popen(stage.command(way, "wait", "life"), stdout=subprocess.PIPE)
        docker("kill", "life")
        assert b"137\n" == waiting.communicate(timeout=20)[0]
        docker("start", identity[:12])
        docker("stop", "-t", "0", "life")
        assert "" == docker("diff", "life")
    finally:
        docker("rm", "-f", "-v", "life")
    since = ("--since", str(int(started)), "--until", str(int(time.time()) + 1))
    events = docker(
        "events", *since, "--filter", f"container={identity}", "--format", "{{.Action}}"
    )
    assert {"create", "start", "kill", "die", "stop", "destroy"} <= set(events.split())


def test_an_exec_can_be_left_alone_and_a_stopped_container_started_with_its_streams(
    stage: Stage, image: str, sleeper: str, way: Way
) -> None:
    left = stage.docker(way, "exec", "-d", sleeper, "sh", "-c", "echo done > /tmp/left")
    assert 0 == left.returncode, left.stderr
    seen = "until [ -s /tmp/left ]; do sleep 0.1; done; cat /tmp/left"
    assert b"done\n" == stage.docker(way, "exec", sleeper, "sh", "-c", seen).stdout
    made = stage.docker(way, "create", "-i", image, "sh", "-c", "cat; exit 9").stdout.decode()
    again = stage.docker(way, "start", "-a", "-i", made.strip(), stdin=b"typed\n")
    assert (b"typed\n", 9) == (again.stdout, again.returncode), again.stderr
    stage.docker(way, "rm", made.strip())


def test_followed_logs_come_at_once_and_end_with_the_container(
    stage: Stage, image: str, way: Way
) -> None:
    script = "echo one; sleep 2; echo two; sleep 1"
    identity = stage.docker(way, "run", "-d", image, "sh", "-c", script).stdout.decode().strip()
    logs = subprocess.Popen(stage.command(way, "logs", "-f", identity), stdout=subprocess.PIPE)
    assert logs.stdout is not None
    assert b"one\n" == logs.stdout.readline()
    state = stage.docker(way, "inspect", "-f", "{{.State.Running}}", identity).stdout
    assert b"true\n" == state, "the first line came while the container still ran"
    assert b"two\n" == logs.communicate(timeout=20)[0]
    assert 0 == logs.returncode
    stage.docker(way, "rm", "-f", identity)


def test_a_refused_run_says_which_rule_on_what_evidence_and_what_would_change_it(
    stage: Stage, image: str, way: Way
) -> None:
    other = f"{stage.registry}/other:1"
    stage.parts.receipts.refusals.clear()
    done = stage.docker(way, "run", "--rm", other)
    assert 125 == done.returncode
    assert (
        f"docker: Error response from daemon: seawall refused to run {other}: signature: "
        "no signature by a trusted key — sign it: seawall sign IMAGE"
    ) in done.stderr.decode()
    assert f"run {other}" == stage.parts.receipts.refusals[0][1]


def test_a_pull_brings_the_judged_digest_under_the_name_that_was_asked_for(
    stage: Stage, way: Way
) -> None:
    reference = stage.push("pulled", "true")
    done = stage.docker(way, "pull", reference)
    assert 0 == done.returncode, done.stderr
    listed = stage.docker(way, "images", "--digests", "--format", "{{.Repository}}:{{.Tag}}")
    assert reference in listed.stdout.decode().split()
    inspected = stage.docker(way, "image", "inspect", "-f", "{{.RepoDigests}}", reference).stdout
    assert str(stage.digest_of(reference)) in inspected.decode()
    assert "pulled" == stage.parts.tokens[-1]
    assert 0 == stage.docker(way, "rmi", reference).returncode


def test_a_tag_that_moved_after_the_decision_runs_the_judged_digest(stage: Stage) -> None:
    reference = stage.push("moving", "true")
    judged = stage.digest_of(reference)
    stage.push("moving", "true", "seq")  # the registry's tag is elsewhere now
    stage.parts.admission.admit(reference, judged)
    done = stage.docker(stage.mtls, "create", reference)
    assert 0 == done.returncode, done.stderr
    identity = done.stdout.decode().strip()
    image = stage.docker(stage.mtls, "inspect", "-f", "{{.Config.Image}}", identity).stdout
    assert f"{stage.registry}/moving@{judged}\n" == image.decode()
    stage.docker(stage.mtls, "rm", identity)


def test_the_engine_pulls_with_our_token_and_the_client_needs_none(stage: Stage) -> None:
    image = images.runnable_image("true")
    with token_registry.serving(image, "token-for-secret") as registry:
        reference = f"{registry.host}/secret:1"
        stage.parts.admission.admit(reference, image.digest)
        done = stage.docker(stage.mtls, "run", "--rm", reference, "true")
    assert 0 == done.returncode, done.stderr
    assert {None, "Bearer token-for-secret"} == set(registry.authorizations)


def test_refused_pulls_say_why(stage: Stage, way: Way) -> None:
    done = stage.docker(way, "pull", f"{stage.registry}/nothing:1")
    assert 1 == done.returncode
    assert b"seawall refused to pull" in done.stderr
    assert b"name one tag" in stage.docker(way, "pull", "-a", f"{stage.registry}/app").stderr


def test_an_image_runs_by_its_id(stage: Stage, image: str) -> None:
    full = stage.docker(stage.unix, "image", "inspect", "-f", "{{.Id}}", image).stdout.decode()
    for name in (full.strip(), full.removeprefix("sha256:")[:12]):
        done = stage.docker(stage.unix, "run", "--rm", name, "sh", "-c", "echo hi")
        assert (b"hi\n", 0) == (done.stdout, done.returncode), done.stderr


@pytest.mark.parametrize(("flags", "rule"), [
    (("--privileged",), "Privileged"),
    (("-v", "/:/host"), "Binds"),
    (("--mount", "type=bind,source=/,target=/host"), "Mounts"),
    (("--network", "host"), "NetworkMode"),
    (("--pid", "host"), "PidMode"),
    (("--security-opt", "seccomp=unconfined"), "SecurityOpt"),
    (("--cap-add", "ALL"), "CapAdd"),
])  # fmt: skip
def test_a_dangerous_run_is_refused_in_the_clients_own_line(
    stage: Stage, image: str, flags: tuple[str, ...], rule: str
) -> None:
    done = stage.docker(stage.mtls, "run", "--rm", *flags, image, "true")
    assert 125 == done.returncode
    assert f"seawall refused to run {image}: host-settings/{rule}" in done.stderr.decode()


def test_the_engine_has_the_hardening_that_was_asked_for(stage: Stage, sleeper: str) -> None:
    host = json.loads(stage.engine.docker("inspect", sleeper).stdout)[0]["HostConfig"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert ["ALL"] == host["CapDrop"]
    assert 0 < host["PidsLimit"]


def test_what_is_not_in_the_table_is_refused_with_a_way_out(
    stage: Stage, image: str, sleeper: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    for arguments in (
        ("push", image), ("tag", image, "x:1"), ("commit", sleeper), ("export", sleeper),
        ("cp", f"{sleeper}:/bin/sh", str(tmp_path)), ("save", image), ("build", str(tmp_path)),
        ("network", "create", "x"), ("volume", "create", "x"), ("swarm", "init"),
        ("update", "--pids-limit", "-1", sleeper), ("plugin", "ls"),
    ):  # fmt: skip
        done = stage.docker(stage.mtls, *arguments)
        assert done.returncode != 0
        assert b"seawall refused: route: " in done.stderr, arguments


def test_a_container_made_behind_the_gates_back_cannot_be_entered(stage: Stage, image: str) -> None:
    stage.engine.docker("run", "-d", "--name", "ungated", image, "sleep", "600")
    try:
        for arguments in (("exec", "ungated", "true"), ("attach", "ungated"), ("start", "ungated")):
            done = stage.docker(stage.mtls, *arguments)
            # The client shows no body of a refused upgrade, only its status.
            seen = b"received 403" if arguments[0] == "attach" else b"container/ungated"
            assert seen in done.stderr
        assert 0 == stage.docker(stage.mtls, "stop", "-t", "0", "ungated").returncode
    finally:
        stage.engine.docker("rm", "-f", "ungated")


def test_clients_without_the_right_certificate_stay_outside(stage: Stage, tmp_path: Path) -> None:
    stranger = Authority(tmp_path).issue("mallory")
    foreign = dataclasses.replace(stage, client=stranger)
    done = stage.docker(foreign.mtls, "ps")
    assert 1 == done.returncode
    assert b"CONTAINER" not in done.stdout
    bare = ("-H", f"tcp://127.0.0.1:{stage.settings.port}", "--tls")
    assert 1 == stage.docker(bare, "ps").returncode


def test_a_certificate_that_counts_no_more_is_told_so(stage: Stage) -> None:
    stage.parts.identity = DeniedError("the certificate of alice was revoked", remedy="get another")
    before, stage.parts.identity = stage.parts.identity, stage.parts.identity
    try:
        done = stage.docker(stage.mtls, "ps")
        assert 1 == done.returncode
        assert b"the certificate of alice was revoked (get another)" in done.stderr
    finally:
        stage.parts.identity = GateParts().identity
    assert before is not stage.parts.identity
    assert 0 == stage.docker(stage.mtls, "ps").returncode


def test_a_missing_engine_is_named_with_what_to_do(stage: Stage, tmp_path: Path) -> None:
    settings = dataclasses.replace(
        stage.settings,
        engine_socket=tmp_path / "none.sock",
        socket=stage.engine.directory / "other.sock",
        port=None,
    )
    with running_gate(settings, GateParts()):
        done = stage.docker(("-H", f"unix://{settings.socket}"), "ps")
    assert 1 == done.returncode
    assert b"no engine answers at unix://" in done.stderr
    assert b"systemctl start docker" in done.stderr


def test_a_gate_that_stops_ends_streams_and_leaves_containers_running(
    stage: Stage, sleeper: str
) -> None:
    settings = dataclasses.replace(
        stage.settings, socket=stage.engine.directory / "brief.sock", port=None, grace_s=0.5
    )
    with running_gate(settings, GateParts()):
        way = ("-H", f"unix://{settings.socket}")
        logs = subprocess.Popen(stage.command(way, "logs", "-f", sleeper), stderr=subprocess.PIPE)
        assert 0 == stage.docker(way, "ps").returncode
    logs.communicate(timeout=10)
    assert settings.socket is not None
    assert not settings.socket.exists()
    running = stage.docker(stage.unix, "inspect", "-f", "{{.State.Running}}", sleeper).stdout
    assert b"true\n" == running
