"""Which release of a distribution a package was built for, as far as its version tells.

    Debian   1.2-3+deb12u1, 1.2-3~deb12u1, 1.2-3~bpo12+1     Ubuntu  1.2-3ubuntu0.22.04.1
    Fedora   1.2-3.fc41      Amazon  1.2-3.amzn2023          Azure   1.2-3.azl3

`.el9` is not one: Red Hat and those that build its sources anew share it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from seawall.core.errors import InvalidInputError
from seawall.scan.fingerprints.pack import LearnedFile, LearnedPackage
from seawall.scan.model import PackageType

_MARKS: Final = (
    (PackageType.DEB, re.compile(r"[+~](?:deb|bpo)(\d{1,2})(?:u|\+|$)"), "debian-"),
    (PackageType.DEB, re.compile(r"ubuntu\d*\.(\d\d\.\d\d)\b"), "ubuntu-"),
    (PackageType.RPM, re.compile(r"\.fc(\d\d)\b"), "fedora-"),
    (PackageType.RPM, re.compile(r"\.amzn(\d{1,4})\b"), "amzn-"),
    (PackageType.RPM, re.compile(r"\.azl(\d)\b"), "azurelinux-"),
)


def guess(package: LearnedPackage) -> str:
    """Return the release (`debian-12`) that the version names, or nothing."""
    for kind, mark, name in _MARKS:
        if kind is package.type and (found := mark.search(package.version)):
            return f"{name}{found[1]}"
    return ""


def completed(files: Iterable[LearnedFile]) -> list[LearnedFile]:
    """Give packages whose version names no release the one that all others of their type name.

    Raises InvalidInputError when none names one, or several do: a package of an unknown release
    could be judged by nobody.
    """
    learned = list(files)
    told: dict[PackageType, set[str]] = {}
    for each in learned:
        if each.package.type.is_system:
            told.setdefault(each.package.type, set()).add(each.package.distribution)
    for kind, names in told.items():
        if len(names - {""}) != 1:
            known = ", ".join(sorted(names - {""})) or "none"
            raise InvalidInputError(
                f"it is not clear to which release the {kind} packages belong: their versions"
                f" name {known}",
                remedy="say it with --distribution, as in --distribution debian-12",
            )
    return [_with(each, told) for each in learned]


def _with(each: LearnedFile, told: dict[PackageType, set[str]]) -> LearnedFile:
    package = each.package
    if not package.type.is_system or package.distribution:
        return each
    (name,) = told[package.type] - {""}
    changed = msgspec.structs.replace(package, distribution=name)
    return msgspec.structs.replace(each, package=changed)
