"""`seawall feeds`: import, update and carry advisories, and show how old they are.

`export` writes editions into one signed file. `import` takes such a file in when a key that is
named has signed it, and files as their sources publish them without one. Which of the two a file
is, its content says.
"""

from __future__ import annotations

import argparse
import datetime as dt
import functools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seawall.cli import local, progress, signers
from seawall.core.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from seawall.app.rooms import House
    from seawall.config import Settings
    from seawall.scan.refreshes import Failure, Refresh


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    bring = actions.add_parser("import", help="make files the current edition of their feeds")
    bring.add_argument(
        "file",
        type=Path,
        nargs="+",
        help="what `export` wrote; or a file or folder in any format known",
    )
    bring.add_argument(
        "--feed",
        help="name of the feed (default: the file's name); of a signed file: only this feed",
    )
    bring.add_argument(
        "--key", type=Path, action="append", default=[], metavar="PUB",
        help="public key that must have signed what `export` wrote (any of several)",
    )  # fmt: skip
    bring.add_argument(
        "--unsafe-unsigned", action="store_true",
        help="believe what `export` wrote without a signature",
    )  # fmt: skip
    bring.add_argument(
        "--unsafe-allow-older", action="store_true",
        help="accept an edition of a signed file that was fetched before the one in use",
    )  # fmt: skip
    bring.add_argument(
        "--unsafe-allow-shrink", action="store_true",
        help="accept an edition with less than half of the advisories of the one in use",
    )  # fmt: skip
    export = actions.add_parser("export", help="write editions into one signed file")
    export.add_argument("feed", nargs="*", help="only these (default: all that have an edition)")
    export.add_argument(
        "--output", type=Path, metavar="FILE", default=Path("feeds.tar"),
        help="default: feeds.tar",
    )  # fmt: skip
    signers.add_arguments(export)
    update = actions.add_parser("update", help="download what the settings name")
    update.add_argument("feed", nargs="*", help="only these (default: feeds.names in the settings)")
    update.add_argument("--url", help="base address (default: feeds.url in the settings)")
    update.add_argument(
        "--unsafe-allow-shrink", action="store_true",
        help="accept editions with less than half of the advisories of the ones in use",
    )  # fmt: skip
    sources = actions.add_parser("sources", help="list the feeds that are known by name")
    listing = actions.add_parser("list", help="list the feeds with their age")
    for action in (bring, export, update, listing, sources):
        action.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.epilog = (
        "A format is told by its content: OSV, and what distributions and others publish.\n"
        "What a new edition says about packages of images that were scanned before is judged\n"
        "again by the workers, from their stored inventories."
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import scanner, setup

    if options.action == "sources":
        return _sources(options)
    if options.action not in ("list", "export"):
        scanner.ensure_database(settings)
    with setup.opened(settings) as house:
        match options.action:
            case "import":
                return _import(options, house)
            case "update":
                return _update(options, house)
            case "export":
                return _export(options, house)
            case _:
                return _list(options, house)


def _import(options: argparse.Namespace, house: House) -> int:
    from seawall.cli import artifact_files

    if options.feed and len(options.file) > 1:
        raise InvalidInputError(
            "--feed names one feed, and several files were given",
            remedy="import them one by one",
        )
    carried = [artifact_files.is_layout(path) for path in options.file]
    if options.key and not all(carried):
        plain = options.file[carried.index(False)]
        raise InvalidInputError(
            f"{plain} is no file that `seawall feeds export` wrote, so nobody has signed it",
            remedy=artifact_files.FEEDS.otherwise,
        )
    failures = 0
    for path, is_carried in zip(options.file, carried, strict=True):
        failures += (_import_carried if is_carried else _import_plain)(path, options, house)
    return 3 if failures else 0


def _import_plain(path: Path, options: argparse.Namespace, house: House) -> int:
    with progress.Bar(path.name, is_quiet=options.json) as bar:
        refresh = house.advisories.import_file(
            path,
            actor=local.who(house.settings),
            progress=bar.show,
            feed=options.feed or "",
            unsafe_allow_shrink=options.unsafe_allow_shrink,
        )
    return _print(refresh, options.json)


def _import_carried(path: Path, options: argparse.Namespace, house: House) -> int:
    """Import the feeds of a signed file one by one; return how many of them failed."""
    from seawall.cli import feed_artifacts

    failures = 0
    with (
        progress.Bars(is_quiet=options.json) as bars,
        feed_artifacts.opened(
            path, options.key, bars.show, unsafe_unsigned=options.unsafe_unsigned
        ) as found,
    ):
        chosen = found.only(options.feed or "")
        bars.clear()
        if not options.json:
            print(f"{path}: {_count(len(found.feeds), 'feed')}, {_vouched(found.signed_by)}")
        for one in chosen:
            with one.open() as stream:
                result = house.advisories.import_edition(
                    one.edition,
                    stream,
                    actor=local.who(house.settings),
                    signed_by=found.signed_by,
                    progress=functools.partial(bars.show, one.edition.name),
                    unsafe_allow_shrink=options.unsafe_allow_shrink,
                    unsafe_allow_older=options.unsafe_allow_older,
                )
            bars.clear()
            failures += _print(result, options.json, found.signed_by)
    return failures


def _export(options: argparse.Namespace, house: House) -> int:
    from seawall.cli import feed_artifacts

    in_use = [feed.name for feed in house.advisories.feeds() if feed.generation]
    names = list(dict.fromkeys(options.feed)) or in_use
    missing = next((name for name in names if name not in in_use), None)
    if missing is not None:
        raise NotFoundError(
            f"there is no edition of a feed {missing}",
            remedy=f"there are: {', '.join(in_use) or 'none yet, see seawall feeds update'}",
        )
    if not names:
        raise NotFoundError(
            "no feed is imported yet: there is nothing to export", remedy="seawall feeds update"
        )
    opened = signers.open_signers(options.keys, options, house.settings)
    with progress.Bars(is_quiet=options.json) as bars:
        digest, editions = feed_artifacts.write(
            options.output, names, house.advisories, opened, bars.show
        )
    keys = [str(one.public.key_id) for one in opened]
    size = options.output.stat().st_size
    if options.json:
        line = {
            "file": str(options.output), "digest": str(digest), "bytes": size, "signed_by": keys,
            "feeds": [
                {"name": one.name, "records": one.records, "imported_at": one.imported_at}
                for one in editions
            ],
        }  # fmt: skip
        print(json.dumps(line))
        return 0
    for one in editions:
        print(f"{one.name:<20} {one.records:>8} advisories  of {one.imported_at[:16]}Z")
    print(
        f"{options.output}: {_count(len(editions), 'feed')}, {size / 1e6:.1f} MB,"
        f" {_vouched(tuple(keys))}"
    )
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


def _print(result: Refresh | Failure, as_json: bool, signed_by: Sequence[str] = ()) -> int:
    """Print one line; returns 1 for a failure."""
    from seawall.scan.refreshes import Failure

    if isinstance(result, Failure):
        if as_json:
            print(json.dumps({"feed": result.feed, "error": result.reason}))
        else:
            reason = local.printable(result.reason, 500)
            print(f"{result.feed}: FAILED, the old edition stays in use: {reason}")
            if result.remedy:
                print(f"  {result.remedy}")
        return 1
    if as_json:
        line = {
            "feed": result.feed, "digest": result.digest, "records": result.records,
            "bad_records": result.bad_records, "is_unchanged": result.is_unchanged,
            "added": len(result.added), "changed": len(result.changed),
            "withdrawn": len(result.withdrawn), "removed": len(result.removed),
            "signed_by": list(signed_by),
        }  # fmt: skip
        print(json.dumps(line))
        return 0
    if result.is_unchanged:
        print(f"{result.feed}: {result.records} advisories, unchanged: this edition is in use")
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


def _vouched(keys: Sequence[str]) -> str:
    return f"signed by {', '.join(key[:12] for key in keys)}" if keys else "signature not looked at"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
