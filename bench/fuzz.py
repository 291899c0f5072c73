"""Fuzz every parser of the scanner, guided by the branches that an input reaches.

    python bench/fuzz.py [--minutes 10] [--only java] [--seeds DIR] [--jobs 2]
    python bench/fuzz.py --table
    python bench/fuzz.py --record

Needs `atheris` (libFuzzer for Python) in the environment. Each parser (see `fuzz_targets.py`) runs
in a process of its own, a slice at a time, the one with the least CPU time first, until each has
had its minutes. What they have had stands in `.cache/fuzz/ledger.jsonl` and the inputs worth
keeping in `.cache/fuzz/corpus`, so the minutes add up over any number of runs; `--record` writes
the sum into `bench/fuzzed.json`, which travels with the code. A parser whose code changed starts
anew. Seeds are the documents of the tests and the files under DIR that the parser would read.
Every second slice, or so, damages JSON by its structure.

A parser may refuse with `Unreadable` or a `SeawallError`. Anything else that it raises, a call of
over five seconds, and a process that grows over 1 GiB are failures: the input is kept under
`.cache/fuzz/failures`, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import ast
import functools
import hashlib
import json
import os
import random
import re
import resource
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src")]

if TYPE_CHECKING:
    from fuzz_targets import Seed, Target

MEMORY_MIB = 1024
CALL_SECONDS = 5
SLICE_SECONDS = 60
INPUT_MAX_BYTES = 64 << 10
"""Of what the fuzzer makes; larger seeds are read and left out."""
SEEDS_EACH = 60
VOCABULARY = {
    f"seawall.{name}"
    for name in ("core.errors", "core.limits", "scan.errors", "scan.model", "scan.report_model")
}
"""Modules that only define words: one more of them changes no parser."""
KEPT = ROOT / ".cache/fuzz"
LEDGER = KEPT / "ledger.jsonl"
RECORD = ROOT / "bench/fuzzed.json"
ODD = (None, True, -1, 0, 1 << 63, 1e308, "", "\0", "../../etc/passwd", "9" * 40, [], {}, [[]] * 50)


@dataclass(kw_only=True)
class Spent:
    """What a parser has had since its sources were last changed."""

    seconds: float = 0.0
    calls: int = 0
    branches: int = 0
    peak_mib: int = 0
    failures: int = 0

    def add(self, entry: Mapping[str, Any]) -> None:
        self.seconds += entry["seconds"]
        self.calls += entry["calls"]
        self.branches = max(self.branches, entry["branches"])
        self.peak_mib = max(self.peak_mib, entry["peak_mib"])
        self.failures += entry["failures"]


def sources_of(target: Target) -> str:
    """Name the state of a parser's code, imports included: minutes on other code do not count."""
    found: set[str] = set()
    waiting = [target.module]
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        is_ours = module is not None and name.startswith("seawall") and name not in VOCABULARY
        if name in found or not is_ours:
            continue
        found.add(name)
        for one in list(vars(module).values()):
            told = one.__name__ if isinstance(one, ModuleType) else getattr(one, "__module__", "")
            waiting.append(told or "")
    content = hashlib.sha256()
    for name in sorted(found):
        content.update(code_of(Path(str(sys.modules[name].__file__))))
    return content.hexdigest()[:16]


@functools.cache
def code_of(path: Path) -> bytes:
    """Return a module's code without its comments and layout."""
    return ast.dump(ast.parse(path.read_bytes())).encode()


def spent(sources: Mapping[str, str] | None = None) -> dict[str, Spent]:
    """Return what record and ledger say, of parsers in this state or in any."""
    result: dict[str, Spent] = {}
    for entry in entries():
        if sources is None or entry["sources"] == sources.get(entry["parser"]):
            result.setdefault(entry["parser"], Spent()).add(entry)
    return result


def entries() -> Iterator[dict[str, Any]]:
    if RECORD.exists():
        yield from json.loads(RECORD.read_text())
    if LEDGER.exists():
        yield from map(json.loads, LEDGER.read_text().splitlines())


def record() -> None:
    """Move the ledger into the record: a sum for each parser in each state of its code."""
    sums: dict[tuple[str, str], Spent] = {}
    for entry in entries():
        sums.setdefault((entry["parser"], entry["sources"]), Spent()).add(entry)
    lines = (
        json.dumps({"parser": parser, "sources": state} | asdict(one))
        for (parser, state), one in sorted(sums.items())
    )
    RECORD.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    LEDGER.unlink(missing_ok=True)


