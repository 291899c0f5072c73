"""What `seawall scan` remembers on this disk about images that are not of this installation.

Two things, both under `scan/` in the state directory and readable by their owner alone:

- `layers/`: the facts of each layer that was read whole, by the layer's digest. An image that
  shares layers with an earlier one is read where it differs.
- `answers/`: what was shown, by all that it depends on: the image's digest, the options, the
  editions of all advisories, the learned fingerprints, the scanner itself, and the day (support
  ends on days). Asking again about a known image reads its manifest and nothing else.

Facts that are damaged or of another version are read anew, and so is everything when the folder
cannot be written: this is a memory, and nothing depends on it. The oldest entries go when there is
more than `MAX_BYTES`.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import seawall
from seawall import scan
from seawall.core import files, strictjson
from seawall.core.errors import SeawallError

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.scan.image_source import ImageSource
    from seawall.scan.inventory_facts import LayerFacts

MAX_BYTES: Final = 1 << 30
ENTRY_MAX_BYTES: Final = 64 << 20
HEAD_MAX_BYTES: Final = 64 << 10
UNKEYED: Final = frozenset(
    {"output", "wait", "again", "image", "user", "password_file", "ca", "unsafe_plain_http"}
)
"""Options that change nothing of an answer, or stand in the key by another name."""

_FEEDS: Final = "SELECT name, generation, digest, imported_at, error FROM scan_feed ORDER BY name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was shown."""

    document: bytes
    exit_code: int = 0
    message: str = ""
    """For standard error."""


class Memory:
    """The folder `scan/` of a state directory."""

    def __init__(self, folder: Path) -> None:
        self._layers = folder / "layers"
        self._answers = folder / "answers"

    def facts(self, image: ImageSource) -> dict[str, LayerFacts]:
        """Return what is known about the layers of an image, by digest."""
        from seawall.scan import inventory_facts

        known: dict[str, LayerFacts] = {}
        if not image.is_addressed:
            return known
        for digest in {str(layer.digest) for layer in image.layers}:
            content = _read(self._layers / _named(digest))
            facts = None if content is None else inventory_facts.from_bytes(content)
            if facts is not None and facts.digest == digest:
                known[digest] = facts
        return known

    def keep_facts(self, facts: LayerFacts) -> None:
        """Keep the facts of a layer that was read whole."""
        from seawall.scan import inventory_facts

        if facts.is_complete:
            self._write(self._layers / _named(facts.digest), inventory_facts.to_bytes(facts))

    def answer(self, key: str) -> Answer | None:
        content = _read(self._answers / key)
        if content is None:
            return None
        head, _, document = content.partition(b"\n")
        try:
            told = strictjson.decode_object(head, max_bytes=HEAD_MAX_BYTES)
        except SeawallError:
            return None
        code, message = told.get("exit_code"), told.get("message")
        if told.get("bytes") != len(document) or not isinstance(code, int):
            return None
        return Answer(document=document, exit_code=code, message=str(message))

    def keep_answer(self, key: str, answer: Answer) -> None:
        head = {
            "bytes": len(answer.document),
            "exit_code": answer.exit_code,
            "message": answer.message,
        }
        self._write(self._answers / key, json.dumps(head).encode() + b"\n" + answer.document)

    def _write(self, path: Path, content: bytes) -> None:
        if len(content) > ENTRY_MAX_BYTES:
            return
        with contextlib.suppress(OSError, SeawallError):
            for folder in (path.parent.parent.parent, path.parent.parent, path.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.write_private(path, content)
            self._make_room()

    def _make_room(self) -> None:
        """Remove the entries that were used longest ago, down to three quarters of the bound."""
        entries = [
            (status.st_mtime_ns, status.st_size, path)
            for folder in (self._layers, self._answers)
            for path, status in _listed(folder)
        ]
        total = sum(size for _, size, _ in entries)
        if total <= MAX_BYTES:
            return
        for _, size, path in sorted(entries):
            path.unlink(missing_ok=True)
            total -= size
            if total <= MAX_BYTES * 3 // 4:
                return


def of(settings: Settings) -> Memory:
    return Memory(settings.state / "scan")


def key_of(
    identity: Sequence[str], options: argparse.Namespace, settings: Settings, *, day: dt.date
) -> str | None:
    """Name everything that an answer about an image depends on; `identity` names its content.

    None when that is not known: a directory, other files were named, advisories lie on a database
    server, or ClamAV was asked.
    """
    if options.malware:
        return None
    asked = {key: value for key, value in vars(options).items() if key not in UNKEYED and value}
    is_known = all(isinstance(value, str | bool | int) for value in asked.values())
    advisories = _editions(settings) if is_known and identity else None
    if advisories is None:
        return None
    parts = {
        "scanner": [seawall.__version__, _newest_module()],
        "image": [options.image, *identity],
        "options": asked,
        "advisories": advisories,
        "fingerprints": _packs(settings),
        "hosts": settings.registry_hosts,
        "day": day.isoformat(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def identity_of(image: ImageSource) -> list[str]:
    """Return the digests that name an image; empty where they do not name its content."""
    if not image.is_addressed:
        return []
    return [str(image.digest), *(str(layer.digest) for layer in image.layers)]


def _editions(settings: Settings) -> list[list[object]] | None:
    """Return which advisories are in use; an empty list without any, None when nobody can tell."""
    if settings.options.database.url:
        return None
    if not settings.database.exists():
        return []
    import sqlite3

    try:
        where = f"file:{quote(str(settings.database))}?mode=ro"
        with contextlib.closing(sqlite3.connect(where, uri=True)) as connection:
            return [list(row) for row in connection.execute(_FEEDS)]
    except sqlite3.Error:
        return None


def _packs(settings: Settings) -> list[list[object]]:
    """Return what differs when learned fingerprints were added, replaced or removed."""
    if not settings.fingerprints.exists():
        return []
    from seawall.scan.fingerprints.shelf import Shelf

    return [list(pack) for pack in Shelf(settings.fingerprints).state()]


def _newest_module() -> int:
    """Return when the scanner's code was last changed, in nanoseconds.

    A version number does not change while somebody works on the code.
    """
    (folder,) = scan.__path__
    below = (path for path in Path(folder).iterdir() if path.is_dir())
    places = [Path(folder), *(path for path in below if path.name != "__pycache__")]
    return max(status.st_mtime_ns for place in places for _, status in _listed(place))


def _listed(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    yield Path(entry.path), entry.stat(follow_symlinks=False)


def _named(digest: str) -> str:
    """Return the name of an entry: no text from outside becomes a path."""
    return hashlib.sha256(digest.encode()).hexdigest()


def _read(path: Path) -> bytes | None:
    """Return an entry and note that it was used."""
    try:
        with path.open("rb") as file:
            content = file.read(ENTRY_MAX_BYTES + 1)
        os.utime(path)
    except OSError:
        return None
    return content if len(content) <= ENTRY_MAX_BYTES else None
