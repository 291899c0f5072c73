"""The part of `seawall sign` that puts the tag into the repository's tree."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seawall.cli import _trust_options
from seawall.oci.digest import Digest

if TYPE_CHECKING:
    from seawall.cli.registry_client import RegistryClient
    from seawall.cli.tag_publishing import Published
    from seawall.config import Settings
    from seawall.oci.names import Reference
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


def publish(
    options: argparse.Namespace,
    settings: Settings,
    client: RegistryClient,
    wanted: tuple[Reference, Digest],
    keys: tuple[Sequence[Signer], Sequence[Signer]],
) -> Published | None:
    """Let the tag stand for what was signed; None when that is not wanted, or there is no tag.

    `keys` are those that sign tags, and those that hold the root of a new tree. `wanted` names the
    digest too, since the tag may have moved meanwhile.
    """
    from seawall.cli import tag_publishing

    image, signed = wanted
    if options.no_tree or image.tag is None or image.digest is not None:
        return None
    with _trust_options.server(options, image, client, settings) as site:
        wish = tag_publishing.Wish(
            tag=image.tag,
            manifest=client.get_manifest(image.repository, signed),
            signers=keys[0],
            root_signers=keys[1],
            unsafe_first_use=options.unsafe_first_use,
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
