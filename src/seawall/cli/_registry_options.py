"""The options with which `sign` and `verify` reach a registry."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from seawall.core.errors import InvalidInputError
from seawall.core.secret import Secret
from seawall.oci.names import Reference, RepositoryName

if TYPE_CHECKING:
    from seawall.cli.registry_client import RegistryClient
    from seawall.config import Settings


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]")
    add_connection(parser)


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Declare how the registry is reached, without the image."""
    parser.add_argument("--user", help="name for the registry (default: what docker login stored)")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="its password")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="CA certificates to trust, PEM")
    parser.add_argument(
        "--unsafe-plain-http", action="store_true", help="no TLS; for this machine only"
    )


def reference(options: argparse.Namespace) -> Reference:
    """Return the image that was named, with its host. Raises InvalidInputError."""
    return parse_reference(options.image)


def parse_reference(text: str) -> Reference:
    """Return the image that `text` names, with its host. Raises InvalidInputError."""
    image = Reference.parse(text)
    if image.host is None:
        raise InvalidInputError(f"{text!r} names no registry", remedy="write HOST/REPOSITORY:TAG")
    return image


def open_client(
    options: argparse.Namespace,
    image: Reference,
    settings: Settings,
    *,
    at: str | None = None,
    may_delete: bool = False,
    is_for_pushing: bool = False,
) -> RegistryClient:
    """Return a client for the image's registry, or for another server `at` host[:port].

    Credentials come from the options, else from `docker login`; for the registry of this machine's
    own installation, whose state its owner can read, a token is made when there are none. That
    registry's authority is trusted without being named.
    """
    from seawall.cli import passphrases, registry_logins
    from seawall.cli.registry_client import RegistryClient

    if (options.user is None) != (options.password_file is None):
        raise InvalidInputError("--user and --password-file go together")
    host = str(image.host)
    if options.user is None:
        credentials = registry_logins.read_docker_credentials(settings.home.docker, host)
    else:
        password = passphrases.read_file(options.password_file)
        credentials = registry_logins.Credentials(user=options.user, password=password)
    authority, bearer = options.ca, None
    if (
        at in (None, host)
        and host in settings.registry_hosts
        and os.access(settings.server_authority, os.R_OK)
    ):
        authority = authority or settings.server_authority
        if credentials is None:
            bearer = _own_token(image.repository, settings, may_delete=may_delete)
    return RegistryClient(
        at or host,
        credentials=credentials,
        bearer=bearer,
        ca_file=authority,
        is_plain_http=options.unsafe_plain_http,
        is_for_pushing=is_for_pushing,
    )


def _own_token(repository: RepositoryName, settings: Settings, *, may_delete: bool) -> Secret:
    """Make a token for the registry of this installation, as its operator."""
    from seawall.app import databases, issuing
    from seawall.cli import local
    from seawall.core.clock import SystemClock
    from seawall.identity.model import Action

    with databases.opened_database(settings) as database:
        more = {Action.DELETE} if may_delete else set()
        access = {repository: frozenset({Action.PULL, Action.PUSH} | more)}
        tokens = issuing.tokens_of(settings, database, SystemClock())
        return Secret(tokens.issue(local.who(settings), access).text)
