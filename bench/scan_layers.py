"""Look into the image that was scanned, by other code than the scanner's: what is really there?

Layers are laid on each other by the standard library's `tarfile`, with whiteouts. Links between
directories are followed for the places where Debian has them (`/bin` → `/usr/bin`).
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_MERGED = re.compile(r"(bin|sbin|lib|lib32|lib64|libx32)/")
_KEPT = (".json", ".jar", ".war")
_GO = b"\xff Go buildinf:"
_LISTS = re.compile(r"var/lib/dpkg/info/([^/]+)\.list")


@dataclass(slots=True)
class Files:
    """The files that were asked for, as the last layer leaves them."""

    contents: dict[str, bytes] = field(default_factory=dict)
    """Of manifests and archives."""
    actual: dict[str, str] = field(default_factory=dict)
    """Path → MD5 of the file that is there."""
    owners: dict[str, str] = field(default_factory=dict)
    """Path → package of dpkg whose list of files has it."""
    sums: dict[str, str] = field(default_factory=dict)
    """Path → MD5 that its package gives."""

    def owner(self, path: str) -> str:
        """Return the package that a file belongs to as it is, empty when it was overwritten."""
        path = canonical(path)
        actual = self.actual.get(path, "")
        is_changed = not actual or self.sums.get(path, actual) != actual
        return "" if is_changed else self.owners.get(path, "")


def canonical(path: str) -> str:
    path = path.lstrip("/")
    return f"usr/{path}" if _MERGED.match(path) else path


def read(layout: Path, is_wanted: Callable[[str], bool]) -> Files:
    """Return the wanted files of the only image of a layout, and who owns what."""
    files = Files()
    lists: dict[str, bytes] = {}
    for layer in _layers(layout):
        gone, here = _entries(layer, is_wanted)
        for held in (files.contents, files.actual, lists):
            for path in [path for path in held if _is_under(path, gone)]:
                del held[path]
        for path, (digest, content) in here.items():
            files.actual[path] = digest
            if _is_record(path):
                lists[path] = content
            elif content:
                files.contents[path] = content
    for path, content in lists.items():
        text = content.decode("utf-8", "surrogateescape")
        if match := _LISTS.fullmatch(path):
            package = match[1].partition(":")[0]
            files.owners |= {canonical(line): package for line in text.splitlines() if line}
        else:
            pairs = (line.split(None, 1) for line in text.splitlines())
            files.sums |= {canonical(name): md5 for md5, name in pairs}
    return files


def _layers(layout: Path) -> Iterator[Path]:
    def blob(digest: str) -> Path:
        return layout / "blobs" / digest.replace(":", "/")

    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    for layer in json.loads(blob(entry["digest"]).read_bytes())["layers"]:
        yield blob(layer["digest"])


def _entries(
    layer: Path, is_wanted: Callable[[str], bool]
) -> tuple[set[str], dict[str, tuple[str, bytes]]]:
    """Return what a layer removes, and MD5 and content of the wanted files that it has."""
    gone: set[str] = set()
    here: dict[str, tuple[str, bytes]] = {}
    with tarfile.open(layer, "r|*") as tar:
        for member in tar:
            path = canonical(member.name)
            folder, _, name = path.rpartition("/")
            if name == ".wh..wh..opq":
                gone.add(folder)
            elif name.startswith(".wh."):
                gone.add(f"{folder}/{name.removeprefix('.wh.')}".lstrip("/"))
            elif member.isfile() and (_is_record(path) or is_wanted(path)):
                stream = tar.extractfile(member)
                assert stream is not None
                content = stream.read()
                digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
                is_kept = _is_record(path) or path.endswith(_KEPT) or _GO in content
                here[path] = digest, content if is_kept else b""
    return gone, here


def _is_record(path: str) -> bool:
    return path.startswith("var/lib/dpkg/info/") and path.endswith((".list", ".md5sums"))


def _is_under(path: str, gone: set[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:end]) in gone for end in range(1, len(parts) + 1))
