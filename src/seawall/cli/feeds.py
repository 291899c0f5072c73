"""`seawall feeds`: import or update advisories, and show how old they are."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from seawall.cli import local, progress
from seawall.core.errors import InvalidInputError

if TYPE_CHECKING:
    from seawall.app.rooms import House
    from seawall.config import Settings
    from seawall.scan.refreshes import Failure, Refresh


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    bring = actions.add_parser("import", help="make files the current edition of their feeds")
    bring.add_argument("file", type=Path, nargs="+", help="file or folder, in any format known")
    bring.add_argument("--feed", help="name of the feed (default: the file's name)")
    bring.add_argument(
        "--unsafe-allow-shrink", action="store_true",
        help="accept an edition with less than half of the advisories of the one in use",
    )  # fmt: skip
    update = actions.add_parser("update", help="download what the settings name")
    update.add_argument("feed", nargs="*", help="only these (default: feeds.names in the settings)")
    update.add_argument("--url", help="base address (default: feeds.url in the settings)")
    update.add_argument(
        "--unsafe-allow-shrink", action="store_true",
        help="accept editions with less than half of the advisories of the ones in use",
    )  # fmt: skip
    sources = actions.add_parser("sources", help="list the feeds that are known by name")
    listing = actions.add_parser("list", help="list the feeds with their age")
    for action in (bring, update, listing, sources):
        action.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.epilog = (
        "A format is told by its content: OSV, and what distributions and others publish.\n"
        "What a new edition says about packages of images that were scanned before is judged\n"
        "again by the workers, from their stored inventories."
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import scanner, setup

    if options.action != "list":
        scanner.ensure_database(settings)
    with setup.opened(settings) as house:
        match options.action:
            case "import":
                return _import(options, house)
            case "update":
                return _update(options, house)
            case _:
                return _list(options, house)


def _import(options: argparse.Namespace, house: House) -> int:
    if options.feed and len(options.file) > 1:
        raise InvalidInputError(
            "--feed names one feed, and several files were given",
            remedy="import them one by one: each file is one whole edition of its feed",
        )
    actor = local.who(house.settings)
    for path in options.file:
        with progress.Bar(path.name, is_quiet=options.json) as bar:
            refresh = house.advisories.import_file(
                path,
                actor=actor,
                progress=bar.show,
                feed=options.feed or "",
                unsafe_allow_shrink=options.unsafe_allow_shrink,
            )
        _print(refresh, options.json)
    return 0


def _update(options: argparse.Namespace, house: House) -> int:
    feeds = house.settings.options.feeds
    downloads = house.settings.state / "feeds"
    downloads.mkdir(mode=0o700, exist_ok=True)
    with progress.Bars(is_quiet=options.json) as bars:
        results = house.advisories.update(
            options.feed or feeds.names,
            base_url=options.url or feeds.url,
            directory=downloads,
            actor=local.who(house.settings),
            progress=bars.show,
            unsafe_allow_shrink=options.unsafe_allow_shrink,
        )
    failures = 0
    for result in results:
        failures += _print(result, options.json)
    return 3 if failures else 0


def _sources(options: argparse.Namespace) -> int:
    from seawall.scan import feed_sources

    for name, source in feed_sources.KNOWN.items():
        if options.json:
            line = {
                "name": name, "url": source.url, "licence": source.licence,
                "attribution": source.attribution, "about": source.about,
            }  # fmt: skip
            print(json.dumps(line))
        else:
            print(f"{name:<24} {source.about}\n{'':<24} {source.attribution}: {source.licence}")
    if not options.json:
        print("Every other name is one of OSV's ecosystems, below feeds.url of the settings.")
    return 0


def _list(options: argparse.Namespace, house: House) -> int:
    limit = dt.timedelta(days=house.settings.options.feeds.stale_after_days)
    now = house.clock.now()
    feeds = house.advisories.feeds()
    if not feeds:
        print("no feed is imported yet: seawall feeds update", file=sys.stderr)
    for feed in feeds:
        is_stale = feed.is_stale(now, after=limit)
        if options.json:
            line = {
                "name": feed.name, "records": feed.records, "imported_at": feed.imported_at,
                "checked_at": feed.checked_at, "is_stale": is_stale, "error": feed.error,
            }  # fmt: skip
            print(json.dumps(line))
            continue
        age = f"imported {feed.imported_at[:16]}Z" if feed.imported_at else "never imported"
        note = "  STALE" if is_stale else ""
        error = f"  last attempt failed: {local.printable(feed.error)}" if feed.error else ""
        print(f"{feed.name:<20} {feed.records:>8} advisories  {age}{note}{error}")
    return 0


def _print(result: Refresh | Failure, as_json: bool) -> int:
    """Print one line; returns 1 for a failure."""
    from seawall.scan.refreshes import Failure

    if isinstance(result, Failure):
        if as_json:
            print(json.dumps({"feed": result.feed, "error": result.reason}))
        else:
            print(f"{result.feed}: FAILED, the old edition stays in use: {result.reason}")
            if result.remedy:
                print(f"  {result.remedy}")
        return 1
    if as_json:
        line = {
            "feed": result.feed, "digest": result.digest, "records": result.records,
            "bad_records": result.bad_records, "is_unchanged": result.is_unchanged,
            "added": len(result.added), "changed": len(result.changed),
            "withdrawn": len(result.withdrawn), "removed": len(result.removed),
        }  # fmt: skip
        print(json.dumps(line))
        return 0
    if result.is_unchanged:
        print(f"{result.feed}: {result.records} advisories, unchanged")
        return 0
    print(
        f"{result.feed}: {result.records} advisories: {len(result.added)} new,"
        f" {len(result.changed)} changed, {len(result.withdrawn)} withdrawn,"
        f" {len(result.removed)} gone"
    )
    for bad in result.bad:
        print(f"  left out {bad.place}: {local.printable(bad.reason)}")
    if result.bad_records > len(result.bad):
        print(f"  and {result.bad_records - len(result.bad)} more bad records")
    for ecosystem, count in sorted(result.unmatched.items()):
        print(f"  {count} records of {ecosystem} are kept, but not matched by this version")
    return 0
