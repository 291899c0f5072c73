"""Which artifact a jar is: from what it carries, never from a group that its file name suggests.

In this order:

    1. `pom.properties`, which Maven writes: group, artifact and version.
    2. The manifest of a Jenkins plugin, which names its group.
    3. The manifest's version with the artifact of the file name, and a group that two statements
       agree on: `Bundle-SymbolicName` is a vendor and the artifact; or sbt's organisation stands
       beside a title or a package of classes that fits the artifact; or the name belongs to a
       project that builds without Maven and the classes lie in that project's package.
    4. The same without a group: the name then has no colon and no advisory of Maven is asked; the
       SHA-1 of the jar stands in the evidence for an index that knows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from seawall.scan.readers import MAX_TEXT

MAX_MANIFEST_LINES: Final = 2_000
MAX_STEM: Final = 200
"""Characters of a file name without its ending; a longer one is not an artifact and a version."""

_COORDINATE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_~-]{0,99}")
_FILE: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9_.+-]*?(?:_[23](?:\.[0-9]+)?)?)-v?([0-9][0-9A-Za-z.+_-]*)"
)
_BUNDLE_FILE: Final = re.compile(r"([A-Za-z][A-Za-z0-9.-]*)_([0-9][0-9A-Za-z.-]*)")
"""As Eclipse names its files."""
_SCALA: Final = re.compile(r"(.+)_[23](?:\.[0-9]+)?")
_MAVEN_FOLDER: Final = re.compile(r"META-INF/maven/([^/]+)/([^/]+)/pom\.(?:properties|xml)")
_LICENSE: Final = re.compile(r"<license>\s{0,200}<name>([^<]{1,200})</name>")

_ANY: Final = (0, 99_999_999)
_SPRING: Final = (
    "aop|aspects|beans|context|context-indexer|context-support|core|expression|instrument|jcl|jdbc"
    "|jms|messaging|orm|oxm|r2dbc|test|tx|web|webflux|webmvc|webmvc-portlet|websocket"
)
_TOMCAT: Final = (
    "annotations-api|api|catalina|catalina-ant|catalina-ha|coyote|dbcp|el-api|i18n-[A-Za-z-]+|jasper"
    "|jasper-el|jaspic-api|jdbc|jni|jsp-api|juli|servlet-api|storeconfig|tribes|util|util-scan"
    "|websocket|websocket-api|websocket-client-api"
)
_EE: Final = ("org/apache/", "javax/", "jakarta/")
_PROJECTS: Final[tuple[tuple[str, tuple[str, ...], tuple[int, int], str], ...]] = (
    # artifact, packages of which its classes are, major versions, group:
    # projects whose builds leave no pom.properties
    ("spring-boot(?:-[a-z-]+)?", ("org/springframework/boot/",), _ANY,
     "org.springframework.boot"),
    ("spring-security-[a-z0-9-]+", ("org/springframework/security/",), _ANY,
     "org.springframework.security"),
    ("spring-data-[a-z-]+", ("org/springframework/data/",), _ANY, "org.springframework.data"),
    (f"spring-(?:{_SPRING})", ("org/springframework/",), _ANY, "org.springframework"),
    ("tomcat-embed-(?:core|el|jasper|logging-juli|logging-log4j|websocket)", _EE, _ANY,
     "org.apache.tomcat.embed"),
    (f"tomcat-(?:{_TOMCAT})", _EE, _ANY, "org.apache.tomcat"),
    ("hibernate-core", ("org/hibernate/",), (3, 5), "org.hibernate"),
    ("hibernate-core", ("org/hibernate/",), (6, 99), "org.hibernate.orm"),
    ("kotlin-(?:stdlib|reflect|compiler|script-runtime|daemon|main-kts)(?:-[a-z0-9]+)*",
     ("kotlin/", "org/jetbrains/kotlin/"), _ANY, "org.jetbrains.kotlin"),
    ("okhttp", ("okhttp3/",), (3, 99), "com.squareup.okhttp3"),
    ("okio(?:-jvm)?", ("okio/",), _ANY, "com.squareup.okio"),
    ("retrofit", ("retrofit2/",), (2, 99), "com.squareup.retrofit2"),
    ("groovy(?:-[a-z0-9]+)*", ("groovy/", "org/codehaus/groovy/"), (1, 3),
     "org.codehaus.groovy"),
    ("groovy(?:-[a-z0-9]+)*", ("groovy/", "org/apache/groovy/"), (4, 99), "org.apache.groovy"),
    ("lucene-[a-z-]+", ("org/apache/lucene/",), _ANY, "org.apache.lucene"),
    ("solr-(?:core|solrj)", ("org/apache/solr/",), _ANY, "org.apache.solr"),
    ("elasticsearch", ("org/elasticsearch/",), _ANY, "org.elasticsearch"),
    ("kafka-clients", ("org/apache/kafka/",), _ANY, "org.apache.kafka"),
    ("kafka_[0-9.]+", ("kafka/",), _ANY, "org.apache.kafka"),
    ("rxjava", ("io/reactivex/",), (2, 2), "io.reactivex.rxjava2"),
    ("rxjava", ("io/reactivex/rxjava3/",), (3, 3), "io.reactivex.rxjava3"),
    ("reactor-core", ("reactor/core/",), _ANY, "io.projectreactor"),
    ("reactor-netty-(?:core|http)", ("reactor/netty/",), _ANY, "io.projectreactor.netty"),
    ("scala-(?:library|compiler|reflect)", ("scala/",), _ANY, "org.scala-lang"),
    ("postgresql", ("org/postgresql/",), _ANY, "org.postgresql"),
    ("mysql-connector-java", ("com/mysql/",), _ANY, "mysql"),
    ("mysql-connector-j", ("com/mysql/",), _ANY, "com.mysql"),
    ("bc(?:prov|pkix|pg|mail|util|tls)(?:-(?:ext-|debug-)?(?:jdk|lts)[0-9a-z]+)?",
     ("org/bouncycastle/",), _ANY, "org.bouncycastle"),
    ("log4j", ("org/apache/log4j/",), (1, 1), "log4j"),
    ("gson", ("com/google/gson/",), _ANY, "com.google.code.gson"),
    ("tink", ("com/google/crypto/tink/",), _ANY, "com.google.crypto.tink"),
    ("grpc-(?:api|auth|context|core|netty|netty-shaded|okhttp|protobuf|protobuf-lite|services|stub"
     "|xds)", ("io/grpc/",), _ANY, "io.grpc"),
    ("jackson-(?:core|mapper)-asl", ("org/codehaus/jackson/",), (1, 1), "org.codehaus.jackson"),
    ("libthrift", ("org/apache/thrift/",), _ANY, "org.apache.thrift"),
    ("velocity", ("org/apache/velocity/",), (1, 1), "org.apache.velocity"),
    ("derby", ("org/apache/derby/",), _ANY, "org.apache.derby"),
    ("ant", ("org/apache/tools/ant/",), (1, 1), "org.apache.ant"),
    ("xz", ("org/tukaani/xz/",), (1, 1), "org.tukaani"),
    ("lz4-java", ("net/jpountz/",), (1, 1), "org.lz4"),
    ("objenesis", ("org/objenesis/",), _ANY, "org.objenesis"),
    ("rocksdbjni", ("org/rocksdb/",), _ANY, "org.rocksdb"),
    ("RoaringBitmap", ("org/roaringbitmap/",), _ANY, "org.roaringbitmap"),
    ("h2", ("org/h2/",), _ANY, "com.h2database"),
    ("hsqldb", ("org/hsqldb/",), (2, 2), "org.hsqldb"),
    ("xercesImpl", ("org/apache/xerces/",), (2, 2), "xerces"),
    ("xalan", ("org/apache/xalan/",), (2, 2), "xalan"),
    ("micrometer-core", ("io/micrometer/",), _ANY, "io.micrometer"),
    ("micronaut-(?:core|http|http-client|http-netty|http-server|http-server-netty|inject|runtime)",
     ("io/micronaut/",), _ANY, "io.micronaut"),
    ("guice", ("com/google/inject/",), _ANY, "com.google.inject"),
    ("aopalliance", ("org/aopalliance/",), _ANY, "aopalliance"),
    ("jsr305", ("javax/annotation/",), _ANY, "com.google.code.findbugs"),
    ("asm(?:-(?:analysis|commons|tree|util))?", ("org/objectweb/asm/",), (4, 99), "org.ow2.asm"),
    ("bson|mongo-java-driver|mongodb-driver(?:-(?:async|core|legacy|reactivestreams|sync))?",
     ("com/mongodb/", "org/bson/"), _ANY, "org.mongodb"),
    ("annotations", ("org/jetbrains/annotations/",), (13, 99), "org.jetbrains"),
    ("libfb303", ("com/facebook/fb303/",), (0, 0), "org.apache.thrift"),
    ("shims", ("org/roaringbitmap/",), (0, 1), "org.roaringbitmap"),
    ("automaton", ("dk/brics/automaton/",), (1, 1), "dk.brics.automaton"),
    ("arpack_combined_all", ("org/netlib/",), (0, 0), "net.sourceforge.f2j"),
    ("jodd-core", ("jodd/",), _ANY, "org.jodd"),
    ("oro", ("org/apache/oro/",), (2, 2), "oro"),
    ("commons-logging(?:-(?:adapters|api))?", ("org/apache/commons/logging/",), (1, 1),
     "commons-logging"),
    ("activation", ("javax/activation/",), (1, 1), "javax.activation"),
    ("jdo-api", ("javax/jdo/",), (2, 3), "javax.jdo"),
    ("jta|transaction-api", ("javax/transaction/",), (1, 1), "javax.transaction"),
)  # fmt: skip
_SPEAKING: Final = frozenset(
    {"implementation-version", "implementation-title", "bundle-version", "bundle-symbolicname"}
)
_PATTERNS: Final = tuple(
    (re.compile(name), folders, majors, group) for name, folders, majors, group in _PROJECTS
)
_MAJOR: Final = re.compile(r"[0-9]{1,8}")
_CLASSIFIER: Final = re.compile(
    r"-(?:jar-with-dependencies|all|shaded|uber|fat|standalone|exec|boot|runner|indy|no_aop|grooid)"
)


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


def checked(group: str, artifact: str, version: str) -> Coordinates | None:
    """Return the coordinates if they can be some; an empty group is an unknown one."""
    if group and not _COORDINATE.fullmatch(group):
        return None
    if not _COORDINATE.fullmatch(artifact) or not _VERSION.fullmatch(version):
        return None
    found = Coordinates(group, artifact, version)
    return found if len(found.name) <= MAX_TEXT else None


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
    return checked(group, artifact, values.get("version", ""))


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
    if (tomcat := _of_tomcat(fields, stem, has_folder)) is not None:
        return tomcat
    if _SPEAKING.isdisjoint(fields):
        return None
    file = _file(stem)
    title = _title(fields)
    symbolic = _symbolic(fields)
    artifact = (file[0] if file else "") or title or symbolic or stem
    version = _version(fields, file)
    if (found := checked("", artifact, version)) is None:
        return None
    if vendor := _vendor(fields, artifact, has_folder):
        return Coordinates(vendor, artifact, version, confidence=0.9)
    group = _group_of_project(artifact, version, has_folder)
    return Coordinates(group, artifact, version, "signature", 0.9) if group else found


def _vendor(fields: Mapping[str, str], artifact: str, has_folder: Callable[[str], bool]) -> str:
    """Return the group that the manifest tells twice, empty when it does not.

    sbt writes the organisation three times, and the name of its module as title, which is often
    `core`; then the package of the classes says whether the file's name is the artifact's.
    """
    symbolic = _symbolic(fields)
    scala = _SCALA.fullmatch(artifact)
    plain = scala[1] if scala else artifact
    for field in ("implementation-vendor-id", "bundle-vendor"):
        vendor = fields.get(field, "").strip()
        is_group = _COORDINATE.fullmatch(vendor) and (field != "bundle-vendor" or "." in vendor)
        if is_group and symbolic in (f"{vendor}.{artifact}", f"{vendor}.{plain}"):
            return vendor
    vendor = fields.get("implementation-vendor-id", "").strip()
    if not _COORDINATE.fullmatch(vendor) or "." not in vendor:
        return ""
    if scala and _title(fields) == plain:
        return vendor
    if {fields.get("implementation-vendor"), fields.get("specification-vendor")} != {vendor}:
        return ""
    word = re.split(r"[-_.]", plain)[0]
    return vendor if _title(fields) == plain or (scala and has_folder(f"{word}/")) else ""


def of_file_name(stem: str, has_folder: Callable[[str], bool]) -> Coordinates | None:
    """Return what the file name alone says, of a jar that says nothing else."""
    file = _file(stem)
    found = checked("", *file) if file else None
    if found is None:
        return None
    if group := _group_of_project(found.artifact, found.version, has_folder):
        return Coordinates(group, found.artifact, found.version, "signature", 0.7)
    return Coordinates("", found.artifact, found.version, "file-name", 0.5)


def own(coordinates: list[Coordinates], stem: str, fields: Mapping[str, str]) -> int | None:
    """Return which of the `pom.properties` of a jar is the jar's own; the others are shaded in."""
    fits = [i for i, found in enumerate(coordinates) if _fits(found, stem)]
    if fits:
        return max(fits, key=lambda i: (len(coordinates[i].artifact), coordinates[i].version))
    file = _file(stem)
    version = _version(fields, file)
    meant = [
        i
        for i, found in enumerate(coordinates)
        if _is_meant(found, fields, version)
        # a shaded jar may have the manifest of what it shades
        and (not file or _plain(found.version) == _plain(file[1]))
    ]
    if len(meant) == 1:
        return meant[0]
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