# -- in the process of one parser


def fuzz(target: Target, seconds: float, seed: int, failed: Path) -> None:
    """Fuzz one parser; libFuzzer ends the process."""
    import atheris
    from fuzz_targets import REFUSALS

    from seawall.scan.readers import Unreadable

    corpus = folder_of(target)
    paths = sorted({target.path, *(path for path, _ in target.seeds)})

    def call(data: bytes) -> None:
        if not data:
            return
        try:
            target.read(data[1:], paths[data[0] % len(paths)])
        except (Unreadable, *REFUSALS):
            pass
        except Exception:
            keep(target, data, failed)

    arguments = [
        "fuzz",
        f"-max_total_time={max(1, round(seconds))}",
        f"-timeout={CALL_SECONDS}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-max_len={INPUT_MAX_BYTES}",
        f"-seed={seed}",
        f"-artifact_prefix={failed}/{name_of(target)}-",
        "-len_control=0",
        str(corpus),
    ]
    if is_json(target) and seed % 2:
        atheris.Setup(arguments, call, custom_mutator=restructured)
    else:
        atheris.Setup(arguments, call)
    atheris.Fuzz()


def restructured(data: bytes, max_size: int, seed: int) -> bytes:
    """Damage a JSON document by its structure, what is none by a byte."""
    chance = random.Random(seed)
    try:
        value = json.loads(data[1:])
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict | list) and value:
        made = data[:1] + json.dumps(damaged(value, chance)).encode()
        if len(made) <= max_size:
            return made
    at = chance.randrange(len(data) + 1)
    return (data[:at] + chance.randbytes(1) + data[at + 1 :])[:max_size]


def is_json(target: Target) -> bool:
    return any(content.lstrip()[:1] in (b"{", b"[") for _, content in target.seeds)


def damaged(value: Any, chance: random.Random) -> Any:
    """Return the document with one node replaced, repeated, moved or taken away."""
    places = list(nodes(value))
    holder, key = chance.choice(places)
    match chance.randrange(5):
        case 0:
            holder[key] = chance.choice(ODD)
        case 1:
            other, there = chance.choice(places)
            holder[key] = json.loads(json.dumps(other[there]))
        case 2 if isinstance(holder, list):
            holder[key:key] = [holder[key]] * chance.choice((1, 3, 200))
        case 3:
            holder[key] = [holder[key]] if chance.random() < 0.5 else {"": holder[key]}
        case _:
            del holder[key]
    return value


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        entries = list(holder.items() if isinstance(holder, dict) else enumerate(holder))
        for key, one in entries:
            yield holder, key
            if isinstance(one, dict | list):
                waiting.append(one)


def keep(target: Target, data: bytes, failed: Path) -> None:
    """Keep an input that did what no input may, once for each place in the code."""
    told = traceback.format_exc()
    frames = re.findall(r'File "([^"]+)", line (\d+)', told)
    name = hashlib.sha256(repr(frames[-3:]).encode()).hexdigest()[:12]
    path = failed / f"{name_of(target)}-{name}"
    if not path.exists():
        path.write_bytes(data)
        path.with_name(f"{path.name}.txt").write_text(told)


# -- around it


def name_of(target: Target) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", target.name).strip("-")


def folder_of(target: Target) -> Path:
    return KEPT / "corpus" / name_of(target)


def plant(target: Target, found: Sequence[Seed]) -> None:
    """Write seeds into the parser's corpus: a byte that chooses the path, and the content."""
    corpus = folder_of(target)
    corpus.mkdir(parents=True, exist_ok=True)
    paths = sorted({target.path, *(path for path, _ in target.seeds)})
    for path, content in (*target.seeds, *found):
        if len(content) < INPUT_MAX_BYTES:
            number = paths.index(path) if path in paths else paths.index(target.path)
            body = bytes([number]) + content
            (corpus / hashlib.sha1(body).hexdigest()).write_bytes(body)


def seeds(targets: Sequence[Target], folder: Path) -> dict[str, list[Seed]]:
    """Return files that parsers want, in one walk over a folder."""
    found: dict[str, list[Seed]] = {target.name: [] for target in targets}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            relative = str(path.relative_to(folder))
            try:
                if path.is_symlink() or not 0 < path.stat().st_size < INPUT_MAX_BYTES:
                    continue
                with path.open("rb") as file:
                    start = file.read(8)
                    rest: bytes | None = None
                    for target in targets:
                        mine = found[target.name]
                        if len(mine) < SEEDS_EACH and target.is_wanted(relative, start):
                            rest = file.read() if rest is None else rest
                            mine.append((relative, start + rest))
            except OSError:
                continue
    return found


