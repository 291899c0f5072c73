"""`seawall vex`: which statements about findings count for this installation.

A document counts from the moment an administrator lets it in, for every image that it is about:
on the pages, for `seawall scan` and for the verdict. What it answers for stays in the report.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from seawall.cli import local

if TYPE_CHECKING:
    from seawall.app.rooms import House
    from seawall.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="let documents in: OpenVEX, CycloneDX or CSAF, as JSON")
    add.add_argument("file", type=Path, nargs="+", help="the document")
    remove = actions.add_parser("remove", help="let a document count no longer")
    remove.add_argument("digest", help="as `seawall vex list` shows it")
    listing = actions.add_parser("list", help="list the documents that count")
    for action in (add, listing):
        action.add_argument("--json", action="store_true", help="one JSON object a line")


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import setup

    with setup.opened(settings) as house:
        match options.action:
            case "add":
                for path in options.file:
                    _add(path, house, as_json=options.json)
            case "remove":
                _remove(options.digest, house)
            case _:
                _list(house, as_json=options.json)
    return 0


def _add(path: Path, house: House, *, as_json: bool) -> None:
    from seawall.scan.vex import documents

    content = documents.read_bytes(path)
    found = house.vex.accept(content, source=path.name, actor=local.who(house.settings))
    if as_json:
        line = {
            "digest": found.digest, "format": found.format, "author": found.author,
            "issued_at": found.issued_at, "statements": len(found.statements),
        }  # fmt: skip
        print(json.dumps(line))
        return
    count = len(found.statements)
    print(f"{path}: {count} statements of {local.printable(found.author)} count from now on")
    print(f"  {found.format}, {found.digest}")


def _remove(digest: str, house: House) -> None:
    from seawall.oci.digest import Digest

    house.vex.remove(Digest.parse(digest), actor=local.who(house.settings))
    print(f"{digest} counts no longer")


def _list(house: House, *, as_json: bool) -> None:
    for one in house.vex.listed():
        if as_json:
            line = {
                "digest": one.digest, "format": one.format, "author": one.author,
                "issued_at": one.issued_at, "approved_by": one.approved_by,
                "approved_at": one.approved_at, "source": one.source,
            }  # fmt: skip
            print(json.dumps(line))
            continue
        print(one.digest)
        author, source = local.printable(one.author, 60), local.printable(one.source, 60)
        by = f"let in by {local.printable(one.approved_by)} on {one.approved_at[:10]}"
        print(f"  {one.format} by {author}, from {source}, {by}")
