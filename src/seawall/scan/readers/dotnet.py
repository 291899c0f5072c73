""".NET packages: what a published program says of itself (`NAME.deps.json`), and lock files.

The runtime is a package too: `Microsoft.NETCore.App.Runtime.linux-x64`, as advisories call it since
version 3. A shared one lies in `shared/Microsoft.NETCore.App/VERSION/`; of its `.deps.json` only
the platform counts, for it lists what the runtime was built with, in versions of the build. A
program with a copy of its own names that as a `runtimepack`. A package without a file at run time
(analyzers, references) is DECLARED: its code is not there.
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
    MAX_LOCK_BYTES,
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
    r"(?:.*/)?shared/((?:Microsoft)\.[\w.]+)/([0-9]+\.[\w.-]*)/\1\.deps\.json"
)
_CONFIGURED: Final = re.compile(r'<package\s+id="([^"]{1,200})"\s+version="([^"]{1,100})"')
_FIRST_WITH_PLATFORM: Final = 3
_PACK: Final = "runtimepack."


class _Library(msgspec.Struct):
    type: Any = None


class _Target(msgspec.Struct):
    name: Any = None


class _Deps(msgspec.Struct):
    runtimeTarget: _Target | None = None  # noqa: N815
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
    if (shared := _FRAMEWORK.fullmatch(path)) is not None:
        yield from _found(_runtime(shared[1], shared[2], deps), shared[2], Role.INSTALLED)
        return
    for key, library in deps.libraries.items():
        name, _, version = key.partition("/")
        if library.type == "runtimepack":
            yield from _found(name.removeprefix(_PACK), version, Role.INSTALLED)
        elif library.type == "package":
            role = Role.INSTALLED if key in present else Role.DECLARED
            yield from _found(name, version, role)


def _runtime(framework: str, version: str, deps: _Deps) -> str:
    """Return the name of the package that brings this framework for its platform."""
    target = word(deps.runtimeTarget.name if deps.runtimeTarget else "")
    platform = target.partition("/")[2]
    is_old = int(version.partition(".")[0][:6]) < _FIRST_WITH_PLATFORM
    return framework if is_old or not platform else f"{framework}.Runtime.{platform}"


def _found(name: str, version: object, role: Role) -> Iterator[Found]:
    number = word(version)
    if word(name) and _NAME.fullmatch(name) and _VERSION.fullmatch(number):
        evidence = LOCK_FILE if role is Role.DECLARED else MANIFEST
        yield Found(type=PackageType.NUGET, name=name, version=number, role=role, evidence=evidence)


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format=".NET deps.json", read=read_deps, endings=(".deps.json",), max_bytes=MAX_LOCK_BYTES
    ),
    Reader(
        format="NuGet packages.lock.json",
        read=read_packages_lock,
        names=frozenset({"packages.lock.json"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
    Reader(
        format="NuGet packages.config",
        read=read_packages_config,
        names=frozenset({"packages.config"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
)
