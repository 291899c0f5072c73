"""Explain every difference between what Seawall, Trivy and Syft list of one image, or fail.

    python bench/scan_differences.py LAYOUT CACHE [--documents FOLDER]

LAYOUT and CACHE are those of `bench/scan.py`. Every package that Trivy or Syft lists and Seawall
does not must be explained by a rule below, and each rule looks into the image for its reason: into
the `package.json`, or the jar. Seawall itself is held to report nothing twice: no package of one
version twice at one place, and no package of a language as its own that Debian's lists of files
give to a Debian package.

Prints a table in Markdown. Exits with 1 when anything is unexplained or reported twice. With
FOLDER the tools' documents are kept there; those that are there already are not made again.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import scan
import scan_layers
from scan_contents import words
from scan_layers import Files
from scan_lists import Listed, by_kind, listed

SYSTEM = ("deb",)
"""Types that are a distribution's own."""
_PARTS = frozenset(words("test tests __tests__ fixture fixtures example examples sample samples"))
_PLACES = ("node_modules", "nodejs")
"""Folders whose members are packages: npm's, and Debian's."""


@dataclass(slots=True)
class Row:
    """One ecosystem of the table."""

    counts: dict[str, int] = field(default_factory=dict)
    explained: dict[str, list[str]] = field(default_factory=dict)
    """Reason → packages."""
    unexplained: list[str] = field(default_factory=list)


# -- rules: each returns why Seawall does not list a package, empty when it should


def explain(item: Listed, ours: list[Listed], files: Files) -> str:
    content = files.contents.get(scan_layers.canonical(item.path))
    if content is None:
        return ""
    if item.kind == "npm" and item.path.endswith("package.json"):
        return of_npm(item, content)
    if item.kind == "maven":
        return of_maven(item, ours, content)
    if item.kind == "golang" and not item.version:
        return of_go(item, ours, content)
    return ""


def of_npm(item: Listed, content: bytes) -> str:
    """Where a `package.json` lies, and what it says, tell whether it is one of a package."""
    manifest = json.loads(content)
    if not manifest.get("version"):
        return "its package.json has no version: part of another package"
    folders = item.path.split("/")[:-1]
    roots = [at for at, folder in enumerate(folders) if folder in _PLACES]
    if not roots:
        is_extension = "vscode" in manifest.get("engines", {})
        return "an extension of an editor, not a package of npm's registry" if is_extension else ""
    rest = folders[roots[-1] + 1 :]
    inner = rest[2 if rest[0].startswith("@") else 1 :]
    if not inner:
        return ""
    if manifest.get("private") or manifest["version"] == "0.0.0":
        return "private, or version 0.0.0: part of another package"
    if not _PARTS.isdisjoint(folder.lower() for folder in inner):
        return "sample of a test inside of another package"
    is_bare = not manifest.keys() & {"license", "author", "repository", "description"}
    return "names a folder of another package: no licence, author or text" if is_bare else ""


def of_go(item: Listed, ours: list[Listed], content: bytes) -> str:
    """A program that was built outside of its module's tags may still say its version elsewhere."""
    for one in ours:
        is_same = (one.kind, one.name, one.path) == (item.kind, item.name, item.path)
        if is_same and one.version and one.version.removeprefix("v").encode() in content:
            return "the module is listed, with the version that stands in the program"
    return ""


def of_maven(item: Listed, ours: list[Listed], content: bytes) -> str:
    """A group that no `pom.properties` in the jar names was guessed from names and manifests."""
    group, _, artifact = item.name.rpartition("/")
    stated = list(coordinates(content))
    if (group, artifact, item.version) in stated:
        return ""
    same = [one for one in ours if one.kind == "maven" and one.path == item.path]
    for one in same:
        known = one.name.rpartition("/")[2]
        if one.version == item.version and known == artifact:
            with_group = "/" in one.name
            return (
                "the jar is listed, under another group: this one is in no pom.properties"
                if with_group
                else "the jar is listed, without a group: this one is in no pom.properties"
            )
    if any(one.version == item.version for one in same):
        return "the jar is listed, under its own artifact: this one was cut out of names"
    if same and item.version not in versions(content):
        return "the jar is listed, with the version of its manifest: this one is in no manifest"
    return ""


