""".NET packages: what a published program says of itself (`NAME.deps.json`), and lock files.

The runtime is a package too. A shared one lies in `shared/Microsoft.NETCore.App/VERSION/` with its
own `.deps.json`; a self-contained program names its copy as a `runtimepack`. A package without a
file at run time (analyzers, references) is DECLARED: its code is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Content, Found, Reader
from seawall.scan.readers._content import (
    LOCK_FILE,
    MANIFEST,
    is_application,
    json_of,
    lenient_text_of,
    once,
    word,
)

_NAME: Final = re.compile(r"[A-Za-z0-9_][\w.-]*", re.ASCII)
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+-]*")
_ASSETS: Final = ("runtime", "native", "resources", "runtimeTargets")
_FRAMEWORK: Final = re.compile(
    r"(?:.*/)?shared/((?:Microsoft)\.[\w.]+)/([0-9][\w.-]*)/\1\.deps\.json"
)
_CONFIGURED: Final = re.compile(r'<package\s+id="([^"]{1,200})"\s+version="([^"]{1,100})"')
_PACK: Final = "runtimepack."


class _Library(msgspec.Struct):
    type: Any = None


class _Deps(msgspec.Struct):
    libraries: dict[str, _Library] = {}
    targets: dict[str, dict[str, dict[str, Any]]] = {}


class _Locked(msgspec.Struct):
    type: Any = None
    resolved: Any = None


class _PackagesLock(msgspec.Struct):
    dependencies: dict[str, dict[str, _Locked]] = {}


def read_deps(content: Content, path: str) -> tuple[Found, ...]:
    """Read a `.deps.json`; the program itself and its projects are no packages."""
    return once(_of_deps(json_of(content, _Deps), path))


def read_packages_lock(content: Content, path: str) -> tuple[Found, ...]:
    lock = json_of(content, _PackagesLock)
    return once(
        found
        for framework in lock.dependencies.values()
        for name, package in framework.items()
        if package.type != "Project"
        for found in _found(name, package.resolved, Role.DECLARED)
    )


def read_packages_config(content: Content, path: str) -> tuple[Found, ...]:
    """Read the list of .NET Framework projects, without reading it as XML."""
    text = lenient_text_of(content)
    return once(
        found
        for match in _CONFIGURED.finditer(text)
        for found in _found(match[1], match[2], Role.DECLARED)
    )


def _of_deps(deps: _Deps, path: str) -> Iterator[Found]:
    present = {
        key
        for target in deps.targets.values()
        for key, entry in target.items()
        if any(entry.get(kind) for kind in _ASSETS)
    }
    shared = _FRAMEWORK.fullmatch(path)
    is_named = False
    for key, library in deps.libraries.items():
        name, _, version = key.partition("/")
        if library.type == "runtimepack":
            yield from _found(name.removeprefix(_PACK), version, Role.INSTALLED)
        elif library.type == "package":
            is_named = is_named or bool(shared and name.startswith(shared[1]))
            role = Role.INSTALLED if key in present else Role.DECLARED
            yield from _found(name, version, role)
    if shared and not is_named:
        yield from _found(shared[1], shared[2], Role.INSTALLED)


def _found(name: str, version: object, role: Role) -> Iterator[Found]:
    number = word(version)
    if word(name) and _NAME.fullmatch(name) and _VERSION.fullmatch(number):
        evidence = LOCK_FILE if role is Role.DECLARED else MANIFEST
        yield Found(type=PackageType.NUGET, name=name, version=number, role=role, evidence=evidence)


READERS: Final[tuple[Reader, ...]] = (
    Reader(format=".NET deps.json", read=read_deps, endings=(".deps.json",)),
    Reader(
        format="NuGet packages.lock.json",
        read=read_packages_lock,
        names=frozenset({"packages.lock.json"}),
        is_wanted=is_application,
    ),
    Reader(
        format="NuGet packages.config",
        read=read_packages_config,
        names=frozenset({"packages.config"}),
        is_wanted=is_application,
    ),
)
