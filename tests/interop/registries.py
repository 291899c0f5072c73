"""The registries that the tests of signatures push to: Debian's docker-registry and our own."""

import contextlib
from dataclasses import dataclass

from seawall.cli.registry_client import RegistryClient
from seawall.cli.registry_logins import Credentials
from seawall.core.secret import Secret
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.testing import docker_registry, registry_server


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
def debians_registry(home):
    with docker_registry.running(home) as host:
        yield Place(host=host)
