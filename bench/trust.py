"""Content trust: what verifying, signing, refreshing and reading cost, each beside its peer.

    python bench/trust.py [--only reads,verify,signing,refresh] [--json FILE]

The load of the machine stands in the result: beside other work only ratios of the same run and CPU
times say anything. Goals: a cached image is verified in 5 ms of CPU; `seawall sign` is faster than
cosign, notation and docker together; files of trees are served at notary-server's rate or above.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trust_reads
import trust_refresh
import trust_signing
import trust_verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    why_not: Callable[[], str | None]
    measure: Callable[[], dict[str, dict[str, float]]]


PARTS = {
    "reads": Part(why_not=trust_reads.why_not, measure=lambda: trust_reads.measure(3, 100)),
    "verify": Part(why_not=trust_verify.why_not, measure=lambda: trust_verify.measure(200, 20)),
    "signing": Part(why_not=trust_signing.why_not, measure=lambda: trust_signing.measure(7)),
    "refresh": Part(why_not=lambda: None, measure=lambda: trust_refresh.measure(1000, 100)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}",
    }
    for name in options.only.split(","):
        load = round(os.getloadavg()[0], 1)
        reason = PARTS[name].why_not()
        result[name] = {"load before": load} | (
            {"not measured": reason} if reason else PARTS[name].measure()
        )
        print(json.dumps({name: result[name]}, indent=2), flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
