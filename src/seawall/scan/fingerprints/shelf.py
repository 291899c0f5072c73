"""The packs of an installation: one file each, in a folder of its state directory.

A file is written beside its place and moved there whole, so a mapped pack never changes. A pack
that does not read is told and left out: it must not stop a scan.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.core import files
from seawall.core.errors import InvalidInputError, LimitError, NotFoundError, SeawallError
from seawall.core.limits import GIB
from seawall.scan.fingerprints import pack as packs
from seawall.scan.fingerprints.pack import Pack

ENDING: Final = ".pack"
MAX_PACKS: Final = 64
MAX_BYTES: Final = 2 * GIB
"""Of all packs together."""

_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+){0,16}")
MAX_NAME: Final = 64

State = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The packs in a folder, by name. The folder need not exist."""

    folder: Path

    def names(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(path.stem for path in self.folder.glob(f"*{ENDING}") if _is_name(path.stem))

    def open(self, name: str) -> Pack:
        """Raises NotFoundError, InvalidInputError."""
        path = self.path(name)
        if not path.is_file():
            known = ", ".join(self.names()) or "none"
            raise NotFoundError(f"there is no pack {name}", remedy=f"there are: {known}")
        return packs.open_file(path)

    def put(self, name: str, content: bytes) -> None:
        """Store a pack, in place of the one that has this name. Raises LimitError."""
        path = self.path(name)
        others = [other for other in self.names() if other != name]
        size = sum(self.path(other).stat().st_size for other in others) + len(content)
        if len(others) >= MAX_PACKS or size > MAX_BYTES:
            raise LimitError(
                f"there is room for {MAX_PACKS} packs and {MAX_BYTES} bytes of fingerprints",
                remedy="remove one: seawall fingerprints remove NAME",
            )
        self.folder.mkdir(mode=0o700, exist_ok=True)
        files.write_private(path, content)

    def remove(self, name: str) -> None:
        """Raises NotFoundError."""
        path = self.path(name)
        if not path.is_file():
            raise NotFoundError(f"there is no pack {name}")
        path.unlink()

    def path(self, name: str) -> Path:
        """Return where a pack lies. Raises InvalidInputError for what is no name."""
        return self.folder / f"{checked(name)}{ENDING}"

    def state(self) -> State:
        """Return what differs when packs were added, replaced or removed."""
        found = []
        for name in self.names():
            about = self.path(name).stat()
            found.append((name, about.st_size, about.st_mtime_ns))
        return tuple(found)

    def load(self) -> tuple[list[Pack], list[str]]:
        """Return the packs that can be read, and a sentence about each of the others."""
        found: list[Pack] = []
        troubles: list[str] = []
        for name in self.names()[:MAX_PACKS]:
            try:
                found.append(self.open(name))
            except SeawallError as error:
                troubles.append(f"the fingerprints {name} are not used: {error.message}")
        return found, troubles


def checked(name: str) -> str:
    """Return the name of a pack. Raises InvalidInputError."""
    if not _is_name(name):
        raise InvalidInputError(
            f"{name[:80]!r} is not a name for fingerprints",
            remedy="use lower-case letters and digits, with single . _ - between them",
        )
    return name


def _is_name(text: str) -> bool:
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None
