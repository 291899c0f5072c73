"""Open packages of many kinds and yield who they are and which executable files they hold.

    .deb   ar(5) with control.tar and data.tar (deb(5))        .apk   gzip'd tar with .PKGINFO
    .rpm   lead, two headers, cpio (rpm file format, v3/v4)    .tgz   npm: package/package.json
    .whl   zip with METADATA                                   .jar   zip with pom.properties
    .tar   any other archive: name and version from its file name

A package that does not parse raises InvalidInputError and nothing of it is learned.
"""

from __future__ import annotations

import contextlib
import io
import json
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from seawall.core.errors import InvalidInputError
from seawall.core.limits import MIB
from seawall.oci import layers, media
from seawall.oci.bounds import ArchiveError, Limits
from seawall.oci.tar import Kind
from seawall.scan.files import examine
from seawall.scan.files.model import Format
from seawall.scan.fingerprints import rpm_file
from seawall.scan.fingerprints.pack import LearnedPackage
from seawall.scan.model import PackageType
from seawall.scan.readers import python as python_metadata
from seawall.scan.system import dpkg

MAX_FILE_BYTES: Final = 512 * MIB
"""One executable; a larger one is not learned."""

MAX_CONTROL_BYTES: Final = 4 * MIB
LIMITS: Final = Limits(max_unpacked_bytes=16 * 1024 * MIB, max_ratio=2_000, max_seconds=600)

_NAME: Final = re.compile(
    r"(?:.*/)?(.+?)[-_]v?(\d[\w.+~-]*?)(?:\.orig)?\.(?:tar(?:\.\w+)?|tgz|txz)$"
)
_XZ: Final = b"\xfd7zXZ\x00"

_BROKEN: Final = (
    ArchiveError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What the readers of these formats are known to raise for bytes that break them."""

Member = tuple[str, bytes]
"""Path inside the package, relative to the root; content."""


def open_package(stream: BinaryIO, name: str) -> tuple[LearnedPackage, Iterator[Member]]:
    """Read who the package is; the iterator then yields its executables, scripts left out.

    `stream` can be sought. Raises InvalidInputError.
    """
    with _broken_as_input(name):
        package, members = _opened(stream, name)
    return package, _guarded(members, name)


def _opened(stream: BinaryIO, name: str) -> tuple[LearnedPackage, Iterator[Member]]:
    start = stream.read(8)
    stream.seek(0)
    if start == b"!<arch>\n":
        return _deb(stream)
    if start[:4] == rpm_file.MAGIC:
        package, payload = rpm_file.read(stream)
        return package, _wanted(rpm_file.members(payload, MAX_FILE_BYTES))
    if start[:4] == b"PK\x03\x04":
        return _zip(stream, name)
    return _tarball(stream, name)


@contextlib.contextmanager
def _broken_as_input(name: str) -> Iterator[None]:
    """Raise InvalidInputError for whatever the libraries below raise for broken bytes."""
    try:
        yield
    except _BROKEN as error:
        raise InvalidInputError(
            f"{name} is not a package that can be read: {str(error) or type(error).__name__}",
            remedy="fetch it again; known are .deb .rpm .apk .whl .jar .tgz and tar archives",
        ) from error


def _guarded(members: Iterator[Member], name: str) -> Iterator[Member]:
    with _broken_as_input(name):
        yield from members


def _wanted(members: Iterator[Member]) -> Iterator[Member]:
    for path, content in members:
        if examine.format_of(content[:8]) not in (None, Format.SCRIPT):
            yield path, content


def _deb(stream: BinaryIO) -> tuple[LearnedPackage, Iterator[Member]]:
    parts = dict(_ar_members(stream))
    control = next((parts[name] for name in parts if name.startswith("control.tar")), None)
    data = next((parts[name] for name in parts if name.startswith("data.tar")), None)
    if control is None or data is None:
        raise InvalidInputError("a .deb without control.tar or data.tar")
    text = next(
        (content for path, content in _tar(_part(stream, *control)) if path == "control"), b""
    )
    packages = dpkg.parse_status(text, is_status_required=False).packages
    if len(packages) != 1:
        raise InvalidInputError("the control file of the .deb names no package")
    found = packages[0]
    package = LearnedPackage(
        type=PackageType.DEB,
        name=found.name,
        version=found.version,
        source_name=found.source_name,
        source_version=found.source_version,
        architecture=found.architecture,
    )
    return package, _wanted(_tar(_part(stream, *data)))


def _ar_members(stream: BinaryIO) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield name, offset and size of each member (ar(5): a header of 60 bytes, even offsets)."""
    offset = 8
    for _ in range(16):
        stream.seek(offset)
        header = stream.read(60)
        if len(header) < 60 or header[58:] != b"`\n":
            return
        size = int(header[48:58])
        if size < 0:
            raise InvalidInputError("a member of the .deb has a negative size")
        yield header[:16].decode("latin-1").rstrip(" /"), (offset + 60, size)
        offset += 60 + size + size % 2


def _part(stream: BinaryIO, offset: int, size: int) -> BinaryIO:
    stream.seek(offset)
    return io.BytesIO(stream.read(size))


def _tar(packed: BinaryIO) -> Iterator[Member]:
    """Yield the files of a tar that may be packed with xz, gzip or zstd."""
    start = packed.read(6)
    packed.seek(0)
    with lzma.LZMAFile(packed) if start == _XZ else contextlib.nullcontext(packed) as stream:
        for entry in layers.walk(cast("BinaryIO", stream), media.OCI_LAYER, LIMITS):
            if entry.kind is Kind.FILE and 0 < entry.size <= MAX_FILE_BYTES:
                yield entry.path, entry.read(MAX_FILE_BYTES)


def _zip(stream: BinaryIO, name: str) -> tuple[LearnedPackage, Iterator[Member]]:
    archive = zipfile.ZipFile(stream)
    names = archive.namelist()
    for path in names:
        if path.endswith(".dist-info/METADATA") and path.count("/") == 1:
            found = python_metadata.parse(_zipped(archive, path), path)
            if found is not None:
                package = LearnedPackage(
                    type=PackageType.PYPI, name=found.name, version=found.version
                )
                return package, _wanted(_zip_members(archive))
        if path.startswith("META-INF/maven/") and path.endswith("/pom.properties"):
            lines = _zipped(archive, path).decode("utf-8", "replace").splitlines()
            values = dict(line.partition("=")[::2] for line in lines)
            if {"groupId", "artifactId", "version"} <= values.keys():
                package = LearnedPackage(
                    type=PackageType.MAVEN,
                    name=f"{values['groupId']}:{values['artifactId']}",
                    version=values["version"],
                )
                return package, _wanted(_zip_members(archive))
    raise InvalidInputError(
        f"{name} is a zip file that is neither a wheel nor a jar that names its group"
    )


def _zipped(archive: zipfile.ZipFile, path: str) -> bytes:
    with archive.open(path) as member:
        return member.read(MAX_CONTROL_BYTES)


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Member]:
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if len(entries) > LIMITS.max_entries or size > LIMITS.max_unpacked_bytes:
        raise InvalidInputError(f"the archive has {len(entries)} entries of {size} bytes: too many")
    for entry in entries:
        if not entry.is_dir() and 0 < entry.file_size <= MAX_FILE_BYTES:
            with archive.open(entry) as member:
                content = member.read(MAX_FILE_BYTES)
            yield layers.canonical_path(entry.filename), content


