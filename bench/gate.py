"""What the gate costs: latency, `docker run`, streams, CPU and memory, against the direct socket.

    python bench/gate.py [--requests 2000] [--runs 20] [--megabytes 300] [--json FILE]

A private engine is started, and a gate in a process of its own. Ways are measured in turns, one
call of each after the other, so that all of them meet the same weather of the machine. The gate's
admission is a look-up in memory: what is measured is the gate, not the policy.

Goals: a small GET within 2 ms (p50) and 10 ms (p99) of the direct socket; streams at 60 % of it.
"""

from __future__ import annotations

import argparse
import dataclasses
import http.client
import json
import multiprocessing
import os
import platform
import shlex
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

from seawall.gate.settings import GateSettings
from seawall.oci.digest import Digest
from seawall.testing import gate_stage
from seawall.testing.gate_stage import Stage
from seawall.testing.gates import GateParts, running_gate

PATHS = ("/_ping", "/v1.41/containers/json", "/v1.41/info")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if reason := gate_stage.why_no_stage():
        sys.exit(reason)
    with (
        tempfile.TemporaryDirectory(prefix="bench-gate-") as directory,
        gate_stage.set_stage(Path(directory)) as stage,
    ):
        result = measure(stage, options)
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def measure(stage: Stage, options: argparse.Namespace) -> dict[str, object]:
    image = stage.push("bench", "true", "head", "sleep")
    settings = dataclasses.replace(
        stage.settings,
        socket=stage.engine.directory / "bench.sock",
        port=gate_stage.free_port(),
    )
    own = dataclasses.replace(stage, settings=settings)
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Event(), context.Event()
    process = context.Process(
        target=serve, args=(settings, image, stage.digest_of(image), ready, stop)
    )
    process.start()
    try:
        assert ready.wait(20)
        assert process.pid is not None
        pid = process.pid
        assert 0 == own.docker(own.unix, "pull", image).returncode
        ways = {"direct": ("-H", stage.engine.host), "unix": own.unix, "mtls": own.mtls}
        result: dict[str, object] = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}",
            "gate_rss_mib_idle": rss(pid),
        }
        before, began = cpu(pid), time.monotonic()
        result["get_ms"] = {path: gets(own, path, options.requests) for path in PATHS}
        done = options.requests * len(PATHS) * 2
        result["gate_cpu_us_per_get"] = round((cpu(pid) - before) / done * 1e6)
        result["run_ms"] = runs(own, ways, image, options.runs)
        result["stream_mb_s"] = streams(own, ways, image, options.megabytes)
        result["gate_cpu_s"] = round(cpu(pid), 2)
        result["seconds"] = round(time.monotonic() - began, 1)
        result["gate_rss_mib"] = rss(pid)
        result["connections"] = many(own, pid)
        return result
    finally:
        stop.set()
        process.join(20)


def serve(settings: GateSettings, image: str, digest: Digest, ready: Event, stop: Event) -> None:
    parts = GateParts()
    parts.admission.admit(image, digest)
    with running_gate(settings, parts):
        ready.set()
        stop.wait()


class Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def tls(stage: Stage) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=str(stage.authority.certificate))
    context.load_cert_chain(stage.client.certificate, stage.client.key)
    return http.client.HTTPSConnection("127.0.0.1", stage.settings.port, context=context)


def gets(stage: Stage, path: str, count: int) -> dict[str, dict[str, float]]:
    connections: dict[str, http.client.HTTPConnection] = {
        "direct": Unix(str(stage.engine.socket)),
        "unix": Unix(str(stage.settings.socket)),
        "mtls": tls(stage),
    }

    def ask(connection: http.client.HTTPConnection) -> Callable[[], None]:
        def call() -> None:
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            assert response.status == 200

        return call

    calls = {name: ask(each) for name, each in connections.items()}
    result = in_turns(calls, count)
    for connection in connections.values():
        connection.close()
    return result


def runs(
    stage: Stage, ways: dict[str, tuple[str, ...]], image: str, count: int
) -> dict[str, dict[str, float]]:
    def run(way: tuple[str, ...]) -> Callable[[], None]:
        def call() -> None:
            assert 0 == stage.docker(way, "run", "--rm", image, "true").returncode

        return call

    return in_turns({name: run(way) for name, way in ways.items()}, count)


def in_turns(calls: dict[str, Callable[[], None]], count: int) -> dict[str, dict[str, float]]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(count + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if turn:  # the first is for warming up
                times[name].append((time.perf_counter() - began) * 1000)
    return {name: summary(values) for name, values in times.items()}


def summary(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 3),
        "p90": round(ordered[int(len(ordered) * 0.9)], 3),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3),
    }


def streams(
    stage: Stage, ways: dict[str, tuple[str, ...]], image: str, megabytes: int
) -> dict[str, dict[str, float]]:
    """Output of an exec, and input into one, in MB/s."""
    started = stage.docker(stage.unix, "run", "-d", image, "sleep", "3600")
    container = started.stdout.decode().strip()
    rates: dict[str, dict[str, list[float]]] = {name: {"out": [], "in": []} for name in ways}
    for _ in range(3):
        for name, way in ways.items():
            out = f"head -c {megabytes}000000 /dev/zero"
            command = stage.command(way, "exec", container, "sh", "-c", out)
            rates[name]["out"].append(rate(command, megabytes))
            into = f"head -c {megabytes}000000 >/dev/null"
            command = stage.command(way, "exec", "-i", container, "sh", "-c", into)
            feed = f"head -c {megabytes}000000 /dev/zero | {shlex.join(command)}"
            rates[name]["in"].append(rate(["sh", "-c", feed], megabytes))
    stage.docker(stage.unix, "rm", "-f", container)
    return {
        name: {kind: round(statistics.median(values)) for kind, values in kinds.items()}
        for name, kinds in rates.items()
    }


def rate(command: list[str], megabytes: int) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return megabytes / (time.perf_counter() - began)


def many(stage: Stage, pid: int) -> dict[str, float]:
    """Hold 500 idle mTLS connections, each after one request."""
    before, began = rss(pid), time.perf_counter()
    held = [tls(stage) for _ in range(500)]
    for connection in held:
        connection.request("GET", "/_ping")
        connection.getresponse().read()
    seconds = time.perf_counter() - began
    after = rss(pid)
    for connection in held:
        connection.close()
    return {
        "opened_per_s": round(len(held) / seconds),
        "kib_each": round((after - before) * 1024 / len(held)),
    }


def rss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise AssertionError("no VmRSS")


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
