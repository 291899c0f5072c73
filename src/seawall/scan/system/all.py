"""All managers of system packages: which file is for which, and where an image's own lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seawall.scan.system import SystemReader, apk, dpkg, pacman, python_record, rpm

READERS: Final = (
    *dpkg.READERS,
    *apk.READERS,
    *rpm.READERS,
    *pacman.READERS,
    *python_record.READERS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a manager's own files are, relative to the root; copies elsewhere are nobody's."""

    manager: str
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    """Directories whose files count."""
    trees: tuple[str, ...] = ()
    """Directories in whose directories files count."""
    names: tuple[str, ...] = ()
    """If given, of the files of one directory only that which comes first here counts."""


PLACES: Final = (
    Place(
        manager="dpkg",
        files=("var/lib/dpkg/status",),
        folders=("var/lib/dpkg", "var/lib/dpkg/status.d", "var/lib/dpkg/info"),
    ),
    Place(manager="apk", files=("lib/apk/db/installed", "usr/lib/apk/db/installed")),
    Place(
        manager="rpm",
        folders=("var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"),
        names=rpm.NAMES,
    ),
    Place(manager="pacman", trees=("var/lib/pacman/local",)),
)

OTHERS: Final = {
    "var/lib/rpm/rpmdb.sqlite-wal": "rpm (what was not written back into its database)",
    "usr/lib/sysimage/rpm/rpmdb.sqlite-wal": "rpm (what was not written back into its database)",
    "var/lib/snapd/state.json": "snap",
    "var/lib/flatpak/repo/config": "flatpak",
    "var/lib/portage/world": "portage",
    "var/lib/opkg/status": "opkg",
    "usr/lib/opkg/status": "opkg",
    "nix/var/nix/db/db.sqlite": "nix",
    "var/db/xbps/pkgdb-0.38.plist": "xbps",
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
