"""A whole installation and the programs of its people: `docker` and others in front of its doors.

Commands run as programs of their own, with a home of their own, so that neither the settings of the
person who runs the tests nor their `docker login` can be seen or changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.testing import images, installations, warm
from seawall.testing.images import Entry, Image

COMMAND_SECONDS: Final = 120.0
KEY_PHRASE: Final = "a passphrase for tests"

DEBIAN: Final = b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A running installation. `home` is where its people's files lie."""

    state: Path
    home: Path
    web_port: int
    gate_port: int
    password: str
    """Of the administrator `admin`."""

    @property
    def host(self) -> str:
        """The registry, as it stands in image names."""
        return f"localhost:{self.web_port}"

    @property
    def trust(self) -> Path:
        """A folder as `--cert-dir` of skopeo, podman and buildah wants it."""
        return self.home / "trust"

    @property
    def gate(self) -> str:
        """The gate's unix socket, as `docker -H` takes it."""
        return f"unix://{self.state / 'run' / 'docker.sock'}"

    def environment(self, **more: str) -> dict[str, str]:
        """Return an environment in which `docker` and `seawall` know nothing but this place."""
        passed = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {
            **passed,
            "HOME": str(self.home),
            "TERM": "xterm",
            "DOCKER_CONFIG": str(self.home / "docker"),
            **more,
        }

    def run(
        self, *words: str, stdin: str | None = "", check: bool = True, env: Mapping[str, str] = {}
    ) -> Done:
        """Run any program in this place. Raises AssertionError with its words when it fails."""
        done = subprocess.run(
            words, input=stdin, capture_output=True, text=True, check=False,
            timeout=COMMAND_SECONDS, env=self.environment(**env), cwd=self.home,
        )  # fmt: skip
        return _checked(done) if check else done

    def seawall(
        self, *words: str, stdin: str = "", check: bool = True, env: Mapping[str, str] = {}
    ) -> Done:
        """Run one command on this installation."""
        done = warm.seawall(
            "--state", str(self.state), *words, stdin=stdin, env=self.environment(**env),
            cwd=self.home, seconds=COMMAND_SECONDS,
        )  # fmt: skip
        return _checked(done) if check else done

    def docker(
        self, *words: str, stdin: str | None = "", check: bool = True, env: Mapping[str, str] = {}
    ) -> Done:
        """Run the stock client through the gate's unix socket, unless `env` or `-H` says where."""
        where = {} if words[:1] == ("-H",) else {"DOCKER_HOST": self.gate}
        return self.run("docker", *words, stdin=stdin, check=check, env={**where, **env})

    def events(self, *filters: str) -> list[dict[str, object]]:
        """Return what `seawall audit --json` prints with these filters, oldest first."""
        done = self.seawall("audit", "--json", "--limit", "10000", *filters)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def log_in(self) -> None:
        """Sign the administrator in, as `docker login` does; `docker push` then finds that."""
        self.run(
            "docker", "login", "-u", "admin", "--password-stdin", self.host, stdin=self.password
        )

    def push(self, image: Image, repository: str, tag: str = "1") -> str:
        """Push an image as the administrator, wait for its report and return its name."""
        with tempfile.TemporaryDirectory(dir=self.home) as folder:
            layout = images.write_layout(Path(folder), image)
            name = f"{self.host}/{repository}:{tag}"
            self.run(
                "skopeo", "copy", "--quiet", f"--dest-creds=admin:{self.password}",
                f"--dest-cert-dir={self.trust}", f"oci:{layout}:latest", f"docker://{name}",
            )  # fmt: skip
        self.seawall("scan", "--summary", name)
        return name

    def knows_advisories(self, *records: str) -> None:
        """Import a feed of these OSV records."""
        feed = self.home / "tests.jsonl"
        feed.write_text("".join(f"{record}\n" for record in records))
        self.seawall("feeds", "import", str(feed))

    def add_user(self, name: str, rights: str = "", repositories: str = "") -> str:
        """Add a user, with a grant when one is named; return the password's file."""
        file = self.home / f"{name}.password"
        file.write_text(f"password of {name}\n")
        self.seawall("user", "add", name, "--password-file", str(file))
        if rights:
            self.seawall("grant", "give", rights, name, repositories)
        return str(file)

    def make_key(self, name: str) -> tuple[str, ...]:
        """Make a key that is trusted here; return the options with which `sign` uses it."""
        phrase = self.home / f"{name}.passphrase"
        phrase.write_text(KEY_PHRASE + "\n")
        options = ("--passphrase-file", str(phrase))
        self.seawall("key", "generate", "--output", str(self.home / name), *options)
        self.seawall("key", "trust", str(self.home / f"{name}.pub"), "--name", name)
        return ("--key", str(self.home / f"{name}.key"), *options)

    def certificate(self, user: str) -> dict[str, str]:
        """Issue a certificate; return the environment with which `docker` uses it."""
        folder = self.home / f"bundle-{user}"
        self.seawall("client", "issue", user, "--output", str(folder))
        return {
            "DOCKER_HOST": f"tcp://localhost:{self.gate_port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(folder),
        }


def _checked(done: Done) -> Done:
    if done.returncode:
        said = f"{done.stdout}{done.stderr}"
        raise AssertionError(f"`{' '.join(done.args)}` exited {done.returncode}:\n{said}")
    return done


@contextlib.contextmanager
def installation(directory: Path, engine_socket: Path) -> Iterator[Installation]:
    """Start `seawall up` in front of the engine at `engine_socket`; stop it at the end.

    Raises AssertionError with what it said when it does not become ready.
    """
    home = directory / "home"
    (home / "trust").mkdir(parents=True)
    engine = f'[engine]\nsocket = "{engine_socket}"\n'
    with installations.installation(directory, settings=engine) as house:
        house.start()
        authority = house.settings.server_authority
        (home / "trust" / "ca.crt").write_bytes(authority.read_bytes())
        yield Installation(
            state=house.state,
            home=home,
            web_port=house.web_port,
            gate_port=house.gate_port,
            password=house.password,
        )


def debian_image(
    *programs: str, packages: Mapping[str, str] | None = None, note: str = ""
) -> Image:
    """Make an image that runs and looks like Debian 12; `packages` are versions by name."""
    status = "\n".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
        for name, version in (packages or {"base-files": "12.4"}).items()
    )
    system: dict[str, bytes | Entry] = {
        "etc/os-release": DEBIAN,
        "etc/note": note.encode(),
        "etc/passwd": b"root:x:0:0:root:/:/bin/sh\n",
        "etc/group": b"root:x:0:\n",
        "var/lib/dpkg/status": status.encode(),
    }
    return images.image(images.layer(images.programs("sh", *programs)), images.layer(system))


def advisory(package: str, fixed: str) -> str:
    """Return one OSV record: a critical hole in a Debian 12 package, fixed in `fixed`."""
    return json.dumps(
        {
            "id": f"DEBIAN-CVE-2026-{sum(package.encode())}",
            "modified": "2026-01-01T00:00:00Z",
            "published": "2026-01-01T00:00:00Z",
            "details": "a hole, for tests",
            "severity": [
                {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}
            ],
            "affected": [
                {
                    "package": {"ecosystem": "Debian:12", "name": package},
                    "ranges": [
                        {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}
                    ],
                }
            ],
        }
    )