def coordinates(content: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield what the `pom.properties` of a jar say, in lower case, also in jars inside of it."""
    for name, body in members(content):
        if name.endswith("pom.properties"):
            pairs = dict(re.findall(r"(?m)^(\w+)=([^\r\n]+)", body.decode("utf-8", "replace")))
            group, artifact = pairs.get("groupId", ""), pairs.get("artifactId", "")
            yield group.lower(), artifact.lower(), pairs.get("version", "")


def versions(content: bytes) -> set[str]:
    """Return the versions that the manifests of a jar name."""
    return {
        value
        for name, body in members(content)
        if name.endswith("META-INF/MANIFEST.MF")
        for value in re.findall(r"(?m)^[\w-]*Version: ([^\r\n]+)", body.decode("utf-8", "replace"))
    }


def members(content: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.endswith((".jar", ".war")):
                yield from members(archive.read(name))
            elif name.endswith(("pom.properties", "META-INF/MANIFEST.MF")):
                yield name, archive.read(name)


# -- nothing twice


def repeated(components: Iterable[dict[str, str]]) -> Iterator[str]:
    """Yield what is listed twice: the same version of a package at the same place."""
    fields = ("type", "name", "version", "architecture", "path", "inside")
    counted = collections.Counter(tuple(one[name] for name in fields) for one in components)
    for key, count in counted.items():
        if count > 1:
            yield f"{count} times: {' '.join(filter(None, key))}"


def reported_beside_owner(components: Iterable[dict[str, str]], files: Files) -> Iterator[str]:
    """Yield packages that count as their own though a distribution's package has their file."""
    for one in components:
        if one["type"] in SYSTEM or one["owned_by"]:
            continue
        if owner := files.owner(one["path"]):
            yield f"{one['type']} {one['name']} {one['version']} of {owner}: {one['path']}"


# -- the documents


def documents(layout: Path, cache: Path, folder: Path) -> dict[str, Path]:
    """Return the document of each tool, made where it is not there, and Seawall's report."""
    made = {}
    environment = {**os.environ, "PYTHONPATH": str(scan.SOURCE)}
    state = folder / "state"
    for tool in scan.tools(layout, cache):
        if tool.name.endswith("known"):
            continue
        made[tool.name] = out = folder / f"{tool.name}.json"
        if not out.exists():
            memory = state if tool.name == "seawall" else folder / f"{tool.name}.cache"
            memory.mkdir(exist_ok=True)
            if tool.name == "trivy" and not (memory / "java-db").exists():
                scan.stand_in_for_java(memory)
            subprocess.run(tool.command(out, memory), check=True, env=environment)
    made["report"] = folder / "report.json"
    if not made["report"].exists():
        command = [sys.executable, "-m", "seawall", "scan", str(layout.absolute()), "--json"]
        command += ["--output", str(made["report"]), "--state", str(state)]
        subprocess.run(command, check=True, env=environment)
    return made


def compare(lists: dict[str, list[Listed]], files: Files) -> dict[str, Row]:
    """Return the rows of the table, by type of package."""
    rows: dict[str, Row] = collections.defaultdict(Row)
    ours = lists["seawall"]
    known = {(item.kind, item.key) for item in ours}
    for tool, items in lists.items():
        for kind, found in by_kind(items, with_owned=True).items():
            rows[kind].counts[tool] = len(found)
    reasons: dict[tuple[str, tuple[str, str]], dict[str, str]] = collections.defaultdict(dict)
    for tool in lists.keys() - {"seawall"}:
        for item in lists[tool]:
            if (item.kind, item.key) not in known:
                reasons[item.kind, item.key][item.place] = explain(item, ours, files)
    for (kind, key), places in sorted(reasons.items()):
        if why := (all(places.values()) and next(iter(places.values()))):
            rows[kind].explained.setdefault(why, []).append("@".join(key))
        else:
            place = next(place for place, why in places.items() if not why)
            rows[kind].unexplained.append(f"{'@'.join(key)} at /{place}")
    return dict(sorted(rows.items()))


def print_table(rows: dict[str, Row], tools: list[str]) -> None:
    heads = ["type", *tools, "only the others have", "explained", "unexplained"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for kind, row in rows.items():
        counts = [str(row.counts.get(tool, "–")) for tool in tools]
        sizes = {why: len(packages) for why, packages in row.explained.items()}
        told = "; ".join(f"{sizes[why]}: {why}" for why in sorted(sizes, key=lambda w: -sizes[w]))
        only = sum(sizes.values()) + len(row.unexplained)
        print(f"| {kind} | {' | '.join(counts)} | {only} | {told} | {len(row.unexplained)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("layout", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--documents", type=Path, help="folder where the documents are kept")
    parser.add_argument("--names", action="store_true", help="print what is explained, by name")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.documents or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        made = documents(args.layout, args.cache, folder)
        report = json.loads(made.pop("report").read_bytes())
        lists = {tool: listed(document) for tool, document in made.items()}
    components = report["inventory"]["components"]
    wanted = {scan_layers.canonical(one["path"]) for one in components}
    for items in lists.values():
        wanted |= {scan_layers.canonical(item.path) for item in items}
    files = scan_layers.read(args.layout, wanted.__contains__)
    rows = compare(lists, files)
    print_table(rows, list(lists))
    if args.names:
        for kind, row in rows.items():
            for why, packages in row.explained.items():
                print(f"\n{kind}, {why}:\n  {', '.join(packages)}")
    troubles = [f"unexplained: {kind} {one}" for kind in rows for one in rows[kind].unexplained]
    troubles += [f"twice: {one}" for one in repeated(components)]
    troubles += [f"beside its owner: {one}" for one in reported_beside_owner(components, files)]
    print("", *troubles, f"{len(troubles)} troubles", sep="\n")
    sys.exit(1 if troubles else 0)


if __name__ == "__main__":
    main()
