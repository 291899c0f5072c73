"""`seawall fingerprints`: learn what the programs of packages look like, so that copies are known.

A pack is what was learned, under a name. `learn` makes one from packages, `export` writes it into
one signed file, `import` takes such a file in when a key that is named has signed it. Workers and
`seawall scan` use all packs of the installation; images that were scanned before are looked at
again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.cli import fingerprint_learning, local, signers

if TYPE_CHECKING:
    from seawall.app.rooms import House
    from seawall.config import Settings
    from seawall.scan.fingerprints.pack import Pack
    from seawall.scan.fingerprints.shelf import Shelf

    _Made = tuple[str, Pack, tuple[str, ...]]

SHOWN_MAX: Final = 10_000
"""Packages that `show` lists."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    learn = actions.add_parser("learn", help="learn packages: .deb .rpm .apk .whl .jar .tgz .tar")
    fingerprint_learning.add_arguments(learn)
    listing = actions.add_parser("list", help="list the packs")
    show = actions.add_parser("show", help="list the packages in a pack")
    show.add_argument("name", metavar="NAME", help="of the pack")
    remove = actions.add_parser("remove", help="use a pack no longer")
    remove.add_argument("name", metavar="NAME", help="of the pack")
    export = actions.add_parser("export", help="write a pack into one signed file")
    export.add_argument("name", metavar="NAME", help="of the pack")
    export.add_argument(
        "--output", type=Path, metavar="FILE", help="default: NAME.fingerprints.tar"
    )
    signers.add_arguments(export)
    bring = actions.add_parser("import", help="take in a file that `export` wrote")
    bring.add_argument("file", type=Path, metavar="FILE", help="the file")
    bring.add_argument("--name", metavar="NAME", help="of the pack (default: as it was exported)")
    bring.add_argument(
        "--key", type=Path, action="append", default=[], metavar="PUB",
        help="public key that must have signed it (any of several)",
    )  # fmt: skip
    bring.add_argument(
        "--unsafe-unsigned", action="store_true",
        help="believe it without a signature: who made the file decides what programs are called",
    )  # fmt: skip
    for action in (learn, listing, show, remove, export, bring):
        action.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.epilog = (
        "Packs lie in the state directory. A program that was copied into an image is then known\n"
        "by its build id or hash as the package it came from, with its distribution; a changed\n"
        "or rebuilt one by its texts."
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import scanner, setup
    from seawall.scan.fingerprints.shelf import Shelf

    if options.action == "list":
        return _list(Shelf(settings.fingerprints), as_json=options.json)
    if options.action == "show":
        _show(Shelf(settings.fingerprints).open(options.name), as_json=options.json)
        return 0
    if options.action == "export":
        return _export(options, settings)
    made = _made(options)
    scanner.ensure_database(settings)
    with setup.opened(settings) as house:
        if options.action == "remove":
            house.fingerprints.remove(options.name, actor=local.who(settings))
            _say(options, {"name": options.name, "removed": True}, f"{options.name} is gone")
        elif made is not None:
            _put(made, options, house)
    return 0


def _made(options: argparse.Namespace) -> _Made | None:
    """Return the name of a new pack, the pack, and who signed it."""
    if options.action == "learn":
        return (*fingerprint_learning.learned(options), ())
    if options.action == "import":
        from seawall.cli import fingerprint_files

        return fingerprint_files.read(
            options.file,
            options.key,
            name=options.name or "",
            unsafe_unsigned=options.unsafe_unsigned,
        )
    return None


def _put(
    made: tuple[str, Pack, tuple[str, ...]], options: argparse.Namespace, house: House
) -> None:
    name, pack, signed_by = made
    actor = local.who(house.settings)
    digest = house.fingerprints.put(name, pack, actor=actor, signed_by=signed_by)
    about = _about(name, pack) | {"digest": str(digest), "signed_by": list(signed_by)}
    vouched = f", signed by {', '.join(one[:12] for one in signed_by)}" if signed_by else ""
    text = (
        f"{name}: {_count(pack.file_count, 'program')}"
        f" of {_count(len(pack.packages), 'package')}{vouched}"
    )
    _say(options, about, text)


def _list(shelf: Shelf, *, as_json: bool) -> int:
    from seawall.core.errors import SeawallError

    names = shelf.names()
    if not names:
        print("no fingerprints yet: seawall fingerprints learn FILE …", file=sys.stderr)
    for name in names:
        size = shelf.path(name).stat().st_size
        try:
            pack = shelf.open(name)
        except SeawallError as error:
            told = {"name": name, "bytes": size, "error": error.message}
            print(json.dumps(told) if as_json else f"{name:<24} BROKEN: {error.message}")
            continue
        about = _about(name, pack) | {"bytes": size}
        if as_json:
            print(json.dumps(about))
        else:
            releases = ", ".join(_releases(pack)) or "no distribution"
            print(
                f"{name:<24} {pack.file_count:>7} files  {len(pack.packages):>6} packages"
                f"  {size / 1e6:>7.1f} MB  {releases}"
            )
    return 0


def _show(pack: Pack, *, as_json: bool) -> None:
    for each in sorted(pack.packages, key=lambda one: (one.name, one.version))[:SHOWN_MAX]:
        if as_json:
            line = {
                "type": each.type.value, "name": each.name, "version": each.version,
                "source": each.source_name, "architecture": each.architecture,
                "distribution": each.distribution, "product": each.product,
            }  # fmt: skip
            print(json.dumps(line))
        else:
            print(f"{each.type.value:<8} {each.name:<40} {each.version:<32} {each.distribution}")


def _export(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import fingerprint_files
    from seawall.scan.fingerprints import shelf

    pack = shelf.Shelf(settings.fingerprints).open(options.name)
    path = options.output or Path(f"{options.name}.fingerprints.tar")
    opened = signers.open_signers(options.keys, options, settings)
    digest = fingerprint_files.write(path, options.name, pack, opened)
    keys = [str(one.public.key_id) for one in opened]
    text = f"{path}: {options.name}, signed by {', '.join(key[:12] for key in keys)}"
    about = {"file": str(path), "name": options.name, "digest": str(digest), "signed_by": keys}
    _say(options, about, text)
    return 0


def _about(name: str, pack: Pack) -> dict[str, object]:
    return {
        "name": name, "files": pack.file_count, "packages": len(pack.packages),
        "products": pack.product_count, "distributions": _releases(pack),
        "has_sketches": pack.has_sketches,
    }  # fmt: skip


def _releases(pack: Pack) -> list[str]:
    return sorted({each.distribution for each in pack.packages} - {""})


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _say(options: argparse.Namespace, about: dict[str, object], text: str) -> None:
    print(json.dumps(about) if options.json else text)
