"""Conda packages: the records that conda, mamba and pixi keep in `conda-meta/`."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from seawall.scan.model import PackageType
from seawall.scan.readers import Content, Found, Reader, Unreadable, _licenses
from seawall.scan.readers._content import DATABASE, json_of, word

_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+!-]*")


class _Record(msgspec.Struct):
    """The fields that count; the lists of files, which can be long, are skipped."""

    name: str
    version: str
    license: str | None = None
    subdir: str | None = None


def read_record(content: Content, path: str) -> tuple[Found, ...]:
    """Read one record. Raises Unreadable when it says no valid name and version."""
    record = json_of(content, _Record)
    name, version = word(record.name), word(record.version)
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise Unreadable("it says no valid name and version")
    found = Found(
        type=PackageType.CONDA,
        name=name,
        version=version,
        architecture=word(record.subdir),
        evidence=DATABASE,
        licenses=_licenses.normalise([record.license]),
    )
    return (found,)


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="conda package",
        read=read_record,
        endings=(".json",),
        is_wanted=lambda path: path.split("/")[-2:-1] == ["conda-meta"],
    ),
)
