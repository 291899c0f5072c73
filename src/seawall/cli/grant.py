"""`seawall grant`: who may pull, push and delete what."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from seawall.cli import local

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.identity.model import Action


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    give = actions.add_parser("give", help="grant rights on repositories")
    give.add_argument("actions", metavar="RIGHTS", help="pull, push, delete; several with commas")
    take = actions.add_parser("take", help="take a grant away")
    for action in (give, take):
        action.add_argument(
            "subject", metavar="WHO", help="a user, or the words anonymous or authenticated"
        )
        action.add_argument(
            "pattern", metavar="REPOSITORIES", help="team/app, team/*, team/** or **"
        )
    listing = actions.add_parser("list", help="list all grants")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.epilog = "Example: seawall grant give pull,push alice 'team/*'"


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import setup

    actor = local.who(settings)
    with setup.opened(settings) as house:
        match options.action:
            case "list":
                for grant in house.grants.list():
                    rights = sorted(action.value for action in grant.actions)
                    if options.json:
                        line = {
                            "subject": grant.subject,
                            "pattern": grant.pattern,
                            "actions": rights,
                        }
                        print(json.dumps(line))
                    else:
                        print(f"{grant.subject:<24} {grant.pattern:<32} {','.join(rights)}")
            case "give":
                house.grants.grant(
                    options.subject, options.pattern, _rights(options.actions), actor=actor
                )
                print(f"{options.subject} may {options.actions} {options.pattern}")
            case _:
                house.grants.revoke(options.subject, options.pattern, actor=actor)
                print(f"{options.subject} has no grant on {options.pattern} any more")
    return 0


def _rights(text: str) -> frozenset[Action]:
    from seawall.core.errors import InvalidInputError
    from seawall.identity.model import Action

    try:
        return frozenset(Action(word) for word in text.split(","))
    except ValueError as error:
        raise InvalidInputError(
            f"{text!r} are not rights", remedy="name pull, push or delete, with commas"
        ) from error
