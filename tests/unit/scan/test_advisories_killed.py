"""An importer that is killed at any moment leaves the edition in use as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from seawall import audit
from seawall.core.actor import SYSTEM
from seawall.scan import _sql, staging
from seawall.scan.advisories import Advisories
from seawall.scan.lookup import StoredAdvisories
from seawall.scan.versions import ORDERS
from seawall.store import Database
from seawall.testing import databases
from seawall.testing.clocks import FakeClock

RECORDS = staging.BATCH_ADVISORIES + 500

PROGRAM = """
import sys
from pathlib import Path
from seawall.testing import databases
from seawall.core.actor import SYSTEM
from seawall.core.clock import SystemClock
from seawall.scan import staging
from seawall.scan.advisories import Advisories

def say(word):
    def wrap(function):
        def told(*args, **kwargs):
            result = function(*args, **kwargs)
            print(word, flush=True)
            if word == sys.argv[3]:
                sys.stdin.read()  # until killed
            return result
        return told
    return wrap

Stage = staging.Stage
Stage.add = say("added")(Stage.add)
Stage.add_changes = say("changes")(Stage.add_changes)
Stage.switch = say("switching")(Stage.switch)
staging.sweep = say("swept")(staging.sweep)
Advisories(databases.open_place(sys.argv[1]), SystemClock()).import_file(
    Path(sys.argv[2]), actor=SYSTEM
)
print("done", flush=True)
"""


def edition(path: Path, *, fixed: str) -> Path:
    lines = (
        json.dumps(
            {
                "id": f"CVE-2026-{number}",
                "affected": [
                    {
                        "package": {"ecosystem": "PyPI", "name": f"p{number}"},
                        "ranges": [
                            {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}
                        ],
                    }
                ],
            }
        )
        for number in range(RECORDS)
    )
    path.write_text("\n".join(lines))
    return path


def fixes(database: Database) -> set[str]:
    with database.read() as connection:
        lookup = StoredAdvisories(connection)
        key = ORDERS["PyPI"].key("0.1")
        return {hit.fixed for n in (0, RECORDS - 1) for hit in lookup.hits("PyPI", f"p{n}", key)}


@pytest.mark.parametrize("moment", ["swept", "added", "changes", "switching"])
def test_a_killed_import_changes_nothing_and_can_be_repeated(
    database: Database, tmp_path: Path, moment: str
) -> None:
    advisories = Advisories(database, FakeClock())
    advisories.import_file(edition(tmp_path / "PyPI.jsonl", fixed="1.0"), actor=SYSTEM)
    path = edition(tmp_path / "PyPI.jsonl", fixed="2.0")
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, databases.place_of(database), str(path), moment],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert any(line.strip() == moment for line in child.stdout)
    finally:
        child.kill()
        child.communicate()

    assert {"1.0"} == fixes(database)
    refresh = advisories.import_file(path, actor=SYSTEM)
    assert {"2.0"} == fixes(database)
    assert RECORDS == len(refresh.changed)
    with database.read() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(_sql.advisories))
        assert RECORDS == count.scalar()
        assert not isinstance(audit.verify(connection), audit.ChainBreak)
