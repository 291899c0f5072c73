"""Stock clients of content trust, each person with a home of their own."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.testing import engines, images

COMMAND_SECONDS: Final = 180.0
PHRASE: Final = "correct horse battery"
CLIENTS: Final = Path(__file__).resolve().parents[3] / ".cache" / "clients" / "bin"
DOCKERS: Final = {
    "20.10": ("/usr/bin/docker",),
    "26": (str(CLIENTS / "docker26"),),
    "28": ("/usr/local/bin/docker", str(CLIENTS / "docker28")),
}

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody at a shell, who signs in at `host` with this name and password."""

    home: Path
    host: str
    name: str = ""
    password: str = ""

    def __post_init__(self) -> None:
        """Sign in as `docker login` does: put name and password into the configuration."""
        folder = self.home / ".docker"
        folder.mkdir(parents=True)
        pair = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        auths = {self.host: {"auth": pair}} if self.name else {}
        (folder / "config.json").write_text(json.dumps({"auths": auths}))

    def run(
        self, *words: str, check: bool = True, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> Done:
        """Run a program. Raises AssertionError with its words when it fails and `check` holds."""
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, check=False,
            timeout=COMMAND_SECONDS, env=self._environment(env or {}), cwd=self.home,
        )  # fmt: skip
        if check and done.returncode:
            said = f"{done.stdout}{done.stderr}"
            raise AssertionError(f"`{' '.join(words)}` exited {done.returncode}:\n{said}")
        return done

    def docker(self, program: str, engine: engines.Engine, *words: str, check: bool = True) -> Done:
        """Run a docker client with content trust on, and no other setting."""
        env = {"DOCKER_HOST": engine.host, "DOCKER_CONTENT_TRUST": "1"}
        return self.run(program, *words, check=check, env=env)

    def notary(self, *words: str, check: bool = True, stdin: str = "") -> Done:
        """Run the stock notary client against the registry's own origin."""
        where = ("-s", f"https://{self.host}", "-d", str(self.home / ".docker" / "trust"))
        trusting = ("--tlscacert", str(self.home / "ca.crt"))
        pair = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        env = {"NOTARY_AUTH": pair} if self.name else {}
        command = (str(CLIENTS / "notary"), *where, *trusting, *words)
        return self.run(*command, check=check, env=env, stdin=stdin)

    def forget(self) -> None:
        """Drop what the clients remember of all trees; keys stay."""
        shutil.rmtree(self.home / ".docker" / "trust" / "tuf", ignore_errors=True)

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        roles = ("ROOT", "TARGETS", "SNAPSHOT", "DELEGATION")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "DOCKER_CONFIG": str(self.home / ".docker"),
            "DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE": PHRASE,
            "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": PHRASE,
            **{f"NOTARY_{role}_PASSPHRASE": PHRASE for role in roles},
            **more,
        }


def find_docker(version: str) -> str | None:
    """Return the program of this version of the docker client; None when it is not here."""
    for program in DOCKERS[version]:
        if Path(program).exists():
            said = subprocess.run(
                [program, "--version"], capture_output=True, text=True, check=False
            )
            if f"version {version}." in said.stdout:
                return program
    return None


def load(engine: engines.Engine, image: images.Image, directory: Path, name: str) -> None:
    """Put an image into an engine under `name`."""
    layout = images.write_layout(directory, image)
    archive = directory / "image.tar"
    subprocess.run(
        ["skopeo", "copy", "--quiet", f"oci:{layout}:latest", f"docker-archive:{archive}:{name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run(
        ["docker", "-H", engine.host, "load", "-q", "-i", str(archive)],
        check=True, capture_output=True,
    )  # fmt: skip
