"""What a script starts: its interpreter, and the commands of a shell script.

Nothing is run and nothing is evaluated: a word where a command stands, a word behind something
that runs its arguments (`exec`, `gosu`, `set --`), and every absolute path are taken for what may
be started. That is too much rather than too little.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from seawall.scan.files.text import decode

MAX_BYTES: Final = 64 << 10
"""Of a larger script only the first line is read."""

LINE_MAX_BYTES: Final = 512
MAX_COMMANDS: Final = 300
MAX_WORD: Final = 256

_SHELLS: Final = frozenset({"sh", "ash", "bash", "dash", "ksh", "mksh", "zsh", "busybox"})
_BREAKS: Final = re.compile(r"[;|&()`\n]")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*\+?=")
_PATHS: Final = re.compile(r"(?<![\w$}./-])/[\w.+@-]+(?:/[\w.+@-]+)+")
_VARIABLE: Final = re.compile(r"\$(?:\w+|\{[^}/]*\})/(?:.*/)?([\w.+-]+)$")
_COMMAND: Final = re.compile(r"[\w./][\w./+@-]*")

_KEYWORDS: Final = frozenset(
    {"!", "{", "if", "then", "elif", "else", "while", "until", "do", "time"}
)
"""A command follows them."""

_RUNNERS: Final = frozenset(
    {
        "catatonit", "chpst", "chroot", "command", "dumb-init", "env", "eval", "exec", "gosu",
        "ionice", "nice", "nohup", "runuser", "s6-setuidgid", "set", "setpriv", "setsid",
        "start-stop-daemon", "stdbuf", "su", "su-exec", "sudo", "taskset", "timeout", "tini",
        "unshare", "xargs",
    }
)  # fmt: skip
"""Any of their arguments may be a command."""

_BUILTINS: Final = frozenset(
    {
        ".", ":", "[", "[[", "alias", "break", "case", "cd", "continue", "declare", "done", "echo",
        "esac", "eval", "exec", "exit", "export", "false", "fi", "for", "function", "getopts",
        "hash", "in", "kill", "let", "local", "printf", "pwd", "read", "readonly", "return", "set",
        "shift", "source", "test", "times", "trap", "true", "type", "ulimit", "umask", "unset",
        "wait",
    }
)  # fmt: skip
"""The shell does them itself."""


class Script(msgspec.Struct, frozen=True, tag="script", omit_defaults=True):
    """What is kept of one script."""

    interpreter: str
    """Its first line behind `#!`, arguments included."""
    commands: str = ""
    """Words of a shell script that may name programs, separated by spaces."""


def read(content: bytes) -> Script | None:
    """Return what a script says about what it starts; None for a file that is no script."""
    if content[:2] != b"#!":
        return None
    interpreter = decode(content[2:LINE_MAX_BYTES].partition(b"\n")[0].strip())
    if not is_shell(interpreter) or len(content) > MAX_BYTES:
        return Script(interpreter)
    return Script(interpreter, " ".join(commands_of(content.decode("utf-8", "replace"))))


def is_shell(command: str) -> bool:
    """Tell whether a command, with its arguments, is a shell: `/bin/sh -e`, `/usr/bin/env bash`."""
    words = [word.rpartition("/")[2] for word in command.split()]
    return bool(words) and (
        words[0] in _SHELLS or (words[0] == "env" and any(word in _SHELLS for word in words[1:]))
    )


def commands_of(text: str) -> tuple[str, ...]:
    """Return the words of shell commands that may name programs, each once, at most 300.

    A name behind a variable (`$JAVA_HOME/bin/java`) is returned without its folders.
    """
    found: dict[str, None] = {}
    lines = text[:MAX_BYTES].replace("\\\n", " ").split("\n")
    for line in lines:
        if line.lstrip().startswith("#"):
            continue
        for part in _BREAKS.split(line):
            found.update(dict.fromkeys(_words_of(part)))
        found.update(dict.fromkeys(_PATHS.findall(line)))
        if len(found) >= MAX_COMMANDS:
            break
    return tuple(word for word in found if len(word) <= MAX_WORD)[:MAX_COMMANDS]


def _words_of(part: str) -> list[str]:
    """Return the words of one simple command that may be programs."""
    found = []
    is_next, is_any = True, False
    for quoted in part.split():
        word = quoted.strip("\"'")
        if not (is_next or is_any):
            break
        if len(word) > MAX_WORD:
            continue
        if _ASSIGNMENT.match(word) or word.startswith("-") or (is_next and word in _KEYWORDS):
            continue
        if variable := _VARIABLE.match(word):
            word = variable[1]
        if _COMMAND.fullmatch(word) and word not in _BUILTINS and not word.isdigit():
            found.append(word)
        is_next, is_any = False, is_any or word in _RUNNERS
    return found