def run_slice(target: Target, seconds: float, sources: str, seed: int) -> int:
    """Fuzz a parser in a process of its own; return how many new failures it left."""
    failed = KEPT / "failures"
    failed.mkdir(parents=True, exist_ok=True)
    before = set(failed.iterdir())
    log = KEPT / f"{name_of(target)}.{os.getpid()}.log"
    child = os.fork()
    if child == 0:
        limit = round(seconds) + 60
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        try:
            fuzz(target, seconds, seed, failed)
        finally:
            os._exit(3)
    _, status, usage = os.wait4(child, 0)
    text = log.read_text(errors="replace")
    log.unlink()
    code = os.waitstatus_to_exitcode(status)
    new = {path for path in set(failed.iterdir()) - before if name_of(target) in path.name}
    left = len([path for path in new if path.suffix != ".txt"]) or int(code != 0)
    if left:
        print(f"{target.name}: {left} failures (code {code}), see {failed}\n{text[-1500:]}")
    calls = re.findall(r"^#(\d+)", text, re.MULTILINE)
    branches = re.findall(r"cov: (\d+)", text)
    entry = {
        "parser": target.name,
        "sources": sources,
        "seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "calls": int(calls[-1]) if calls else 0,
        "branches": int(branches[-1]) if branches else 0,
        "peak_mib": usage.ru_maxrss // 1024,
        "failures": left,
    }
    with LEDGER.open("a") as file:
        file.write(json.dumps(entry) + "\n")
    print(json.dumps(entry), flush=True)
    return left


def work(
    targets: Sequence[Target], args: argparse.Namespace, worker: int, sources: Mapping[str, str]
) -> int:
    """Give slices to the parsers of one worker until each has had its minutes."""
    mine = [target for number, target in enumerate(targets) if number % args.jobs == worker]
    ends = time.monotonic() + args.until * 60
    failures = 0
    while mine and time.monotonic() < ends:
        had = spent(sources)
        left = {
            target.name: args.minutes * 60 - had.get(target.name, Spent()).seconds
            for target in mine
        }
        mine = [target for target in mine if left[target.name] > 0]
        if mine:
            target = max(mine, key=lambda one: left[one.name])
            seconds = min(args.slice, left[target.name])
            failures += run_slice(target, seconds, sources[target.name], time.time_ns() % (1 << 31))
    return failures


def table(sources: Mapping[str, str]) -> None:
    now, ever = spent(sources), spent()
    print("| parser | CPU minutes | calls | branches | peak MiB | failures of this code |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in sources:
        one, all_of_it = now.get(name, Spent()), ever.get(name, Spent())
        print(
            f"| {name} | {one.seconds / 60:.1f} ({all_of_it.seconds / 60:.1f}) | {one.calls:,}"
            f" | {one.branches} | {one.peak_mib} | {one.failures} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of CPU, for each parser")
    parser.add_argument("--until", type=float, default=1e6, metavar="MINUTES", help="stop then")
    parser.add_argument("--slice", type=float, default=SLICE_SECONDS, metavar="SECONDS")
    parser.add_argument("--only", default="", help="parsers whose name holds this text")
    parser.add_argument("--seeds", type=Path, default=Path("/usr"))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print what was done, and stop")
    parser.add_argument("--record", action="store_true", help="keep what was done, and stop")
    args = parser.parse_args()
    if args.record:
        record()
        return
    try:
        import atheris
    except ImportError:
        sys.exit("fuzzing needs atheris in this environment: pip install atheris")
    with atheris.instrument_imports(include=["seawall"]):
        import fuzz_targets
    every = fuzz_targets.all_targets()
    sources = {target.name: sources_of(target) for target in every}
    if args.table:
        table(sources)
        return
    chosen = [target for target in every if args.only.lower() in target.name.lower()]
    fresh = [target for target in chosen if not folder_of(target).exists()]
    found = seeds(fresh, args.seeds) if fresh else {}
    for target in chosen:
        plant(target, found.get(target.name, ()))
    children = []
    for worker in range(args.jobs):
        child = os.fork()
        if child == 0:
            status = 2
            try:
                status = min(1, work(chosen, args, worker, sources))
            finally:
                os._exit(status)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(1 if any(codes) else 0)


if __name__ == "__main__":
    main()
