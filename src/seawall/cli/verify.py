"""`seawall verify`: prove who vouches for an image, and that the tag is theirs and fresh."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seawall.cli import _registry_options, _trust_options
from seawall.core.errors import InvalidInputError, SeawallError

if TYPE_CHECKING:
    from seawall.cli.image_signatures import Judged
    from seawall.cli.verification_files import Evidence
    from seawall.config import Settings
    from seawall.oci.names import Reference
    from seawall.trust.model import TrustedKey
    from seawall.trust.tuf.chain import ChainProof, Pin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _registry_options.add(parser)
    parser.add_argument(
        "--key", type=Path, action="append", default=[], metavar="PUB",
        help="public key to trust, may be given several times (default: those that this"
        " installation trusts)",
    )  # fmt: skip
    parser.add_argument(
        "--signers", type=int, default=1, metavar="N", help="different keys that must have signed"
    )
    parser.add_argument(
        "--signed-as", action="append", default=[], metavar="HOST",
        help="accept signatures made for this name of the registry too",
    )  # fmt: skip
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
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "The steps on signatures come first, then those of the tree, where a root is pinned or\n"
        "named. Where no key is trusted for the image, the tree alone decides.\n"
        "Exit codes: 0 proven, 1 not proven, 2 wrong input, 3 the registry does not answer or\n"
        "does not allow it"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import image_signatures

    if options.signers < 1:
        raise InvalidInputError("--signers must be 1 or more")
    image, now = _registry_options.reference(options), _now(options)
    pin = _pin(options, image, settings)
    asked = _Asked(options=options, settings=settings, image=image, pin=pin, now=now)
    trusted = _trusted(options, settings, has_tree=pin is not None or options.unsafe_first_use)
    evidence = _evidence(asked)
    judged = None
    if trusted is not None:
        judged = image_signatures.judge(
            evidence.digest,
            evidence.signatures,
            image,
            trusted,
            now,
            hosts=_hosts(str(image.host), options.signed_as, settings.registry_hosts),
            required_signers=options.signers,
        )
    chain_proof = _prove_tag(asked, evidence)
    return _print(image, evidence, judged, chain_proof, options.json)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    options: argparse.Namespace
    settings: Settings
    image: Reference
    pin: Pin | None
    now: dt.datetime

    @property
    def has_tree(self) -> bool:
        return self.pin is not None or self.options.unsafe_first_use


def _now(options: argparse.Namespace) -> dt.datetime:
    if options.as_of is None:
        return dt.datetime.now(dt.UTC)
    try:
        moment = dt.datetime.fromisoformat(options.as_of)
    except ValueError as error:
        raise InvalidInputError(f"{options.as_of!r} is not a time") from error
    if moment.tzinfo is None:
        raise InvalidInputError(f"{options.as_of!r} names no zone", remedy="end it with Z")
    return moment


def _pin(options: argparse.Namespace, image: Reference, settings: Settings) -> Pin | None:
    from seawall.cli import pin_files
    from seawall.trust.tuf.chain import Pin
    from seawall.trust.tuf.names import Gun

    if options.fingerprints:
        return Pin(root_key_ids=frozenset(options.fingerprints))
    return pin_files.read(settings.home.pins, Gun.of(str(image.host), image.repository))


def _trusted(
    options: argparse.Namespace, settings: Settings, *, has_tree: bool
) -> list[TrustedKey] | None:
    """Return the keys to trust; None where the tree alone decides."""
    if options.tree_only:
        if not has_tree:
            raise InvalidInputError(
                "no root is pinned", remedy="name it with --root, or: seawall trust pin"
            )
        return None
    if options.key:
        return _given_keys(options.key)
    if not has_tree:
        return _own_keys(settings)
    try:
        return _own_keys(settings) or None
    except SeawallError:
        return None  # no installation here


def _evidence(asked: _Asked) -> Evidence:
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


def _check_same(image: Reference, found: Evidence) -> None:
    if (image.host, image.repository) != (found.image.host, found.image.repository):
        raise InvalidInputError(f"the file is about {found.image}, not about {image}")
    if image.digest is not None and image.digest != found.digest:
        raise InvalidInputError(f"the file is about {found.digest}, not about {image.digest}")
    if image.digest is None and image.tag != found.image.tag:
        raise InvalidInputError(f"the file is about {found.image}, not about {image}")


def _prove_tag(asked: _Asked, evidence: Evidence) -> ChainProof | None:
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


def _hosts(asked: str, more: list[str], own: tuple[str, ...]) -> frozenset[str]:
    """Return the names of the registry: one that is ours may be reached under any of our names."""
    return frozenset({asked, *more, *(own if asked in own else ())})


def _given_keys(paths: list[Path]) -> list[TrustedKey]:
    from seawall.trust import key_files
    from seawall.trust.model import TrustedKey

    keys = [(path, key_files.read_public(path)) for path in paths]
    return [
        TrustedKey(key_id=key.key_id, name=path.name, public_pem=key.pem, patterns=("**",))
        for path, key in keys
    ]


def _own_keys(settings: Settings) -> list[TrustedKey]:
    from seawall.app import setup
    from seawall.core.clock import SystemClock
    from seawall.trust.trusted import TrustedKeys

    with setup.opened_database(settings) as database:
        return list(TrustedKeys(database, SystemClock()).list())


def _print(
    image: Reference,
    evidence: Evidence,
    judged: Judged | None,
    tree: ChainProof | None,
    as_json: bool,
) -> int:
    from seawall.cli import proof_output

    is_valid = all(
        one.is_valid for one in (judged.proof if judged else None, tree) if one is not None
    )
    is_valid = is_valid and (judged is not None or tree is not None)
    if as_json:
        document = proof_output.document(image, evidence.digest, judged, tree)
        print(json.dumps(document | {"is_valid": is_valid}, ensure_ascii=False))
    else:
        proof_output.show(image, evidence.digest, judged, tree)
    return 0 if is_valid else 1
