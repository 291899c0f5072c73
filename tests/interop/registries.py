"""The registries that the tests of signatures push to: Debian's docker-registry and our own."""

import contextlib
import subprocess
import time
import urllib.request
from dataclasses import dataclass

from seawall.cli.registry_client import RegistryClient
from seawall.cli.registry_logins import Credentials
from seawall.core.secret import Secret
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.testing import registry_server

START_SECONDS = 15

CONFIGURATION = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: 127.0.0.1:{port}}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A registry, and how each program signs in to it."""

    host: str
    credentials: Credentials | None = None
    seawall: tuple[str, ...] = ()
    cosign: tuple[str, ...] = ()
    notation: tuple[str, ...] = ()

    def image(self, name):
        return f"{self.host}/{name}"

    def client(self):
        return RegistryClient(self.host, credentials=self.credentials, is_plain_http=True)

    def push(self, name, image):
        """Push an image as `repository:tag`, and return its digest."""
        repository, _, tag = name.partition(":")
        with self.client() as client:
            return push(client, RepositoryName(repository), tag, image)


def push(client, repository, tag, image):
    for child in image.children:
        push(client, repository, None, child)
    for content in image.blobs.values():
        client.put_blob(repository, content)
    digest = Digest.of(image.manifest)
    client.put_manifest(repository, tag or digest, image.manifest, image.media_type)
    return digest


@contextlib.contextmanager
def seawall_registry(home):
    (home / "password").write_text(registry_server.PASSWORD + "\n")
    user, password = registry_server.USER, registry_server.PASSWORD
    with registry_server.registry_process(home / "state") as running:
        yield Place(
            host=running.address,
            credentials=Credentials(user=user, password=Secret(password)),
            seawall=("--user", user, "--password-file", str(home / "password")),
            cosign=("--registry-username", user, "--registry-password", password),
            notation=("--username", user, "--password", password),
        )


@contextlib.contextmanager
def docker_registry(home):
    port = registry_server.free_port()
    (home / "conf.yml").write_text(CONFIGURATION.format(root=home / "data", port=port))
    process = subprocess.Popen(
        ["docker-registry", "serve", "conf.yml"],
        cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(f"http://127.0.0.1:{port}/v2/")
        yield Place(host=f"localhost:{port}")
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(url):
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