def _group_of_project(artifact: str, version: str, has_folder: Callable[[str], bool]) -> str:
    major = _MAJOR.match(version)
    for pattern, folders, (first, last), group in _PATTERNS:
        if pattern.fullmatch(artifact) and major and first <= int(major[0]) <= last:
            return group if any(has_folder(folder) for folder in folders) else ""
    return ""


def _file(stem: str) -> tuple[str, str] | None:
    """Split `name-1.0-all` into name and version; `1.x` is the name of a link, no version."""
    if len(stem) > MAX_STEM:
        return None
    match = _FILE.fullmatch(stem) or _BUNDLE_FILE.fullmatch(stem)
    if match is None:
        return None
    version = _CLASSIFIER.sub("", match[2])
    return match[1], "" if version.endswith(".x") else version


def _of_plugin(fields: Mapping[str, str]) -> Coordinates | None:
    """Read the manifest of a Jenkins plugin."""
    name = fields.get("short-name") or fields.get("extension-name", "")
    version = fields.get("plugin-version", "").partition(" ")[0]
    group = fields.get("group-id", "")
    return checked(group, name, version) if group and name and version else None


def _fits(found: Coordinates, stem: str) -> bool:
    """Tell whether the file is called by the artifact, or by it and some version."""
    if not stem.startswith(found.artifact):
        return False
    rest = stem[len(found.artifact) :]
    return rest == "" or (rest[0] in "-_." and rest[1:2].isdigit())


