"""The instructions of a Dockerfile, or what the history of an image tells of them: one form.

A Dockerfile is read as the reference of Docker says: comments, a back slash (or what the escape
directive names) at the end of a line, here-documents. The history is the image's own claim:
BuildKit writes instructions as they were, older builders `/bin/sh -c #(nop) CMD …`, and
`/bin/sh -c …` for RUN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, LimitError, SeawallError
from seawall.core.limits import MIB

MAX_BYTES: Final = MIB
MAX_INSTRUCTIONS: Final = 2_000
MAX_CHARS: Final = 20_000
"""Of one instruction; the rest is left out."""

_KEYWORDS: Final = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
    "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip
_NOP: Final = re.compile(r"^/bin/sh -c #\(nop\)\s+")
_ARGS: Final = re.compile(r"^\|\d+\s(?:\S+=\S*\s)*(?=/bin/sh -c)")
_HEREDOC: Final = re.compile(r"<<-?[\"']?([A-Za-z_]\w*)[\"']?")
_ESCAPE: Final = re.compile(r"^#\s*escape\s*=\s*([\\`])\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction."""

    keyword: str  # upper case; empty when it is not understood
    text: str
    """What stands after the keyword, as one line."""
    line: int = 0
    """From 1, in a Dockerfile; 0 in a history."""
    layer_index: int = -1
    """The layer that it made; -1 when it made none."""


def of_history(config: bytes | None, *, max_bytes: int) -> tuple[Instruction, ...]:
    """Return the instructions that a config's history tells; none when it does not parse."""
    if config is None:
        return ()
    try:
        history = strictjson.decode_object(config, max_bytes=max_bytes).get("history")
    except SeawallError:
        return ()
    found, layer = [], 0
    for entry in history if isinstance(history, list) else ():
        if not isinstance(entry, dict):
            continue
        is_empty = entry.get("empty_layer") is True
        created_by = entry.get("created_by")
        text = created_by if isinstance(created_by, str) else ""
        found.append(_of_claim(text[:MAX_CHARS], -1 if is_empty else layer))
        layer += not is_empty
    return tuple(found[:MAX_INSTRUCTIONS])


def of_dockerfile(content: bytes) -> tuple[Instruction, ...]:
    """Return the instructions of a Dockerfile. Raises InvalidInputError, LimitError."""
    if len(content) > MAX_BYTES:
        raise LimitError(f"the Dockerfile has more than {MAX_BYTES} bytes")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidInputError("the Dockerfile is not UTF-8") from error
    escape = next((m[1] for one in lines[:3] if (m := _ESCAPE.match(one.strip()))), "\\")
    found: list[Instruction] = []
    number = 0
    while number < len(lines):
        start, text, number = _logical_line(lines, number, escape)
        if not text:
            continue
        if len(found) == MAX_INSTRUCTIONS:
            raise LimitError(f"more than {MAX_INSTRUCTIONS} instructions")
        keyword, _, rest = text.partition(" ")
        for mark in _HEREDOC.findall(rest):
            inner, number = _here_document(lines, number, mark)
            rest = f"{rest} {inner}"
        known = keyword.upper() if keyword.upper() in _KEYWORDS else ""
        found.append(Instruction(keyword=known, text=rest.strip()[:MAX_CHARS], line=start + 1))
    if not any(one.keyword == "FROM" for one in found):
        raise InvalidInputError("a Dockerfile without FROM builds nothing")
    return tuple(found)


def _logical_line(lines: list[str], number: int, escape: str) -> tuple[int, str, int]:
    """Join continued lines; returns where it begins, the text, and the line after it."""
    start = number
    parts: list[str] = []
    while number < len(lines):
        line = lines[number].strip()
        number += 1
        if line.startswith("#") or (not line and parts):
            if not parts:
                return start, "", number
            continue
        if not line.endswith(escape):
            parts.append(line)
            break
        parts.append(line[:-1].strip())
    return start, " ".join(parts).strip(), number


def _here_document(lines: list[str], number: int, mark: str) -> tuple[str, int]:
    parts = []
    while number < len(lines) and lines[number].strip() != mark:
        parts.append(lines[number].strip())
        number += 1
    return "; ".join(parts), number + 1


def _of_claim(text: str, layer_index: int) -> Instruction:
    plain = " ".join(text.split())
    without_args = _ARGS.sub("", plain)
    if _NOP.match(without_args):
        plain = _NOP.sub("", without_args)
    elif without_args.startswith("/bin/sh -c "):
        plain = f"RUN {without_args}"
    keyword, _, rest = plain.removesuffix(" # buildkit").partition(" ")
    if keyword not in _KEYWORDS:
        return Instruction(keyword="", text=plain, layer_index=layer_index)
    return Instruction(keyword=keyword, text=rest.strip(), layer_index=layer_index)
