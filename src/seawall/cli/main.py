"""The `seawall` command.

Exit codes, for every command: 0 yes or done; 1 the answer is no (refused, does not verify,
findings at or above what was asked); 2 the command line or some other input is wrong; 3 it could
not be done now (not running, not reachable, not allowed).
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import seawall
from seawall.core.errors import InvalidInputError, SeawallError

EXIT_DONE: Final = 0
EXIT_NO: Final = 1
EXIT_WRONG_INPUT: Final = 2
EXIT_NOT_NOW: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A subcommand: its module in `seawall.cli` has `add_arguments(parser)` and `run(…)`."""

    name: str
    module: str
    summary: str
    is_hidden: bool = False


COMMANDS: Final = (
    Command(name="up", module="up", summary="start registry, scanner, gate and pages; stay"),
    Command(name="doctor", module="doctor", summary="explain the state of the installation"),
    Command(name="scan", module="scan", summary="show what is in an image and wrong with it"),
    Command(name="key", module="key", summary="make signing keys and say which are trusted"),
    Command(name="sign", module="sign", summary="vouch for an image"),
    Command(name="verify", module="verify", summary="prove who vouches for an image"),
    Command(name="explain", module="explain", summary="say whether an image may run, and why"),
    Command(name="policy", module="policy", summary="check the policy file, show what applies"),
    Command(name="feeds", module="feeds", summary="import or update advisories"),
    Command(name="user", module="user", summary="add, list and disable people and robots"),
    Command(name="grant", module="grant", summary="say who may pull, push and delete what"),
    Command(name="client", module="client", summary="issue a certificate for docker at the gate"),
    Command(name="audit", module="audit", summary="read, follow and prove the log"),
    Command(name="serve", module="serve", summary="run one process alone", is_hidden=True),
)


class CommandModule(Protocol):
    """What the module of a command offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, options: argparse.Namespace, settings: object) -> int: ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = _command_name(words)
    if name is None:
        _overview().parse_args(words)  # ends for --help, --version and a wrong word
        _overview().print_help(sys.stderr)
        return EXIT_WRONG_INPUT
    command = next(command for command in COMMANDS if command.name == name)
    module: CommandModule = importlib.import_module(f"seawall.cli.{command.module}")
    parser = _command_parser(command, module)
    position = words.index(name)
    options = parser.parse_args(words[:position] + words[position + 1 :])
    return _run(module, options)


def _run(module: CommandModule, options: argparse.Namespace) -> int:
    from seawall import config

    try:
        return module.run(options, config.load(options.state))
    except SeawallError as error:
        print(f"seawall: {error.message}", file=sys.stderr)
        if error.remedy:
            print(f"         {error.remedy}", file=sys.stderr)
        return EXIT_WRONG_INPUT if isinstance(error, InvalidInputError) else EXIT_NOT_NOW
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: not an error of ours
        return EXIT_DONE


def _command_name(words: Sequence[str]) -> str | None:
    """Find the first word that is a command, behind `--state DIR` at most."""
    names = {command.name for command in COMMANDS}
    position = 0
    while position < len(words):
        word = words[position]
        if word in names:
            return word
        if word == "--state":
            position += 2
        elif word.startswith("--state="):
            position += 1
        else:
            return None
    return None


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
