"""`seawall sign`: vouch for an image, in the formats that cosign, skopeo and notation read."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from typing import TYPE_CHECKING

from seawall.cli import _registry_options, notation_signing, signers

if TYPE_CHECKING:
    from seawall.cli.image_signatures import Signed
    from seawall.config import Settings
    from seawall.oci.names import Reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _registry_options.add(parser)
    signers.add_arguments(parser)
    notation_signing.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "Signs the digest as this image of this repository, under this tag. Of a multi-platform\n"
        "index, the index and each platform's image are signed. Signing again changes nothing.\n"
        "Exit codes: 0 signed, 2 wrong input, 3 the registry does not answer or does not allow it"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import image_signatures

    image = _registry_options.reference(options)
    keys = signers.open_signers(options.keys, options, settings)
    now = dt.datetime.now(dt.UTC)
    plans = notation_signing.planners(keys, options, settings, now)
    with _registry_options.open_client(options, image, settings) as client:
        for key, planners in zip(keys, plans, strict=True):
            done = image_signatures.sign_image(client, image, key, now, planners=planners)
            _print(image, key.public.key_id, done, options.json)
    return 0


def _print(image: Reference, key_id: str, done: tuple[Signed, ...], as_json: bool) -> None:
    if as_json:
        signed = [
            {"digest": one.digest, "platform": one.platform, "is_new": one.is_new} for one in done
        ]
        print(json.dumps({"image": str(image), "key_id": key_id, "signed": signed}))
        return
    for one in done:
        state = "signed" if one.is_new else "was signed already"
        platform = f"  {one.platform}" if one.platform else ""
        print(f"{state}: {image.host}/{image.repository}@{one.digest}{platform}")
    print(f"by key {key_id}")
