"""Start-up of the command line, beside the stock docker client and cosign.

    python bench/cli.py [--runs N] [--clients DIR]

Each command runs N times, interleaved; the medians of wall and CPU time are printed. `--verify`
takes an image of a running registry, and --key with a public key for it.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

SEAWALL = Path(sys.executable).with_name("seawall")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--clients", type=Path, default=Path(".cache/clients"))
    parser.add_argument(
        "--verify", nargs=argparse.REMAINDER, metavar="WORD",
        help="last: words for `seawall verify` (an image of a running registry, --key …)",
    )  # fmt: skip
    options = parser.parse_args()
    commands: dict[str, list[str]] = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "seawall --help": [str(SEAWALL), "--help"],
        "seawall verify --help": [str(SEAWALL), "verify", "--help"],
        "seawall audit --help": [str(SEAWALL), "audit", "--help"],
    }
    if options.verify:
        commands["seawall verify IMAGE"] = [str(SEAWALL), "verify", *options.verify]
    if docker := shutil.which("docker"):
        commands["docker --help"] = [docker, "--help"]
    for program in sorted(options.clients.glob("bin/cosign*")):
        commands[f"{program.name} --help"] = [str(program), "--help"]
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(options.runs):
        for name, words in commands.items():
            figures[name].append(timed(words))
    print(f"{'command':<32} {'wall ms':>8} {'cpu ms':>8}   median of {options.runs}")
    for name, rows in figures.items():
        wall, cpu = (statistics.median(column) * 1000 for column in zip(*rows, strict=True))
        print(f"{name:<32} {wall:>8.0f} {cpu:>8.0f}")


def timed(words: list[str]) -> tuple[float, float]:
    """Return wall and CPU seconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=os.environ
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
