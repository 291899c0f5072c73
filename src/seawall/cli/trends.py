"""`seawall trends`: what was open in tagged images, day by day."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from seawall.cli import local

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.web.scan_views import Day, Trends


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("repository", nargs="?", default="", help="of one repository alone")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = "Exit codes: 0 done, 2 wrong input, 3 no day of it was measured yet"


def run(options: argparse.Namespace, settings: Settings) -> int:
    import msgspec

    from seawall.app import processes, setup
    from seawall.core.errors import NotFoundError
    from seawall.oci.names import RepositoryName
    from seawall.web.ports import Viewer

    name = RepositoryName.parse(options.repository) if options.repository else ""
    viewer = Viewer(actor=local.who(settings), is_administrator=True)
    with setup.opened(settings) as house:
        found = processes.house_pages(house).trends(viewer, name)
    if found is None or not found.days:
        what = f"no day of {name}" if name else "no day"
        raise NotFoundError(
            f"{what} was measured yet",
            remedy="the first comes within an hour after an image is judged",
        )
    if options.json:
        print(msgspec.json.encode(found).decode())
    else:
        for line in _lines(found):
            print(line)
    return 0


def _lines(found: Trends) -> Iterator[str]:
    yield "DAY         CRITICAL    HIGH  MEDIUM     LOW  EXPLOITED  ANSWERED  SCANNED   AGE  CLOSED"
    yield from map(_line, found.days)
    fix = "–" if found.time_to_fix is None else f"{found.time_to_fix:.1f} days"
    yield f"{found.closed} critical and high ones closed, mean time to fix {fix}"


def _line(one: Day) -> str:
    counts = one.counts
    age = "–" if one.critical_age is None else f"{one.critical_age:.1f}d"
    return (
        f"{one.day}  {counts.critical:>8}  {counts.high:>6}  {counts.medium:>6}  {counts.low:>6}"
        f"  {counts.exploited:>9}  {counts.answered:>8}  {one.scanned:>7}"
        f" {age:>5}  {one.closed:>6}"
    )
