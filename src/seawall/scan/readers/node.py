"""Node packages, from the `package.json` beside their code (lock files: `node_lock`).

A `package.json` says something only where a package manager or a person puts a package:

    node_modules/NAME/             installed; an alias (`npm:`) is reported by its true name
    …/node_modules/NAME/…/OTHER/   vendored inside a package: BUNDLED if the folder has its name, it
                                   is not private, and it is no test, example or template
    …/nodejs/NAME/                 a distribution's package
    …/NAME-vVERSION/, …/VERSION/   put there without npm, and named by what it is
    …/package/                     root of an unpacked npm archive: BUNDLED, unless it is private

Everything else is a sample, a part of a package (`react/cjs`), or an application whose name is its
own affair: the registry may have another package of that name.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from seawall.core.limits import MIB
from seawall.scan.model import Evidence, PackageType, Role
from seawall.scan.readers import Content, Found, Reader, Unreadable, _licenses
from seawall.scan.readers._content import MANIFEST, detail, json_of, small, word
from seawall.scan.readers._zip import Archive

MAX_BYTES: Final = 4 * MIB
"""The README that old npm put into the file included."""
MAX_ZIP_BYTES: Final = 256 * MIB

_NAME: Final = re.compile(r"(?:@[A-Za-z0-9~_-][\w.~-]*/)?[A-Za-z0-9~_-][\w.~!'()*-]*", re.ASCII)
_ROOT: Final = re.compile(r"node_modules(?:_[0-9]+)?")
"""Fedora has one for each major version of Node."""
_VERSION: Final = re.compile(r"[0-9][\w.+~-]*", re.ASCII)
_NO_PACKAGE: Final = frozenset(
    {
        *(
            "test",
            "tests",
            "__tests__",
            "__mocks__",
            "spec",
            "fixture",
            "fixtures",
            "testdata",
            "test-fixtures",
        ),
        *("example", "examples", "sample", "samples", "demo", "template", "templates"),
        *("benchmark", "benchmarks", "doc", "docs"),
    }
)


class _Package(msgspec.Struct):
    name: msgspec.Raw = msgspec.Raw()
    version: msgspec.Raw = msgspec.Raw()
    license: msgspec.Raw = msgspec.Raw()
    licenses: msgspec.Raw = msgspec.Raw()
    private: msgspec.Raw = msgspec.Raw()


def read_package(content: Content, path: str) -> tuple[Found, ...]:
    """Read one `package.json`; nothing when it is no package at this place."""
    package = json_of(content, _Package)
    name, version = name_of(small(package.name)), version_of(small(package.version))
    if not name or not version:
        return ()
    folders = path.split("/")[:-1]
    role, evidence = _standing(folders, name, version)
    if role is None or (
        role is not Role.INSTALLED and (small(package.private) or version == "0.0.0")
    ):
        return ()
    found = Found(
        type=PackageType.NPM,
        name=name,
        version=version,
        role=role,
        evidence=evidence,
        licenses=_licenses_of(package),
    )
    return (found,)


def read_cached(content: Content, path: str) -> tuple[Found, ...]:
    """Read an archive of Yarn's cache, from which Plug'n'Play loads packages as they are."""
    archive = Archive(content, _is_package_in_zip)
    found: list[Found] = []
    for member in archive.members:
        package = read_package(archive.read(member, MAX_BYTES), member.name)
        found += (msgspec.structs.replace(item, inside=detail(member.name)) for item in package)
    return tuple(found)


def name_of(value: object) -> str:
    """Return a valid package name, or the empty string."""
    name = word(value)
    return name if _NAME.fullmatch(name) else ""


def version_of(value: object) -> str:
    """Return a version as it is compared, without the `v` or `=` of old packages."""
    version = word(value).lstrip("v=")
    return version if _VERSION.fullmatch(version) else ""


def _standing(
    folders: list[str], name: str, version: str
) -> tuple[Role | None, tuple[Evidence, ...]]:
    """Return the role that the place gives to the package, None when it is no place for one."""
    tail = "/".join(folders[-1 - name.count("/") :])
    roots = [i for i, folder in enumerate(folders) if _ROOT.fullmatch(folder)]
    if not roots:
        outer = folders[: -1 - name.count("/")]
        versions = {version, f"v{version}", f"{name}-{version}", f"{name}-v{version}"}
        fits = (tail == name and outer[-1:] == ["nodejs"]) or not versions.isdisjoint(folders[-1:])
        if not _NO_PACKAGE.isdisjoint(outer if fits else folders):  # @babel/template is a package
            return None, ()
        is_archive = folders[-1:] == ["package"]
        role = Role.INSTALLED if fits else Role.BUNDLED if is_archive else None
        return role, MANIFEST
    last = roots[-1] + 1
    rest = folders[last:]
    if len(rest) == (2 if rest and rest[0].startswith("@") else 1):
        installed = "/".join(rest)
        if installed == name:
            return Role.INSTALLED, MANIFEST
        alias = f"installed under the name {detail(installed)}"
        return Role.INSTALLED, (Evidence(kind="manifest", detail=alias),)
    if tail == name and _NO_PACKAGE.isdisjoint(rest):
        return Role.BUNDLED, MANIFEST
    return None, ()


def _licenses_of(package: _Package) -> tuple[str, ...]:
    """Read `license`, and the objects and lists of old packages."""
    found: list[object] = []
    for value in (small(package.license), small(package.licenses)):
        for item in value if isinstance(value, list) else [value]:
            found.append(item.get("type") if isinstance(item, dict) else item)
    return _licenses.normalise(found[:20])


def _is_package_in_zip(name: str) -> bool:
    """Tell whether a member is the package itself, not a part of it."""
    if not name.startswith("node_modules/") or not name.endswith("/package.json"):
        return False
    return name.count("/") == (3 if name.startswith("node_modules/@") else 2)


def _is_cache(path: str) -> bool:
    return "/.yarn/cache/" in f"/{path}" or "/.yarn/berry/cache/" in f"/{path}"


def _read_leniently(content: Content, path: str) -> tuple[Found, ...]:
    """A broken `package.json` outside `node_modules` is a test case of some program."""
    try:
        return read_package(content, path)
    except Unreadable:
        if any(map(_ROOT.fullmatch, path.split("/"))):
            raise
        return ()


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="npm package.json",
        read=_read_leniently,
        names=frozenset({"package.json"}),
        max_bytes=MAX_BYTES,
    ),
    Reader(
        format="Yarn cache",
        read=read_cached,
        endings=(".zip",),
        is_wanted=_is_cache,
        max_bytes=MAX_ZIP_BYTES,
    ),
)
