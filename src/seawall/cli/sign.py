"""`seawall sign`: vouch for an image, for cosign, skopeo, notation, docker and notary."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seawall.cli import _registry_options, attest, notation_signing, sign_tree, signers
from seawall.cli._beside import Beside
from seawall.core.errors import InvalidInputError

if TYPE_CHECKING:
    from seawall.cli.image_signatures import Collected, Planner, Signed
    from seawall.cli.log_client import FoundLog
    from seawall.cli.registry_client import Fetched, RegistryClient
    from seawall.config import Settings
    from seawall.oci.names import Reference
    from seawall.trust.signing import Signer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "image", metavar="IMAGE", nargs="?",
        help="HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]; of a file, what it must be about",
    )  # fmt: skip
    _registry_options.add_connection(parser)
    signers.add_arguments(parser)
    parser.add_argument(
        "--no-log", action="store_true", help="do not enter the signature into the registry's log"
    )
    parser.add_argument(
        "--attest-scan",
        action="store_true",
        help="attest this installation's scan report and bill of materials too",
    )
    notation_signing.add_arguments(parser)
    sign_tree.add_arguments(parser)
    _add_offline(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "Signs the digest as this image of this repository, under this tag. Of a multi-platform\n"
        "index, the index and each platform's image are signed. Signing again changes nothing.\n"
        "The signature enters the registry's transparency log, and the proof is kept with it.\n"
        "Then the repository's tree says that the tag stands for the digest, for docker with\n"
        "DOCKER_CONTENT_TRUST=1 and for `seawall verify`; see: seawall trust.\n"
        "Where the key has no network: seawall trust export IMAGE -o REQUEST where there is one,\n"
        "seawall sign --offline REQUEST -o SIGNED beside the key, seawall sign --upload SIGNED.\n"
        "Exit codes: 0 signed, 1 the tag waits for more signatures or --yes is missing, 2 wrong\n"
        "input, 3 it does not hold, or the registry does not answer or does not allow it"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    if options.offline is not None:
        from seawall.cli import sign_offline

        return sign_offline.run(options, settings)
    if options.output is not None or options.yes or options.fingerprints:
        raise InvalidInputError("-o, --yes and --root go together with --offline")
    if options.upload is not None:
        from seawall.cli import sign_upload

        return sign_upload.run(options, settings)
    if options.image is None:
        raise InvalidInputError("name the image", remedy="HOST/REPOSITORY:TAG")
    return _sign(options, settings)


def document(
    image: Reference, key_id: str, done: tuple[Signed, ...], log: str | None
) -> dict[str, object]:
    """Return as JSON what a key signed."""
    signed = [
        {"digest": one.digest, "platform": one.platform, "is_new": one.is_new} for one in done
    ]
    return {"image": str(image), "key_id": key_id, "signed": signed, "log": log}


def show(image: Reference, key_id: str, done: tuple[Signed, ...], log: str | None) -> None:
    """Print what a key signed."""
    for one in done:
        state = "signed" if one.is_new else "was signed already"
        platform = f"  {one.platform}" if one.platform else ""
        print(f"{state}: {image.host}/{image.repository}@{one.digest}{platform}")
    print(f"by key {key_id}" + (f", entered into the log {log}" if log else ""))


def _add_offline(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--offline", type=Path, metavar="REQUEST",
        help="sign what `trust export` wrote, into a file, and use no network",
    )  # fmt: skip
    where.add_argument(
        "--upload", type=Path, metavar="SIGNED", help="upload what --offline signed; needs no key"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="SIGNED", help="file for what --offline signs"
    )
    parser.add_argument(
        "--root", dest="fingerprints", action="append", default=[], metavar="FINGERPRINT",
        help="with --offline, where nothing is pinned: id of a root key as its owner gives it",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="with --offline: sign what was shown")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """The keys that sign, with what notation is shown of each, and those of a tree that has to be
    made."""

    signers: list[Signer]
    root_signers: list[Signer]
    planners: list[list[Planner]]
    now: dt.datetime


def _sign(options: argparse.Namespace, settings: Settings) -> int:
    image = _registry_options.reference(options)
    names = [*(options.keys or [signers.DEFAULT_KEY]), *options.root_keys]
    with (
        signers.opening(lambda: _keys(options, settings), names, options, settings) as opened,
        _registry_options.open_client(options, image, settings, is_for_pushing=True) as client,
    ):
        # While keys are opened: ask the registry, and load what comes afterwards.
        looking = Beside(lambda: _look(options, client, image))
        with sign_tree.opened(options, image, client, settings) as site:
            asking = None if site is None else Beside(lambda: sign_tree.ask(site))
            subject = looking.wait()
            if subject.log is None and not options.no_log:
                print(
                    f"seawall: the registry {image.host} has no transparency log", file=sys.stderr
                )
            keys = opened()
            signed = _sign_with_all(options, client, image, subject, keys)
            tree = None
            if site is not None and asking is not None and image.tag is not None:
                asking.wait()
                tree = sign_tree.publish(
                    site,
                    (image.tag, subject.manifest),
                    (keys.signers, keys.root_signers),
                    unsafe_first_use=options.unsafe_first_use,
                )
        if options.attest_scan:
            attest.attest_scan(client, image, keys.signers, options, settings)
    if options.json:
        for one in signed:
            print(json.dumps(one | {"tree": sign_tree.document(tree)}))
    elif tree is not None:
        sign_tree.show(image, tree)
    return 1 if sign_tree.is_waiting(tree) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What is to be signed, what was found beside it, and the registry's log."""

    manifest: Fetched
    found: Collected
    log: FoundLog | None


def _look(options: argparse.Namespace, client: RegistryClient, image: Reference) -> _Subject:
    from seawall.cli import image_signatures
    from seawall.cli.log_client import LogClient

    log = None if options.no_log else LogClient(client).find()
    manifest = client.get_manifest(image.repository, image.target)
    found = image_signatures.collect(client, image.repository, manifest.digest)
    return _Subject(manifest=manifest, found=found, log=log)


def _sign_with_all(
    options: argparse.Namespace,
    client: RegistryClient,
    image: Reference,
    subject: _Subject,
    keys: _Keys,
) -> list[dict[str, object]]:
    """Sign with each key, and return what was done as JSON has it."""
    from seawall.cli import image_signatures

    entering = None if subject.log is None else subject.log.entering(image)
    origin = None if subject.log is None else subject.log.name
    found: Collected | None = subject.found
    signed = []
    for key, planners in zip(keys.signers, keys.planners, strict=True):
        done = image_signatures.sign_image(
            client,
            image,
            subject.manifest,
            key,
            keys.now,
            log=entering,
            planners=planners,
            found=found,
        )
        found = None  # by now there is more
        signed.append(document(image, key.public.key_id, done, origin))
        if not options.json:
            show(image, key.public.key_id, done, origin)
    return signed


def _keys(options: argparse.Namespace, settings: Settings) -> _Keys:
    names = options.keys or [signers.DEFAULT_KEY]
    opened = signers.open_signers([*names, *options.root_keys], options, settings)
    signing, now = opened[: len(names)], dt.datetime.now(dt.UTC)
    return _Keys(
        signers=signing,
        root_signers=opened[len(names) :],
        planners=notation_signing.planners(signing, options, settings, now),
        now=now,
    )
