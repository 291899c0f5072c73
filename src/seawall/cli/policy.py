"""`seawall policy`: check the policy file, and show what applies to a repository."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import enum
import json
from collections.abc import Iterator
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
        "Without it the built-in policy holds: signed by a trusted key, named by the tree where\n"
        "a root is pinned, scanned whole within 7 days, nothing fixable of severity high or above."
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    return _check(options, settings) if options.action == "check" else _show(options, settings)


def _check(options: argparse.Namespace, settings: Settings) -> int:
    from seawall import policy
    from seawall.core.errors import NotFoundError

    path: Path = options.file or settings.policy
    if options.file and not path.exists():
        raise NotFoundError(f"there is no {path}", remedy="name a policy file that exists")
    found = policy.load_file(path).policies
    if options.json:
        print(json.dumps([_document(one) for one in found]))
        return 0
    if not path.exists():
        print(f"there is no {path}: the built-in policy is in force")
        return 0
    for one in found:
        print(f"{one.name}: {', '.join(one.patterns)}")
    print(f"{path}: {len(found)} {'policy' if len(found) == 1 else 'policies'}, no mistakes")
    return 0


def _show(options: argparse.Namespace, settings: Settings) -> int:
    from seawall import policy
    from seawall.oci.names import RepositoryName

    repository = RepositoryName.parse(options.repository)
    chosen = policy.load_file(settings.policy).for_repository(repository)
    if options.json:
        print(json.dumps(_document(chosen)))
        return 0
    print(f"{repository}: policy {chosen.name} ({', '.join(chosen.patterns)})")
    width = max([16, *(len(moded.rule.name) for moded in chosen.rules)])
    for moded in chosen.rules:
        set_to = "  ".join(f"{name}: {_text(value)}" for name, value in _set(moded.rule))
        print(f"  {moded.mode.value:<8} {moded.rule.name:<{width}} {set_to}".rstrip())
    for waiver in chosen.waivers:
        where = f" in {waiver.package}" if waiver.package else ""
        print(
            f"  waiver   {waiver.finding}{where} until {waiver.expires:%Y-%m-%d} ({waiver.owner})"
        )
    return 0


def _set(rule: object) -> Iterator[tuple[str, object]]:
    """Yield what the rule is set to, under the names of the policy file, as plain JSON values."""
    assert dataclasses.is_dataclass(rule)
    for field in dataclasses.fields(rule):
        value = getattr(rule, field.name)
        if isinstance(value, dt.timedelta):
            hours = int(value.total_seconds() // 3600)
            value = f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"
        elif field.name == "allow_unpinned":
            yield "unpinned", "allow" if value else "refuse"
            continue
        elif isinstance(value, enum.IntEnum):
            value = value.name.lower()
        elif isinstance(value, tuple):
            value = [str(one) for one in value]
        if value or isinstance(value, str):  # what is not demanded is left out
            yield field.name.replace("_", "-"), value


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _document(one: Policy) -> dict[str, object]:
    return {
        "name": one.name,
        "repositories": list(one.patterns),
        "rules": [
            {"rule": m.rule.name, "mode": m.mode.value, **dict(_set(m.rule))} for m in one.rules
        ],
        "waivers": [
            {
                "finding": w.finding,
                "package": w.package,
                "expires": w.expires.isoformat(),
                "owner": w.owner,
                "reason": w.reason,
            }
            for w in one.waivers
        ],
    }
