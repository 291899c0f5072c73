"""The stock docker clients of this machine, pointed at a recorder: their bodies are understood."""

import contextlib
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.gate import bodies
from seawall.isolation import seccomp
from seawall.oci.digest import Digest
from seawall.oci.names import Reference

pytestmark = pytest.mark.interop

PROFILE = seccomp.default_profile()
ADMITTED = Admitted(
    reference=Reference.parse("registry.example/app:1"), digest=Digest.of(b"m"), verdict=1
)
CLIENTS = sorted(
    {
        str(path.resolve())
        for folder in ("/usr/bin", "/usr/local/bin")
        if (path := Path(folder) / "docker").exists()
    }
)
API_VERSIONS = ["1.41", "1.45", "1.50"]


class _Recorder(http.server.BaseHTTPRequestHandler):
    """Answers like an engine whose containers are all created, and keeps the bodies."""

    protocol_version = "HTTP/1.1"
    server: "Recording"

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "/containers/create" in self.path or self.path.endswith(("/exec", "/start")):
            self.server.bodies.append((self.path, body))
        self._answer(201, {"Id": "a" * 64, "Warnings": []})

    def do_GET(self):
        state = {"Id": "a" * 64, "State": {"Running": True}, "Config": {}, "HostConfig": {}}
        self._answer(200, state | {"ExitCode": 0})

    do_HEAD = do_GET  # noqa: N815 (the name is given by http.server)

    def _answer(self, status, value):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Api-Version", self.server.api)
        self.send_header("Ostype", "linux")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


class Recording(http.server.ThreadingHTTPServer):
    daemon_threads = True
    api = "1.41"

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Recorder)
        self.bodies = []


@pytest.fixture
def recording():
    server = Recording()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=CLIENTS or ["docker"])
def docker(request, recording, tmp_path):
    if shutil.which(request.param) is None:
        pytest.skip(f"needs the program {request.param}, and it is not installed")

    def run(*arguments):
        recording.bodies.clear()
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [
                    *(request.param, "--config", str(tmp_path)),
                    *("-H", f"tcp://127.0.0.1:{recording.server_address[1]}", *arguments),
                ],
                capture_output=True,
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=20,
            )
        return list(recording.bodies)

    return run


def judge(sent):
    (found,) = [body for path, body in sent if "/containers/create" in path]
    return bodies.harden(bodies.parse_create(found), ADMITTED, PROFILE)


@pytest.mark.parametrize("api", API_VERSIONS)
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-it", "--name", "x1", "--rm", "-e", "A=b", "-w", "/w", "-u", "1", "--label", "a=b"],
        ["-v", "data:/data", "-v", "/anonymous", "--mount", "type=volume,src=vol,dst=/m"],
        ["--tmpfs", "/t:size=1m", "--mount", "type=tmpfs,dst=/n,tmpfs-size=1m", "--read-only"],
        ["-p", "8080:80", "-p", "127.0.0.1:8443:443/tcp", "--expose", "99", "-P"],
        ["--cap-drop", "all", "--cap-add", "setuid", "--security-opt", "no-new-privileges"],
        ["-m", "64m", "--cpus", "1", "--pids-limit", "9", "--ulimit", "nofile=10:20", "--init"],
        ["--network", "front", "--network-alias", "a", "--ip", "10.0.0.2", "--dns", "1.1.1.1"],
        ["--restart", "on-failure:3", "--health-cmd", "true", "--health-interval", "5s"],
        ["--log-driver", "json-file", "--log-opt", "max-size=1m", "--add-host", "db:10.0.0.1"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]) or "plain",
)
def test_what_the_client_asks_is_understood_and_allowed(docker, recording, api, arguments):
    recording.api = api
    result = judge(docker("create", *arguments, "registry.example/app:1", "true"))
    assert isinstance(result, bodies.HardenedCreate), result
    assert ["ALL"] == json.loads(result.body)["HostConfig"]["CapDrop"]


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--privileged"], "Privileged"),
        (["-v", "/:/host"], "Binds"),
        (["--mount", "type=bind,src=/,dst=/host"], "Mounts"),
        (["--network", "host"], "NetworkMode"),
        (["--pid", "host"], "PidMode"),
        (["--security-opt", "seccomp=unconfined"], "SecurityOpt"),
        (["--security-opt", "systempaths=unconfined"], "MaskedPaths"),
        (["--cap-add", "SYS_ADMIN"], "CapAdd"),
        (["--device", "/dev/null"], "Devices"),
        (["--gpus", "all"], "DeviceRequests"),
        (["--add-host", "gate:host-gateway"], "ExtraHosts"),
        (["--userns", "host"], "UsernsMode"),
        (["--runtime", "other"], "Runtime"),
        (["--link", "db"], "Links"),
        (["--volumes-from", "db"], "VolumesFrom"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refuses_what_the_client_asks_of_the_host(docker, arguments, rule):
    result = judge(docker("create", *arguments, "registry.example/app:1"))
    assert isinstance(result, Refusal), result
    assert f"host-settings/{rule}" in {reason.rule for reason in result.reasons}


def test_an_exec_of_the_client_is_understood(docker):
    sent = docker("exec", "-d", "-e", "A=b", "-u", "1", "-w", "/w", "x1", "id")
    (create, start) = [body for path, body in sent]
    assert ["id"] == json.loads(bodies.parse_exec_create(create))["Cmd"]
    assert True is json.loads(bodies.parse_exec_start(start))["Detach"]
    sent = docker("exec", "-d", "--privileged", "x1", "id")
    assert isinstance(bodies.parse_exec_create(sent[0][1]), Refusal)