def _of_tomcat(
    fields: Mapping[str, str], stem: str, has_folder: Callable[[str], bool]
) -> Coordinates | None:
    """Read a jar of Tomcat's own distribution.

    Its bundle name says which, since 2019; before that, the file's name. `catalina.jar`, which is
    in the distribution only, stands for the whole of it: advisories name that, `tomcat`.
    """
    if fields.get("implementation-title") != "Apache Tomcat" or not any(map(has_folder, _EE)):
        return None
    file = _file(stem)
    name = _symbolic(fields).removeprefix("org.apache.") or (file[0] if file else stem)
    artifact = name if name.startswith("tomcat-") else f"tomcat-{name}"
    version = fields.get("implementation-version", "")
    groups = [
        group
        for pattern, _, _, group in _PATTERNS
        if group.startswith("org.apache.tomcat") and pattern.fullmatch(artifact)
    ]
    if not groups or checked(groups[0], artifact, version) is None:
        return None
    named = "tomcat" if stem == "catalina" else artifact
    return Coordinates(groups[0], named, version, "signature", 0.9)


def _is_meant(found: Coordinates, fields: Mapping[str, str], version: str) -> bool:
    """Tell whether the manifest speaks of the artifact, by its version, bundle name or title."""
    if version and _plain(version) == _plain(found.version):
        return True
    symbolic = _symbolic(fields)
    if symbolic and (symbolic == found.group or symbolic.endswith(f".{found.artifact}")):
        return True
    return "implementation-title" in fields and _is_titled(fields, found.artifact)


