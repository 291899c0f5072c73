"""What all commands about trees share: where the trust server is, and which tree is meant."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

from seawall.cli import _registry_options

if TYPE_CHECKING:
    from seawall.cli.own_trees import Site
    from seawall.cli.registry_client import RegistryClient
    from seawall.config import Settings
    from seawall.oci.names import Reference


def add(parser: argparse.ArgumentParser) -> None:
    """Declare `--trust-server` and `--unsafe-first-use`."""
    parser.add_argument(
        "--trust-server", metavar="HOST[:PORT]",
        help="server of the repository's trust data (default: the registry itself)",
    )  # fmt: skip
    parser.add_argument(
        "--timestamp-lifetime", type=float, metavar="HOURS",
        help="for how long that server makes timestamps valid (default: 24 for this"
        " installation's registry, else 336 as stock servers have it)",
    )  # fmt: skip
    parser.add_argument(
        "--unsafe-first-use", action="store_true",
        help="where nothing is pinned, believe the root that the server shows",
    )  # fmt: skip


def lifetime(options: argparse.Namespace, host: str, settings: Settings) -> dt.timedelta:
    """Return for how long the server makes timestamps valid."""
    from seawall.core.errors import InvalidInputError
    from seawall.trust.tuf import chain

    if options.timestamp_lifetime is None:
        is_own = options.trust_server is None and host in settings.registry_hosts
        return OWN_LIFETIME if is_own else chain.STOCK_TIMESTAMP_LIFETIME
    if not 0 < options.timestamp_lifetime <= MAX_HOURS:
        raise InvalidInputError(f"--timestamp-lifetime must be above 0 and at most {MAX_HOURS}")
    return dt.timedelta(hours=options.timestamp_lifetime)


OWN_LIFETIME = dt.timedelta(hours=24)
MAX_HOURS = 24 * 366


@contextlib.contextmanager
def opened(
    options: argparse.Namespace, text: str, settings: Settings, *, may_delete: bool = False
) -> Iterator[tuple[Site, Reference]]:
    """Open the connections for the repository that `text` names, with or without a tag."""
    image = _registry_options.parse_reference(text)
    with (
        _registry_options.open_client(options, image, settings, may_delete=may_delete) as http,
        server(options, image, http, settings) as site,
    ):
        yield site, image


@contextlib.contextmanager
def server(
    options: argparse.Namespace, image: Reference, http: RegistryClient, settings: Settings
) -> Iterator[Site]:
    """Return the site of an image's tree, over the registry's connection or one of its own."""
    from seawall.cli.own_trees import Site
    from seawall.cli.trees_client import TreesClient
    from seawall.trust.tuf.names import Gun

    gun = Gun.of(str(image.host), image.repository)
    with contextlib.ExitStack() as stack:
        trust = http
        if options.trust_server is not None:
            trust = stack.enter_context(
                _registry_options.open_client(options, image, settings, at=options.trust_server)
            )
        yield Site(
            gun=gun,
            http=http,
            trees=TreesClient(trust, gun),
            pins=settings.home.pins,
            timestamp_lifetime=lifetime(options, str(image.host), settings),
        )
