"""The part of `seawall sign` that puts the tag into the repository's tree."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from seawall.cli import _trust_options

if TYPE_CHECKING:
    from seawall.cli.own_trees import Site
    from seawall.cli.registry_client import Fetched, RegistryClient
    from seawall.cli.tag_publishing import Published
    from seawall.config import Settings
    from seawall.oci.names import Reference, Tag
    from seawall.trust.signing import Signer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--root-key`, `--no-tree` and where the trust server is."""
    parser.add_argument(
        "--root-key", dest="root_keys", action="append", default=[], metavar="KEY",
        help="key of the root, if the repository's tree has to be made (default: the first --key)",
    )  # fmt: skip
    parser.add_argument(
        "--no-tree", action="store_true", help="leave the repository's tree as it is"
    )
    _trust_options.add(parser)


@contextlib.contextmanager
def opened(
    options: argparse.Namespace, image: Reference, client: RegistryClient, settings: Settings
) -> Iterator[Site | None]:
    """Give the site of the tree that shall name the tag; None when that is not wanted, or there is
    no tag."""
    if options.no_tree or image.tag is None or image.digest is not None:
        yield None
        return
    with _trust_options.server(options, image, client, settings) as site:
        yield site


def ask(site: Site) -> None:
    """Fetch the tree, so that its files and the right to them are at hand when it is opened.

    What fails here will fail again, and be told then.
    """
    from seawall.cli import pin_files
    from seawall.core.errors import SeawallError

    with contextlib.suppress(SeawallError):
        site.trees.fetch(pin_files.read(site.pins, site.gun))


def publish(
    site: Site,
    wanted: tuple[Tag, Fetched],
    keys: tuple[Sequence[Signer], Sequence[Signer]],
    *,
    unsafe_first_use: bool,
) -> Published:
    """Let the tag stand for the manifest that was signed, wherever the tag points by now.

    `keys` are those that sign tags, and those that hold the root of a new tree.
    """
    from seawall.cli import tag_publishing

    wish = tag_publishing.Wish(
        tag=wanted[0],
        manifest=wanted[1],
        signers=keys[0],
        root_signers=keys[1],
        unsafe_first_use=unsafe_first_use,
    )
    return tag_publishing.publish(site, wish, dt.datetime.now(dt.UTC))


def is_waiting(published: Published | None) -> bool:
    """Tell whether the tag waits for more signatures."""
    from seawall.cli.tag_publishing import Outcome

    return published is not None and published.outcome is Outcome.WAITING


def document(published: Published | None) -> dict[str, object] | None:
    """Return the outcome as JSON has it."""
    if published is None:
        return None
    return {
        "outcome": published.outcome.value,
        "roles": list(published.roles),
        "made_root_key_ids": list(published.root_key_ids),
    }


def show(image: Reference, published: Published) -> None:
    """Print the outcome; of a new tree, loudly what others have to pin."""
    from seawall.cli.tag_publishing import Outcome

    gun = f"{image.host}/{image.repository}"
    if published.root_key_ids:
        print(f"MADE A NEW TREE for {gun}, and pinned its root")
        for one in published.root_key_ids:
            print(f"ROOT FINGERPRINT {one}")
        words = " ".join(f"--root {one}" for one in published.root_key_ids)
        print(f"give it to everybody who verifies: seawall trust pin {gun} {words}")
        print(f"let the registry's gate demand it: seawall trust pin {gun} --registry")
    match published.outcome:
        case Outcome.PUBLISHED:
            print(f"tag {image.tag} published in {', '.join(published.roles)}")
        case Outcome.UNCHANGED:
            print(f"tag {image.tag} was published already")
        case Outcome.WAITING:
            print(f"tag {image.tag} WAITS for more signatures: seawall trust status {gun}")
        case Outcome.NOT_A_SIGNER:
            print(f"THE TREE STAYS AS IT WAS: this key is no signer of {gun}, and clients that")
            print("prove tags in the tree do not see this one. Its owner can change that:")
            print(f"  seawall trust signer add NAME KEY.pub {gun}")
        case Outcome.NO_SERVER:
            print("no tree: this registry keeps no trust data")
