"""The builder's statement about an ELF file: `.note.package` (systemd, ELF_PACKAGE_METADATA)."""

from __future__ import annotations

import msgspec

from seawall.scan.files.model import PackageNote
from seawall.scan.files.text import clean
from seawall.scan.model import Evidence, PackageType
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
    name = f"{note.os} {note.os_version}".strip()
    return Found(
        type=known.get(note.type, PackageType.GENERIC),
        name=note.name,
        version=note.version,
        architecture=note.architecture,
        vendor=name,
        evidence=(Evidence(kind="package-note", detail=".note.package", confidence=0.9),),
    )