def _symbolic(fields: Mapping[str, str]) -> str:
    return fields.get("bundle-symbolicname", "").partition(";")[0].strip()


def _title(fields: Mapping[str, str]) -> str:
    title = fields.get("implementation-title", "")
    return title if _COORDINATE.fullmatch(title) else ""


def _version(fields: Mapping[str, str], file: tuple[str, str] | None) -> str:
    """Return the version that the manifest means for this file.

    A shaded jar may carry the manifest of what it shades: when the title is of something else, the
    file's name decides. The version of a bundle is often the file's, spelled as OSGi wants it.
    """
    artifact, named = file or ("", "")
    implementation = fields.get("implementation-version", "").partition(" ")[0]
    if _VERSION.fullmatch(implementation):
        if named and _plain(implementation.removesuffix("-SNAPSHOT")) == _plain(named):
            return named  # as Maven has it; the manifest may add a zero, or be of the last commit
        return implementation if not named or _is_titled(fields, artifact) else named
    bundle = fields.get("bundle-version", "")
    if named and (not bundle or bundle.split(".")[:2] == named.split(".")[:2]):
        return named
    return bundle if _VERSION.fullmatch(bundle) else named


def _is_titled(fields: Mapping[str, str], artifact: str) -> bool:
    """Tell whether the title speaks of the artifact: every word of its name is in it."""
    title = fields.get("implementation-title", "").lower()
    return all(part in title for part in re.split(r"[-_.]", artifact.lower()))


def _plain(version: str) -> tuple[str, ...]:
    """Return what two spellings of a version share: `31.1-jre` and `31.1.0.jre`."""
    parts = re.split(r"[._-]", version)
    return tuple(part for part in parts if part not in ("0", "RELEASE", "GA", "Final"))
