"""The directions of import hold, and the contract that says so can fail in each of its rules."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import repository

PROGRAM = Path(sys.executable).with_name("lint-imports")
MODULE = "deliberately_wrong"


def layers() -> list[list[str]]:
    settings = tomllib.loads((repository.ROOT / "pyproject.toml").read_text())
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def forbidden() -> Iterator[tuple[str, str]]:
    """(importer, imported): up from each layer to the one above, and sideways within each."""
    for upper, lower in itertools.pairwise(layers()):
        yield from ((low, high) for low in lower for high in upper)
    for layer in layers():
        yield from itertools.permutations(layer, 2)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    if not PROGRAM.exists():
        pytest.skip("lint-imports is not installed beside this Python")
    return subprocess.run(
        [PROGRAM, "--config", folder / "pyproject.toml", "--no-cache"],
        cwd=folder / "src", env={"PYTHONPATH": str(folder / "src")},
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    skipped = shutil.ignore_patterns("__pycache__", "static", "templates")
    shutil.copytree(repository.SOURCE, tmp_path / "src" / "seawall", ignore=skipped)
    shutil.copy(repository.ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def write_wrong(package: Path, importer: str, imported: str) -> None:
    folder = package / importer
    path = folder / f"{MODULE}.py" if folder.is_dir() else package / f"{importer}.py"
    with path.open("a") as file:
        file.write(f"\nimport seawall.{imported}\n")


def test_imports_go_down_only(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout
    assert "1 kept, 0 broken" in done.stdout


def test_each_rule_of_the_contract_can_fail(copy: Path) -> None:
    wanted = set(forbidden())
    for importer, imported in wanted:
        write_wrong(copy / "src" / "seawall", importer, imported)
    done = lint(copy)
    told = re.findall(r"seawall\.(\w+) is not allowed to import seawall\.(\w+)", done.stdout)
    assert done.returncode == 1
    assert set() == wanted - set(told)


def test_a_package_without_a_place_in_the_layers_is_refused(copy: Path) -> None:
    folder = copy / "src" / "seawall" / MODULE
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Nobody said where this belongs."""\n')
    done = lint(copy)
    assert done.returncode == 1
    assert MODULE in done.stdout
