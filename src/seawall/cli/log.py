"""`seawall log`: read, prove, watch and witness the transparency log."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.cli import log_sources

if TYPE_CHECKING:
    from seawall.config import Settings

WATCH_SECONDS: Final = 30
NO_LIMIT: Final = 2**62


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="list entries, the newest last")
    show.add_argument("--limit", type=int, default=50, help="newest entries to show (50)")
    verify = actions.add_parser(
        "verify", help="replay the whole log, and prove that it grew from what was seen before"
    )
    watch = actions.add_parser(
        "watch", help="follow the log; alarm on signatures by keys that are not known"
    )
    watch.add_argument("pattern", nargs="*", metavar="PATTERN", help="repositories (default: **)")
    watch.add_argument(
        "--known", type=Path, action="append", default=[], metavar="PUB",
        help="a key that may sign, may be given several times (default: those trusted here)",
    )  # fmt: skip
    watch.add_argument("--once", action="store_true", help="look once, do not stay")
    witness = actions.add_parser("witness", help="co-sign the checkpoint of another Seawall's log")
    for reading in (show, verify, watch):
        log_sources.add_arguments(reading)
    log_sources.add_arguments(witness, is_url_needed=True)
    witness.add_argument("--key", type=Path, required=True, metavar="FILE", help="witness's key")
    witness.add_argument("--once", action="store_true", help="co-sign once, do not stay")
    for staying in (watch, witness):
        staying.add_argument(
            "--every", type=int, default=WATCH_SECONDS, metavar="SECONDS", help="how often (30)"
        )
    make = actions.add_parser("witness-key", help="make the key of a witness")
    make.add_argument("name", help="what the witness is called, such as witness.example")
    make.add_argument("--output", type=Path, required=True, metavar="FILE", help="new file")
    for keyed in (witness, make):
        keyed.add_argument(
            "--passphrase-file", type=Path, metavar="FILE", help="its first line (else: asked)"
        )
    accept = actions.add_parser("accept-witness", help="keep co-signatures by a witness")
    accept.add_argument("key", metavar="NAME+ID+BASE64", help="what `witness-key` printed")
    drop = actions.add_parser("drop-witness", help="keep no more co-signatures by a witness")
    drop.add_argument("name")
    witnesses = actions.add_parser("witnesses", help="list the witnesses of this log")
    root = actions.add_parser(
        "trusted-root", help="print the trusted_root.json for cosign --trusted-root"
    )
    for action in (show, verify, watch, witness, make, accept, drop, witnesses, root):
        action.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "What was seen of a log is remembered in your own configuration; a log that was rewound,\n"
        "forked or shown in two versions is an alarm.\n"
        "Exit codes: 0 all well, 1 alarm, 2 wrong input, 3 the log cannot be reached"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import log_actions, log_reading
    from seawall.trust.log.following import LogAlarmError

    actions = {
        "show": log_reading.show,
        "verify": log_reading.verify,
        "watch": log_reading.watch,
        "witness": log_actions.witness,
        "witness-key": log_actions.make_key,
        "trusted-root": log_actions.trusted_root,
        "accept-witness": log_actions.accept,
        "drop-witness": log_actions.drop,
        "witnesses": log_actions.list_all,
    }
    try:
        return actions[options.action](options, settings)
    except LogAlarmError as alarm:
        if options.json:
            print(json.dumps({"is_whole": False, "alarm": alarm.message}), flush=True)
        else:
            print(f"ALARM: {alarm.message}", file=sys.stderr)
        return 1
