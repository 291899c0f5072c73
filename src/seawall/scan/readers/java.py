"""Java archives, whatever is nested or shaded in them, and what Java leaves beside them.

A jar is known by what it carries (see `_java_names`). Jars inside an archive and libraries shaded
into one are BUNDLED, with the place in `inside`. Reading is bounded in depth, in archives, in
entries and in bytes unpacked; a nested archive that breaks a bound or its format is left out, the
others stand, and the file is `Unreadable` with what was found.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import re
import tempfile
from collections.abc import Iterator
from typing import Final, NamedTuple

from seawall.core.limits import GIB, KIB, MIB
from seawall.scan.model import Evidence, PackageType, Role
from seawall.scan.readers import Content, Found, Reader, Unreadable, _java_names, _licenses
from seawall.scan.readers._content import (
    LOCK_FILE,
    MANIFEST,
    MAX_LOCK_BYTES,
    detail,
    lenient_text_of,
    lines_of,
    once,
    text_of,
    word,
)
from seawall.scan.readers._java_names import Coordinates
from seawall.scan.readers._zip import Archive, Member

ENDINGS: Final = (".jar", ".war", ".ear", ".par", ".sar", ".nar", ".jpi", ".hpi", ".kar", ".lpkg")
MAX_BYTES: Final = 1 * GIB
MAX_DEPTH: Final = 5
MAX_ARCHIVES: Final = 5_000
"""Archives nested in one file."""
MAX_ENTRIES: Final = 1_000_000
"""Members of all of them."""
MAX_MEMORY_BYTES: Final = 32 * MIB
"""A compressed archive in the file that is larger than half of it is unpacked to disk, one level
deeper a quarter, …"""
MAX_UNPACKED_BYTES: Final = 512 * MIB
"""Bytes unpacked in all."""
MAX_SMALL_BYTES: Final = 256 * KIB
"""Of a `pom.properties` or `pom.xml`."""
MAX_MANIFEST_BYTES: Final = 8 * MIB
"""Signed jars list every class in it."""

_PLAIN: Final = (".jar", ".war", ".ear", ".jpi", ".hpi")
_MANIFEST: Final = "META-INF/MANIFEST.MF"
_POM: Final = re.compile(r"(?:.*/)?META-INF/maven/[^/]+/[^/]+/pom\.(?:properties|xml)")
_CLASSIFIED: Final = ("-sources", "-javadoc")
_RELEASE_FIELD: Final = re.compile(r'^([A-Z_]{1,40})="([^"\n]{0,200})"', re.MULTILINE)


def read_archive(content: Content, path: str) -> tuple[Found, ...]:
    """Read a jar, war or ear with all that is nested in it.

    The rarer endings have other uses too: a file of those that is no ZIP is not meant.
    """
    if not path.endswith(_PLAIN) and bytes(content[:2]) != b"PK":
        return ()
    walk = _Walk()
    found = once(walk.archive(_Place(content, 0, len(content), path.rpartition("/")[2])))
    if walk.trouble:
        raise Unreadable(walk.trouble, found)
    return found


def read_properties(content: Content, path: str) -> tuple[Found, ...]:
    """Read a `pom.properties` of an unpacked application."""
    found = _java_names.of_properties(bytes(content), path)
    if found is None or not found.group:
        raise Unreadable("it names no group, artifact and version")
    return (_found(found, Role.INSTALLED, "", MANIFEST, ()),)


def read_release(content: Content, path: str) -> tuple[Found, ...]:
    """Read the file `release` of a Java runtime (JEP 223)."""
    fields = dict(_RELEASE_FIELD.findall(lenient_text_of(content)))
    version = word(fields.get("JAVA_VERSION", ""))
    if not version:
        return ()
    builder = Evidence(kind="manifest", detail=detail(fields.get("IMPLEMENTOR", "")))
    name = "oracle-jdk" if fields.get("BUILD_TYPE") == "commercial" else "openjdk"
    found = Found(type=PackageType.GENERIC, name=name, version=version, evidence=(builder,))
    return (found,)


def read_gradle_lock(content: Content, path: str) -> tuple[Found, ...]:
    """Read a `gradle.lockfile`: `group:artifact:version=configurations`."""
    return once(_locked(text_of(content)))


def _locked(text: str) -> Iterator[Found]:
    for line in lines_of(text):
        coordinates, _, configurations = line.partition("=")
        parts = coordinates.split(":")
        if len(parts) != 3 or not parts[0]:
            continue
        if all(name.lower().startswith("test") for name in configurations.split(",")):
            continue
        group, artifact, version = parts
        if (found := _java_names.checked(group, artifact, version)) is not None:
            yield _found(found, Role.DECLARED, "", LOCK_FILE, ())


class _Place(NamedTuple):
    """Where an archive lies: its bytes, its file name, and the way to it (empty for the file)."""

    content: Content
    start: int
    end: int
    name: str
    inside: str = ""
    depth: int = 0


class _Walk:
    """One descent into an archive, with its bounds and the first trouble met."""

    def __init__(self) -> None:
        self.trouble = ""
        self._archives = 0
        self._entries = 0
        self._unpacked = 0

    def archive(self, at: _Place) -> Iterator[Found]:
        """Yield the archive and what lies in it. Raises Unreadable when it is not one."""
        left = MAX_ENTRIES - self._entries
        archive = Archive(at.content, _is_wanted, start=at.start, end=at.end, max_entries=left)
        self._entries += archive.entries
        if not at.name.lower().rpartition(".")[0].endswith(_CLASSIFIED):
            with memoryview(at.content) as whole, whole[at.start : at.end] as part:
                digest = hashlib.sha1(part, usedforsecurity=False).hexdigest()
            yield from self._identify(archive, at, digest)
        for member in archive.members:
            if member.name.lower().endswith(ENDINGS):
                yield from self._nested(archive, member, at)

    def _nested(self, archive: Archive, member: Member, outer: _Place) -> Iterator[Found]:
        inside = _join(outer.inside, member.name)
        name, depth = member.name.rpartition("/")[2], outer.depth + 1
        self._archives += 1
        if depth > MAX_DEPTH or self._archives > MAX_ARCHIVES:
            self._note(f"{inside}: nested too deeply, or too many nested archives")
            return
        try:
            if archive.is_stored(member):
                start, end = archive.place(member)
                yield from self.archive(_Place(outer.content, start, end, name, inside, depth))
            elif member.size <= MAX_MEMORY_BYTES >> depth:
                data = self._read(archive, member, MAX_MEMORY_BYTES)
                yield from self.archive(_Place(data, 0, len(data), name, inside, depth))
            else:
                with self._spooled(archive, member) as mapped:
                    place = _Place(mapped, 0, len(mapped), name, inside, depth)
                    yield from self.archive(place)
        except Unreadable as error:
            self._note(f"{inside}: {error}")

    @contextlib.contextmanager
    def _spooled(self, archive: Archive, member: Member) -> Iterator[mmap.mmap]:
        """Unpack a large archive to an unnamed file and map it."""
        self._count(member)
        with tempfile.TemporaryFile() as file:
            archive.unpack(member, file, MAX_UNPACKED_BYTES)
            file.flush()
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            try:
                yield mapped
            finally:
                with contextlib.suppress(BufferError):  # while a view is being left on an error
                    mapped.close()

    def _identify(self, archive: Archive, at: _Place, digest: str) -> Iterator[Found]:
        """Yield the archive's own artifact and those that are shaded into it."""
        stem, inside = at.name.rpartition(".")[0], at.inside
        fields: dict[str, str] = {}
        properties: list[tuple[Coordinates, str]] = []
        poms: dict[str, Member] = {}
        for member in archive.members:
            if member.name == _MANIFEST and not fields:
                fields = _java_names.manifest_of(self._try(archive, member, MAX_MANIFEST_BYTES))
            elif member.name.endswith("pom.xml"):
                poms[member.name] = member
            elif member.name.endswith("pom.properties"):
                body = self._try(archive, member, MAX_SMALL_BYTES)
                found = _java_names.of_properties(body, member.name)
                if found is not None and found.group:
                    properties.append((found, member.name))
        role = Role.BUNDLED if inside else Role.INSTALLED
        sha1 = Evidence(kind="sha1", detail=digest)
        own = _java_names.own([found for found, _ in properties], stem, fields)
        for index, (found, place) in enumerate(properties):
            licenses = self._licenses(archive, place, poms, fields if index == own else {})
            proof = Evidence(kind="manifest", detail=detail(place))
            if index == own:
                yield _found(found, role, inside, (proof, sha1), licenses)
            else:
                where = _join(inside, place)
                yield _found(found, Role.BUNDLED, where, (proof,), licenses)
        if own is None and (named := _named(fields, stem, archive, bool(properties))) is not None:
            licenses = _licenses.normalise(_java_names.licenses_of_manifest(fields))
            proof = Evidence(kind=named.proof, confidence=named.confidence)
            yield _found(named, role, inside, (proof, sha1), licenses)

    def _licenses(
        self, archive: Archive, place: str, poms: dict[str, Member], fields: dict[str, str]
    ) -> tuple[str, ...]:
        """Prefer the manifest's word; the pom beside the properties has it by name."""
        named = _licenses.normalise(_java_names.licenses_of_manifest(fields))
        pom = poms.get(place.removesuffix("properties") + "xml")
        if named or pom is None:
            return named
        body = self._try(archive, pom, MAX_SMALL_BYTES)
        return _licenses.normalise(_java_names.licenses_of_pom(body))

    def _try(self, archive: Archive, member: Member, max_bytes: int) -> bytes:
        try:
            return self._read(archive, member, max_bytes)
        except Unreadable as error:
            self._note(f"{detail(member.name)}: {error}")
            return b""

    def _read(self, archive: Archive, member: Member, max_bytes: int) -> bytes:
        self._count(member)
        return archive.read(member, max_bytes)

    def _count(self, member: Member) -> None:
        self._unpacked += member.size
        if self._unpacked > MAX_UNPACKED_BYTES:
            raise Unreadable(f"more than {MAX_UNPACKED_BYTES} bytes to unpack")

    def _note(self, trouble: str) -> None:
        self.trouble = self.trouble or trouble


