"""The part of `seawall verify` that proves a tag in the repository's tree, and works offline."""

from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seawall.cli import _registry_options, _trust_options
from seawall.core.errors import InvalidInputError

if TYPE_CHECKING:
    from seawall.cli.verification_files import Evidence
    from seawall.config import Settings
    from seawall.oci.names import Reference
    from seawall.trust.tuf.chain import ChainProof, Pin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how the tree is judged."""
    parser.add_argument(
        "--root", dest="fingerprints", action="append", default=[], metavar="FINGERPRINT",
        help="prove the tag from this root key on (default: from what `trust pin` pinned)",
    )  # fmt: skip
    parser.add_argument(
        "--tree-only", action="store_true",
        help="prove the tag in the repository's tree, and look at no other signature",
    )  # fmt: skip
    parser.add_argument(
        "--max-age", type=float, metavar="HOURS", help="how old the tree's timestamp may be"
    )
    _trust_options.add(parser)
    parser.add_argument(
        "--offline", type=Path, metavar="BUNDLE",
        help="use what `trust export` wrote, and no network",
    )  # fmt: skip
    parser.add_argument(
        "--as-of", metavar="TIME", help="judge as of this time (RFC 3339), to look into the past"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be proven, from which root on, and as of when."""

    options: argparse.Namespace
    settings: Settings
    image: Reference
    pin: Pin | None
    now: dt.datetime

    @property
    def has_tree(self) -> bool:
        return self.pin is not None or self.options.unsafe_first_use


def time_of(options: argparse.Namespace) -> dt.datetime:
    """Return the time as of which is judged. Raises InvalidInputError."""
    if options.as_of is None:
        return dt.datetime.now(dt.UTC)
    try:
        moment = dt.datetime.fromisoformat(options.as_of)
    except ValueError as error:
        raise InvalidInputError(f"{options.as_of!r} is not a time") from error
    if moment.tzinfo is None:
        raise InvalidInputError(f"{options.as_of!r} names no zone", remedy="end it with Z")
    return moment


def pin_of(options: argparse.Namespace, image: Reference, settings: Settings) -> Pin | None:
    """Return the root to begin with: the one that was named, else what this person pinned."""
    from seawall.cli import pin_files
    from seawall.trust.tuf.chain import Pin
    from seawall.trust.tuf.names import Gun

    if options.fingerprints:
        return Pin(root_key_ids=frozenset(options.fingerprints))
    return pin_files.read(settings.home.pins, Gun.of(str(image.host), image.repository))


def evidence_for(asked: Asked) -> Evidence:
    """Fetch what a proof needs, or read it from the file that was named."""
    from seawall.cli import image_signatures, verification_files
    from seawall.cli.verification_files import Evidence

    options, image = asked.options, asked.image
    if options.offline is not None:
        found = verification_files.read(options.offline)
        _check_same(image, found)
        return found
    with _registry_options.open_client(options, image, asked.settings) as client:
        manifest = client.get_manifest(image.repository, image.target)
        artifacts = image_signatures.collect(client, image.repository, manifest.digest).artifacts
        tree = None
        if asked.has_tree:
            with _trust_options.server(options, image, client, asked.settings) as site:
                tree = site.trees.fetch(asked.pin)
    return Evidence(
        image=image, manifest=manifest, signatures=artifacts, tree=tree, made_at=asked.now
    )


def prove_tag(asked: Asked, evidence: Evidence) -> ChainProof | None:
    """Prove the tag in its tree, and remember how far that has come; None without a root."""
    from seawall.cli import pin_files
    from seawall.trust.tuf import chain
    from seawall.trust.tuf.names import Gun

    if not asked.has_tree:
        return None
    options, image, pin = asked.options, asked.image, asked.pin
    gun = Gun.of(str(image.host), image.repository)
    proof = chain.prove(
        None if image.digest else image.tag,
        evidence.digest,
        gun=gun,
        tree=evidence.tree,
        pin=pin,
        now=asked.now,
        max_age=None if options.max_age is None else dt.timedelta(hours=options.max_age),
        timestamp_lifetime=_trust_options.lifetime(options, str(image.host), asked.settings),
        unsafe_first_use=options.unsafe_first_use,
    )
    is_remembered = not options.fingerprints and options.as_of is None
    if is_remembered and proof.pin_after is not None and proof.pin_after != pin:
        pin_files.remember(asked.settings.home.pins, gun, proof.pin_after)
    return proof


def _check_same(image: Reference, found: Evidence) -> None:
    if (image.host, image.repository) != (found.image.host, found.image.repository):
        raise InvalidInputError(f"the file is about {found.image}, not about {image}")
    if image.digest is not None and image.digest != found.digest:
        raise InvalidInputError(f"the file is about {found.digest}, not about {image.digest}")
    if image.digest is None and image.tag != found.image.tag:
        raise InvalidInputError(f"the file is about {found.image}, not about {image}")
