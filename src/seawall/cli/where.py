"""`seawall where ID`: which images have a hole, which of them run, and who answers for it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from seawall.cli import local

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.web.scan_views import Holder, Vulnerability


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="CVE-2021-44228, or another name of the hole")
    parser.add_argument("--page", type=int, default=1, metavar="N", help="25 images each")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "Exit codes: 0 no image has it, 1 one has it, 2 wrong input, "
        "3 no advisory here speaks of it, so nobody looked"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    import msgspec

    from seawall.app import processes, setup
    from seawall.core.errors import InvalidInputError
    from seawall.scan import whereabouts
    from seawall.web.ports import Viewer
    from seawall.web.scan_views import HoleQuery

    if not whereabouts.is_id(options.id):
        raise InvalidInputError("that is not the id of an advisory", remedy="write CVE-2021-44228")
    if options.page < 1:
        raise InvalidInputError("--page: not a number from 1 on")
    viewer = Viewer(actor=local.who(settings), is_administrator=True)
    with setup.opened(settings) as house:
        pages = processes.house_pages(house)
        found = pages.vulnerability(viewer, HoleQuery(id=options.id, page=options.page))
    if options.json:
        print(msgspec.json.encode(found).decode())
    else:
        for line in _lines(found):
            print(local.printable(line, limit=400))
    if not found.is_known:
        return 3
    return 1 if found.images else 0


def _lines(found: Vulnerability) -> Iterator[str]:
    if not found.is_known:
        yield f"{found.id}: no advisory here speaks of it, so nobody looked: seawall feeds update"
        return
    told = [found.severity.value if found.severity else "", found.exploited, found.likelihood]
    yield f"{found.id}  {'; '.join(text for text in told if text)}".rstrip()
    if found.also:
        yield f"also {', '.join(found.also)}"
    if found.summary:
        yield found.summary
    images = "1 image" if found.images == 1 else f"{found.images} images"
    yield f"in {images}, {found.running} running"
    for one in found.holders:
        yield from _holder(one)
    if found.pages > 1:
        yield f"page {found.page} of {found.pages}: --page N"


def _holder(one: Holder) -> Iterator[str]:
    gone = "" if one.is_here else "  DELETED here"
    yield f"{one.repository}@{one.digest}{gone}"
    fix = f"fixed in {one.fixed}" if one.fixed else one.state or "no fix is known"
    reached = f"; {one.reached}" if one.reached else ""
    rated = f" by {one.rated_by}" if one.rated_by else ""
    yield f"  {one.package} {one.version}, {one.severity.value}{rated}; {fix}{reached}"
    yield f"  {'RUNS as ' + ', '.join(one.running) if one.running else 'runs nowhere'}"
    yield f"  known since {one.since:%Y-%m-%d}; {one.answer or 'OPEN'}"
