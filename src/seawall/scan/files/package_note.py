"""The builder's statement about an ELF file: `.note.package` (systemd, ELF_PACKAGE_METADATA)."""

from __future__ import annotations

import msgspec

from seawall.scan import distribution
from seawall.scan.files.model import PackageNote
from seawall.scan.files.text import clean
from seawall.scan.model import Distribution, Evidence, PackageType
from seawall.scan.readers import Found


class _Json(msgspec.Struct, rename="camel"):
    type: str = ""
    name: str = ""
    version: str = ""
    architecture: str = ""
    os: str = ""
    os_version: str = ""
    os_cpe: str = ""
    app_cpe: str = ""


_decoder = msgspec.json.Decoder(_Json)


def parse(content: bytes) -> PackageNote | None:
    """Read the note's JSON; None when it is not one or names nothing."""
    try:
        json = _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not json.name or not json.version:
        return None
    return PackageNote(
        type=clean(json.type),
        name=clean(json.name),
        version=clean(json.version),
        architecture=clean(json.architecture),
        os=clean(json.os),
        os_version=clean(json.os_version),
        cpe=clean(json.app_cpe or json.os_cpe),
    )


def found_in(note: PackageNote) -> Found:
    """Return the package that the note names; an unknown type is a generic package."""
    known = {kind.value: kind for kind in PackageType}
    kind = known.get(note.type, PackageType.GENERIC)
    name = f"{note.os} {note.os_version}".strip()
    return Found(
        type=kind,
        name=note.name,
        version=note.version,
        architecture=note.architecture,
        vendor=name,
        distribution=_distribution(note, kind),
        evidence=(Evidence(kind="package-note", detail=".note.package", confidence=0.9),),
    )


def _distribution(note: PackageNote, kind: PackageType) -> Distribution | None:
    """Return whose package it is; without a release it would be nobody's, and is the image's."""
    if not kind.is_system or not note.os_version:
        return None
    return distribution.of_name(f"{note.os}-{note.os_version}")
