"""`seawall verify`: prove who vouches for an image, step by step."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING

from seawall.cli import _registry_options

if TYPE_CHECKING:
    from seawall.cli.image_signatures import Judged
    from seawall.config import Settings
    from seawall.oci.names import Reference
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
        " PEM",
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
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "Exit codes: 0 proven, 1 not proven, 2 wrong input, 3 the registry does not answer or\n"
        "does not allow it"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import image_signatures
    from seawall.core.errors import InvalidInputError

    if options.signers < 1:
        raise InvalidInputError("--signers must be 1 or more")
    image = _registry_options.reference(options)
    trusted, authorities = _trust(options, settings)
    hosts = _hosts(str(image.host), options.signed_as, settings.registry_hosts)
    if options.attestation is not None:
        from seawall.cli import verify_attestation

        return verify_attestation.run(options, settings, trusted, hosts)
    with _registry_options.open_client(options, image, settings) as client:
        judged = image_signatures.verify_image(
            client,
            image,
            trusted,
            dt.datetime.now(dt.UTC),
            authorities=authorities,
            hosts=hosts,
            required_signers=options.signers,
        )
    _print(image, judged, options.json)
    return 0 if judged.proof.is_valid else 1


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
    from seawall.app import setup
    from seawall.core.clock import SystemClock
    from seawall.trust.authorities import TrustedAuthorities
    from seawall.trust.trusted import TrustedKeys

    with setup.opened_database(settings) as database:
        clock = SystemClock()
        keys = TrustedKeys(database, clock).list()
        return list(keys), list(TrustedAuthorities(database, clock).list())


def _print(image: Reference, judged: Judged, as_json: bool) -> None:
    proof = judged.proof
    if as_json:
        print(json.dumps(_document(image, judged), ensure_ascii=False))
        return
    print(f"{image.host}/{image.repository}@{judged.digest}")
    about = ""
    for step in proof.steps:
        if step.signature != about and step.signature:
            print(f"  signature {step.signature}")
        about = step.signature
        mark = "ok" if step.is_passed else "NO"
        print(f"  {step.number:>2}  {step.name:<10}  {mark}  {_printable(step.detail)}".rstrip())
    if proof.is_valid:
        names = ", ".join(f"{one.key_name} ({one.key_id[:12]})" for one in proof.signatures)
        print(f"VERIFIED: signed by {names}")
    else:
        print(f"NOT VERIFIED: {proof.remedy}")


def _document(image: Reference, judged: Judged) -> dict[str, object]:
    proof = judged.proof
    return {
        "image": str(image),
        "digest": judged.digest,
        "is_valid": proof.is_valid,
        "remedy": proof.remedy,
        "signers": [
            {
                "key_id": one.key_id,
                "name": one.key_name,
                "authority": one.authority,
                "format": one.format.value,
                "is_bound_to_repository": one.is_bound_to_repository,
                "tag": one.tag,
                "signed_at": one.signed_at.isoformat() if one.signed_at else None,
            }
            for one in proof.signatures
        ],
        "steps": [
            {
                "number": step.number,
                "name": step.name,
                "is_passed": step.is_passed,
                "detail": step.detail,
                "signature": step.signature,
            }
            for step in proof.steps
        ],
    }


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
