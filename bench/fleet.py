"""Measure how long a fleet takes to know about new advisories.

    python bench/fleet.py FEEDS [--images 10000] [--packages 300] [--delta 100] [--postgresql]

FEEDS is a folder with `Debian-changelog`, `PyPI`, `npm`, `Maven` and `Go` as `.osv.jsonl.zst`.

The fleet: images of a few Debian bases (the same base, the same packages) with packages of four
languages on top, drawn by a fixed seed from the names in the feeds and from as many that no
advisory speaks about; 85 % have the newest version that an advisory names, the others any. Every
image goes through `Reports.make`, as after a push. `--delta` advisories are held back at first.
Then each feed is imported again, whole and with them, and what the workers do after that is done
and timed: every verdict judged again, every image's numbers renewed, one event written for each
image that has news. In which repository an image is, a function answers here and not the
registry's table.

At the end, images drawn by lot are judged from nothing by the new feeds, and every number of theirs
must be the one that the fleet has.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from seawall.app.databases import import_tables
from seawall.core.actor import SYSTEM
from seawall.core.clock import SystemClock
from seawall.oci.digest import Digest
from seawall.scan import report_model, versions
from seawall.scan.advisories import Advisories
from seawall.scan.model import Component, Distribution, Inventory, PackageType
from seawall.scan.rematching import Rematching
from seawall.scan.reports import Reports
from seawall.store import Database, migrate
from seawall.testing import postgresql

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SEED = 20_261_126
BASES = 12
SHARES = {"Debian": 0.4, "npm": 0.35, "PyPI": 0.1, "Maven": 0.075, "Go": 0.075}
FEEDS = ("Debian-changelog", "PyPI", "npm", "Maven", "Go")
TYPES = {
    "Debian": PackageType.DEB,
    "npm": PackageType.NPM,
    "PyPI": PackageType.PYPI,
    "Maven": PackageType.MAVEN,
    "Go": PackageType.GOLANG,
}
UP_TO_DATE = 0.85
SAMPLE = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("feeds", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--packages", type=int, default=300)
    parser.add_argument("--delta", type=int, default=100)
    parser.add_argument(
        "--postgresql", action="store_true", help="on a server of its own, instead of SQLite"
    )
    options = parser.parse_args()
    import_tables()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        if options.postgresql:
            server = stack.enter_context(postgresql.server(is_durable=True))
            database = Database.open_server(server.address(server.create()))
        else:
            database = Database.open_file(Path(folder) / "fleet.sqlite")
        stack.callback(database.close)
        run(options, Path(folder), database)


def run(options: argparse.Namespace, folder: Path, database: Database) -> None:
    lots = random.Random(SEED)
    records = {name: read(options.feeds / f"{name}.osv.jsonl.zst") for name in FEEDS}
    pool = versions_of(record for found in records.values() for record in found)
    held_back = draw_delta(records, lots, options.delta)
    migrate.migrate(database)
    clock = SystemClock()
    advisories, reports = Advisories(database, clock), Reports(database, clock)
    for name in FEEDS:
        known = [r for r in records[name] if r["id"] not in held_back]
        generation = put(advisories, folder, name, known).generation
        Rematching(database, clock).rejudge([], generation=generation)  # there are no images yet

    began = time.process_time()
    inventories = list(fleet(pool, lots, options.images, options.packages))
    for number, (digest, inventory) in enumerate(inventories, start=1):
        reports.make(digest, inventory, actor=SYSTEM, repository="fleet/app")
        if number % 500 == 0:
            print(f"  {number} images, {time.process_time() - began:.0f} CPU-seconds", flush=True)
    print(f"fleet: {options.images} images of {options.packages} packages,")
    print(f"  judged one by one in {time.process_time() - began:.1f} CPU-seconds")

    rematching = Rematching(database, clock)
    wall, cpu, verdicts, settled = 0.0, 0.0, 0, 0
    for name in FEEDS:
        begun = time.process_time()
        refresh = put(advisories, folder, name, records[name])
        print(
            f"import of {name}: {len(refresh.added)} new advisories about"
            f" {len(refresh.packages)} packages, {time.process_time() - begun:.2f} CPU-seconds"
        )
        started, begun = time.perf_counter(), time.process_time()
        packages = advisories.changed_packages(refresh.generation)
        assert packages is not None
        assert not advisories.fresh_ecosystems(refresh.generation)
        verdicts += rematching.rejudge(packages, generation=refresh.generation)
        settled += rematching.settle(lambda digests: [("fleet/app", d) for d in digests])
        took, spent = time.perf_counter() - started, time.process_time() - begun
        print(f"  judged again in {took:.2f} s, {spent:.2f} CPU-seconds")
        wall, cpu = wall + took, cpu + spent
    print(f"judged again: {verdicts} verdicts changed, news for {settled} times an image")
    print(f"  {wall:.2f} s, {cpu:.2f} CPU-seconds")
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak memory of all of this {rss:.0f} MiB (the fleet itself is in memory, too)")
    compare(reports, inventories, lots)


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in zstd.decompress(path.read_bytes()).splitlines()]


def versions_of(records: Iterator[dict]) -> dict[str, dict[str, list[str]]]:
    """Return ecosystem → package → versions that advisories name."""
    found: dict[str, dict[str, set[str]]] = {name: {} for name in SHARES}
    for record in records:
        for affected in record.get("affected", ()):
            ecosystem = affected["package"]["ecosystem"].partition(":")[0]
            names = found[ecosystem].setdefault(affected["package"]["name"], set())
            for span in affected.get("ranges", ()):
                for event in span["events"]:
                    names.update(v for v in event.values() if v != "0")
    return {
        ecosystem: {
            name: sorted(known, key=versions.ORDERS[ecosystem].key) or ["1.0.0"]
            for name, known in packages.items()
        }
        for ecosystem, packages in found.items()
    }


def draw_delta(records: dict[str, list[dict]], lots: random.Random, size: int) -> set[str]:
    """Return the ids of advisories to hold back: a share of each feed, by its size in an image."""
    held: set[str] = set()
    for name in FEEDS:
        share = SHARES[name.partition("-")[0]]
        held |= {r["id"] for r in lots.sample(records[name], round(size * share))}
    return held


def put(advisories: Advisories, folder: Path, name: str, records: Sequence[dict]):
    path = folder / f"{name}.jsonl"
    with path.open("w") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    return advisories.import_file(path, actor=SYSTEM, feed=name)


def fleet(
    pool: dict[str, dict[str, list[str]]], lots: random.Random, images: int, packages: int
) -> Iterator[tuple[Digest, Inventory]]:
    names = {
        ecosystem: [*known, *(f"quiet-{ecosystem.lower()}-{n}" for n in range(len(known)))]
        for ecosystem, known in pool.items()
    }
    sizes = {ecosystem: round(packages * share) for ecosystem, share in SHARES.items()}
    sizes["npm"] += packages - sum(sizes.values())
    bases = [draw(pool, names, lots, "Debian", sizes["Debian"], 0) for _ in range(BASES)]
    for number in range(images):
        components = list(bases[number % BASES])
        for ecosystem in ("npm", "PyPI", "Maven", "Go"):
            components += draw(pool, names, lots, ecosystem, sizes[ecosystem], 1)
        yield (
            Digest.of(f"image {number}".encode()),
            Inventory(
                components=tuple(components),
                distribution=Distribution(id="debian", version_id="11" if number % 2 else "12"),
                notices=(),
                layers=(),
                is_partial=False,
            ),
        )


def draw(
    pool: dict[str, dict[str, list[str]]],
    names: dict[str, list[str]],
    lots: random.Random,
    ecosystem: str,
    size: int,
    layer: int,
) -> list[Component]:
    # A few packages are in many images, most are in few: the square of a uniform number.
    found = {int(len(names[ecosystem]) * lots.random() ** 2) for _ in range(4 * size)}
    picked = lots.sample(sorted(found), min(size, len(found)))
    return [
        component(ecosystem, name, version(pool[ecosystem].get(name, ["1.0.0"]), lots), layer)
        for name in (names[ecosystem][index] for index in picked)
    ]


def version(known: list[str], lots: random.Random) -> str:
    """Most packages are of the newest version that is named, the others of any."""
    return known[-1] if lots.random() < UP_TO_DATE else lots.choice(known)


def component(ecosystem: str, name: str, version: str, layer: int) -> Component:
    kind = TYPES[ecosystem]
    return Component(
        type=kind,
        name=name,
        version=version,
        purl=f"pkg:{kind}/{name}@{version}",
        source_name=name if kind is PackageType.DEB else "",
        source_version=version if kind is PackageType.DEB else "",
        path="/var/lib/dpkg/status" if kind is PackageType.DEB else f"/app/{name}",
        layer=f"sha256:{layer:064x}",
        layer_index=layer,
    )


def compare(
    reports: Reports, inventories: list[tuple[Digest, Inventory]], lots: random.Random
) -> None:
    """Judge some images from nothing; every number must be the one that the fleet has."""
    sample = lots.sample(inventories, min(SAMPLE, len(inventories)))
    kept = reports.summaries([digest for digest, _ in sample])
    wrong = 0
    for digest, inventory in sample:
        fresh = report_model.summarise(reports.judge(digest, inventory))
        latest = reports.latest(digest)
        assert latest is not None
        numbers = [
            (s.findings_by_severity, s.fixable_by_severity, s.exploited, s.unjudged)
            for s in (fresh, kept[digest], report_model.summarise(latest))
        ]
        wrong += numbers.count(numbers[0]) != len(numbers)
    print(f"compared with a judgement from nothing: {len(sample)} images, {wrong} differ")
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
