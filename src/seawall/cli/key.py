"""`seawall key`: make signing keys, and say which keys this installation trusts."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.cli import signers

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.trust.model import TrustedKey

DEFAULT_NAME: Final = "seawall"
MAX_DAYS: Final = 3650


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    generate = actions.add_parser("generate", help="make a P-256 key pair, encrypted on disk")
    generate.add_argument(
        "--output", type=Path, metavar="PREFIX",
        help="writes PREFIX.key and PREFIX.pub (default: in your own configuration)",
    )  # fmt: skip
    generate.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="its first line (else: asked twice)"
    )
    show = actions.add_parser("show", help="print the id of a public key")
    show.add_argument("file", type=Path, metavar="PUB")
    trust = actions.add_parser("trust", help="trust a public key in this installation")
    trust.add_argument("file", type=Path, metavar="PUB")
    trust.add_argument("--name", help="how people call it (default: the file's name)")
    trust.add_argument(
        "--for", dest="patterns", action="append", metavar="PATTERN",
        help="repositories it may vouch for: team/app, team/*, team/** (default: **, all)",
    )  # fmt: skip
    distrust = actions.add_parser("distrust", help="trust a key no longer")
    distrust.add_argument("key", metavar="ID", help="its id, the beginning of it, or its name")
    listing = actions.add_parser("list", help="list the trusted keys")
    certificate = actions.add_parser(
        "certificate", help="print the certificate of a key, for notation's trust stores"
    )
    signers.add_arguments(certificate)
    certificate.add_argument(
        "--subject", default="", metavar="NAME", help='of a new one: "C=…, ST=…, O=…, CN=…"'
    )
    certificate.add_argument("--days", type=int, metavar="N", help="of a new one (default: 1095)")
    for action in (generate, show, trust, distrust, listing, certificate):
        action.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = "Exit codes: 0 done, 2 wrong input, 3 it could not be done"


def run(options: argparse.Namespace, settings: Settings) -> int:
    match options.action:
        case "generate":
            return _generate(options, settings)
        case "show":
            return _show(options)
        case "trust":
            return _trust(options, settings)
        case "distrust":
            return _distrust(options, settings)
        case "certificate":
            return _certificate(options, settings)
        case _:
            return _list(options, settings)


def _generate(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import passphrases
    from seawall.core.errors import UnavailableError
    from seawall.trust import key_files, keys

    prefix: Path = options.output or settings.home.keys / DEFAULT_NAME
    private = prefix.with_name(prefix.name + ".key")
    public = prefix.with_name(prefix.name + ".pub")
    key_files.refuse_existing(private, public)
    phrase = passphrases.read_new(options.passphrase_file, prompt=f"Passphrase for {private}")
    pair = keys.generate(phrase)
    try:
        private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"cannot make {private.parent}: {error.strerror}") from error
    key_files.write(pair, private=private, public=public)
    if options.json:
        made = {"key_id": pair.key_id, "private": str(private), "public": str(public)}
        print(json.dumps(made))
    else:
        print(f"key {pair.key_id}\nprivate: {private} (encrypted)\npublic:  {public}")
    return 0


def _show(options: argparse.Namespace) -> int:
    from seawall.trust import key_files

    key_id = key_files.read_public(options.file).key_id
    print(json.dumps({"key_id": key_id}) if options.json else key_id)
    return 0


def _trust(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import setup
    from seawall.core import actor
    from seawall.core.clock import SystemClock
    from seawall.trust import key_files
    from seawall.trust.trusted import TrustedKeys

    public = key_files.read_public(options.file)
    with setup.opened_database(settings) as database:
        key = TrustedKeys(database, SystemClock()).trust(
            public.pem,
            name=options.name or options.file.stem,
            patterns=options.patterns or ["**"],
            actor=actor.operator(settings.home.login),
        )
    _print(key, options.json)
    return 0


def _distrust(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import setup
    from seawall.core import actor
    from seawall.core.clock import SystemClock
    from seawall.trust.trusted import TrustedKeys

    with setup.opened_database(settings) as database:
        trusted = TrustedKeys(database, SystemClock())
        key_id = _one(options.key, trusted.list()).key_id
        key = trusted.distrust(key_id, actor=actor.operator(settings.home.login))
    _print(key, options.json)
    return 0


def _list(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import setup
    from seawall.core.clock import SystemClock
    from seawall.trust.trusted import TrustedKeys

    with setup.opened_database(settings) as database:
        for key in TrustedKeys(database, SystemClock()).list():
            _print(key, options.json)
    return 0


def _certificate(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import notation_signing
    from seawall.core.errors import InvalidInputError
    from seawall.trust import certificates

    if options.days is not None and not 1 <= options.days <= MAX_DAYS:
        raise InvalidInputError(f"--days must be 1 to {MAX_DAYS}")
    lifetime = None if options.days is None else dt.timedelta(days=options.days)
    for signer in signers.open_signers(options.keys, options, settings):
        found = notation_signing.own_certificate(
            signer, settings, dt.datetime.now(dt.UTC), subject=options.subject, lifetime=lifetime
        )
        pem = certificates.to_pem(found).decode()
        document = {
            "key_id": signer.public.key_id,
            "subject": found.subject,
            "thumbprint": found.thumbprint,
            "file": str(notation_signing.certificate_path(signer.public, settings)),
            "pem": pem,
        }
        print(json.dumps(document) if options.json else pem, end="\n" if options.json else "")
    return 0


def _one(wanted: str, trusted: tuple[TrustedKey, ...]) -> TrustedKey:
    from seawall.core.errors import InvalidInputError, NotFoundError

    found = [key for key in trusted if key.name == wanted] or [
        key for key in trusted if wanted and key.key_id.startswith(wanted)
    ]
    if not found:
        raise NotFoundError(f"no trusted key is {wanted!r}", remedy="see: seawall key list")
    if len(found) > 1:
        raise InvalidInputError(f"{wanted!r} fits {len(found)} keys", remedy="give more of the id")
    return found[0]


def _print(key: TrustedKey, as_json: bool) -> None:
    if as_json:
        line = {"key_id": key.key_id, "name": key.name, "patterns": list(key.patterns)}
        print(json.dumps(line))
    else:
        print(f"{key.key_id}  {key.name}  {' '.join(key.patterns)}")
