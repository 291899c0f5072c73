"""`seawall sign`: vouch for an image, in the formats that cosign, skopeo and notation read."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from typing import TYPE_CHECKING

from seawall.cli import _registry_options, attest, notation_signing, signers

if TYPE_CHECKING:
    from seawall.cli.image_signatures import Signed
    from seawall.config import Settings
    from seawall.oci.names import Reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _registry_options.add(parser)
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
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "Signs the digest as this image of this repository, under this tag. Of a multi-platform\n"
        "index, the index and each platform's image are signed. Signing again changes nothing.\n"
        "The signature enters the registry's transparency log, and the proof is kept with it.\n"
        "Exit codes: 0 signed, 2 wrong input, 3 the registry does not answer or does not allow it"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import image_signatures
    from seawall.cli.log_client import LogClient

    image = _registry_options.reference(options)
    keys = signers.open_signers(options.keys, options, settings)
    now = dt.datetime.now(dt.UTC)
    plans = notation_signing.planners(keys, options, settings, now)
    with _registry_options.open_client(options, image, settings) as client:
        log = None if options.no_log else LogClient(client).find()
        if log is None and not options.no_log:
            print(f"seawall: the registry {image.host} has no transparency log", file=sys.stderr)
        entering = None if log is None else log.entering(image)
        for key, planners in zip(keys, plans, strict=True):
            done = image_signatures.sign_image(
                client, image, key, now, log=entering, planners=planners
            )
            name = None if log is None else log.name
            _print(image, key.public.key_id, done, options.json, name)
        if options.attest_scan:
            attest.attest_scan(client, image, keys, options, settings)
    return 0


def _print(
    image: Reference,
    key_id: str,
    done: tuple[Signed, ...],
    as_json: bool,
    log: str | None,
) -> None:
    if as_json:
        signed = [
            {"digest": one.digest, "platform": one.platform, "is_new": one.is_new} for one in done
        ]
        print(json.dumps({"image": str(image), "key_id": key_id, "signed": signed, "log": log}))
        return
    for one in done:
        state = "signed" if one.is_new else "was signed already"
        platform = f"  {one.platform}" if one.platform else ""
        print(f"{state}: {image.host}/{image.repository}@{one.digest}{platform}")
    print(f"by key {key_id}" + (f", entered into the log {log}" if log else ""))
