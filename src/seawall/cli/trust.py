"""`seawall trust`: the tree of a repository, which says what each of its tags stands for.

The commands of its owner and its signers. Each opens the tree with proof from a pinned root first.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.cli import _registry_options, _trust_options, signers, trust_migrate

if TYPE_CHECKING:
    from seawall.config import Settings

SERVER_ROLES: Final = ("snapshot", "timestamp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_owner(actions)
    _add_signers(actions)
    _add_readers(actions)
    trust_migrate.add_arguments(
        actions.add_parser("migrate", help="bring trust data of another server here")
    )
    parser.epilog = (
        "Exit codes: 0 done, 1 it waits for more signatures or does not hold, 2 wrong input,\n"
        "3 the registry does not answer or does not allow it"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import trust_changes, trust_views

    what = {
        "init": trust_changes.init,
        "signer add": trust_changes.add_signer,
        "signer remove": trust_changes.remove_signer,
        "revoke": trust_changes.revoke,
        "rotate": trust_changes.rotate,
        "threshold": trust_changes.threshold,
        "renew": trust_changes.renew,
        "approve": trust_changes.approve,
        "show": trust_views.show,
        "status": trust_views.status,
        "pin": trust_views.pin,
        "export": trust_views.export,
        "migrate": trust_migrate.run,
    }
    more = f" {options.signer_action}" if options.action == "signer" else ""
    return what[options.action + more](options, settings, dt.datetime.now(dt.UTC))


def _add_owner(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    init = _signing(actions, "init", "make a repository's tree, and pin its root")
    init.add_argument(
        "--root-key", dest="root_keys", action="append", default=[], metavar="KEY",
        help="key of the root, may be given several times (default: the key that signs tags)",
    )  # fmt: skip
    init.add_argument(
        "--threshold", type=int, default=1, metavar="N", help="root keys that must sign (1)"
    )
    rotate = _signing(actions, "rotate", "hand a role over to another key")
    rotate.add_argument("role", choices=("root", "targets", *SERVER_ROLES))
    _add_image(rotate, "REPO")
    rotate.add_argument(
        "--new-key", dest="new_keys", action="append", default=[], metavar="KEY",
        help="key that takes over; of root several (snapshot and timestamp: the server makes it)",
    )  # fmt: skip
    rotate.add_argument(
        "--threshold", type=int, default=None, metavar="N",
        help="root keys that must sign from now on (default: as before, at most all)",
    )  # fmt: skip
    threshold = _signing(actions, "threshold", "want several signatures")
    threshold.add_argument("role", choices=("root", "releases"))
    threshold.add_argument("count", type=int, metavar="N")
    _add_image(threshold, "REPO")
    renew = _signing(actions, "renew", "sign anew what expires soon")
    renew.add_argument(
        "--within", type=float, default=90, metavar="DAYS", help="how soon (90 days)"
    )
    approve = _signing(actions, "approve", "sign what waits for more signatures")
    approve.add_argument("--yes", action="store_true", help="sign what was shown")


def _add_signers(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    signer = actions.add_parser("signer", help="say who may sign")
    kinds = signer.add_subparsers(dest="signer_action", required=True, metavar="ACTION")
    add = kinds.add_parser("add", help="let a key sign under a name")
    add.add_argument("name", metavar="NAME")
    add.add_argument("file", type=Path, metavar="PUB")
    add.add_argument("repositories", nargs="+", metavar="REPO")
    remove = kinds.add_parser("remove", help="take a signer away, with what nobody else signed")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("image", metavar="REPO", help="HOST[:PORT]/REPOSITORY")
    remove.add_argument("--yes", action="store_true", help="do what was shown")
    for one in (add, remove):
        _add_common(one)
        signers.add_arguments(one)
    revoke = _signing(actions, "revoke", "take a tag out of every role", metavar="IMAGE")
    revoke.epilog = "The image itself stays in the registry."


def _add_readers(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    show = actions.add_parser("show", help="show keys, signers and tags of a proven tree")
    status = actions.add_parser("status", help="show what expires, and who still has to sign")
    pin = actions.add_parser("pin", help="say which root is a repository's")
    pin.add_argument(
        "--root", dest="fingerprints", action="append", default=[], metavar="FINGERPRINT",
        help="id of a root key as its owner gives it, 64 hex digits; of several, all must have"
        " signed",
    )  # fmt: skip
    pin.add_argument("--forget", action="store_true", help="remove the pin")
    pin.add_argument(
        "--registry",
        action="store_true",
        help="have the registry pin it too, where it has none yet: its gate demands the tree then",
    )
    pin.add_argument(
        "--installation", action="store_true",
        help="pin it for the gate of this machine's installation, not for yourself",
    )  # fmt: skip
    export = actions.add_parser("export", help="write all that a proof needs into one file")
    export.add_argument("-o", "--output", type=Path, required=True, metavar="BUNDLE")
    for one in (show, status, pin):
        one.add_argument("image", metavar="REPO", help="HOST[:PORT]/REPOSITORY")
    export.add_argument("image", metavar="IMAGE", help="HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]")
    for one in (show, status, pin, export):
        _add_common(one)


def _signing(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    *,
    metavar: str = "REPO",
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary)
    if name not in ("rotate", "threshold"):
        _add_image(parser, metavar)
    _add_common(parser)
    signers.add_arguments(parser)
    return parser


def _add_image(parser: argparse.ArgumentParser, metavar: str) -> None:
    tag = ":TAG" if metavar == "IMAGE" else ""
    parser.add_argument("image", metavar=metavar, help=f"HOST[:PORT]/REPOSITORY{tag}")


def _add_common(parser: argparse.ArgumentParser) -> None:
    _registry_options.add_connection(parser)
    _trust_options.add(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
