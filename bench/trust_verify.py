"""What the server spends on verifying an image that it has seen before, and `docker create` on it.

Everything is made by `seawall sign` and `seawall trust` against a real `seawall up`: signatures in
all formats, a bundle with its log entry, a tree with a pinned root and a delegation. Then the
question of the gate is asked in this process, over the same database: once while nothing changes,
and once with somebody else's commit before each question, which makes every cache look again.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from seawall import config
from seawall.app import rooms, setup
from seawall.core import actor as actors
from seawall.engine.model import Admitted
from seawall.identity.model import Action
from seawall.testing import engines, running

OPERATOR = actors.operator("bench")
POLICY = """
version: 1
policies:
  - name: everything
    repositories: ["**"]
    rules:
      signed: {logged: true}
      tree: {max-age: 24h}
      nothing-fixable:
      scan-fresh:
"""


def why_not() -> str | None:
    return engines.why_no_engine()


def measure(calls: int, creates: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory(prefix="bench-verify-") as text:
        folder = Path(text)
        (folder / "engine").mkdir()
        with (
            engines.private_engine(folder / "engine") as engine,
            running.installation(folder, engine.socket) as house,
        ):
            image = prepare(house)
            with setup.opened(config.load(str(house.state))) as opened:
                result = judged(opened, image, calls)
            return result | created(house, engine, image, creates)


def prepare(house: running.Installation) -> str:
    """Push, scan and sign an image in every way there is; pin its tree. Return its name."""
    house.knows_advisories(running.advisory("nothing", "2.0-1"))
    house.log_in()
    key = house.make_key("release")
    image = house.push(running.debian_image(), "bench/app", "v1")
    (house.state / "policy.yaml").write_text(POLICY)
    house.seawall("sign", image, *key)
    repository = image.rpartition(":")[0]
    public = str(house.home / "release.pub")
    house.seawall("trust", "signer", "add", "release", public, repository, *key)
    house.seawall("sign", image, *key, "--notation", "cose")
    shown = json.loads(house.seawall("trust", "show", repository, "--json").stdout)
    roots = [f"--root={one}" for one in shown["root_key_ids"]]
    house.seawall("trust", "pin", repository, *roots, "--installation")
    return image


def judged(opened: rooms.House, image: str, calls: int) -> dict[str, dict[str, float]]:
    """Ask the gate's question; return milliseconds of CPU for each way of asking."""

    def ask() -> None:
        answer = opened.admission.may_run(image, actor=OPERATOR)
        assert isinstance(answer, Admitted), answer

    def commit() -> None:
        opened.grants.grant("anonymous", "bench/*", {Action.PULL}, actor=OPERATOR)
        opened.grants.revoke("anonymous", "bench/*", actor=OPERATOR)

    ask()
    return {
        "question, nothing changed": spent(ask, calls, lambda: None),
        "question, after a commit": spent(ask, calls, commit),
    }


def spent(call: Callable[[], None], count: int, before: Callable[[], None]) -> dict[str, float]:
    cpu, wall = [], []
    for _ in range(count):
        before()
        began, used = time.perf_counter(), time.thread_time()
        call()
        cpu.append(1000 * (time.thread_time() - used))
        wall.append(1000 * (time.perf_counter() - began))
    return {
        "CPU ms": round(statistics.median(cpu), 2),
        "CPU ms, p99": round(sorted(cpu)[count * 99 // 100], 2),
        "wall ms": round(statistics.median(wall), 2),
    }


def created(
    house: running.Installation, engine: engines.Engine, image: str, count: int
) -> dict[str, dict[str, float]]:
    """`docker create` of the image by the engine itself and through the gate, in turns."""
    house.docker("pull", "-q", image)
    gate = gate_of(house.state)
    ways = {"docker create, engine": engine.host, "docker create, gate": house.gate}
    walls: dict[str, list[float]] = {name: [] for name in ways}
    spent_by_gate: list[float] = []
    for _ in range(count):
        for name, host in ways.items():
            began, used = time.perf_counter(), cpu_of(gate)
            made = house.docker("-H", host, "create", image).stdout.strip()
            walls[name].append(1000 * (time.perf_counter() - began))
            if host == house.gate:
                spent_by_gate.append(1000 * (cpu_of(gate) - used))
            engine.docker("rm", made)
    result = {name: {"wall ms": round(statistics.median(each), 1)} for name, each in walls.items()}
    # Ticks of the clock are 10 ms long: only a mean says anything.
    result["docker create, gate"]["gate CPU ms, mean"] = round(statistics.mean(spent_by_gate), 1)
    return result


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def gate_of(state: Path) -> int:
    """Return the process id of this installation's gate."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if {str(state), "serve", "gate"} <= set(words):
                    return int(entry.name)
    raise RuntimeError("the gate does not run")


if __name__ == "__main__":
    if reason := why_not():
        sys.exit(reason)
    print(json.dumps(measure(int(sys.argv[1]) if sys.argv[1:] else 200, 20), indent=2))
