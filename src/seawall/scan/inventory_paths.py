"""Paths inside of an image, and how symbolic links lead to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MAX_HOPS: Final = 40
"""Symbolic links followed for one path; Linux gives up after as many (ELOOP)."""

MAX_STEPS: Final = 1024
"""Path components looked at for one path, through all links: keeps hostile links cheap."""


def parent(path: str) -> str:
    """Return the directory of `path`; the root is the empty text."""
    return path.rpartition("/")[0]


def shown(path: str) -> str:
    """Return a path as reports have it: absolute, without control characters."""
    return f"/{printable(path)}"


def printable(text: str) -> str:
    """Return a text of the image without control characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def resolve_parent(path: str, links: Mapping[str, str]) -> str | None:
    """Return `path` with every symbolic link among its directories followed.

    None when the links loop. Links of the last component are left alone.
    """
    folder, _, name = path.rpartition("/")
    if not folder:
        return path
    real = resolve(folder, links)
    if real is None:
        return None
    return f"{real}/{name}" if real else name


def resolve(path: str, links: Mapping[str, str]) -> str | None:
    """Return where `path` leads; `..` stops at the root, as for a process inside the image.

    None when the links loop, or lead too far to be followed.
    """
    todo = path.split("/")[::-1]
    done: list[str] = []  # the prefixes so far: a, a/b, a/b/c
    hops = 0
    for _ in range(MAX_STEPS):
        if not todo:
            return done[-1] if done else ""
        part = todo.pop()
        if part == "..":
            if done:
                done.pop()
            continue
        if part in ("", "."):
            continue
        prefix = f"{done[-1]}/{part}" if done else part
        target = links.get(prefix)
        if target is None:
            done.append(prefix)
            continue
        hops += 1
        if hops > MAX_HOPS:
            return None
        if target.startswith("/"):
            done = []
        todo.extend(target.split("/")[::-1])
    return None
