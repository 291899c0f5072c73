"""Reads the head of a request in its plainest form, a small part of HTTP (RFC 9112).

Any parser of HTTP reads these bytes in the same way: one GET or HEAD, fields written as everybody
writes them, nothing that announces a body or another protocol. Refused is everything else, even
where it is valid: then the web server's own parser has to say what it means.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAX_BYTES: Final = 8 * 1024
CACHED_HEADS: Final = 512

_END: Final = b"\r\n\r\n"
_VALUE: Final = rb"[!-~](?:[ -~]*[!-~])?"
_HEAD: Final = re.compile(
    rb"(GET|HEAD) (/[!-~]*) HTTP/1\.1\r\n((?:[A-Za-z][A-Za-z0-9-]*: " + _VALUE + rb"\r\n)+)\r\n"
)
_MEANING_MORE: Final = frozenset(
    {"content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"}
)


@dataclass(frozen=True, slots=True)
class PlainHead:
    """One request without a body. Names of fields are in small letters, each is there once."""

    method: str
    path: str
    fields: Mapping[str, str]


def parse(data: bytes) -> PlainHead | None:
    """Return what `data` says if it is exactly one plain head, else None."""
    if len(data) > MAX_BYTES or not data.endswith(_END) or not data.startswith((b"GET ", b"HEAD ")):
        return None
    return _parse(data)


@functools.lru_cache(CACHED_HEADS)
def _parse(data: bytes) -> PlainHead | None:
    match = _HEAD.fullmatch(data)
    if match is None:
        return None
    fields: dict[str, str] = {}
    for line in match[3].decode("ascii").splitlines():
        name, _, value = line.partition(": ")
        name = name.lower()
        if name in fields or name in _MEANING_MORE:
            return None
        fields[name] = value
    if "host" not in fields or fields.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    return PlainHead(method=match[1].decode(), path=match[2].decode("ascii"), fields=fields)
