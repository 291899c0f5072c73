"""`seawall sign` against `cosign sign`, `notation sign` and `docker trust sign` together.

A real `seawall up` is the registry, the trust server and the log for all of them. Each round takes
a new image in two repositories: Seawall makes all formats, the tree and the log entry in one with
one command; the three programs do theirs, one after the other, in the other. The programs' start
counts; unlocking the key counts too. Not counted as theirs: a log entry, which they would make at a
service in the internet, and the engine's CPU, through which docker pushes what it signs.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from seawall.cli.registry_client import RegistryClient
from seawall.cli.registry_logins import Credentials
from seawall.core.secret import Secret
from seawall.oci.names import RepositoryName
from seawall.testing import engines, running, trusting
from seawall.testing.running import Installation
from seawall.testing.trusting import CLIENTS, Person

OURS, THEIRS = RepositoryName("bench/ours"), RepositoryName("bench/theirs")
PHRASE = "correct horse battery"
PEERS = ("cosign3", "notation", "docker")


def why_not() -> str | None:
    """Return what is missing, or None."""
    for name in ("cosign3", "notation"):
        if not (CLIENTS / name).exists():
            return f"needs {name}: tools/clients.sh .cache/clients {name}"
    if trusting.find_docker("28") is None:
        return "needs docker 28: tools/clients.sh .cache/clients docker28"
    return engines.why_no_engine()


def measure(rounds: int) -> dict[str, dict[str, float]]:
    """Return medians over the rounds, by program."""
    with tempfile.TemporaryDirectory(prefix="bench-sign-") as text:
        folder = Path(text)
        (folder / "engine").mkdir()
        with (
            engines.private_engine(folder / "engine") as engine,
            running.installation(folder, engine.socket) as house,
        ):
            stand = Stand(house=house, engine=engine, folder=folder)
            stand.prepare()
            for number in range(rounds):
                stand.run_round(number)
            return stand.medians()


@dataclass(kw_only=True)
class Stand:
    house: Installation
    engine: engines.Engine
    folder: Path
    figures: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the keys and the two trees: what is done once for a repository."""
        home = self.house.home
        (home / "phrase").write_text(PHRASE + "\n")
        self.house.seawall("key", "generate", "--output", str(home / "ours"), *self.phrase)
        self.ada = Person(
            home=self.folder / "ada", host=self.house.host, name="admin",
            password=self.house.password,
        )  # fmt: skip
        self.docker = trusting.find_docker("28") or ""
        self.cosign("generate-key-pair")
        self.notation("cert", "generate-test", "--default", "bench")
        self.push("first")
        self.sign("first")
        self.ada.docker(self.docker, self.engine, "push", self.load("first"))

    def run_round(self, number: int) -> None:
        tag = f"v{number}"
        self.push(tag)
        image = self.load(tag)
        sides = [lambda: self.sign(tag), lambda: self.sign_by_peers(image)]
        # In turns, and not always in the same order.
        for side in sides if number % 2 else reversed(sides):
            side()

    def sign(self, tag: str) -> None:
        key = ("--key", str(self.house.home / "ours.key"), *self.phrase)
        words = ("sign", f"{self.house.host}/{OURS}:{tag}", *key, "--json")
        state = ("--state", str(self.house.state))
        login = {"DOCKER_CONFIG": str(self.ada.home / ".docker")}  # as the peers have it
        with Stopwatch(self, "seawall"):
            self.house.run(sys.executable, "-m", "seawall", *state, *words, env=login)

    def sign_by_peers(self, image: str) -> None:
        with Stopwatch(self, "the three"):
            with Stopwatch(self, "cosign3"):
                self.cosign(
                    "sign", "--key", "cosign.key", "--tlog-upload=false",
                    "--use-signing-config=false", "-y", image,
                )  # fmt: skip
            with Stopwatch(self, "notation"):
                # It takes "localhost" for a registry without TLS, whatever it is told.
                login = ("-u", "admin", "-p", self.house.password)
                self.notation("sign", *login, image.replace("localhost", "127.0.0.1"))
            with Stopwatch(self, "docker"):
                self.ada.docker(self.docker, self.engine, "trust", "sign", image)

    def cosign(self, *words: str) -> None:
        env = {**self.trusting_us, "COSIGN_PASSWORD": PHRASE}
        self.ada.run(str(CLIENTS / "cosign3"), *words, env=env)

    def notation(self, *words: str) -> None:
        self.ada.run(str(CLIENTS / "notation"), *words, env=self.trusting_us)

    def push(self, tag: str) -> None:
        """Push the image of this tag to both repositories, as other people's work."""
        image = running.debian_image(note=tag)
        credentials = Credentials(user="admin", password=Secret(self.house.password))
        with RegistryClient(
            self.house.host, credentials=credentials, ca_file=self.authority
        ) as client:
            for name in (OURS, THEIRS):
                for content in image.blobs.values():
                    client.put_blob(name, content)
                client.put_manifest(name, tag, image.manifest, image.media_type)

    def load(self, tag: str) -> str:
        """Have the engine pull the image from the peers' repository; return its name."""
        image = f"{self.house.host}/{THEIRS}:{tag}"
        self.ada.run(self.docker, "-H", self.engine.host, "pull", "-q", image)
        return image

    def medians(self) -> dict[str, dict[str, float]]:
        return {
            name: {figure: round(statistics.median(values), 3) for figure, values in kinds.items()}
            for name, kinds in self.figures.items()
        }

    @property
    def phrase(self) -> tuple[str, str]:
        return ("--passphrase-file", str(self.house.home / "phrase"))

    @property
    def authority(self) -> Path:
        return self.house.state / "pki" / "server-ca.pem"

    @property
    def trusting_us(self) -> dict[str, str]:
        return {"SSL_CERT_FILE": str(self.authority)}


@dataclass(kw_only=False)
class Stopwatch:
    """Notes wall time and the CPU time of the programs that ran and ended inside its block."""

    stand: Stand
    name: str

    def __enter__(self) -> None:
        self.began, self.cpu = time.perf_counter(), children_cpu()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            figures = self.stand.figures.setdefault(self.name, {"wall s": [], "client CPU s": []})
            figures["wall s"].append(time.perf_counter() - self.began)
            figures["client CPU s"].append(children_cpu() - self.cpu)


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    if reason := why_not():
        sys.exit(reason)
    print(json.dumps(measure(int(sys.argv[1]) if sys.argv[1:] else 5), indent=2))
