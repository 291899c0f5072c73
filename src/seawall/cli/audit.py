"""`seawall audit`: read, follow and prove the log."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from seawall import audit
    from seawall.config import Settings
    from seawall.store import Database

FOLLOW_SECONDS: Final = 0.5
LIMIT_MAX: Final = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=["list", "verify", "head"], default="list")
    parser.add_argument("--kind", action="append", default=[], help="only events of this kind")
    parser.add_argument("--repository", help="only events about this repository")
    parser.add_argument("--digest", help="only events about this digest")
    parser.add_argument("--actor", help="only what this person or part did")
    parser.add_argument("--since", metavar="TIME", help="RFC 3339, or like 90m, 12h, 7d")
    parser.add_argument("--limit", type=_count, default=50, help="newest entries to show (50)")
    parser.add_argument("--follow", action="store_true", help="go on with what happens next")
    parser.add_argument(
        "--noted", action="append", default=[], metavar="SEQ:HASH",
        help="verify: a head noted elsewhere, which must be part of the chain",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.epilog = (
        "list    the newest entries, oldest first\n"
        "head    the newest entry's number and hash: note it outside of this machine\n"
        "verify  recompute the chain; exit code 1 when it is not whole"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import databases
    from seawall.core.errors import InvalidInputError

    if options.noted and options.action != "verify":
        raise InvalidInputError(
            "--noted proves nothing here", remedy="seawall audit verify --noted …"
        )
    if options.follow and options.action != "list":
        raise InvalidInputError(
            "--follow goes with the list alone", remedy="seawall audit --follow"
        )
    with databases.opened_database(settings) as database:
        if options.action == "verify":
            return _verify(database, options)
        if options.action == "head":
            return _head(database, options)
        return _list(database, options)


def _list(database: Database, options: argparse.Namespace) -> int:
    from seawall import audit

    only = audit.Filter(
        kinds=tuple(options.kind),
        repository=options.repository,
        digest=options.digest,
        actor=options.actor,
        since=_since(options.since) if options.since else None,
    )
    limit = min(options.limit, LIMIT_MAX)
    with database.read() as connection:
        newest = audit.read(connection, limit=limit, only=only, newest_first=True)
        last = audit.head(connection).seq
    for entry in reversed(newest):
        _print(entry, options.json)
    while options.follow:
        time.sleep(FOLLOW_SECONDS)
        with database.read() as connection:
            entries = audit.read(connection, after=last, only=only)
            last = entries[-1].seq if entries else last
        for entry in entries:
            _print(entry, options.json)
    return 0


def _head(database: Database, options: argparse.Namespace) -> int:
    from seawall import audit

    with database.read() as connection:
        head = audit.head(connection)
    print(json.dumps({"seq": head.seq, "hash": head.hash.hex()}) if options.json else head)
    return 0


def _verify(database: Database, options: argparse.Namespace) -> int:
    from seawall import audit

    noted = tuple(_noted(text) for text in options.noted)
    with database.read() as connection:
        result = audit.verify(connection, noted=noted)
    if isinstance(result, audit.ChainBreak):
        if options.json:
            print(json.dumps({"is_whole": False, "seq": result.seq, "reason": result.reason}))
        else:
            print(f"NOT WHOLE: entry {result.seq}: {result.reason}")
        return 1
    if options.json:
        print(json.dumps({"is_whole": True, "seq": result.seq, "hash": result.hash.hex()}))
    else:
        print(f"whole: {result.seq} entries, head {result}")
    return 0


def _print(entry: audit.Entry, as_json: bool) -> None:
    details = entry.details()
    if as_json:
        line = {
            "seq": entry.seq, "at": entry.at, "event": entry.kind, "actor": str(entry.actor),
            "repository": entry.repository, "digest": entry.digest, **details,
        }  # fmt: skip
        print(json.dumps(line, ensure_ascii=False), flush=True)
        return
    subject = entry.repository or ""
    if entry.digest:
        subject += f"@{entry.digest[:19]}"
    rest = " ".join(f"{key}={_short(value)}" for key, value in details.items() if value)
    print(
        f"{entry.seq:>6}  {entry.at[:19]}Z  {entry.kind:<20} {entry.actor!s:<16} {subject}  {rest}",
        flush=True,
    )


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable if len(printable) <= 120 else printable[:119] + "…"


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of entries")
    return int(text[:9])


def _since(text: str) -> dt.datetime:
    from seawall.core.errors import InvalidInputError

    units = {"m": "minutes", "h": "hours", "d": "days"}
    try:
        if text[-1:] in units and text[:-1].isascii() and text[:-1].isdigit():
            return dt.datetime.now(dt.UTC) - dt.timedelta(**{units[text[-1]]: int(text[:-1])})
        moment = dt.datetime.fromisoformat(text)
        return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError(
            f"--since {text[:80]!r} is not a time", remedy="write 90m, 12h, 7d or 2026-01-31T12:00Z"
        ) from error


def _noted(text: str) -> audit.Head:
    from seawall import audit
    from seawall.core.errors import InvalidInputError

    seq, _, digest = text.partition(":")
    try:
        return audit.Head(seq=int(seq), hash=bytes.fromhex(digest))
    except ValueError as error:
        raise InvalidInputError(
            f"--noted {text!r} is not a head", remedy="give what `seawall audit head` printed"
        ) from error
