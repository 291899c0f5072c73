"""What it costs to keep the timestamps of many trees fresh.

Nobody refreshes trees that nobody asks for: a timestamp is signed anew by the first question after
it is due (six hours, see `trust.tuf.serving`), inside that question. So the cost per day is bounded
by the number of trees, whatever the number of tags and questions; here it is measured at its worst,
when every tree is asked for. The trees are made through `Trees`, as uploads are.
"""

from __future__ import annotations

import datetime as dt
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from seawall.oci.names import RepositoryName
from seawall.testing.signatures import new_key
from seawall.testing.tree_servers import ADA, HOST, TreeServer
from seawall.trust.tuf.names import TIMESTAMP, Gun


def measure(repositories: int, tags: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory(prefix="bench-refresh-") as folder:
        server = TreeServer.in_folder(Path(folder))
        guns = [Gun.of(HOST, RepositoryName(f"bench/app-{n}")) for n in range(repositories)]
        trees, root = server.trees(), [new_key()]
        names = {f"v{number}": f"image {number}" for number in range(tags)}
        used = time.process_time()
        for gun in guns:
            upload = server.publisher(gun, root_keys=root).first(names)
            trees.publish(gun, upload, actor=ADA)
        made = time.process_time() - used
        before = size(server, Path(folder))
        first = trees.current(guns[0], TIMESTAMP)
        server.clock.advance(dt.timedelta(days=1) - dt.timedelta(minutes=1))
        cold = asked(server, guns)
        after = size(server, Path(folder))
        if trees.current(guns[0], TIMESTAMP).version == first.version:
            raise RuntimeError("nothing was refreshed")
        warm = asked(server, guns)
        rounds = 24 * 3600 / interval(server, guns[0]).total_seconds()
        return {
            "making one tree, upload included": {"CPU ms": round(1000 * made / len(guns), 2)},
            "one refresh, at its first question": {
                "CPU ms": round(statistics.median(cold), 2),
                "bytes kept": round((after - before) / len(guns)),
            },
            "the next question": {"CPU ms": round(statistics.median(warm), 3)},
            f"a day, all {len(guns)} trees asked for": {
                "refreshes of each tree, at most": round(rounds, 1),
                "CPU s": round(rounds * sum(cold) / 1000, 1),
                "MB kept": round(rounds * (after - before) / 1e6, 1),
            },
        }


def asked(server: TreeServer, guns: list[Gun]) -> list[float]:
    trees, spent = server.trees(), []
    for gun in guns:
        used = time.thread_time()
        trees.current(gun, TIMESTAMP)
        spent.append(1000 * (time.thread_time() - used))
    return spent


def interval(server: TreeServer, gun: Gun) -> dt.timedelta:
    """Return after how long a fresh timestamp is signed anew, to the minute."""
    trees = server.trees()
    version, waited = trees.current(gun, TIMESTAMP).version, dt.timedelta(0)
    while trees.current(gun, TIMESTAMP).version == version:
        server.clock.advance(dt.timedelta(minutes=1))
        waited += dt.timedelta(minutes=1)
    return waited


def size(server: TreeServer, folder: Path) -> int:
    with server.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


if __name__ == "__main__":
    counts = [int(word) for word in sys.argv[1:]] or [1000, 100]
    print(json.dumps(measure(counts[0], counts[1]), indent=2))
