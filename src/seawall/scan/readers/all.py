"""All readers of files, and which is for a path: two look-ups in tables for each file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seawall.scan.readers import (
    Reader,
    beam,
    conda,
    dotnet,
    go_modules,
    java,
    javascript,
    lock_files,
    node,
    node_lock,
    pear,
    php,
    python,
    python_archives,
    python_lock,
    ruby,
    rust,
    sbom_documents,
    scripting,
    web_apps,
)

READERS: Final[tuple[Reader, ...]] = (
    *beam.READERS,
    *conda.READERS,
    *dotnet.READERS,
    *go_modules.READERS,
    *java.READERS,
    *javascript.READERS,
    *lock_files.READERS,
    *node.READERS,
    *node_lock.READERS,
    *pear.READERS,
    *php.READERS,
    *python.READERS,
    *python_archives.READERS,
    *python_lock.READERS,
    *ruby.READERS,
    *rust.READERS,
    *sbom_documents.READERS,
    *scripting.READERS,
    *web_apps.READERS,
)


class Table:
    """Finds the reader of a path by the name and the ending of the file."""

    def __init__(self, readers: Iterable[Reader]) -> None:
        self._names: dict[str, list[Reader]] = {}
        self._endings: dict[str, list[tuple[str, Reader]]] = {}
        for reader in readers:
            for name in reader.names:
                self._names.setdefault(name, []).append(reader)
            for ending in reader.endings:
                if "." not in ending:
                    raise ValueError(f"{reader.format}: {ending!r} has no dot to be found by")
                self._endings.setdefault(_suffix(ending), []).append((ending, reader))

    def find(self, path: str) -> Reader | None:
        """Return the first reader that wants the file at `path`."""
        name = path.rpartition("/")[2]
        for reader in self._names.get(name, ()):
            if reader.is_wanted(path):
                return reader
        for ending, reader in self._endings.get(_suffix(name), ()):
            if name.endswith(ending) and reader.is_wanted(path):
                return reader
        return None


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]


TABLE: Final = Table(READERS)