def _is_wanted(name: str) -> bool:
    if name.endswith(("pom.properties", "pom.xml")):
        return _POM.fullmatch(name) is not None
    return name == _MANIFEST or name[-5:].lower().endswith(ENDINGS)


def _join(inside: str, name: str) -> str:
    return f"{inside}!/{detail(name)}" if inside else detail(name)


def _named(
    fields: dict[str, str], stem: str, archive: Archive, has_properties: bool
) -> Coordinates | None:
    """Return what the archive is without Maven's words: a program may only bundle some that are."""
    named = _java_names.of_manifest(fields, stem, archive.has_folder)
    if named is None and not has_properties:
        return _java_names.of_file_name(stem, archive.has_folder)
    return named


def _found(
    coordinates: Coordinates,
    role: Role,
    inside: str,
    evidence: tuple[Evidence, ...],
    licenses: tuple[str, ...],
) -> Found:
    return Found(
        type=PackageType.MAVEN,
        name=coordinates.name,
        version=coordinates.version,
        role=role,
        inside=inside,
        evidence=evidence,
        licenses=licenses,
    )


READERS: Final = (
    Reader(format="Java archive", read=read_archive, endings=ENDINGS, max_bytes=MAX_BYTES),
    Reader(
        format="Maven pom.properties",
        read=read_properties,
        names=frozenset({"pom.properties"}),
        is_wanted=lambda path: _POM.fullmatch(path) is not None,
        max_bytes=MAX_SMALL_BYTES,
    ),
    Reader(
        format="Java runtime",
        read=read_release,
        names=frozenset({"release"}),
        max_bytes=MAX_SMALL_BYTES,
    ),
    Reader(
        format="Gradle lock file",
        read=read_gradle_lock,
        names=frozenset({"gradle.lockfile"}),
        max_bytes=MAX_LOCK_BYTES,
    ),
)
