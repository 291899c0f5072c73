"""Writers of two replicas on PostgreSQL, beside SQLite, on this machine, in the same run.

    python bench/postgresql.py [--seconds 3] [--writers 8]

Measured: write transactions a second that record an event (`write`: one at a time) and that link a
blob (`write_beside`: several at once), by one writer and by many, half of them of another replica;
and the latter while somebody holds the writers' lock. Everything is made durable. The server's
files lie in /tmp: a memory file system there would make the figures worthless.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from seawall import audit
from seawall.app import databases
from seawall.core.actor import SYSTEM
from seawall.core.clock import SystemClock
from seawall.registry import _sql
from seawall.registry.events import BlobCorrupted
from seawall.store import Database, insert_missing, migrate
from seawall.testing import postgresql

Write = Callable[[Database, int], None]
CLOCK = SystemClock()


def event(database: Database, number: int) -> None:
    with database.write() as connection:
        happened = BlobCorrupted(repository="team/app", digest=f"sha256:{number:064x}")
        audit.record(connection, happened, actor=SYSTEM, at=CLOCK.now())


def blob(database: Database, number: int) -> None:
    with database.write_beside() as connection:
        row = {"digest": f"sha256:{number:064x}", "size": 1, "created_at": "now"}
        insert_missing(connection, _sql.blobs, row)


def rate(replicas: list[Database], write: Write, writers: int, seconds: float) -> float:
    """Return how many writes a second all writers together have done."""
    numbers, done, end = itertools.count(time.time_ns()), [0] * writers, time.monotonic() + seconds

    def work(index: int) -> None:
        while time.monotonic() < end:
            write(replicas[index % len(replicas)], next(numbers))
            done[index] += 1

    threads = [threading.Thread(target=work, args=(index,)) for index in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / seconds


@contextlib.contextmanager
def on_postgresql() -> Iterator[list[Database]]:
    with postgresql.server(is_durable=True) as server:
        name = server.create()
        replicas = [Database.open_server(server.address(name)) for _ in range(2)]
        yield replicas
        for database in replicas:
            database.close()


@contextlib.contextmanager
def on_sqlite() -> Iterator[list[Database]]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        replicas = [Database.open_file(Path(folder) / "bench.sqlite") for _ in range(2)]
        yield replicas
        for database in replicas:
            database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--writers", type=int, default=8)
    options = parser.parse_args()
    databases.import_tables()
    for place, opened in (("SQLite", on_sqlite), ("PostgreSQL", on_postgresql)):
        with opened() as replicas:
            migrate.migrate(replicas[0])
            for write in (event, blob):
                for writers in (1, options.writers):
                    found = rate(replicas, write, writers, options.seconds)
                    print(f"{place:<11} {write.__name__:<6} {writers:>2} writers {found:>8.0f} /s")
            if replicas[0].is_shared:
                with replicas[0].write() as connection:
                    connection.execute(sa.text("SELECT 1"))
                    found = rate(replicas, blob, options.writers, options.seconds)
                print(
                    f"{place:<11} blob   {options.writers:>2} writers {found:>8.0f} /s, lock held"
                )


if __name__ == "__main__":
    main()
