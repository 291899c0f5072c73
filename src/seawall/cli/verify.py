"""`seawall verify`: prove who vouches for an image, and that the tag is theirs and fresh."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seawall.cli import _registry_options, verify_more, verify_tree
from seawall.core.errors import InvalidInputError, SeawallError

if TYPE_CHECKING:
    from seawall.cli.proof_output import Whole
    from seawall.config import Settings
    from seawall.trust.model import TrustedAuthority, TrustedKey


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _registry_options.add(parser)
    parser.add_argument(
        "--key", type=Path, action="append", default=[], metavar="PUB",
        help="public key to trust, may be given several times (default: those that this"
        " installation trusts)",
    )  # fmt: skip
    parser.add_argument(
        "--authority", type=Path, action="append", default=[], metavar="FILE",
        help="authority to trust, may be given several times: certificates of notation's signers,"
        " PEM, or a trusted_root.json for cosign's",
    )  # fmt: skip
    parser.add_argument(
        "--identity", dest="identities", action="append", default=[], metavar="IDENTITY",
        help="whom those authorities may name, as in `authority trust`",
    )  # fmt: skip
    parser.add_argument(
        "--signers", type=int, default=1, metavar="N", help="different signers that are needed"
    )
    parser.add_argument(
        "--signed-as", action="append", default=[], metavar="HOST",
        help="accept signatures made for this name of the registry too",
    )  # fmt: skip
    parser.add_argument(
        "--attestation", metavar="TYPE",
        help="prove an attestation instead: vuln, cyclonedx, spdx, slsaprovenance, openvex, a URI,"
        " or any",
    )  # fmt: skip
    parser.add_argument(
        "--predicate-to", type=Path, metavar="FILE", help="write what the newest attestation says"
    )
    verify_tree.add_arguments(parser)
    verify_more.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "The steps on signatures come first, then those of the tree, where a root is pinned or\n"
        "named, of the log with --logged, and of the content. Where no key is trusted for the\n"
        "image, the tree alone decides; of an image named by digest, its signatures decide where\n"
        "a key is trusted and no root is named. A step has the same number wherever it is shown.\n"
        "Exit codes: 0 proven, 1 not proven, 2 wrong input, 3 the registry does not answer or\n"
        "does not allow it"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import image_judging, proof_output

    if options.signers < 1:
        raise InvalidInputError("--signers must be 1 or more")
    image = _registry_options.reference(options)
    hosts = _hosts(str(image.host), options.signed_as, settings.registry_hosts)
    if options.attestation is not None:
        from seawall.cli import verify_attestation

        return verify_attestation.run(options, settings, _trust(options, settings)[0], hosts)
    asked = verify_tree.Asked(
        options=options,
        settings=settings,
        image=image,
        pin=verify_tree.pin_of(options, image, settings),
        now=verify_tree.time_of(options),
    )
    trust = _trust_beside_tree(asked)
    evidence = verify_tree.evidence_for(asked)
    judged = None
    if trust is not None:
        judged = image_judging.judge(
            evidence.digest,
            evidence.signatures,
            image,
            trust[0],
            asked.now,
            authorities=trust[1],
            hosts=hosts,
            required_signers=options.signers,
        )
    # A platform's image of a signed index is in no tree: a digest has no tag to prove.
    is_by_digest = image.digest is not None and judged is not None and not options.fingerprints
    whole = proof_output.Whole(
        image=image,
        digest=evidence.digest,
        judged=judged,
        tree=None if is_by_digest else verify_tree.prove_tag(asked, evidence),
        log=verify_more.prove_log(asked, evidence, judged, trust[0] if trust else []),
        content=None,
    )
    if whole.is_valid:  # what does not hold is not fetched
        whole = replace(whole, content=verify_more.prove_content(asked, evidence))
    return _print(whole, options.json)


def _hosts(asked: str, more: list[str], own: tuple[str, ...]) -> frozenset[str]:
    """Return the names of the registry: one that is ours may be reached under any of our names."""
    return frozenset({asked, *more, *(own if asked in own else ())})


def _trust(
    options: argparse.Namespace, settings: Settings
) -> tuple[list[TrustedKey], list[TrustedAuthority]]:
    """Return what is trusted: what the options name, else what this installation trusts."""
    if options.key or options.authority:
        return _given_keys(options.key), _given_authorities(options)
    return _own_trust(settings)


def _trust_beside_tree(
    asked: verify_tree.Asked,
) -> tuple[list[TrustedKey], list[TrustedAuthority]] | None:
    """Return what is trusted; None where the tree alone decides."""
    options = asked.options
    if options.tree_only:
        if not asked.has_tree:
            raise InvalidInputError(
                "no root is pinned", remedy="name it with --root, or: seawall trust pin"
            )
        return None
    if not asked.has_tree or options.key or options.authority:
        return _trust(options, asked.settings)
    try:
        trust = _own_trust(asked.settings)
    except SeawallError:
        return None  # no installation here
    return trust if any(trust) else None


def _given_keys(paths: list[Path]) -> list[TrustedKey]:
    from seawall.trust import key_files
    from seawall.trust.model import TrustedKey

    keys = [(path, key_files.read_public(path)) for path in paths]
    return [
        TrustedKey(key_id=key.key_id, name=path.name, public_pem=key.pem, patterns=("**",))
        for path, key in keys
    ]


def _given_authorities(options: argparse.Namespace) -> list[TrustedAuthority]:
    from seawall.cli import authority

    return [
        authority.read(path, name=path.name, identities=options.identities, patterns=["**"])
        for path in options.authority
    ]


def _own_trust(settings: Settings) -> tuple[list[TrustedKey], list[TrustedAuthority]]:
    from seawall.app import databases
    from seawall.core.clock import SystemClock
    from seawall.trust.authorities import TrustedAuthorities
    from seawall.trust.trusted import TrustedKeys

    with databases.opened_database(settings) as database:
        clock = SystemClock()
        keys = TrustedKeys(database, clock).list()
        return list(keys), list(TrustedAuthorities(database, clock).list())


def _print(whole: Whole, as_json: bool) -> int:
    from seawall.cli import proof_output

    if as_json:
        print(json.dumps(proof_output.document(whole), ensure_ascii=False))
    else:
        proof_output.show(whole)
    return 0 if whole.is_valid else 1
