"""The `seawall` command.

Exit codes, for every command: 0 yes or done; 1 the answer is no (refused, does not verify,
findings at or above what was asked); 2 the command line or some other input is wrong; 3 it could
not be done now (not running, not reachable, not allowed). Besides, as of other programs: 130
interrupted, 141 the reader of the output went away. A yes that nobody read is no yes.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import seawall
from seawall.core.errors import InvalidInputError, SeawallError

EXIT_DONE: Final = 0
EXIT_NO: Final = 1
EXIT_WRONG_INPUT: Final = 2
EXIT_NOT_NOW: Final = 3
EXIT_INTERRUPTED: Final = 130
EXIT_UNREAD: Final = 141

COLLECT_AFTER: Final = 50_000
"""Objects that are made before a short command looks for cycles."""
STAYING: Final = frozenset({"up", "serve"})
"""Commands that stay, and collect as Python does."""


class Command(NamedTuple):
    """A subcommand: its module in `seawall.cli` has `add_arguments(parser)` and `run(…)`."""

    name: str
    module: str
    summary: str
    is_hidden: bool = False


COMMANDS: Final = (
    Command(name="up", module="up", summary="start registry, scanner, gate and pages; stay"),
    Command(name="doctor", module="doctor", summary="explain the state of the installation"),
    Command(name="scan", module="scan", summary="show what is in an image and wrong with it"),
    Command(name="where", module="where", summary="say which images have a hole, and what runs"),
    Command(name="trends", module="trends", summary="show what was open, day by day"),
    Command(name="key", module="key", summary="make signing keys and say which are trusted"),
    Command(name="authority", module="authority", summary="say whose certificates may vouch"),
    Command(name="sign", module="sign", summary="vouch for an image"),
    Command(name="attest", module="attest", summary="say something about an image, signed"),
    Command(name="verify", module="verify", summary="prove who vouches for an image"),
    Command(name="trust", module="trust", summary="say who may sign a repository's tags"),
    Command(name="explain", module="explain", summary="say whether an image may run, and why"),
    Command(name="policy", module="policy", summary="check the policy file, show what applies"),
    Command(name="feeds", module="feeds", summary="import, update and carry advisories"),
    Command(name="fingerprints", module="fingerprints", summary="learn to know copied programs"),
    Command(name="vex", module="vex", summary="say which answers about findings count here"),
    Command(name="user", module="user", summary="add, list and disable people and robots"),
    Command(name="grant", module="grant", summary="say who may pull, push and delete what"),
    Command(name="client", module="client", summary="issue a certificate for docker at the gate"),
    Command(name="log", module="log", summary="prove, watch and witness the transparency log"),
    Command(name="audit", module="audit", summary="read, follow and prove the log"),
    Command(name="serve", module="serve", summary="run one process alone", is_hidden=True),
)


class CommandModule(Protocol):
    """What the module of a command offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, options: argparse.Namespace, settings: object) -> int: ...


def program() -> int:
    """Run the command line as a program of its own, which ends then.

    What a short command loads stays until its end: looking for cycles in it, while it is loaded and
    once more at the end, would take a tenth of its time.
    """
    if STAYING.isdisjoint(sys.argv):
        gc.set_threshold(COLLECT_AFTER)
    try:
        return main()
    finally:
        gc.freeze()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        try:
            return _command(sys.argv[1:] if arguments is None else arguments)
        finally:
            _flush()
    except BrokenPipeError:
        _drop_output()
        return EXIT_UNREAD
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        print(f"seawall: {named}{error.strerror or error}", file=sys.stderr)
        _drop_output()
        return EXIT_NOT_NOW


def _command(arguments: Sequence[str]) -> int:
    parsed = _parse(arguments)
    if parsed is None:
        _overview().print_help(sys.stderr)
        return EXIT_WRONG_INPUT
    return _run(*parsed)


def _parse(
    arguments: Sequence[str],
) -> tuple[CommandModule, argparse.Namespace, str | None] | None:
    """Return the command's module, its options and `--state`; None when no command is named.

    Raises SystemExit for --help, --version and what is wrong.
    """
    state, words = _take_state(arguments)
    command = next((one for one in COMMANDS if words[:1] == [one.name]), None)
    if command is None:
        _overview().parse_args(words)
        return None
    module: CommandModule = importlib.import_module(f"seawall.cli.{command.module}")
    return module, _command_parser(command, module).parse_args(words[1:]), state


def _run(module: CommandModule, options: argparse.Namespace, state: str | None) -> int:
    from seawall import config

    try:
        return module.run(options, config.load(state))
    except SeawallError as error:
        print(f"seawall: {error.message}", file=sys.stderr)
        if error.remedy:
            print(f"         {error.remedy}", file=sys.stderr)
        return EXIT_WRONG_INPUT if isinstance(error, InvalidInputError) else EXIT_NOT_NOW
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _flush() -> None:
    if sys.stdout is not None:  # it is None when it was closed from the start
        sys.stdout.flush()


def _drop_output() -> None:
    """Empty the buffer: what could not be written is not tried again when the interpreter ends."""
    try:
        _flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _take_state(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Take `--state DIR` out of the words, wherever it stands before a `--`; the last one counts.

    Left to argparse, each action of a command would have to declare it, and the default of an inner
    parser would undo what stands in front: the command would work on another installation.
    """
    end = words.index("--") if "--" in words else len(words)
    state, rest = None, []
    before = iter(words[:end])
    for word in before:
        if word == "--state":
            state = next(before, "")
        elif word.startswith("--state="):
            state = word.removeprefix("--state=")
        else:
            rest.append(word)
            continue
        if not state or state.startswith("-"):
            # Not the default one either: an unset variable must not choose an installation.
            _overview().error("--state needs a directory")
    return state, [*rest, *words[end:]]


def _command_parser(command: Command, module: CommandModule) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"seawall {command.name}",
        description=f"{command.summary[:1].upper()}{command.summary[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--state", metavar="DIR", help="directory of the installation")
    module.add_arguments(parser)
    return parser


def _overview() -> argparse.ArgumentParser:
    shown = [command for command in COMMANDS if not command.is_hidden]
    width = max(len(command.name) for command in shown)
    lines = "\n".join(f"  {command.name:<{width}}  {command.summary}" for command in shown)
    parser = argparse.ArgumentParser(
        prog="seawall",
        usage="seawall [--state DIR] COMMAND …",
        description="What runs is what a trusted person built, and it cannot hurt the host.",
        epilog=f"commands:\n{lines}\n\n'seawall COMMAND --help' tells more about one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"seawall {seawall.__version__}")
    parser.add_argument("--state", metavar="DIR", help="directory of the installation")
    parser.add_argument("command", nargs="?", choices=[c.name for c in shown], metavar="COMMAND")
    return parser
