"""Two machines in front of a registry: one with network, one that has the key and none.

Commands run in this process. While the second machine works, opening any connection fails.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Never

from seawall.cli import main
from seawall.cli.registry_client import RegistryClient
from seawall.cli.registry_logins import Credentials
from seawall.core.secret import Secret
from seawall.oci.names import RepositoryName
from seawall.testing import images, registry_server
from seawall.testing.images import Image

PHRASE = "correct horse battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def fingerprint(self) -> str:
        """The root that the command told to pin."""
        return self.out.partition("ROOT FINGERPRINT ")[2].split()[0]


class NetworkUsedError(AssertionError):
    """The machine without network opened a connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """Both machines. Files are carried between them in `directory`."""

    directory: Path
    address: str
    """Of the registry, host:port."""

    def client(self) -> RegistryClient:
        password = Secret(registry_server.PASSWORD)
        credentials = Credentials(user=registry_server.USER, password=password)
        return RegistryClient(self.address, credentials=credentials, is_plain_http=True)

    def push(self, name: str, made: Image) -> str:
        """Push an image, of an index with its members; return its full name."""
        repository, _, tag = name.partition(":")
        with self.client() as client:
            for one in images.walk(made):
                for content in one.blobs.values():
                    client.put_blob(RepositoryName(repository), content)
                target = tag if one is made else str(one.digest)
                client.put_manifest(
                    RepositoryName(repository), target, one.manifest, one.media_type
                )
        return f"{self.address}/{name}"

    def file(self, name: str) -> str:
        return str(self.directory / name)

    def key(self, name: str) -> tuple[str, ...]:
        """Return the options with which this key signs; make it if it is new."""
        phrase = self.directory / "phrase"
        phrase.write_text(PHRASE + "\n")
        options = ("--passphrase-file", str(phrase))
        if not (self.directory / f"{name}.key").exists():
            self.offline("key", "generate", "--output", self.file(name), *options)
        return ("--key", self.file(f"{name}.key"), *options)

    def online(self, *words: str) -> Ended:
        """Run a command that speaks to the registry."""
        password = self.directory / "password"
        password.write_text(registry_server.PASSWORD + "\n")
        login = ("--user", registry_server.USER, "--password-file", str(password))
        return self._run("online", *words, *login, "--unsafe-plain-http")

    def offline(self, *words: str) -> Ended:
        """Run a command on the machine with the key."""
        with no_network():
            return self._run("offline", *words)

    def export(self, image: str, name: str = "request") -> str:
        """Bring what signing needs; return the file."""
        done = self.online("trust", "export", image, "-o", self.file(name))
        assert done.code == 0, done.err
        return self.file(name)

    def sign(self, request: str, *words: str, name: str = "signed") -> Ended:
        """Sign what was brought, into the file `name`."""
        return self.offline("sign", "--offline", request, "-o", self.file(name), "--yes", *words)

    def upload(self, *words: str, name: str = "signed") -> Ended:
        return self.online("sign", "--upload", self.file(name), *words)

    def _run(self, machine: str, *words: str) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        home = self.directory / machine
        home.mkdir(exist_ok=True)
        with (
            _environment({"SEAWALL_CONFIG_HOME": str(home), "DOCKER_CONFIG": str(home)}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                code = main.main([*words, "--state", str(home / "state")])
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0
        return Ended(code=code, out=out.getvalue(), err=err.getvalue())


@contextlib.contextmanager
def machines(directory: Path) -> Iterator[Machines]:
    """Run a registry with its trust server until the block ends."""
    with registry_server.registry_process(directory / "registry") as registry:
        yield Machines(directory=directory, address=registry.address)


@contextlib.contextmanager
def no_network() -> Iterator[None]:
    """Let every connection of this process fail, loudly."""

    def refuse(*_: object) -> Never:
        raise NetworkUsedError("the machine without network opened a connection")

    connect, lookup = socket.socket.connect, socket.getaddrinfo
    socket.socket.connect = refuse  # type: ignore[method-assign]
    socket.getaddrinfo = refuse  # type: ignore[assignment]
    try:
        yield
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]
        socket.getaddrinfo = lookup


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
