"""Go modules that an application's `go.mod` requires; those inside programs are `scan.files`'.

`go.sum` is not read: it holds every version that was ever weighed, most of which are not built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Content, Found, Reader, Unreadable
from seawall.scan.readers._content import (
    LOCK_FILE,
    MAX_LOCK_BYTES,
    is_application,
    lines_of,
    once,
    text_of,
    word,
)

_PATH: Final = re.compile(r"[a-z0-9][\w.~/-]*\.[\w.~/-]+", re.ASCII)
_OF_GO: Final = ("std", "cmd", "misc")
"""Go's own sources, wherever its distribution is unpacked."""
_VERSION: Final = re.compile(r"v[0-9][0-9A-Za-z.+-]*")


def read_mod(content: Content, path: str) -> tuple[Found, ...]:
    """Read the requirements, with replacements done. Raises Unreadable without a module line."""
    required: dict[str, str] = {}
    replaced: dict[tuple[str, str], tuple[str, str]] = {}
    module = ""
    for verb, words in _statements(text_of(content)):
        if verb == "module":
            module = " ".join(words)
        elif verb == "require" and len(words) == 2:
            required[words[0]] = words[1]
        elif verb == "replace" and "=>" in words:
            arrow = words.index("=>")
            old, new = [*words[:arrow], "", ""], [*words[arrow + 1 :], "", ""]
            replaced[old[0], old[1]] = new[0], new[1]
    if not module:
        raise Unreadable("it names no module")
    if module in _OF_GO:
        return ()
    return once(_found(required, replaced))


def _statements(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield verb and words of every line; a verb before `(` holds until `)`."""
    block = ""
    for line in lines_of(text):
        words = line.partition("//")[0].split()
        if not words:
            continue
        if words == [")"]:
            block = ""
        elif len(words) == 2 and words[1] == "(":
            block = words[0]
        else:
            words = [word.strip('"`') for word in words]
            yield (block, words) if block else (words[0], words[1:])


def _found(
    required: dict[str, str], replaced: dict[tuple[str, str], tuple[str, str]]
) -> Iterator[Found]:
    for module, wanted in required.items():
        name, version = (
            replaced.get((module, wanted)) or replaced.get((module, "")) or (module, wanted)
        )
        if word(name) and _PATH.fullmatch(name) and _VERSION.fullmatch(word(version)):
            yield Found(
                type=PackageType.GOLANG,
                name=name,
                version=version,
                role=Role.DECLARED,
                evidence=LOCK_FILE,
            )


def _is_wanted(path: str) -> bool:
    """The module cache holds go.mod files of what may not be built at all."""
    return is_application(path) and "/pkg/mod/" not in f"/{path}"


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="go.mod",
        read=read_mod,
        names=frozenset({"go.mod"}),
        is_wanted=_is_wanted,
        max_bytes=MAX_LOCK_BYTES,
    ),
)
