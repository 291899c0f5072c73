"""`seawall sign`: vouch for an image, for cosign 2, cosign 3, skopeo, docker and notary."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from typing import TYPE_CHECKING

from seawall.cli import _registry_options, _trust_options, signers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seawall.cli.image_signatures import Signed
    from seawall.cli.registry_client import RegistryClient
    from seawall.cli.tag_publishing import Published
    from seawall.config import Settings
    from seawall.oci.names import Reference
    from seawall.trust.signing import Signer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _registry_options.add(parser)
    signers.add_arguments(parser)
    parser.add_argument(
        "--root-key", dest="root_keys", action="append", default=[], metavar="KEY",
        help="key of the root, if the repository's tree has to be made (default: the first --key)",
    )  # fmt: skip
    parser.add_argument(
        "--no-tree", action="store_true", help="leave the repository's tree as it is"
    )
    _trust_options.add(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "Signs the digest as this image of this repository, under this tag. Of a multi-platform\n"
        "index, the index and each platform's image are signed. Signing again changes nothing.\n"
        "Then the repository's tree says that the tag stands for the digest, for docker with\n"
        "DOCKER_CONTENT_TRUST=1 and for `seawall verify`; see: seawall trust.\n"
        "Exit codes: 0 signed, 1 the tag waits for more signatures, 2 wrong input, 3 the registry\n"
        "does not answer or does not allow it"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import image_signatures
    from seawall.cli.tag_publishing import Outcome

    image = _registry_options.reference(options)
    names = options.keys or [signers.DEFAULT_KEY]
    keys = signers.open_signers([*names, *options.root_keys], options, settings)
    keys, root_keys = keys[: len(names)], keys[len(names) :]
    now = dt.datetime.now(dt.UTC)
    done, published = [], None
    with _registry_options.open_client(options, image, settings) as client:
        for key in keys:
            _announce(f"signing {image} with {key.public.key_id[:12]}")
            done.append((key, image_signatures.sign_image(client, image, key, now)))
        if not options.no_tree and image.tag is not None and image.digest is None:
            _announce(f"publishing the tag {image.tag} in the tree of {image.repository}")
            signed = image.with_digest(done[0][1][0].digest)  # the tag may have moved meanwhile
            published = _publish(options, settings, client, signed, (keys, root_keys))
    _print(image, done, published, options.json)
    is_waiting = published is not None and published.outcome is Outcome.WAITING
    return 1 if is_waiting else 0


def _publish(
    options: argparse.Namespace,
    settings: Settings,
    client: RegistryClient,
    image: Reference,
    keys: tuple[Sequence[Signer], Sequence[Signer]],
) -> Published:
    from seawall.cli import tag_publishing

    assert image.tag is not None
    with _trust_options.server(options, image, client, settings) as site:
        wish = tag_publishing.Wish(
            tag=image.tag,
            manifest=client.get_manifest(image.repository, image.target),
            signers=keys[0],
            root_signers=keys[1],
            unsafe_first_use=options.unsafe_first_use,
        )
        return tag_publishing.publish(site, wish, dt.datetime.now(dt.UTC))


def _announce(text: str) -> None:
    if sys.stderr.isatty():
        print(f"{text} …", file=sys.stderr)


def _print(
    image: Reference,
    done: list[tuple[Signer, tuple[Signed, ...]]],
    published: Published | None,
    as_json: bool,
) -> None:
    for key, signed in done:
        if as_json:
            print(json.dumps(_document(image, key.public.key_id, signed, published)))
        else:
            _print_signed(image, key.public.key_id, signed)
    if published is not None and not as_json:
        _print_published(image, published)


def _document(
    image: Reference, key_id: str, done: tuple[Signed, ...], published: Published | None
) -> dict[str, object]:
    tree = None
    if published is not None:
        tree = {
            "outcome": published.outcome.value,
            "roles": list(published.roles),
            "made_root_key_ids": list(published.root_key_ids),
        }
    signed = [
        {"digest": one.digest, "platform": one.platform, "is_new": one.is_new} for one in done
    ]
    return {"image": str(image), "key_id": key_id, "signed": signed, "tree": tree}


def _print_signed(image: Reference, key_id: str, done: tuple[Signed, ...]) -> None:
    for one in done:
        state = "signed" if one.is_new else "was signed already"
        platform = f"  {one.platform}" if one.platform else ""
        print(f"{state}: {image.host}/{image.repository}@{one.digest}{platform}")
    print(f"by key {key_id}")


def _print_published(image: Reference, published: Published) -> None:
    from seawall.cli.tag_publishing import Outcome

    gun = f"{image.host}/{image.repository}"
    if published.root_key_ids:
        print(f"MADE A NEW TREE for {gun}, and pinned its root")
        for one in published.root_key_ids:
            print(f"ROOT FINGERPRINT {one}")
        words = " ".join(f"--root {one}" for one in published.root_key_ids)
        print(f"give it to everybody who verifies: seawall trust pin {gun} {words}")
    match published.outcome:
        case Outcome.PUBLISHED:
            print(f"tag {image.tag} published in {', '.join(published.roles)}")
        case Outcome.UNCHANGED:
            print(f"tag {image.tag} was published already")
        case Outcome.WAITING:
            print(f"tag {image.tag} WAITS for more signatures: seawall trust status {gun}")
        case Outcome.NO_SERVER:
            print("no tree: this registry keeps no trust data")