def _tarball(stream: BinaryIO, name: str) -> tuple[LearnedPackage, Iterator[Member]]:
    """Read the first entries for who it is, then from the start again for the files."""
    for number, (path, content) in enumerate(_tar(stream)):
        package = _apk(content) if path == ".PKGINFO" else None
        if path == "package/package.json":
            package = _npm(content)
        if package is not None:
            stream.seek(0)
            return package, _wanted(_tar(stream))
        if number == 1_000:
            break
    match = _NAME.match(name)
    if match is None:
        raise InvalidInputError(f"{name} does not tell a name and a version")
    stream.seek(0)
    package = LearnedPackage(type=PackageType.GENERIC, name=match[1], version=match[2])
    return package, _wanted(_tar(stream))


def _apk(content: bytes) -> LearnedPackage | None:
    """Read .PKGINFO (apk-package(5)); `origin` is the source."""
    lines = content[:MAX_CONTROL_BYTES].decode("utf-8", "replace").splitlines()
    values = dict(line.partition(" = ")[::2] for line in lines if not line.startswith("#"))
    if "pkgname" not in values or "pkgver" not in values:
        return None
    return LearnedPackage(
        type=PackageType.APK,
        name=values["pkgname"],
        version=values["pkgver"],
        source_name=values.get("origin", values["pkgname"]),
        source_version=values["pkgver"],
        architecture=values.get("arch", ""),
    )


def _npm(content: bytes) -> LearnedPackage | None:
    try:
        values = json.loads(content[:MAX_CONTROL_BYTES])
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    name, version = values.get("name"), values.get("version")
    if not isinstance(name, str) or not isinstance(version, str):
        return None
    return LearnedPackage(type=PackageType.NPM, name=name, version=version)
