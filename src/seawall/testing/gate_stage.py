"""Everything real around a gate: private engine, registry program, mutual TLS, docker client.

The registry is Debian's `docker-registry` on a loopback port; what it holds is pulled through the
gate, so the engine knows images by the digests that the fake admission admits.
"""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.gate.settings import GateSettings
from seawall.gate.tls import TlsFiles
from seawall.oci.digest import Digest
from seawall.testing import engines, images
from seawall.testing.certificates import Authority, KeyPair
from seawall.testing.engines import Engine
from seawall.testing.gates import GateParts, running_gate

START_TIMEOUT_S: Final = 20.0
POLL_S: Final = 0.05

_REGISTRY: Final = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: "{directory}"}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A running gate and what stands around it."""

    engine: Engine
    parts: GateParts
    settings: GateSettings
    authority: Authority
    client: KeyPair
    registry: str
    directory: Path

    @property
    def unix(self) -> tuple[str, ...]:
        """Arguments with which `docker` uses the gate's unix socket."""
        return ("-H", f"unix://{self.settings.socket}")

    @property
    def mtls(self) -> tuple[str, ...]:
        """Arguments with which `docker` uses the gate's TCP port."""
        return (
            "-H", f"tcp://127.0.0.1:{self.settings.port}", "--tlsverify",
            "--tlscacert", str(self.authority.certificate),
            "--tlscert", str(self.client.certificate), "--tlskey", str(self.client.key),
        )  # fmt: skip

    def command(self, way: tuple[str, ...], *arguments: str) -> list[str]:
        """Return the command line of the stock docker client."""
        return ["docker", "--config", str(self.directory / "client"), *way, *arguments]

    def docker(
        self, way: tuple[str, ...], *arguments: str, stdin: bytes | None = b"", timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the stock docker client through the gate."""
        return subprocess.run(
            self.command(way, *arguments), input=stdin, capture_output=True, timeout=timeout,
            check=False,
        )  # fmt: skip

    def push(self, name: str, *programs: str) -> str:
        """Push an image of this machine's programs; return its reference. It is not admitted."""
        image = images.runnable_image(*programs)
        layout = images.write_layout(self.directory / f"layout-{name}", image)
        reference = f"{self.registry}/{name}:1"
        subprocess.run(
            ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:latest",
             f"docker://{reference}"],
            check=True, capture_output=True,
        )  # fmt: skip
        self.parts.admission.admit(reference, image.digest)
        return reference

    def digest_of(self, reference: str) -> Digest:
        return self.parts.admission.digests[reference]


def why_no_stage() -> str:
    """Return why the stage cannot be set here, or an empty text."""
    for program in ("docker-registry", "skopeo"):
        if shutil.which(program) is None:
            return f"needs the program {program}, and it is not installed"
    return engines.why_no_engine()


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def set_stage(directory: Path) -> Iterator[Stage]:
    """Start engine, registry and gate; stop them at the end."""
    authority = Authority(directory / "certificates")
    server, client = authority.issue("gate"), authority.issue("alice")
    with engines.private_engine(directory) as engine, _registry(directory) as registry:
        settings = GateSettings(
            engine_socket=engine.socket,
            registry_hosts=(registry,),
            socket=engine.directory / "gate.sock",
            port=free_port(),
            tls=TlsFiles(
                certificate=server.certificate, key=server.key, client_ca=authority.certificate
            ),
            grace_s=2.0,
        )
        with running_gate(settings, GateParts()) as parts:
            yield Stage(
                engine=engine,
                parts=parts,
                settings=settings,
                authority=authority,
                client=client,
                registry=registry,
                directory=directory,
            )


@contextlib.contextmanager
def _registry(directory: Path) -> Iterator[str]:
    port = free_port()
    configuration = directory / "registry.yml"
    configuration.write_text(_REGISTRY.format(directory=directory / "registry", port=port))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(configuration)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/v2/")
            if connection.getresponse().status == http.HTTPStatus.OK:
                connection.close()
                return
        time.sleep(POLL_S)
    raise AssertionError("docker-registry did not start")
