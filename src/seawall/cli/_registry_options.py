"""The options with which `sign` and `verify` reach a registry."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from seawall.core.errors import InvalidInputError
from seawall.oci.names import Reference

if TYPE_CHECKING:
    from seawall.cli.registry_client import RegistryClient


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]")
    parser.add_argument("--user", help="name for the registry (default: what docker login stored)")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="its password")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="CA certificates to trust, PEM")
    parser.add_argument(
        "--unsafe-plain-http", action="store_true", help="no TLS; for this machine only"
    )


def reference(options: argparse.Namespace) -> Reference:
    """Return the image that was named, with its host. Raises InvalidInputError."""
    image = Reference.parse(options.image)
    if image.host is None:
        raise InvalidInputError(
            f"{options.image!r} names no registry", remedy="write HOST/REPOSITORY:TAG"
        )
    return image


def open_client(options: argparse.Namespace, host: str, docker_home: Path) -> RegistryClient:
    """Return a client for `host`: credentials from the options, else from `docker login`."""
    from seawall.cli import passphrases, registry_logins
    from seawall.cli.registry_client import RegistryClient

    if (options.user is None) != (options.password_file is None):
        raise InvalidInputError("--user and --password-file go together")
    if options.user is None:
        credentials = registry_logins.read_docker_credentials(docker_home, host)
    else:
        password = passphrases.read_file(options.password_file)
        credentials = registry_logins.Credentials(user=options.user, password=password)
    return RegistryClient(
        host,
        credentials=credentials,
        ca_file=options.ca,
        is_plain_http=options.unsafe_plain_http,
    )
