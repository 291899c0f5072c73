"""Which paths matter for the inventory, and how symbolic links lead to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seawall.scan import distribution, dpkg

DPKG: Final = "var/lib/dpkg"
MAX_HOPS: Final = 40
"""Symbolic links followed for one path; Linux gives up after as many (ELOOP)."""

MAX_STEPS: Final = 1024
"""Path components looked at for one path, through all links: keeps hostile links cheap."""

OTHER_DATABASES: Final = {
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

_NAMES: Final = frozenset({"METADATA", "PKG-INFO", "status", "os-release"})
_SUFFIXES: Final = (".egg-info", ".list", ".md5sums")


def is_interesting(path: str) -> bool:
    """Tell whether the file at `path` can say what is installed.

    Package databases are known by the tail of their path, since `/var/lib/dpkg` may itself lie
    behind a symbolic link; which of them is the real one is decided when all layers are known.
    """
    folder, _, name = path.rpartition("/")
    if name not in _NAMES and not name.endswith(_SUFFIXES):
        return folder.endswith("dpkg/status.d") or path in OTHER_DATABASES
    if name == "os-release":
        return path in distribution.PATHS
    if name == "status" or name.endswith((".list", ".md5sums")):
        return folder.endswith(("dpkg", "dpkg/info", "dpkg/status.d"))
    return dpkg.is_python_metadata(path)


def parent(path: str) -> str:
    """Return the directory of `path`; the root is the empty text."""
    return path.rpartition("/")[0]


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
