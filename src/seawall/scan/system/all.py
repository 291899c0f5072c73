"""All managers of system packages: which file is for which, and where an image's own lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seawall.scan.system import SystemReader, dpkg

READERS: Final = (*dpkg.READERS,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a manager's own files are, relative to the root; copies elsewhere are nobody's."""

    manager: str
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    """Directories whose files count."""
    trees: tuple[str, ...] = ()
    """Directories in whose directories files count."""


PLACES: Final = (
    Place(
        manager="dpkg",
        files=("var/lib/dpkg/status",),
        folders=("var/lib/dpkg/status.d", "var/lib/dpkg/info"),
    ),
)

OTHERS: Final = {
    "lib/apk/db/installed": "apk",
    "usr/lib/apk/db/installed": "apk",
    "var/lib/rpm/Packages": "rpm",
    "var/lib/rpm/Packages.db": "rpm",
    "var/lib/rpm/rpmdb.sqlite": "rpm",
    "usr/lib/sysimage/rpm/Packages": "rpm",
    "usr/lib/sysimage/rpm/Packages.db": "rpm",
    "usr/lib/sysimage/rpm/rpmdb.sqlite": "rpm",
    "var/lib/pacman/local/ALPM_DB_VERSION": "pacman",
}
"""Package databases that are noticed and not read: silence about them would look like safety."""


class Table:
    """Finds the reader of a path by the name, the ending or the folder of the file."""

    def __init__(self, readers: Iterable[SystemReader]) -> None:
        self._names: dict[str, SystemReader] = {}
        self._endings: dict[str, SystemReader] = {}
        self._folders: dict[str, tuple[str, SystemReader]] = {}
        for reader in readers:
            self._names |= dict.fromkeys(reader.names, reader)
            self._endings |= dict.fromkeys(reader.endings, reader)
            for folder in reader.folders:
                self._folders[folder.rpartition("/")[2]] = folder, reader

    def find(self, path: str) -> SystemReader | None:
        """Return the reader of the package manager that keeps such a file."""
        folder, _, name = path.rpartition("/")
        reader = self._names.get(name) or self._endings.get(name[name.rfind(".") :])
        if reader is None:
            tail, reader = self._folders.get(folder.rpartition("/")[2], ("", None))
            if not folder.endswith(tail):
                return None
        return reader if reader is not None and reader.is_wanted(path) else None


TABLE: Final = Table(READERS)
