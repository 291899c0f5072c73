"""Which artifact a jar is: from what it carries, never from a group that its file name suggests.

In this order:

    1. `pom.properties`, which Maven writes: group, artifact and version.
    2. The manifest of a Jenkins plugin, which names its group.
    3. The manifest's version with the artifact of the file name, and a group that two statements
       agree on: `Bundle-SymbolicName` is `Implementation-Vendor-Id` and the artifact, or the name
       belongs to a project that builds without Maven and the classes lie in that project's package.
    4. The same without a group: the name then has no colon and no advisory of Maven is asked; the
       SHA-1 of the jar stands in the evidence for an index that knows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from seawall.scan.readers._content import is_word

MAX_MANIFEST_LINES: Final = 2_000

_COORDINATE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_~-]{0,99}")
_FILE: Final = re.compile(r"([A-Za-z][A-Za-z0-9_.+-]*?)[-_]v?([0-9][0-9A-Za-z.+_-]*)")
_MAVEN_FOLDER: Final = re.compile(r"META-INF/maven/([^/]+)/([^/]+)/pom\.(?:properties|xml)")
_LICENSE: Final = re.compile(r"<license>\s*<name>\s*([^<]{1,100}?)\s*</name>")

_PROJECTS: Final[tuple[tuple[str, str, str], ...]] = (
    # artifact, a package of its classes, group: projects whose builds leave no pom.properties
    (r"spring-boot(?:-[a-z-]+)?", "org/springframework/boot/", "org.springframework.boot"),
    (r"spring-security-[a-z0-9-]+", "org/springframework/security/",
     "org.springframework.security"),
    (r"spring-data-[a-z-]+", "org/springframework/data/", "org.springframework.data"),
    (r"spring-(?:aop|aspects|beans|context|context-indexer|context-support|core|expression|"
     r"instrument|jcl|jdbc|jms|messaging|orm|oxm|r2dbc|test|tx|web|webflux|webmvc|"
     r"webmvc-portlet|websocket)", "org/springframework/", "org.springframework"),
    (r"tomcat-embed-[a-z-]+", "org/apache/", "org.apache.tomcat.embed"),
    (r"tomcat-(?:api|catalina|coyote|dbcp|el-api|jasper|jasper-el|jdbc|jni|jsp-api|juli|"
     r"servlet-api|tribes|util|util-scan|websocket)", "org/apache/", "org.apache.tomcat"),
    (r"hibernate-core", "org/hibernate/", "org.hibernate"),
    (r"kotlin-(?:stdlib|reflect|compiler|script-runtime)(?:-[a-z0-9]+)*", "kotlin/",
     "org.jetbrains.kotlin"),
    (r"okhttp", "okhttp3/", "com.squareup.okhttp3"),
    (r"okio(?:-jvm)?", "okio/", "com.squareup.okio"),
    (r"retrofit", "retrofit2/", "com.squareup.retrofit2"),
    (r"groovy(?:-[a-z]+)*", "groovy/lang/", "org.codehaus.groovy"),
    (r"lucene-[a-z-]+", "org/apache/lucene/", "org.apache.lucene"),
    (r"solr-[a-z-]+", "org/apache/solr/", "org.apache.solr"),
    (r"elasticsearch", "org/elasticsearch/", "org.elasticsearch"),
    (r"kafka-clients", "org/apache/kafka/", "org.apache.kafka"),
    (r"kafka_[0-9.]+", "kafka/", "org.apache.kafka"),
    (r"rxjava", "io/reactivex/", "io.reactivex.rxjava2"),
    (r"reactor-core", "reactor/core/", "io.projectreactor"),
    (r"reactor-netty(?:-[a-z]+)?", "reactor/netty/", "io.projectreactor.netty"),
    (r"scala-(?:library|compiler|reflect)", "scala/", "org.scala-lang"),
    (r"postgresql", "org/postgresql/", "org.postgresql"),
    (r"mysql-connector-java", "com/mysql/", "mysql"),
    (r"mysql-connector-j", "com/mysql/", "com.mysql"),
    (r"bc(?:prov|pkix|pg|mail|util|tls)-[a-z0-9]+", "org/bouncycastle/", "org.bouncycastle"),
    (r"commons-fileupload2-[a-z0-9-]+", "org/apache/commons/fileupload2/",
     "org.apache.commons"),
)  # fmt: skip
_PATTERNS: Final = tuple((re.compile(name), folder, group) for name, folder, group in _PROJECTS)


class Coordinates(msgspec.Struct, frozen=True):
    """`group` is empty when nothing says it. `proof` is the kind of evidence."""

    group: str
    artifact: str
    version: str
    proof: str = "manifest"
    confidence: float = 1.0

    @property
    def name(self) -> str:
        return f"{self.group}:{self.artifact}" if self.group else self.artifact


def of_properties(content: bytes, path: str) -> Coordinates | None:
    """Read a `pom.properties`; what it leaves out, its folder says."""
    values: dict[str, str] = {}
    for line in content.decode("latin-1").split("\n", 100)[:100]:
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith(("#", "!")):
            values[key.strip()] = value.strip()
    folder = _MAVEN_FOLDER.search(path)
    group = values.get("groupId") or (folder[1] if folder else "")
    artifact = values.get("artifactId") or (folder[2] if folder else "")
    return _checked(group, artifact, values.get("version", ""))


def manifest_of(content: bytes) -> dict[str, str]:
    """Return the main section of a manifest, names in lower case (JAR File Specification)."""
    fields: dict[str, str] = {}
    last = ""
    text = content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    for line in text.split("\n", MAX_MANIFEST_LINES)[:MAX_MANIFEST_LINES]:
        if not line:
            if fields:
                break
        elif line[0] == " ":
            if last and len(fields[last]) < 10_000:
                fields[last] += line[1:]
        else:
            name, colon, value = line.partition(":")
            last = name.strip().lower() if colon else ""
            if last:
                fields[last] = value.strip()
    return fields


def of_manifest(
    fields: Mapping[str, str], stem: str, has_folder: Callable[[str], bool]
) -> Coordinates | None:
    """Return what a jar without Maven's own words is; None when it does not say a version."""
    if (plugin := _of_plugin(fields)) is not None:
        return plugin
    file = _FILE.fullmatch(stem)
    version = _version(fields, file[2] if file else "")
    title = _title(fields)
    symbolic = fields.get("bundle-symbolicname", "").partition(";")[0].strip()
    artifact = (file[1] if file else "") or title or symbolic or stem
    if (found := _checked("", artifact, version)) is None:
        return None
    vendor = fields.get("implementation-vendor-id", "").strip()
    if vendor and symbolic == f"{vendor}.{artifact}" and _COORDINATE.fullmatch(vendor):
        return Coordinates(vendor, artifact, version, confidence=0.9)
    for pattern, folder, group in _PATTERNS:
        if pattern.fullmatch(artifact) and has_folder(folder):
            return Coordinates(group, artifact, version, "signature", 0.9)
    return found


