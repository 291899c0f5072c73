"""Where a passphrase comes from: a file that is named, or a person who types it."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Final

from seawall.core.errors import InvalidInputError, NotFoundError
from seawall.core.secret import Secret

MAX_BYTES: Final = 4096


def read(file: Path | None, *, prompt: str, option: str = "--passphrase-file") -> Secret:
    """Return the first line of `file`, or what is typed at the prompt.

    `option` is the one with which a file is named. Raises NotFoundError or InvalidInputError.
    """
    if file is not None:
        return read_file(file)
    _require_terminal(prompt, option)
    return Secret(getpass.getpass(f"{prompt}: "))


def read_new(file: Path | None, *, prompt: str, option: str = "--passphrase-file") -> Secret:
    """Like `read`, but a person types it twice. Raises InvalidInputError when the two differ."""
    first = read(file, prompt=prompt, option=option)
    if file is None and Secret(getpass.getpass(f"{prompt} again: ")) != first:
        raise InvalidInputError("what was typed differs", remedy="try again")
    return first


def read_file(file: Path) -> Secret:
    """Return the first line of `file`, without its line break."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InvalidInputError(f"{file} holds more than {MAX_BYTES} bytes")
        return Secret(content.decode().partition("\n")[0].removesuffix("\r"))
    except OSError as error:
        raise NotFoundError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{file} is not text in UTF-8") from error


def _require_terminal(prompt: str, option: str) -> None:
    if not sys.stdin.isatty():
        raise InvalidInputError(
            f"there is no terminal to ask at: {prompt}", remedy=f"give {option} FILE"
        )
