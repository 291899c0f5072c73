"""Packages of R, Perl and Lua, from what their installers write beside the code.

R      `DESCRIPTION` in a library folder; the field `Built` is there only when it is installed
Perl   `.meta/DISTRIBUTION/MYMETA.json`, kept by cpanm; `cpanfile.snapshot` of Carton.
       Modules that `cpan` installs leave `.packlist` without a version: they are not found
Lua    `rocks-VERSION/NAME/VERSION/NAME-VERSION.rockspec` in a tree of LuaRocks
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from seawall.core.limits import MIB
from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Content, Found, Reader, Unreadable, _licenses
from seawall.scan.readers._content import (
    DATABASE,
    LOCK_FILE,
    MANIFEST,
    MAX_LOCK_BYTES,
    is_application,
    json_of,
    lenient_text_of,
    lines_of,
    once,
    text_of,
    word,
)

MAX_BYTES: Final = 2 * MIB

_VERSION: Final = re.compile(r"v?[0-9][0-9A-Za-z._+-]*")
_R_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9.]*")
_R_LICENSE_FILE: Final = re.compile(r"\s*\+\s*file LICEN[CS]E")
_DISTRIBUTION: Final = re.compile(
    r"([A-Za-z][\w+]*(?:-[A-Za-z][\w+]*)*)-(v?[0-9][\w.]*(?:-TRIAL)?)"
)
_ROCK: Final = re.compile(
    r"(?:.*/)?rocks(?:-[0-9.]+)?/([\w.-]+)/([\w.-]+)/\1-\2\.rockspec", re.ASCII
)
_ROCK_LICENSE: Final = re.compile(
    r"""^[ \t]*license[ \t]*=[ \t]*["']([^"'\n]{1,100})["']""", re.MULTILINE
)
_PERL_LICENSES: Final = {
    "perl_5": "Artistic-1.0-Perl OR GPL-1.0-or-later",
    "apache_2_0": "Apache-2.0",
    "artistic_2": "Artistic-2.0",
    "bsd": "BSD-3-Clause",
    "gpl_2": "GPL-2.0-only",
    "gpl_3": "GPL-3.0-only",
    "lgpl_2_1": "LGPL-2.1-only",
    "lgpl_3_0": "LGPL-3.0-only",
    "mit": "MIT",
    "isc": "ISC",
}
"""The names of CPAN::Meta::Spec 2 that have one meaning."""


class _Meta(msgspec.Struct):
    name: Any = None
    version: Any = None
    license: Any = None


def read_description(content: Content, path: str) -> tuple[Found, ...]:
    """Read the DESCRIPTION of an installed R package; the parts of R itself are no packages."""
    fields: dict[str, str] = {}
    for line in lines_of(lenient_text_of(content)):
        name, colon, value = line.partition(":")
        if colon and name.isascii() and name.replace("/", "").isalnum():
            fields.setdefault(name, value.strip())
    name, version = fields.get("Package", ""), word(fields.get("Version", ""))
    folder = path.rpartition("/")[0].rpartition("/")[2]
    if "Built" not in fields or fields.get("Priority") == "base" or name != folder:
        return ()
    if not _R_NAME.fullmatch(word(name)) or not _VERSION.fullmatch(version):
        raise Unreadable("it says no valid name and version")
    license_ = _R_LICENSE_FILE.sub("", fields.get("License", "")[:300])
    found = Found(
        type=PackageType.CRAN,
        name=name,
        version=version,
        evidence=DATABASE,
        licenses=_licenses.normalise(part.strip() for part in license_.split("|")[:10]),
    )
    return (found,)


def read_mymeta(content: Content, path: str) -> tuple[Found, ...]:
    """Read the metadata of an installed Perl distribution."""
    meta = json_of(content, _Meta)
    name, version = word(meta.name), word(meta.version)
    if not _DISTRIBUTION.fullmatch(f"{name}-{version}"):
        return ()
    stated = meta.license if isinstance(meta.license, list) else [meta.license]
    found = Found(
        type=PackageType.CPAN,
        name=name,
        version=version,
        evidence=MANIFEST,
        licenses=_licenses.normalise(
            _PERL_LICENSES.get(text) for text in stated[:10] if isinstance(text, str)
        ),
    )
    return (found,)


def read_cpanfile_snapshot(content: Content, path: str) -> tuple[Found, ...]:
    """Read Carton's snapshot: a distribution is a line that is indented by two."""
    return once(_snapshot(text_of(content)))


def read_rockspec(content: Content, path: str) -> tuple[Found, ...]:
    """Read an installed rock; LuaRocks itself names folder and file by name and version."""
    place = _ROCK.fullmatch(path)
    if place is None or not word(place[1]) or not _VERSION.fullmatch(word(place[2])):
        return ()
    found = Found(
        type=PackageType.LUAROCKS,
        name=place[1].lower(),
        version=place[2],
        evidence=DATABASE,
        licenses=_licenses.normalise(_ROCK_LICENSE.findall(lenient_text_of(content))[:1]),
    )
    return (found,)


def _snapshot(text: str) -> Iterator[Found]:
    for line in lines_of(text):
        if line[:2] != "  " or line[2:3] in ("", " "):
            continue
        match = _DISTRIBUTION.fullmatch(line.strip())
        if match is not None and word(match[1]) and word(match[2]):
            yield Found(
                type=PackageType.CPAN,
                name=match[1],
                version=match[2],
                role=Role.DECLARED,
                evidence=LOCK_FILE,
            )


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="R DESCRIPTION",
        read=read_description,
        names=frozenset({"DESCRIPTION"}),
        is_wanted=lambda path: path.count("/") > 1,
        max_bytes=MAX_BYTES,
    ),
    Reader(
        format="Perl MYMETA.json",
        read=read_mymeta,
        names=frozenset({"MYMETA.json"}),
        is_wanted=lambda path: path.split("/")[-3:-2] == [".meta"],
        max_bytes=MAX_BYTES,
    ),
    Reader(
        format="cpanfile.snapshot",
        read=read_cpanfile_snapshot,
        names=frozenset({"cpanfile.snapshot"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
    Reader(
        format="LuaRocks rockspec",
        read=read_rockspec,
        endings=(".rockspec",),
        is_wanted=lambda path: _ROCK.fullmatch(path) is not None,
        max_bytes=MAX_BYTES,
    ),
)
