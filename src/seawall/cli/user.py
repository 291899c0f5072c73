"""`seawall user`: add, list, disable and enable people and robots; set passwords."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.cli import local

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.identity.model import User

FILE_OPTION: Final = "--password-file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add a user")
    add.add_argument("--administrator", action="store_true", help="may everything")
    password = actions.add_parser("password", help="set a new password")
    disable = actions.add_parser("disable", help="shut a user out everywhere, at once")
    enable = actions.add_parser("enable", help="let a disabled user in again")
    listing = actions.add_parser("list", help="list the users")
    for action in (add, password, disable, enable):
        action.add_argument("name")
    for action in (add, password):
        action.add_argument(
            FILE_OPTION, type=Path, metavar="FILE", help="its first line (else: asked twice)"
        )
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.epilog = "A new user may nothing until granted: see seawall grant"


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import setup
    from seawall.cli import passphrases

    actor = local.who(settings)
    with setup.opened(settings) as house:
        match options.action:
            case "list":
                for user in house.users.list():
                    _print(user, options.json)
            case "add":
                secret = passphrases.read_new(
                    options.password_file, prompt="Password", option=FILE_OPTION
                )
                house.users.create(
                    options.name,
                    secret.reveal(),
                    is_administrator=options.administrator,
                    actor=actor,
                )
                print(f"added {options.name}")
            case "password":
                secret = passphrases.read_new(
                    options.password_file, prompt="New password", option=FILE_OPTION
                )
                house.users.set_password(options.name, secret.reveal(), actor=actor)
                print(f"the password of {options.name} is changed; their sessions have ended")
            case "disable":
                house.users.disable(options.name, actor=actor)
                print(f"{options.name} is shut out")
            case _:
                house.users.enable(options.name, actor=actor)
                print(f"{options.name} may come in again")
    return 0


def _print(user: User, as_json: bool) -> None:
    if as_json:
        line = {
            "name": user.name,
            "is_administrator": user.is_administrator,
            "is_disabled": user.is_disabled,
        }
        print(json.dumps(line))
        return
    marks = [
        word
        for word, holds in (
            ("administrator", user.is_administrator),
            ("disabled", user.is_disabled),
        )
        if holds
    ]
    print(f"{user.name:<24} {' '.join(marks)}".rstrip())
