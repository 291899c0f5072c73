"""Rules about the code itself that neither ruff, mypy nor the import contract can hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import repository

FILE_MAX_LINES = 450
FUNCTION_MAX_LINES = 60
MIGRATIONS = "seawall.store.migrations"
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def names_and_trees() -> Iterator[tuple[str, Path, ast.Module]]:
    for path in repository.sources():
        yield repository.module_name(path), path, repository.tree_of(path)


def makers(tree: ast.Module, kind: str) -> bool:
    """Whether the module calls something named `kind`, under whatever alias it was imported."""
    aliases = {
        alias.asname or alias.name
        for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
        for alias in node.names if alias.name == kind
    }  # fmt: skip
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return any(
        (isinstance(f, ast.Name) and f.id in aliases | {kind})
        or (isinstance(f, ast.Attribute) and f.attr == kind)
        for f in calls
    )


def touches_environment(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT:
            if isinstance(node.value, ast.Name) and node.value.id in {"os", "posix"}:
                return True
        elif isinstance(node, ast.ImportFrom) and node.module in {"os", "posix"}:
            if ENVIRONMENT & {alias.name for alias in node.names}:
                return True
        elif isinstance(node, ast.Import) and any(
            a.name == "os" and a.asname not in (None, "os") for a in node.names
        ):
            return True  # another name for `os` would hide what is read through it
    return False


def imports(tree: ast.Module, package: str) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        if any(name == package or name.startswith(f"{package}.") for name in found):
            return True
    return False


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_only_admission_admits() -> None:
    found = {name for name, _, tree in names_and_trees() if makers(tree, "Admitted")}
    real = {name for name in found if not name.startswith("seawall.testing")}
    assert {"seawall.flows.admission"} == real


def test_only_config_reads_the_environment() -> None:
    found = {name for name, _, tree in names_and_trees() if touches_environment(tree)}
    assert {"seawall.config"} == {n for n in found if not n.startswith("seawall.testing")}


def test_nothing_that_ships_imports_the_fakes() -> None:
    assert [] == [
        name
        for name, _, tree in names_and_trees()
        if not name.startswith("seawall.testing") and imports(tree, "seawall.testing")
    ]


def test_every_module_says_why_it_exists() -> None:
    assert [] == [name for name, _, tree in names_and_trees() if not ast.get_docstring(tree)]


def test_no_file_is_longer_than_a_sitting() -> None:
    counts = {name: len(path.read_text().splitlines()) for name, path, _ in names_and_trees()}
    assert {} == {name: count for name, count in counts.items() if count > FILE_MAX_LINES}


def test_no_function_is_longer_than_a_page() -> None:
    long = [
        f"{name}.{function}: {lines}"
        for name, _, tree in names_and_trees()
        if not name.startswith(MIGRATIONS)  # generated, one statement for each table
        for function, lines in functions(tree)
        if lines > FUNCTION_MAX_LINES
    ]
    assert [] == long


@pytest.mark.parametrize(
    "code",
    [
        "Admitted()",
        "model.Admitted(digest=d)",
        "from seawall.engine.model import Admitted as A\nA()",
    ],
)
def test_the_rule_about_admission_can_fail(code: str) -> None:
    assert makers(ast.parse(code), "Admitted")


@pytest.mark.parametrize(
    "code",
    ["os.environ['A']", "os.getenv('A')", "from os import environ", "import os as system"],
)
def test_the_rule_about_the_environment_can_fail(code: str) -> None:
    assert touches_environment(ast.parse(code))


@pytest.mark.parametrize(
    "code",
    [
        "import seawall.testing.clocks",
        "from seawall import testing",
        "from seawall.testing.clocks import FakeClock",
    ],
)
def test_the_rule_about_fakes_can_fail(code: str) -> None:
    assert imports(ast.parse(code), "seawall.testing")
