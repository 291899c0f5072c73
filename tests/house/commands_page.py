"""Writes docs/reference/commands.md from the true parsers: `python tests/house/commands_page.py`.

From the parsers' actions, not their `--help`: argparse words that differently in each Python.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from house import repository
from seawall.cli import main

PAGE = repository.DOCS / "reference" / "commands.md"

HEAD = """# Commands

Written by `tests/house/commands_page.py` from the parsers; a test keeps it true.

`seawall [--state DIR] COMMAND …` — every command takes `--state DIR`, the directory of the
installation, before or behind the command's name, and `--help`. Without it `SEAWALL_STATE` counts,
else `/var/lib/seawall` for root and `~/.local/state/seawall` for others.

Exit codes of every command:

| code | meaning |
|---|---|
| 0 | yes, or done |
| 1 | the answer is no: refused, not proven, findings at or above what was asked |
| 2 | the command line or some other input is wrong |
| 3 | it could not be done now: not running, not reachable, not there, not allowed |
| 130 | interrupted |
| 141 | the reader of the output went away |
"""


def text() -> str:
    """Return the page as it must be."""
    parts = [HEAD]
    for command in main.COMMANDS:
        hidden = " (`seawall up` starts its processes with it)" if command.is_hidden else ""
        parts.append(f"\n## seawall {command.name}\n\n{_sentence(command.summary)}{hidden}\n")
        parts.append("".join(_parser(repository.parser_of(command), f"seawall {command.name}")))
    return "".join(parts)


def _parser(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    subs = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    own = [a for a in parser._actions if _is_shown(a) and a not in subs]
    yield f"\n```\n{_usage(name, own, bool(subs))}\n```\n"
    if own:
        yield "\n| argument | meaning |\n|---|---|\n"
        yield from (f"| {_spelled(a)} | {_meaning(a)} |\n" for a in own)
    if parser.epilog:
        yield f"\n```text\n{parser.epilog}\n```\n"
    for action in subs:
        summaries = {choice.dest: choice.help for choice in action._choices_actions}
        for word, sub in action.choices.items():
            yield f"\n### {name} {word}\n\n{_sentence(summaries[word] or '')}\n"
            yield from _parser(sub, f"{name} {word}")


def _is_shown(action: argparse.Action) -> bool:
    return action.help != argparse.SUPPRESS and not {"--help", "--state"} & {*action.option_strings}


def _usage(name: str, actions: list[argparse.Action], has_actions: bool) -> str:
    options = " [OPTION …]" if any(a.option_strings for a in actions) else ""
    words = "".join(f" {_counted(a)}" for a in actions if not a.option_strings)
    return f"{name}{options}{words}{' ACTION …' if has_actions else ''}"


def _counted(action: argparse.Action) -> str:
    word = _word(action)
    return {"?": f"[{word}]", "*": f"[{word} …]", "+": f"{word} [{word} …]"}.get(
        str(action.nargs), word
    )


def _word(action: argparse.Action) -> str:
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    named = action.metavar if isinstance(action.metavar, str) else ""
    return named or action.dest.upper()


def _spelled(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{_word(action)}`"
    value = "" if action.nargs == 0 else f" {_word(action)}"
    return ", ".join(f"`{option}{value}`" for option in action.option_strings)


def _meaning(action: argparse.Action) -> str:
    meaning = re.sub(r"([|*])", r"\\\1", action.help or "")
    is_telling = action.option_strings and action.nargs != 0 and action.default not in (None, [])
    if is_telling and str(action.default) not in meaning:
        meaning += f" (default: {action.default})"
    if isinstance(action, argparse._AppendAction) and "several" not in meaning:
        meaning += "; may be given several times"
    return meaning.strip()


def _sentence(summary: str) -> str:
    return f"{summary[:1].upper()}{summary[1:]}."


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
