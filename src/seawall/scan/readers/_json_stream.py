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

MAX_TOKENS: Final = 4_000_000
"""Some seconds; a lock file of 32 MiB has two million."""
MAX_MEMBERS: Final = 200_000
"""Of a section; not all of them need be packages."""
MAX_STRING: Final = 4096
"""Bytes of a string or key that is given out; a longer one is the empty string."""

Fields: TypeAlias = dict[str, str | bool]

_TOKEN: Final = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"(\s*+:)?|[{}\[\]]|true|false|null|-?[0-9][0-9.eE+-]*+', re.DOTALL
)
_OPENING: Final = (b"{", b"[")
_CLOSING: Final = (b"}", b"]")
_ITEM_DEPTH: Final = 2


def is_there(section: msgspec.Raw, openings: bytes = b"{") -> bool:
    """Tell whether a section stands in the document; absent and null are the same.

    Raises Unreadable when it does not begin with one of the openings.
    """
    start = bytes(memoryview(section)[:1])
    if start in (b"", b"n"):
        return False
    if start not in openings:
        raise Unreadable("not the expected JSON: a section is of another kind")
    return True


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
    count = 0
    for token, is_key, _ in _tokens(section):
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
                count = _counted(count)
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
    for token, is_key, _ in _tokens(section):
        if token in _OPENING:
            depth += 1
            is_first = depth == 2 and token == b"["
        elif token in _CLOSING:
            depth -= 1
        else:
            if is_first and not is_key and token[:1] == b'"':
                yield _text(token)
            is_first = False


def items_of(section: msgspec.Raw) -> Iterator[memoryview]:
    """Yield every object that is an element of an array, or a value of an object, as it stands.

    Raises Unreadable when it is too much.
    """
    view = memoryview(section)
    depth = start = count = 0
    for token, is_key, at in _tokens(section) if is_there(section, b"[{") else ():
        if depth == 1 and not is_key and token not in (b"{", *_CLOSING):
            raise Unreadable("not the expected JSON: an entry is no object")
        if token in _OPENING:
            depth += 1
            start = at if depth == _ITEM_DEPTH else start
        elif token in _CLOSING:
            if depth == _ITEM_DEPTH:
                count = _counted(count)
                yield view[start : at + 1]
            depth -= 1


def _counted(count: int) -> int:
    if count >= MAX_MEMBERS:
        raise Unreadable(f"more than {MAX_MEMBERS} entries")
    return count + 1


def _tokens(section: msgspec.Raw) -> Iterator[tuple[bytes, bool, int]]:
    """Yield tokens of valid JSON, whether each is a key, and where it begins."""
    for number, match in enumerate(_TOKEN.finditer(memoryview(section))):
        if number >= MAX_TOKENS:
            raise Unreadable(f"more than {MAX_TOKENS} values")
        if match.end(1) < 0:
            yield match[0], False, match.start()
        elif match.end() - match.start() <= MAX_STRING:
            yield match[0].rstrip(b" \t\r\n:"), True, match.start()
        else:
            yield b'""', True, match.start()


def _text(token: bytes) -> str:
    if len(token) > MAX_STRING:
        return ""
    if b"\\" not in token:
        return token[1:-1].decode("utf-8", "replace")
    try:
        return msgspec.json.decode(token, type=str)
    except (msgspec.DecodeError, UnicodeError):
        return ""
