"""Registry against Debian's docker-registry, on this machine, in the same run, in turns.

    python bench/registry.py [--rounds 3] [--size-mib 100] [--json FILE]

Measured: push and pull of one layer, rates of manifest and blob GETs over 32 connections, rate of
pushes of small images, CPU seconds and peak memory of the server. Seawall runs with tokens and
audit on and makes everything durable; docker-registry with none of these, its log off. Wall times
depend on the machine and its load; ratios and CPU seconds less so.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from seawall.oci import media
from seawall.testing import images
from seawall.testing.registry_server import PASSWORD, SERVICE, USER, free_port, registry_process

MIB = 1024 * 1024
CONNECTIONS = 32
RATE_SECONDS = 5.0
SMALL_IMAGES = 100
PUSHERS = 4
REPOSITORY = "bench/app"

DOCKER_REGISTRY = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@dataclass
class Server:
    name: str
    address: str
    pid: int
    headers: dict[str, str]
    figures: dict[str, list[float]] = field(default_factory=dict)

    def cpu(self) -> float:
        """CPU seconds of the process so far."""
        stat = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmHWM")

    def note(self, figure: str, value: float) -> None:
        self.figures.setdefault(figure, []).append(value)

    def measure(self, figure: str, action: Callable[[], None]) -> None:
        cpu, began = self.cpu(), time.perf_counter()
        action()
        self.note(f"{figure}, s", time.perf_counter() - began)
        self.note(f"{figure}, server CPU s", self.cpu() - cpu)

    # -- requests

    def call(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.address, timeout=120)
        connection.request(method, path, body=body, headers=self.headers | headers)
        response = connection.getresponse()
        if response.status >= 300:
            raise RuntimeError(
                f"{self.name}: {method} {path}: {response.status} {response.read()!r}"
            )
        return response

    def start_upload(self) -> str:
        response = self.call("POST", f"/v2/{REPOSITORY}/blobs/uploads/")
        location = response.headers["Location"]
        response.read()
        return location if location.startswith("http") else f"http://{self.address}{location}"

    def curl(self, *options: str) -> None:
        headers = [f"-H{name}: {value}" for name, value in self.headers.items()]
        done = subprocess.run(
            ["curl", "-sSf", "-o/dev/null", *headers, *options], capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{self.name}: curl {options}: {done.stderr}")

    def push_whole(self, layer: Path, digest: str) -> None:
        location = self.start_upload()
        joint = "&" if "?" in location else "?"
        self.curl("-HExpect:", f"-T{layer}", f"{location}{joint}digest={digest}")

    def push_random(self, layer: Path, size_mib: int) -> str:
        digest = make_layer(layer, size_mib)
        self.push_whole(layer, digest)
        return digest

    def push_stream(self, layer: Path, digest: str) -> None:
        """As docker does: POST, PATCH of the whole, empty PUT."""
        location = self.start_upload()
        head = layer.with_suffix(f".{self.name}.head")
        self.curl("-HExpect:", "-XPATCH", f"-D{head}", f"-T{layer}", location)
        lines = [
            line for line in head.read_text().splitlines() if line.lower().startswith("location:")
        ]
        location = lines[0].partition(":")[2].strip()
        path = location[location.index("/v2/") :]
        joint = "&" if "?" in path else "?"
        self.call("PUT", f"{path}{joint}digest={digest}").read()

    def pull(self, digest: str) -> None:
        self.curl(f"http://{self.address}/v2/{REPOSITORY}/blobs/{digest}")

    def put_image(self, content: bytes = b"x" * 1000) -> None:
        image = images.image(images.layer({"f": content}))
        for digest, content in image.blobs.items():
            location = self.start_upload()
            path = location[location.index("/v2/") :]
            joint = "&" if "?" in path else "?"
            self.call("PUT", f"{path}{joint}digest={digest}", content).read()
        kind = {"Content-Type": image.media_type}
        self.call("PUT", f"/v2/{REPOSITORY}/manifests/latest", image.manifest, **kind).read()

    def put_many(self) -> None:
        """Push small images, several at once: what counts is how fast things become durable."""
        contents = [os.urandom(1000) for _ in range(SMALL_IMAGES)]
        cpu, began = self.cpu(), time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(PUSHERS) as pool:
            list(pool.map(self.put_image, contents))
        self.note("small pushes, per s", SMALL_IMAGES / (time.perf_counter() - began))
        self.note("small pushes, server CPU ms", 1000 * (self.cpu() - cpu) / SMALL_IMAGES)

    def rate(self, what: str, path: str) -> None:
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.address}", f"Accept: {media.OCI_MANIFEST}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        cpu = self.cpu()
        times = uvloop.run(load(self.address, ("\r\n".join(lines) + "\r\n\r\n").encode()))
        self.note(f"{what}, per s", len(times) / RATE_SECONDS)
        self.note(f"{what}, server CPU ms", 1000 * (self.cpu() - cpu) / len(times))
        self.note(f"{what}, p99 ms", 1000 * sorted(times)[len(times) * 99 // 100])


async def load(address: str, request: bytes) -> list[float]:
    """Send the request over many connections, one after the other on each; return the times."""
    host, _, port = address.partition(":")
    times: list[float] = []
    deadline = time.perf_counter() + RATE_SECONDS

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        while (began := time.perf_counter()) < deadline:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            times.append(time.perf_counter() - began)
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(one())
    return times


@contextlib.contextmanager
def docker_registry(directory: Path) -> Iterator[Server]:
    port = free_port()
    directory.mkdir()
    config = directory / "config.yml"
    config.write_text(DOCKER_REGISTRY.format(root=directory / "store", port=port))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        server = Server("docker-registry", f"localhost:{port}", process.pid, {})
        wait_answering(server)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextlib.contextmanager
def seawall(directory: Path) -> Iterator[Server]:
    with registry_process(directory) as running:
        token = token_of(running.address)
        headers = {"Authorization": f"Bearer {token}"}
        yield Server("seawall", running.address, running.process.pid, headers)


def token_of(address: str) -> str:
    url = f"http://{address}/token?service={SERVICE}&scope=repository:{REPOSITORY}:pull,push"
    proof = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {proof}"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)["token"]


def wait_answering(server: Server) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            server.call("GET", "/v2/").read()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def make_layer(path: Path, size_mib: int) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(size_mib):
            piece = os.urandom(MIB)
            digest.update(piece)
            file.write(piece)
    return f"sha256:{digest.hexdigest()}"


def run_round(server: Server, layer: Path, size_mib: int) -> None:
    # A new digest each time: nobody may say that it has the bytes already.
    digest = make_layer(layer, size_mib)
    server.measure(f"push {size_mib} MiB (PUT)", lambda: server.push_whole(layer, digest))
    digest = make_layer(layer, size_mib)
    server.measure(f"push {size_mib} MiB (PATCH)", lambda: server.push_stream(layer, digest))
    server.measure(f"pull {size_mib} MiB", lambda: server.pull(digest))
    server.rate("manifest GET by tag", f"/v2/{REPOSITORY}/manifests/latest")
    server.rate("blob GET of 1 MiB", f"/v2/{REPOSITORY}/blobs/{server.push_random(layer, 1)}")
    server.put_many()
    server.note("peak memory, MB", server.peak_mb())


def report(seawall: Server, peer: Server) -> None:
    print(f"{'':34}{seawall.name:>14}{peer.name:>18}{'ratio':>9}")
    for figure in seawall.figures:
        ours, theirs = (statistics.median(one.figures[figure]) for one in (seawall, peer))
        ratio = f"{ours / theirs:.2f}" if theirs else "-"
        print(f"{figure:34}{ours:14.3f}{theirs:18.3f}{ratio:>9}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size-mib", type=int, default=100)
    parser.add_argument("--json", type=Path, help="write every figure of every round here")
    args = parser.parse_args()
    for program in ("docker-registry", "curl"):
        if shutil.which(program) is None:
            parser.exit(1, f"needs the program {program}, and it is not installed\n")
    with (
        tempfile.TemporaryDirectory(prefix="seawall-bench-") as folder,
        contextlib.ExitStack() as stack,
    ):
        directory = Path(folder)
        ours = stack.enter_context(seawall(directory / "seawall"))
        peer = stack.enter_context(docker_registry(directory / "peer"))
        for server in (ours, peer):
            server.put_image()
        for number in range(args.rounds):
            # In turns, and not always in the same order.
            for server in (ours, peer) if number % 2 else (peer, ours):
                run_round(server, directory / "layer", args.size_mib)
        report(ours, peer)
        if args.json:
            args.json.write_text(
                json.dumps({one.name: one.figures for one in (ours, peer)}, indent=1)
            )


if __name__ == "__main__":
    main()
