"""`seawall key`: make signing keys, move them, and say which keys this installation trusts.

The actions are in `key_making` (files), `key_tokens` (hardware) and `key_trust` (whom we believe).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.cli import signers

if TYPE_CHECKING:
    from seawall.config import Settings

ANY_TOKEN: Final = "pkcs11:"  # noqa: S105 - a URI, no secret


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    added = (
        _generate(actions.add_parser("generate", help="make a P-256 key, in a file or on a token")),
        _import(actions.add_parser("import", help="bring a key to a token, or from docker")),
        _export(actions.add_parser("export", help="write a key in docker's form")),
        _link(actions.add_parser("link", help="write a key file for a key that is on a token")),
        _attest(actions.add_parser("attest", help="prove that a YubiKey keeps a key")),
        _show(actions.add_parser("show", help="print the id of a public key")),
        _trust(actions.add_parser("trust", help="trust a public key in this installation")),
        _distrust(actions.add_parser("distrust", help="trust a key no longer")),
        _certificate(
            actions.add_parser(
                "certificate", help="print the certificate of a key, for notation's trust stores"
            )
        ),
        _list(actions.add_parser("list", help="list the trusted keys, or those on tokens")),
    )
    for action in added:
        action.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "Exit codes: 0 done, 1 not proven (attest), 2 wrong input, 3 it could not be done"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import key_certificate, key_making, key_tokens, key_trust

    is_token = getattr(options, "token", None) is not None
    actions = {
        "generate": key_tokens.generate if is_token else key_making.generate,
        "import": key_tokens.bring if is_token else key_making.bring,
        "export": key_making.export,
        "link": key_tokens.link,
        "attest": key_tokens.attest,
        "show": key_making.show,
        "trust": key_trust.trust,
        "distrust": key_trust.distrust,
        "certificate": key_certificate.show,
        "list": key_tokens.list_keys if is_token else key_trust.list_keys,
    }
    return actions[options.action](options, settings)


def _generate(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    _output(parser)
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="its first line (else: asked twice)"
    )
    parser.add_argument("--token", metavar="URI", help="make it on this token: pkcs11:token=NAME")
    _token_options(parser)
    return parser


def _import(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("key", nargs="?", metavar="KEY", help="key file, or its name")
    parser.add_argument(
        "--from-docker", type=Path, metavar="FILE", help="a private key of docker or notary"
    )
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="passphrase of the key (else: asked)"
    )
    _output(parser)
    parser.add_argument("--token", metavar="URI", help="bring it to this token")
    parser.add_argument(
        "--backup", type=Path, metavar="FILE",
        help="writes an encrypted copy first, under the passphrase of the key",
    )  # fmt: skip
    parser.add_argument(
        "--unsafe-no-backup", action="store_true", help="the key may be lost with its token"
    )
    _token_options(parser)
    return parser


def _export(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("key", metavar="KEY", help="key file, or its name")
    parser.add_argument(
        "--docker", type=Path, required=True, metavar="FILE",
        help="file to write, for ~/.docker/trust/private; weaker encryption than ours",
    )  # fmt: skip
    parser.add_argument(
        "--role", required=True, help="root, targets, snapshot, or the name of a signer"
    )
    parser.add_argument("--gun", metavar="NAME", help="image name that a targets key is for")
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="passphrase of the key (else: asked)"
    )
    return parser


def _link(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("token", metavar="URI", help="pkcs11:token=NAME;id=%%02")
    _output(parser)
    parser.add_argument("--pin-file", type=Path, metavar="FILE", help="PIN (else: asked)")
    parser.add_argument(
        "--touch", choices=("always", "cached", "never"),
        help="when the token wants a touch, where it does not say so itself",
    )  # fmt: skip
    return parser


def _attest(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("subject", metavar="URI|CERT", help="key on a token, or certificates (PEM)")
    parser.add_argument(
        "--root", type=Path, required=True, metavar="FILE", help="root of the vendor, in PEM"
    )
    parser.add_argument("--pin-file", type=Path, metavar="FILE", help="PIN (else: asked)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="writes the proven certificates there"
    )
    return parser


def _show(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("file", type=Path, metavar="PUB")
    return parser


def _trust(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("file", type=Path, metavar="PUB")
    parser.add_argument("--name", help="how people call it (default: the file's name)")
    parser.add_argument(
        "--for", dest="patterns", action="append", metavar="PATTERN",
        help="repositories it may vouch for: team/app, team/*, team/** (default: **, all)",
    )  # fmt: skip
    parser.add_argument(
        "--attestation", type=Path, metavar="CERT", help="proof that a YubiKey keeps it, in PEM"
    )
    parser.add_argument(
        "--attestation-root", type=Path, metavar="FILE", help="root of its vendor, in PEM"
    )
    return parser


def _distrust(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("key", metavar="ID", help="its id, the beginning of it, or its name")
    return parser


def _certificate(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    signers.add_arguments(parser)
    parser.add_argument(
        "--subject", default="", metavar="NAME", help='of a new one: "C=…, ST=…, O=…, CN=…"'
    )
    parser.add_argument("--days", type=int, metavar="N", help="of a new one (default: 1095)")
    return parser


def _list(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--token", nargs="?", const=ANY_TOKEN, metavar="URI",
        help="list tokens that are plugged in, and their keys, instead",
    )  # fmt: skip
    return parser


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output", type=Path, metavar="PREFIX",
        help="writes PREFIX.key and PREFIX.pub (default: in your own configuration)",
    )  # fmt: skip


def _token_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pin-file", type=Path, metavar="FILE", help="PIN (else: asked)")
    parser.add_argument(
        "--management-key-file", type=Path, metavar="FILE", help="of a YubiKey, to write to it"
    )
    parser.add_argument(
        "--touch", choices=("always", "cached", "never"), help="when a YubiKey wants a touch"
    )
    parser.add_argument(
        "--pin-policy", choices=("once", "always"), help="when a YubiKey wants its PIN"
    )
