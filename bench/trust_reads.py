"""Reads of content trust against Debian's notary-server, on this machine, in turns.

    python bench/trust_reads.py [ROUNDS]        a part of bench/trust.py

Measured: rates over 32 connections and CPU of the server for what a client asks for when it pulls:
timestamp.json, the snapshot and the targets by hash. On both sides TLS, and a token that is checked
with every request. Seawall is a whole `seawall up` that keeps everything in its database, durable;
notary-server keeps everything in memory, its log at errors. Rates depend on the machine and its
load, and are bounded by the program that asks, which shares the cores; ratios and CPU less so.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import http.client
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from seawall.core.clock import SystemClock
from seawall.testing import installations
from seawall.testing.certificates import Authority, KeyPair
from seawall.testing.notary_doors import BOUNDARY, multipart
from seawall.testing.publishing import Publisher
from seawall.testing.registry_server import free_port
from seawall.testing.trusting import CLIENTS
from seawall.trust import signing
from seawall.trust.server_keys import HELD_ROLES
from seawall.trust.tuf import keys
from seawall.trust.tuf.names import Gun

CONNECTIONS = 32
RATE_SECONDS = 5.0
NAME = "bench/app"
SERVICE, ISSUER = "bench", "bench-tokens"


@dataclass
class Server:
    name: str
    address: str
    pid: int
    headers: dict[str, str]
    tls: ssl.SSLContext
    figures: dict[str, list[float]] = field(default_factory=dict)

    @property
    def gun(self) -> Gun:
        return Gun(f"{self.address}/{NAME}")

    def cpu(self) -> float:
        """CPU seconds of the process so far."""
        stat = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def note(self, figure: str, value: float) -> None:
        self.figures.setdefault(figure, []).append(value)

    def path(self, name: str) -> str:
        return f"/v2/{self.gun}/_trust/tuf/{name}"

    def call(self, method: str, name: str, body: bytes = b"", **headers: str) -> bytes:
        connection = http.client.HTTPSConnection(self.address, timeout=60, context=self.tls)
        connection.request(method, self.path(name), body=body, headers=self.headers | headers)
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{self.name}: {method} {name}: {response.status} {content!r}")
        return content

    def publish(self, tags: int) -> None:
        """Publish a tree as a stock `docker push` does."""
        asked = {
            role: keys.parse_public_file(self.call("GET", f"{role}.key")) for role in HELD_ROLES
        }
        owner = Publisher(gun=self.gun, clock=SystemClock(), server=asked)
        upload = owner.first({f"v{number}": f"image {number}" for number in range(tags)})
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        self.call("POST", "", multipart(upload), **kind)

    def rate(self, what: str, name: str) -> None:
        lines = [f"GET {self.path(name)} HTTP/1.1", f"Host: {self.address}"]
        lines += [f"{key}: {value}" for key, value in self.headers.items()]
        cpu = self.cpu()
        request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        times = uvloop.run(load(self.address, request, self.tls))
        self.note(f"{what}, per s", len(times) / RATE_SECONDS)
        self.note(f"{what}, server CPU ms", 1000 * (self.cpu() - cpu) / len(times))
        self.note(f"{what}, p99 ms", 1000 * sorted(times)[len(times) * 99 // 100])


async def load(address: str, request: bytes, tls: ssl.SSLContext) -> list[float]:
    """Send the request over many connections, one after the other on each; return the times."""
    host, _, port = address.partition(":")
    times: list[float] = []
    deadline = time.perf_counter() + RATE_SECONDS

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, int(port), ssl=tls)
        while (began := time.perf_counter()) < deadline:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200"):
                raise RuntimeError(head.decode())
            if b"content-length: " in head:
                length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
            else:
                await read_chunks(reader)
            times.append(time.perf_counter() - began)
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(one())
    return times


async def read_chunks(reader: asyncio.StreamReader) -> None:
    while (size := int(await reader.readuntil(b"\r\n"), 16)) > 0:
        await reader.readexactly(size + 2)
    await reader.readexactly(2)


@contextlib.contextmanager
def notary_server(directory: Path) -> Iterator[Server]:
    authority, port = Authority(directory), free_port()
    pair = authority.issue("localhost")
    address = f"localhost:{port}"
    settings = {
        "server": {
            "http_addr": f"127.0.0.1:{port}",
            "tls_cert_file": str(pair.certificate),
            "tls_key_file": str(pair.key),
        },
        "auth": {
            "type": "token",
            "options": {
                "realm": f"https://{address}/token",
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(authority.certificate),
            },
        },
        "trust_service": {"type": "local"},
        "logging": {"level": "error"},
        "storage": {"backend": "memory"},
    }
    config = directory / "config.json"
    config.write_text(json.dumps(settings))
    process = subprocess.Popen(
        [str(CLIENTS / "notary-server"), f"-config={config}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    tls = ssl.create_default_context(cafile=str(authority.certificate))
    headers = {"Authorization": f"Bearer {made_token(f'{address}/{NAME}', pair)}"}
    try:
        wait_answering(address, tls)
        yield Server("notary-server", address, process.pid, headers, tls)
    finally:
        process.terminate()
        process.wait(30)


def made_token(name: str, issuer: KeyPair) -> str:
    """Return a token as the service that notary-server trusts would make it (Docker's JWT)."""
    key = serialization.load_pem_private_key(issuer.key.read_bytes(), None)
    shown = x509.load_pem_x509_certificate(issuer.certificate.read_bytes())
    der = shown.public_bytes(serialization.Encoding.DER)
    now = int(time.time())
    access = [{"type": "repository", "name": name, "actions": ["pull", "push"]}]
    head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
    claims = {
        "iss": ISSUER, "sub": "bench", "aud": SERVICE, "jti": "1", "access": access,
        "iat": now, "nbf": now - 60, "exp": now + 3600,
    }  # fmt: skip
    message = b".".join(unpadded(json.dumps(part).encode()) for part in (head, claims))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = signing.raw_of(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return (message + b"." + unpadded(signature)).decode()


def unpadded(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


@contextlib.contextmanager
def seawall(directory: Path) -> Iterator[Server]:
    directory.mkdir()
    with installations.installation(directory) as house:
        house.start()
        address = house.settings.registry_hosts[0]
        tls = ssl.create_default_context(cafile=str(house.settings.server_authority))
        token = token_of(address, house.password, tls)
        headers = {"Authorization": f"Bearer {token}"}
        yield Server("seawall", address, serving(house.state, "web"), headers, tls)


def token_of(address: str, password: str, tls: ssl.SSLContext) -> str:
    proof = base64.b64encode(f"admin:{password}".encode()).decode()
    query = urllib.parse.urlencode(
        {"service": "seawall-registry", "scope": f"repository:{address}/{NAME}:pull,push"}
    )
    request = urllib.request.Request(
        f"https://{address}/token?{query}", headers={"Authorization": f"Basic {proof}"}
    )
    with urllib.request.urlopen(request, timeout=30, context=tls) as response:
        return json.load(response)["token"]


def serving(state: Path, kind: str) -> int:
    """Return the id of the one process of this kind of the installation."""
    found = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and {str(state), "serve", kind} <= words_of(entry)
    ]
    if len(found) != 1:
        raise RuntimeError(f"{len(found)} processes {kind}")
    return found[0]


def words_of(process: Path) -> set[str]:
    with contextlib.suppress(OSError):
        return set((process / "cmdline").read_bytes().decode(errors="replace").split("\0"))
    return set()


def wait_answering(address: str, tls: ssl.SSLContext) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"https://{address}/_notary_server/health", context=tls):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def run_round(server: Server) -> None:
    server.rate("timestamp", "timestamp.json")
    timestamp = json.loads(server.call("GET", "timestamp.json"))
    snapshot = hex_of(timestamp["signed"]["meta"]["snapshot"])
    server.rate("snapshot by hash", f"snapshot.{snapshot}.json")
    targets = hashlib.sha256(server.call("GET", "targets.json")).hexdigest()
    server.rate("targets by hash", f"targets.{targets}.json")


def hex_of(meta: dict[str, dict[str, str]]) -> str:
    return base64.b64decode(meta["hashes"]["sha256"]).hex()


def why_not() -> str | None:
    if (CLIENTS / "notary-server").exists():
        return None
    return "needs notary-server: tools/clients.sh .cache/clients notary-server"


def measure(rounds: int, tags: int) -> dict[str, dict[str, float]]:
    """Return medians over the rounds, by what was asked for, of both servers and their ratio."""
    with (
        tempfile.TemporaryDirectory(prefix="seawall-bench-") as folder,
        contextlib.ExitStack() as stack,
    ):
        ours = stack.enter_context(seawall(Path(folder) / "seawall"))
        peer = stack.enter_context(notary_server(Path(folder) / "peer"))
        for server in (ours, peer):
            server.publish(tags)
        for number in range(rounds):
            # In turns, and not always in the same order.
            for server in (ours, peer) if number % 2 else (peer, ours):
                run_round(server)
        return compared(ours, peer)


def compared(ours: Server, peer: Server) -> dict[str, dict[str, float]]:
    result = {}
    for figure in ours.figures:
        mine, theirs = (statistics.median(one.figures[figure]) for one in (ours, peer))
        ratio = {"ratio": round(mine / theirs, 2)} if theirs else {}
        result[figure] = {ours.name: round(mine, 3), peer.name: round(theirs, 3), **ratio}
    return result


if __name__ == "__main__":
    if reason := why_not():
        sys.exit(reason)
    print(json.dumps(measure(int(sys.argv[1]) if sys.argv[1:] else 3, 100), indent=2))
