"""`seawall authority`: whose certificates may vouch here, for whom and for which repositories."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.trust.model import TrustedAuthority


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    trust = actions.add_parser("trust", help="trust an authority, or change what it is trusted for")
    trust.add_argument("name", metavar="NAME", help="how people call it")
    trust.add_argument(
        "file", type=Path, metavar="FILE",
        help="certificates in PEM, as in a trust store of notation, or a trusted_root.json of"
        " Sigstore for cosign's certificates",
    )  # fmt: skip
    trust.add_argument(
        "--identity", dest="identities", action="append", default=[], metavar="IDENTITY",
        help='who may sign, may be given several times: "x509.subject: C=…, ST=…, O=…, CN=…",'
        ' or "*" for everybody whom it certifies; for cosign "ISSUER SUBJECT"',
    )  # fmt: skip
    trust.add_argument(
        "--for", dest="patterns", action="append", metavar="PATTERN",
        help="repositories it may vouch for: team/app, team/*, team/** (default: **, all)",
    )  # fmt: skip
    distrust = actions.add_parser("distrust", help="trust an authority no longer")
    distrust.add_argument("name", metavar="NAME")
    listing = actions.add_parser("list", help="list the trusted authorities")
    for action in (trust, distrust, listing):
        action.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = "Exit codes: 0 done, 2 wrong input, 3 it could not be done"


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import databases
    from seawall.cli import local
    from seawall.core.clock import SystemClock
    from seawall.trust.authorities import TrustedAuthorities

    asked = None
    if options.action == "trust":
        asked = read(
            options.file,
            name=options.name,
            identities=options.identities,
            patterns=options.patterns or ["**"],
        )
    with databases.opened_database(settings) as database:
        authorities = TrustedAuthorities(database, SystemClock())
        if asked is not None:
            found = [authorities.trust(asked, actor=local.who(settings))]
        elif options.action == "distrust":
            found = [authorities.distrust(options.name, actor=local.who(settings))]
        else:
            found = list(authorities.list())
    for authority in found:
        _print(authority, options.json)
    return 0


def read(
    path: Path, *, name: str, identities: Sequence[str], patterns: Sequence[str]
) -> TrustedAuthority:
    """Read an authority from a file, and check what it is to be trusted for.

    A file in JSON is a trusted root, anything else must be certificates.
    """
    from seawall.trust import authorities, key_files
    from seawall.trust.model import AuthorityKind, TrustedAuthority

    content = key_files.read_certificates(path)
    is_root = content.lstrip()[:1] == b"{"
    return authorities.checked(
        TrustedAuthority(
            name=name,
            kind=AuthorityKind.SIGSTORE if is_root else AuthorityKind.NOTATION,
            content=content,
            identities=tuple(identities),
            patterns=tuple(patterns),
        )
    )


def _print(authority: TrustedAuthority, as_json: bool) -> None:
    from seawall.cli import local

    document = {
        "name": authority.name,
        "kind": authority.kind.value,
        "sha256": hashlib.sha256(authority.content).hexdigest(),
        "identities": list(authority.identities),
        "patterns": list(authority.patterns),
    }
    if as_json:
        print(json.dumps(document))
        return
    print(f"{authority.name}  {authority.kind.value}  {' '.join(authority.patterns)}")
    for identity in authority.identities:
        print(f"    {local.printable(identity, 600)}")
