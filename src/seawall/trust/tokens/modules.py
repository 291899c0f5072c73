"""Which PKCS#11 module speaks to the tokens: the one that is named, or those at the usual places.

A module is native code that runs with the rights of the person who signs. So only a person at the
command line or the settings name one, never a key's reference file; a bare name is looked up in the
usual places alone; and one that others could have replaced is not loaded.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from seawall.trust.tokens.cryptoki import Module
from seawall.trust.tokens.errors import NoModuleError, UnsafeModuleError
from seawall.trust.tokens.uri import TokenUri

PLACES: Final = tuple(
    Path(place)
    for place in (
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/usr/lib",
        "/usr/local/lib",
        "/opt/homebrew/lib",
        "/usr/lib/x86_64-linux-gnu/softhsm",
        "/usr/lib/aarch64-linux-gnu/softhsm",
        "/usr/lib/x86_64-linux-gnu/pkcs11",
        "/usr/lib/aarch64-linux-gnu/pkcs11",
        "/usr/lib64/pkcs11",
        "/usr/lib64/softhsm",
        "/usr/lib/softhsm",
        "/usr/lib/pkcs11",
        "/usr/local/lib/softhsm",
    )
)
NAMES: Final = (
    "libykcs11.so",
    "libykcs11.so.2",
    "libykcs11.dylib",
    "libsofthsm2.so",
    "opensc-pkcs11.so",
)
"""In the order in which they are asked: a vendor's own before the general ones."""

GET_ONE: Final = (
    "install the module of your token (packages ykcs11, opensc or softhsm2 on Debian), "
    "or name it: SEAWALL_PKCS11_MODULE=/path, or ?module-path=/path in the URI"
)


class Modules(Protocol):
    """Where modules come from: the machine, or a test."""

    def for_uri(self, uri: TokenUri) -> Sequence[Module]:
        """Return the modules to ask, in order. Raises NoModuleError or UnsafeModuleError."""
        ...


class InstalledModules:
    """Modules of this machine. `named` are those of the settings; empty: the usual places."""

    def __init__(
        self,
        named: Sequence[Path] = (),
        *,
        load: Callable[[Path], Module] | None = None,
        places: Sequence[Path] = PLACES,
    ) -> None:
        self._named = tuple(named)
        self._places = tuple(places)
        self._load = load or _load
        self._loaded: dict[Path, Module] = {}

    def for_uri(self, uri: TokenUri) -> Sequence[Module]:
        return [self._module(path) for path in self._paths(uri)]

    def _paths(self, uri: TokenUri) -> list[Path]:
        if uri.module_path is not None:
            return [_existing(uri.module_path)]
        if uri.module_name is not None:
            return [self._by_name(uri.module_name)]
        if self._named:
            return [_existing(path) for path in self._named]
        found = self._usual()
        if not found:
            raise NoModuleError("there is no PKCS#11 module on this machine", remedy=GET_ONE)
        return found

    def _by_name(self, name: str) -> Path:
        for place in self._places:
            for file in (name, f"{name}.so", f"lib{name}.so", f"lib{name}.dylib"):
                if (place / file).is_file():
                    return _safe(place / file)
        raise NoModuleError(f"there is no module {name!r} at the usual places", remedy=GET_ONE)

    def _usual(self) -> list[Path]:
        found: dict[str, Path] = {}
        for name in NAMES:
            kind = name.partition(".")[0]
            for place in self._places:
                if kind not in found and (place / name).is_file():
                    found[kind] = _safe(place / name)
        return list(found.values())

    def _module(self, path: Path) -> Module:
        if path not in self._loaded:
            self._loaded[path] = self._load(path)
        return self._loaded[path]


def _load(path: Path) -> Module:
    from seawall.trust.tokens.pkcs11_module import Pkcs11Module

    return Pkcs11Module(path)


def _existing(path: Path) -> Path:
    if not path.is_absolute() or not path.is_file():
        raise NoModuleError(f"there is no PKCS#11 module {path}", remedy=GET_ONE)
    return _safe(path)


def _safe(path: Path) -> Path:
    """Return the real path. Raises UnsafeModuleError when anybody could put another one there."""
    real = path.resolve()
    for place in (real, real.parent):
        if place.stat().st_mode & stat.S_IWOTH:
            raise UnsafeModuleError(
                f"everybody on this machine may replace the module {path}",
                remedy=f"take that right away: chmod o-w {place}",
            )
    return real
