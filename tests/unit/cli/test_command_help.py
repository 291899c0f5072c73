"""Help and the first screen: every command explains itself, quickly and without an installation."""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

import seawall
from seawall.cli import main

NAMES = [command.name for command in main.COMMANDS]


def every_parser() -> Iterator[tuple[str, ...]]:
    """Yield the words that lead to each parser: a command, or a command and its action."""
    for command in main.COMMANDS:
        yield (command.name,)
        module = importlib.import_module(f"seawall.cli.{command.module}")
        for action in main._command_parser(command, module)._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from ((command.name, name) for name in action.choices)


@pytest.mark.parametrize("words", list(every_parser()), ids=" ".join)
def test_help_of_every_command_and_action(newcomer, words):
    done = newcomer.bare(*words, "--help")
    assert (0, "") == (done.code, done.err)
    assert done.out.startswith(f"usage: seawall {' '.join(words)}")


def test_the_overview_names_every_command_but_the_inner_ones(newcomer):
    done = newcomer.bare("--help")
    assert 0 == done.code
    for command in main.COMMANDS:
        assert command.is_hidden == (f"\n  {command.name} " not in done.out)
        assert command.is_hidden == (command.summary not in done.out)


def test_no_word_at_all_shows_the_overview_as_an_error(newcomer):
    done = newcomer.bare()
    assert (2, "") == (done.code, done.out)
    assert "commands:" in done.err


def test_the_version_is_told(newcomer):
    assert f"seawall {seawall.__version__}\n" == newcomer.bare("--version").out


@pytest.mark.parametrize(
    "words", [("frobnicate",), ("user",), ("user", "frobnicate"), ("audit", "frobnicate"),
              ("--nothing",), ("scan",), ("scan", "x", "--json", "--sbom"), ("scan", "--jso", "x")],
    ids=" ".join,
)  # fmt: skip
def test_refuses_words_that_mean_nothing(newcomer, words):
    done = newcomer(*words)
    assert 2 == done.code
    assert "usage: seawall" in done.err


@pytest.mark.parametrize("words", [("--help",), ("scan", "--help"), ("policy", "--help")])
def test_help_loads_neither_database_nor_web(words):
    script = (
        "import sys; from seawall.cli import main\n"
        f"try: main.main({words!r})\nexcept SystemExit: pass\n"
        "print(sorted({'sqlalchemy', 'aiohttp', 'cryptography'} & {*sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "[]\n" == done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [("audit", "--json"), ("policy", "show", "x"), ("user", "list")])
def test_a_reader_that_goes_away_is_neither_a_yes_nor_a_mess(shell, words, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as gone:
        done = subprocess.run(
            [sys.executable, "-m", "seawall", "--state", str(shell.state), *words],
            stdout=gone, stderr=subprocess.PIPE, check=False, timeout=60,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert (141, b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_no_yes(shell, unbuffered):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "seawall", "--state", str(shell.state), "audit", "verify"],
            stdout=full, stderr=subprocess.PIPE, check=False, timeout=60,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert (3, b"seawall: No space left on device\n") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("words", "code"),
    [("user list", 0), ("user", 2), ("key show none", 3), ("feeds import none", 3)],
)
def test_who_wants_no_output_has_the_code(shell, words, code):
    command = f"exec {sys.executable} -m seawall --state {shell.state} {words} >&-"
    done = subprocess.run(["sh", "-c", command], check=False, timeout=60, stderr=subprocess.DEVNULL)
    assert code == done.returncode
