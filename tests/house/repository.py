"""What the house tests look at: the files of the repository, its documents, its parsers."""

from __future__ import annotations

import argparse
import ast
import functools
import importlib
import os
import pkgutil
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import seawall
from seawall import audit
from seawall.cli import main

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "seawall"
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^ *```([a-z]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a document; `language` is empty where none is named."""

    path: Path
    language: str
    text: str


def sources() -> list[Path]:
    """Every module of the package."""
    return sorted(SOURCE.rglob("*.py"))


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tracked_files() -> list[Path]:
    """Files that belong to the repository, also those that are not committed yet."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    paths = (ROOT / os.fsdecode(name) for name in done.stdout.split(b"\0") if name)
    return sorted(path for path in paths if path.is_file())


def documents() -> list[Path]:
    """README and the pages under docs/, the decisions left out: they are history."""
    pages = (p for p in DOCS.rglob("*.md") if "adr" not in p.relative_to(DOCS).parts)
    return [ROOT / "README.md", *sorted(pages)]


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    return [Block(path=path, language=m[1], text=m[2]) for m in _FENCE.finditer(text)]


def import_everything() -> None:
    for found in pkgutil.walk_packages(seawall.__path__, "seawall."):
        if "migrations" not in found.name and not found.name.endswith("__main__"):
            importlib.import_module(found.name)


def events() -> dict[str, type[audit.Event]]:
    """Every event that Seawall can record, by its name in the log."""
    import_everything()
    found = {kind.kind(): kind for kind in _below(audit.Event)}
    return {name: kind for name, kind in found.items() if kind.__module__.startswith("seawall.")}


def _below(kind: type[audit.Event]) -> Iterator[type[audit.Event]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _below(sub)


def parser_of(command: main.Command) -> argparse.ArgumentParser:
    """The true parser of a command."""
    module = importlib.import_module(f"seawall.cli.{command.module}")
    return main._command_parser(command, module)


def rows(path: Path) -> list[list[str]]:
    """The cells of every row of every table of a page, heads and rulers left out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    tables = [line for line in lines if line.startswith("|")]
    cells = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in tables]
    rulers = {n for n, row in enumerate(cells) if all(set(c) <= {"-", ":"} and c for c in row)}
    return [row for n, row in enumerate(cells) if n not in rulers and n + 1 not in rulers]
