"""Large JSON, token by token: what is kept does not grow with the document.

A lock file of 30 MB has a million values, of which one in ten is wanted. `msgspec` checks the whole
document first, keeping nothing but the place of a section (`json_of` with a field of `Raw`); then
the tokens of that section pass by here: all but commas, which say nothing in JSON that is known to
be valid. (RFC 8259)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

from seawall.scan.readers import Unreadable

MAX_TOKENS: Final = 8_000_000
"""Some seconds; a lock file of 32 MiB has two million."""
MAX_STRING: Final = 4096
"""Bytes of a string or key that is given out; a longer one is the empty string."""

Fields: TypeAlias = dict[str, str | bool]

_TOKEN: Final = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"(\s*+:)?|[{}\[\]]|true|false|null|-?[0-9][0-9.eE+-]*+', re.DOTALL
)
_OPENING: Final = (b"{", b"[")
_CLOSING: Final = (b"}", b"]")


def members_of(
    section: msgspec.Raw, wanted: frozenset[str], nested: str | None = None
) -> Iterator[Fields]:
    """Yield the `wanted` strings and booleans of every object that is a member of a section.

    The key of an object is its field "". A member that is itself called `nested`, in a member of a
    section, is a section too, however deep. Raises Unreadable when it is too much.
    """
    sections: list[bool] = []  # of each object or array that is open: is it a section?
    members: list[tuple[int, Fields]] = []
    key = ""
    for token, is_key in _tokens(section):
        depth = len(sections)
        inner = members[-1] if members and members[-1][0] == depth else None
        if is_key:
            key = _text(token)
        elif token in _OPENING:
            if depth and sections[-1] and token == b"{":
                members.append((depth + 1, {"": key}))
            is_nested = inner is not None and key == nested
            sections.append(token == b"{" and (not depth or is_nested))
            key = ""
        elif token in _CLOSING:
            if inner is not None:
                yield members.pop()[1]
            sections.pop()
        elif inner is not None and key in wanted:
            if token[:1] == b'"':
                inner[1][key] = _text(token)
            elif token in (b"true", b"false"):
                inner[1][key] = token == b"true"


def heads_of(section: msgspec.Raw) -> Iterator[str]:
    """Yield the first string of every array that is a member of the section.

    Raises Unreadable when it is too much.
    """
    depth = 0
    is_first = False
    for token, is_key in _tokens(section):
        if token in _OPENING:
            depth += 1
            is_first = depth == 2 and token == b"["
        elif token in _CLOSING:
            depth -= 1
        else:
            if is_first and not is_key and token[:1] == b'"':
                yield _text(token)
            is_first = False


def _tokens(section: msgspec.Raw) -> Iterator[tuple[bytes, bool]]:
    """Yield tokens of valid JSON, and whether each is a key."""
    for number, match in enumerate(_TOKEN.finditer(memoryview(section))):
        if number >= MAX_TOKENS:
            raise Unreadable(f"more than {MAX_TOKENS} values")
        if match.end(1) < 0:
            yield match[0], False
        elif match.end() - match.start() <= MAX_STRING:
            yield match[0].rstrip(b" \t\r\n:"), True
        else:
            yield b'""', True


def _text(token: bytes) -> str:
    if len(token) > MAX_STRING:
        return ""
    if b"\\" not in token:
        return token[1:-1].decode("utf-8", "replace")
    try:
        return msgspec.json.decode(token, type=str)
    except (msgspec.DecodeError, UnicodeError):
        return ""
