"""Ruby gems: the specifications that RubyGems writes when it installs, and `Gemfile.lock`.

A specification is a Ruby program. It is not run: RubyGems writes one assignment to a line, and a
comment (`# stub: NAME VERSION PLATFORM …`) from which it reads these itself. A gem's own
`NAME.gemspec` among its sources is for building it and is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.core.limits import MIB
from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Content, Found, Reader, Unreadable, _licenses
from seawall.scan.readers._content import (
    DATABASE,
    LOCK_FILE,
    MAX_LOCK_BYTES,
    is_application,
    lenient_text_of,
    lines_of,
    once,
    text_of,
    word,
)

MAX_BYTES: Final = 2 * MIB

_STUB: Final = re.compile(r"^# stub: (\S+) (\S+) (\S+)", re.MULTILINE)
_NAME_FIELD: Final = re.compile(
    r"""^[ \t]*\w+\.name[ \t]*=[ \t]*(?:["']|%q[{<(\[])([\w.-]+)""", re.MULTILINE
)
_VERSION_FIELD: Final = re.compile(
    r"""^[ \t]*\w+\.version[ \t]*=[ \t]*(?:Gem::Version\.new[ \t]*\(?)?["']([\w.-]+)["']""",
    re.MULTILINE,
)
_LICENSES: Final = re.compile(r"^[ \t]*\w+\.licenses?[ \t]*=[ \t]*+(.{1,500})$", re.MULTILINE)
_QUOTED: Final = re.compile(r"""["']([^"']{1,100})["']""")
_NAME: Final = re.compile(r"[A-Za-z0-9_][\w.-]*", re.ASCII)
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.]*")
_LOCKED: Final = re.compile(r"    ([\w.-]+) \(([0-9][0-9A-Za-z.]*)(?:-([\w.-]+))?\)", re.ASCII)


def read_specification(content: Content, path: str) -> tuple[Found, ...]:
    """Read one installed specification. Raises Unreadable when it says no name and version."""
    text = lenient_text_of(content)
    platform = "ruby"
    if (stub := _STUB.search(text)) is not None:
        name, version, platform = stub[1], stub[2], stub[3]
    else:
        named, versioned = _NAME_FIELD.search(text), _VERSION_FIELD.search(text)
        name, version = named[1] if named else "", versioned[1] if versioned else ""
    if not word(name) or not _NAME.fullmatch(name) or not _VERSION.fullmatch(word(version)):
        raise Unreadable("it says no valid name and version")
    licenses = _LICENSES.search(text)
    found = Found(
        type=PackageType.GEM,
        name=name,
        version=version,
        architecture="" if platform == "ruby" else word(platform),
        evidence=DATABASE,
        licenses=_licenses.normalise(_QUOTED.findall(licenses[1])[:20] if licenses else ()),
    )
    return (found,)


def read_lock(content: Content, path: str) -> tuple[Found, ...]:
    """Read a `Gemfile.lock`: the gems of servers; those of git and of folders are left out."""
    return once(_locked(text_of(content)))


def _locked(text: str) -> Iterator[Found]:
    is_server = False
    for line in lines_of(text):
        if line[:1] not in ("", " "):
            is_server = line == "GEM"
        elif is_server and (match := _LOCKED.fullmatch(line)) and word(match[1]) and word(match[2]):
            yield Found(
                type=PackageType.GEM,
                name=match[1],
                version=match[2],
                architecture=word(match[3]),
                role=Role.DECLARED,
                evidence=LOCK_FILE,
            )


def _is_installed(path: str) -> bool:
    """Tell whether the path is `…/specifications/x.gemspec` or `…/specifications/default/…`."""
    folders = path.split("/")[:-1]
    return folders[-1:] == ["specifications"] or folders[-2:] == ["specifications", "default"]


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="gem specification",
        read=read_specification,
        endings=(".gemspec",),
        is_wanted=_is_installed,
        max_bytes=MAX_BYTES,
    ),
    Reader(
        format="Gemfile.lock",
        read=read_lock,
        names=frozenset({"Gemfile.lock", "gems.locked"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
)
