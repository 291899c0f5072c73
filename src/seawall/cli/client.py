"""`seawall client`: certificates with which docker reaches the gate over the network."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING

from seawall.cli import local

if TYPE_CHECKING:
    from seawall.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    issue = actions.add_parser("issue", help="issue a certificate for a user")
    issue.add_argument("user")
    issue.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for the files (default: ./seawall-USER)"
    )
    issue.add_argument("--days", type=int, default=30, help="how long it lasts (30)")
    revoke = actions.add_parser("revoke", help="make a certificate worthless")
    revoke.add_argument("serial")
    listing = actions.add_parser("list", help="list the certificates that were issued")
    for action in (issue, listing):
        action.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import setup

    with setup.opened(settings) as house:
        match options.action:
            case "issue":
                folder: Path = options.output or Path(f"seawall-{options.user}")
                lifetime = _lifetime(options.days)
                # Before anything is issued: a certificate that nobody has is still in the list.
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                pair = house.certificates.client_certificate(
                    options.user, lifetime, actor=local.who(settings)
                )
                house.certificates.write_bundle(pair, folder)
                _print_issued(options, settings, folder.absolute())
            case "revoke":
                house.certificates.revoke(options.serial, actor=local.who(settings))
                print(f"certificate {options.serial} is revoked")
            case _:
                for one in house.certificates.list():
                    end = "revoked" if one.revoked else f"until {one.expires:%Y-%m-%d}"
                    if options.json:
                        line = {
                            "serial": one.serial,
                            "user": one.user,
                            "expires": one.expires.isoformat(),
                            "is_revoked": one.revoked is not None,
                        }
                        print(json.dumps(line))
                    else:
                        print(f"{one.serial}  {one.user:<24} {end}")
    return 0


def _lifetime(days: int) -> dt.timedelta:
    from seawall.core.errors import InvalidInputError
    from seawall.identity.certificates import LONGEST_LIFETIME

    if not 0 < days <= LONGEST_LIFETIME.days:
        raise InvalidInputError(
            f"a certificate cannot last {days} days",
            remedy=f"use --days 1 to {LONGEST_LIFETIME.days}",
        )
    return dt.timedelta(days=days)


def _print_issued(options: argparse.Namespace, settings: Settings, folder: Path) -> None:
    address = f"tcp://{settings.options.gate.names[0]}:{settings.options.gate.port}"
    if options.json:
        print(json.dumps({"user": options.user, "folder": str(folder), "address": address}))
        return
    files = f"ca={folder}/ca.pem,cert={folder}/cert.pem,key={folder}/key.pem"
    print(f"certificate for {options.user} in {folder}; keep key.pem secret\n")
    print("point docker at the gate with a context:")
    print(f"  docker context create seawall --docker host={address},{files}")
    print("  docker context use seawall\n")
    print("or with the environment:")
    print(f"  export DOCKER_HOST={address} DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH={folder}")
