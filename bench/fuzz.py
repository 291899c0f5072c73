"""Feed every reader of the scanner with damaged files, for minutes, under a bound of memory.

    python bench/fuzz.py [--minutes 10] [--only java] [--seeds DIR]

Each reader runs in a process of its own. Seeds are the files under DIR that the reader wants (any
unpacked image or source tree will do) and a few made here; a damaged copy is cut, spliced, and has
bytes flipped, numbers set to extremes and runs doubled. A reader may say `Unreadable`; anything
else that it raises, a call of over five seconds, and the end of its process by the bound of memory
are failures: the file is kept under `.cache/fuzz` and its path printed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from seawall.scan import distribution  # noqa: E402 — after the path
from seawall.scan.files import examine  # noqa: E402
from seawall.scan.readers import Unreadable  # noqa: E402
from seawall.scan.readers import all as formats  # noqa: E402
from seawall.scan.system import all as managers  # noqa: E402
from seawall.testing import rpm_databases  # noqa: E402

MEMORY_BYTES = 1 << 30
CALL_SECONDS = 5.0
SEED_MAX_BYTES = 1 << 20
SEEDS_EACH = 200
KEPT = ROOT / ".cache/fuzz"


@dataclass(frozen=True)
class Target:
    name: str
    path: str
    """What the reader is told as the file's path."""
    read: Callable[[bytes, str], object]
    is_wanted: Callable[[str, bytes], bool]


def targets() -> list[Target]:
    found = [
        Target(
            reader.format,
            next(iter(sorted(reader.names)), f"x{next(iter(reader.endings), '')}"),
            reader.read,
            lambda path, _, reader=reader: formats.TABLE.find(path) is reader,
        )
        for reader in formats.READERS
    ]
    found += [
        Target(
            f"{reader.manager} database",
            f"var/lib/{reader.manager}/{next(iter(sorted(reader.names)), 'x')}",
            reader.read,
            lambda path, _, reader=reader: managers.TABLE.find(path) is reader,
        )
        for reader in managers.READERS
    ]
    found.append(
        Target(
            "distribution",
            "etc/os-release",
            distribution.parse,
            lambda path, _: path in distribution.PATHS,
        )
    )
    found.append(
        Target(
            "executable",
            "usr/bin/x",
            examine.examine,
            lambda _, start: examine.format_of(start[:8]) is not None,
        )
    )
    return found


def seeds(target: Target, folder: Path) -> list[tuple[str, bytes]]:
    """Return files that the target wants, with their paths below the folder."""
    found: list[tuple[str, bytes]] = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            relative = str(path.relative_to(folder))
            try:
                if path.is_symlink() or path.stat().st_size > SEED_MAX_BYTES:
                    continue
                with path.open("rb") as file:
                    start = file.read(8)
                    if target.is_wanted(relative, start):
                        found.append((relative, start + file.read()))
            except OSError:
                continue
            if len(found) == SEEDS_EACH:
                return found
    return found


def made(target: Target) -> list[tuple[str, bytes]]:
    result = [(target.path, b""), (target.path, b"{}"), (target.path, b"PK\3\4" + bytes(60))]
    if target.name == "rpm database":
        header = rpm_databases.header(rpm_databases.DEMO)
        for order in "<>":
            result.append((target.path, rpm_databases.berkeley([header] * 3, order)))
        result.append((target.path, rpm_databases.ndb([header] * 3)))
    return result


def damaged(content: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """Return a copy with up to eight damages."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if data:
                data[at % len(data)] = chance.randrange(256)
            case 1:
                del data[at : at + chance.choice((1, 4, 100, len(data)))]
            case 2:
                size = chance.choice((1, 2, 4, 8))
                data[at : at + size] = chance.choice((b"\xff", b"\x7f", b"\0", b"\x80")) * size
            case 3:
                data[at:at] = data[at : at + chance.choice((8, 64, 4096))]
            case 4:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                data[at:at] = other[start : start + chance.choice((4, 64, 1024))]
            case _:
                data[at:at] = chance.choice(
                    (b"\n", b"[" * 500, b'"', b"9" * 40, b"\xc3\x28", b"../")
                )
    return bytes(data[: 2 * SEED_MAX_BYTES])


def run(target: Target, folder: Path, deadline: float, seed: int) -> int:
    """Fuzz one reader in this process until the deadline; return how many failures there were."""
    chance = random.Random(seed)
    known = made(target) + seeds(target, folder)
    bodies = [content for _, content in known]
    KEPT.mkdir(parents=True, exist_ok=True)
    current = KEPT / f"running-{os.getpid()}"
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    calls = failures = 0
    while time.monotonic() < deadline:
        path, content = chance.choice(known)
        body = damaged(content, bodies, chance)
        current.write_bytes(body)
        started = time.process_time()
        try:
            target.read(body, path)
        except Unreadable:
            pass
        except Exception:
            failures += keep(target, path, body, traceback.format_exc())
        if time.process_time() - started > CALL_SECONDS:
            failures += keep(target, path, body, f"took over {CALL_SECONDS} seconds")
        calls += 1
    current.unlink(missing_ok=True)
    print(f"{target.name}: {calls} calls, {len(known)} seeds, {failures} failures", flush=True)
    return failures


def keep(target: Target, path: str, body: bytes, reason: str) -> int:
    name = f"{target.name.replace(' ', '-')}-{hashlib.sha256(body).hexdigest()[:12]}"
    (KEPT / name).write_bytes(body)
    print(f"{target.name}: {KEPT / name} as {path}\n{reason}", flush=True)
    return 1


def each_in_a_process(
    chosen: Sequence[Target], folder: Path, seconds: float, seed: int
) -> Iterator[int]:
    for target in chosen:
        child = os.fork()
        if child == 0:
            status = 2
            try:
                status = min(1, run(target, folder, time.monotonic() + seconds, seed))
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status not in (0, 1):
            print(f"{target.name}: its process ended with {status}; see {KEPT}/running-{child}")
        yield status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="for each reader")
    parser.add_argument("--only", default="", help="readers whose name holds this text")
    parser.add_argument("--seeds", type=Path, default=Path("/usr/lib"))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    chosen = [target for target in targets() if args.only.lower() in target.name.lower()]
    results = list(each_in_a_process(chosen, args.seeds, args.minutes * 60, args.seed))
    sys.exit(1 if any(results) else 0)


if __name__ == "__main__":
    main()