def of_file_name(stem: str) -> Coordinates | None:
    """Return what the file name alone says, of a jar that says nothing else."""
    file = _FILE.fullmatch(stem)
    found = _checked("", file[1], file[2]) if file else None
    return msgspec.structs.replace(found, proof="file-name", confidence=0.5) if found else None


def own(coordinates: list[Coordinates], stem: str, fields: Mapping[str, str]) -> int | None:
    """Return which of the `pom.properties` of a jar is the jar's own; the others are shaded in."""
    fits = [i for i, found in enumerate(coordinates) if _fits(found, stem)]
    if fits:
        return max(fits, key=lambda i: (len(coordinates[i].artifact), coordinates[i].version))
    file = _FILE.fullmatch(stem)
    version = _version(fields, file[2] if file else "")
    same = [i for i, found in enumerate(coordinates) if version and found.version == version]
    if len(same) == 1:
        return same[0]
    return 0 if len(coordinates) == 1 and not version else None


def licenses_of_manifest(fields: Mapping[str, str]) -> list[str]:
    """Return what `Bundle-License` names: texts or addresses, without their attributes."""
    return [
        part.partition(";")[0].strip().strip('"')
        for part in fields.get("bundle-license", "")[:2_000].split(",http")[:5]
    ]


def licenses_of_pom(content: bytes) -> list[str]:
    """Return the names in `<licenses>` of a `pom.xml`, without reading it as XML."""
    return _LICENSE.findall(content.decode("utf-8", "replace"))[:10]


def _of_plugin(fields: Mapping[str, str]) -> Coordinates | None:
    """Read the manifest of a Jenkins plugin."""
    name = fields.get("short-name") or fields.get("extension-name", "")
    version = fields.get("plugin-version", "").partition(" ")[0]
    group = fields.get("group-id", "")
    return _checked(group, name, version) if group and name and version else None


def _fits(found: Coordinates, stem: str) -> bool:
    """Tell whether the file is called by the artifact, or by it and some version."""
    if not stem.startswith(found.artifact):
        return False
    rest = stem[len(found.artifact) :]
    return rest == "" or (rest[0] in "-_." and rest[1:2].isdigit())


def _title(fields: Mapping[str, str]) -> str:
    title = fields.get("implementation-title", "")
    return title if _COORDINATE.fullmatch(title) else ""


def _version(fields: Mapping[str, str], named: str) -> str:
    """Prefer the implementation's; a bundle's may be the file's, spelled as OSGi wants it."""
    implementation = fields.get("implementation-version", "").partition(" ")[0]
    if is_word(implementation) and _VERSION.fullmatch(implementation):
        return implementation
    bundle = fields.get("bundle-version", "")
    if named and (not bundle or _plain(bundle) == _plain(named)):
        return named
    return bundle if _VERSION.fullmatch(bundle) else named


def _plain(version: str) -> str:
    parts = re.split(r"[.-]", version)
    while len(parts) > 1 and parts[-1] in ("0", "RELEASE", "GA", "Final"):
        parts.pop()
    return ".".join(parts)


def _checked(group: str, artifact: str, version: str) -> Coordinates | None:
    if group and not _COORDINATE.fullmatch(group):
        return None
    if not _COORDINATE.fullmatch(artifact) or not _VERSION.fullmatch(version):
        return None
    return Coordinates(group, artifact, version)
