"""`seawall fingerprints learn`: from package files to a pack."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.cli import local, progress
from seawall.core.errors import InvalidInputError, LimitError, NotFoundError, SeawallError

if TYPE_CHECKING:
    from seawall.scan.fingerprints.pack import LearnedFile, Pack

ENDINGS: Final = (".deb", ".rpm", ".apk", ".whl", ".jar", ".tgz", ".tar", ".tar.gz", ".tar.xz")
"""What is looked for in a folder."""

MAX_FILES: Final = 50_000
"""Programs in one pack, all of which are in memory while it is made, some 20 kB each."""

MAX_PACKAGES: Final = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="+", help="package, or folder with packages")
    parser.add_argument("--name", metavar="NAME", help="of the pack (default: the distribution)")
    parser.add_argument(
        "--distribution", default="", metavar="RELEASE",
        help="where system packages come from, as debian-12 or alpine-3.20 (default: what their"
        " versions tell)",
    )  # fmt: skip


def learned(options: argparse.Namespace) -> tuple[str, Pack]:
    """Return the name of the pack and the pack.

    A package in a folder that cannot be read is told and left out, one that was named is an error.
    Raises InvalidInputError, NotFoundError, LimitError.
    """
    from seawall.scan import distribution
    from seawall.scan.fingerprints import pack, releases, shelf

    if options.distribution and distribution.of_name(options.distribution) is None:
        raise InvalidInputError(
            f"{options.distribution[:80]!r} names no release of a distribution",
            remedy="write it as os-release has it: ID-VERSION_ID, as in debian-12",
        )
    if options.name:
        shelf.checked(options.name)
    files = releases.completed(_read(options.file, options))
    if not files:
        raise InvalidInputError(
            "there is no program or library in these packages", remedy="name others"
        )
    name = options.name or _name(files)
    return shelf.checked(name), pack.build(name, files)


def _read(paths: Sequence[Path], options: argparse.Namespace) -> list[LearnedFile]:
    from seawall.scan.fingerprints import learn

    wanted = _packages(paths)
    total = sum(path.stat().st_size for path, _ in wanted)
    done = 0
    found: list[LearnedFile] = []
    with progress.Bar("learning", is_quiet=options.json) as bar:
        for path, is_named in wanted:
            bar.label = path.name
            try:
                with path.open("rb") as stream:
                    for each in learn.learn(stream, path.name, distribution=options.distribution):
                        found.append(each)
                        bar.show(done + min(stream.tell(), path.stat().st_size), total)
            except SeawallError as error:
                if is_named:
                    raise
                bar.clear()
                print(f"left out {path}: {local.printable(error.message)}", file=sys.stderr)
            if len(found) > MAX_FILES:
                raise LimitError(
                    f"more than {MAX_FILES} programs in one pack",
                    remedy="make several packs: learn a part of the packages under each name",
                )
            done += path.stat().st_size
            bar.show(done, total)
    return found


def _packages(paths: Sequence[Path]) -> list[tuple[Path, bool]]:
    """Return the package files, each with whether it was named itself."""
    found: list[tuple[Path, bool]] = []
    for path in paths:
        if path.is_dir():
            inside = [each for each in sorted(path.rglob("*")) if each.name.endswith(ENDINGS)]
            found += [(each, False) for each in inside if each.is_file()]
        elif path.is_file():
            found.append((path, True))
        else:
            raise NotFoundError(f"there is no {path}", remedy="name a package or a folder of them")
    if not found:
        kinds = " ".join(ENDINGS)
        raise NotFoundError("there are no packages in these folders", remedy=f"known are {kinds}")
    if len(found) > MAX_PACKAGES:
        raise LimitError(f"more than {MAX_PACKAGES} packages", remedy="make several packs")
    return found


def _name(files: Sequence[LearnedFile]) -> str:
    """Return the one distribution of all packages, or that of the one package."""
    releases = {each.package.distribution for each in files}
    if len(releases) == 1 and (release := next(iter(releases))):
        return release.replace("_", "-")
    raise InvalidInputError(
        "the packages are not of one distribution", remedy="name the pack: --name NAME"
    )
