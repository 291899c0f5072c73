"""`seawall policy`: check the policy file, and show what applies to a repository."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.policy import Policy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="check a policy file without using it")
    check.add_argument("file", type=Path, nargs="?", help="default: the one in force")
    show = actions.add_parser("show", help="show the policy that applies to a repository")
    show.add_argument("repository")
    for action in (check, show):
        action.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "The policy file is policy.yaml in the state directory; it is read at every decision.\n"
        "Without it the built-in policy holds: signed by a trusted key, scanned whole within\n"
        "7 days, nothing fixable of severity high or above."
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall import policy
    from seawall.core.errors import NotFoundError

    if options.action == "check":
        path: Path = options.file or settings.policy
        if not path.exists():
            raise NotFoundError(f"there is no {path}", remedy="the built-in policy is in force")
        found = policy.load_file(path).policies
        if options.json:
            print(json.dumps([_document(one) for one in found]))
        else:
            for one in found:
                print(f"{one.name}: {', '.join(one.patterns)}")
            print(f"{path}: {len(found)} policies, no mistakes")
        return 0
    chosen = policy.load_file(settings.policy).for_repository(options.repository)
    if options.json:
        print(json.dumps(_document(chosen)))
    else:
        print(f"{options.repository}: policy {chosen.name} ({', '.join(chosen.patterns)})")
        for moded in chosen.rules:
            print(f"  {moded.mode.value:<8} {moded.rule}")
        for waiver in chosen.waivers:
            print(f"  waiver   {waiver.finding} until {waiver.expires:%Y-%m-%d} ({waiver.owner})")
    return 0


def _document(one: Policy) -> dict[str, object]:
    return {
        "name": one.name,
        "repositories": list(one.patterns),
        "rules": [{"rule": m.rule.name, "mode": m.mode.value} for m in one.rules],
        "waivers": [
            {"finding": w.finding, "expires": w.expires.isoformat(), "owner": w.owner}
            for w in one.waivers
        ],
    }
