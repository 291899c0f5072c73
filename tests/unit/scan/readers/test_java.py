"""A jar is what it carries; its name alone is never proof of a group."""

from __future__ import annotations

import hashlib
import time
import zipfile

import pytest

from seawall.scan.model import Role
from seawall.scan.readers import Found, Unreadable, java
from unit.scan.readers.samples import fat_jar, guava, spring_core, zipped

MANIFEST = "META-INF/MANIFEST.MF"
CLASS = b"\xca\xfe\xba\xbe"


def manifest(**fields: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join(["Manifest-Version: 1.0", *lines, "", ""]).encode()


def pom(group: str, artifact: str, version: str) -> dict[str, bytes]:
    text = f"version={version}\ngroupId={group}\nartifactId={artifact}\n"
    return {f"META-INF/maven/{group}/{artifact}/pom.properties": text.encode()}


def read(name: str, members: dict[str, bytes]) -> dict[str, Found]:
    found = java.read_archive(zipped(members), f"opt/app/{name}")
    return {f"{item.name}@{item.version}": item for item in found}


def test_a_renamed_jar_is_known_by_its_content() -> None:
    (found,) = java.read_archive(guava(), "opt/app/lib.jar")
    assert "com.google.guava:guava" == found.name
    assert Role.INSTALLED is found.role
    assert "" == found.inside


def test_the_sha1_of_the_file_is_in_the_evidence() -> None:
    (found,) = java.read_archive(guava(), "opt/app/lib.jar")
    assert hashlib.sha1(guava()).hexdigest() in [e.detail for e in found.evidence]


def test_a_manifest_of_osgi_spells_the_same_version_otherwise() -> None:
    members = {MANIFEST: manifest(Bundle_SymbolicName="com.google.x", Bundle_Version="31.1.0.jre")}
    found = read("x.jar", members | pom("com.google.guava", "guava", "31.1-jre"))
    assert ["com.google.guava:guava@31.1-jre"] == list(found)


def test_what_is_nested_has_its_place_and_its_own_sha1() -> None:
    found = {item.name: item for item in java.read_archive(fat_jar(), "opt/app/demo.jar")}
    nested = found["com.google.guava:guava"]
    assert "BOOT-INF/lib/guava-31.1-jre.jar" == nested.inside
    assert hashlib.sha1(guava()).hexdigest() in [e.detail for e in nested.evidence]
    assert Role.BUNDLED is nested.role


def sbt(organisation: str, title: str, **fields: str) -> bytes:
    return manifest(
        Implementation_Title=title, Implementation_Version="2.0.1",
        Implementation_Vendor=organisation, Implementation_Vendor_Id=organisation,
        Specification_Vendor=organisation, **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "fields", "folder", "name"),
    [
        ("algebra_2.12", sbt("org.typelevel", "core"), "algebra", "org.typelevel:algebra_2.12"),
        ("cats-kernel_2.12", sbt("org.cats", "Cats"), "cats", "org.cats:cats-kernel_2.12"),
        ("algebra_2.12", sbt("org.typelevel", "core"), "other", "algebra_2.12"),
        ("algebra_2.12", sbt("Typelevel", "core"), "algebra", "algebra_2.12"),
        ("chill-java", sbt("com.twitter", "chill-java"), "other", "com.twitter:chill-java"),
        ("chill-java", sbt("com.twitter", "core"), "chill", "chill-java"),
        (
            "scala-xml_2.12",
            manifest(
                Bundle_SymbolicName="org.scala-lang.modules.scala-xml",
                Bundle_Vendor="org.scala-lang.modules", Bundle_Version="2.0.1",
            ),
            "other",
            "org.scala-lang.modules:scala-xml_2.12",
        ),
        ("bson", manifest(Bundle_Version="2.0.1"), "org/bson", "org.mongodb:bson"),
        ("bson", manifest(Bundle_Version="2.0.1"), "org/other", "bson"),
    ],
)  # fmt: skip
def test_a_group_is_one_when_two_statements_agree(
    file: str, fields: bytes, folder: str, name: str
) -> None:
    found = read(f"{file}-2.0.1.jar", {MANIFEST: fields, f"{folder}/A.class": CLASS})
    assert [f"{name}@2.0.1"] == list(found)


def test_a_jar_named_as_a_release_is_not_its_last_commit() -> None:
    fields = manifest(Implementation_Title="x", Implementation_Version="9.4-SNAPSHOT")
    assert ["x@9.4"] == list(read("x-9.4.jar", {MANIFEST: fields}))
    assert ["x@9.4-SNAPSHOT"] == list(read("x.jar", {MANIFEST: fields}))


def test_archives_in_archives_in_archives() -> None:
    war = zipped({"WEB-INF/lib/fat.jar": fat_jar()}, nested=zipfile.ZIP_DEFLATED)
    ear = zipped({"shop.war": war})
    places = {item.name: item.inside for item in java.read_archive(ear, "opt/shop.ear")}
    assert (
        "shop.war!/WEB-INF/lib/fat.jar!/BOOT-INF/lib/spring-core-5.3.9.jar"
        == places["org.springframework:spring-core"]
    )


def test_compressed_nested_jars_are_read_too() -> None:
    body = zipped({"lib/x.jar": guava()}, nested=zipfile.ZIP_DEFLATED)
    assert ["com.google.guava:guava"] == [f.name for f in java.read_archive(body, "a.war")]


def test_large_nested_archives_are_unpacked_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    war = zipped({"WEB-INF/lib/fat.jar": fat_jar()}, nested=zipfile.ZIP_DEFLATED)
    ear = zipped({"shop.war": war}, nested=zipfile.ZIP_DEFLATED)
    expected = java.read_archive(ear, "opt/shop.ear")
    monkeypatch.setattr(java, "MAX_MEMORY_BYTES", 0)
    assert expected == java.read_archive(ear, "opt/shop.ear")
    assert 3 == len(expected)


def test_of_several_poms_the_one_that_fits_the_name_is_the_jars_own() -> None:
    found = read(
        "shop-2.0.jar", pom("org.a", "shop", "2.0") | pom("commons-codec", "commons-codec", "1.15")
    )
    assert Role.INSTALLED is found["org.a:shop@2.0"].role
    shaded = found["commons-codec:commons-codec@1.15"]
    assert Role.BUNDLED is shaded.role
    assert "META-INF/maven/commons-codec/commons-codec/pom.properties" == shaded.inside


def test_a_jar_that_shades_one_library_is_not_that_library() -> None:
    """Guice as Debian builds it: no pom of its own, and that of cglib."""
    members = {MANIFEST: manifest(Bundle_SymbolicName="com.google.inject", Bundle_Version="4.2.3")}
    found = read("guice.jar", members | pom("cglib", "cglib", "3.2.12"))
    assert Role.BUNDLED is found["cglib:cglib@3.2.12"].role
    assert "com.google.inject@4.2.3" in found


def test_a_shaded_jar_may_have_the_manifest_of_what_it_shades() -> None:
    """As Hadoop's client has it."""
    stated = manifest(
        Implementation_Title="Apache Hadoop shaded Protobuf 3.7", Implementation_Version="1.1.1"
    )
    members = pom("org.apache.hadoop.thirdparty", "hadoop-shaded-protobuf_3_7", "1.1.1")
    found = read("hadoop-client-runtime-3.3.1.jar", {MANIFEST: stated} | members)
    assert Role.INSTALLED is found["hadoop-client-runtime@3.3.1"].role
    shaded = found["org.apache.hadoop.thirdparty:hadoop-shaded-protobuf_3_7@1.1.1"]
    assert Role.BUNDLED is shaded.role


def test_no_group_is_guessed_from_a_file_name() -> None:
    found = read("commons-collections-3.2.1.jar", {"org/apache/Foo.class": CLASS})
    (item,) = found.values()
    assert ("commons-collections", "3.2.1") == (item.name, item.version)
    assert ["file-name", "sha1"] == [e.kind for e in item.evidence]
    assert 0.5 == item.evidence[0].confidence


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("spring-core-5.3.9.jar", "org/springframework/core", "org.springframework:spring-core"),
        ("spring-core-5.3.9.jar", "com/example", "spring-core"),
        ("spring-boot-2.5.0.jar", "org/springframework/boot",
         "org.springframework.boot:spring-boot"),
        ("tomcat-embed-core-9.0.50.jar", "org/apache/catalina",
         "org.apache.tomcat.embed:tomcat-embed-core"),
        ("groovy-2.4.21.jar", "groovy/lang", "org.codehaus.groovy:groovy"),
        ("groovy-4.0.2.jar", "groovy/lang", "org.apache.groovy:groovy"),
        ("hibernate-core-5.4.0.Final.jar", "org/hibernate", "org.hibernate:hibernate-core"),
        ("hibernate-core-6.1.0.Final.jar", "org/hibernate", "org.hibernate.orm:hibernate-core"),
        ("rxjava-1.3.8.jar", "rx", "rxjava"),
    ],
)  # fmt: skip
def test_projects_that_build_without_maven(name: str, folder: str, expected: str) -> None:
    (item,) = read(name, {f"{folder}/A.class": CLASS, MANIFEST: manifest()}).values()
    assert expected == item.name


@pytest.mark.parametrize(
    ("name", "bundle", "expected"),
    [
        ("catalina.jar", "org.apache.tomcat-catalina", "org.apache.tomcat:tomcat"),
        ("catalina.jar", "", "org.apache.tomcat:tomcat"),
        ("tomcat9-catalina.jar", "org.apache.tomcat-catalina", "org.apache.tomcat:tomcat-catalina"),
        ("jasper.jar", "org.apache.tomcat-jasper", "org.apache.tomcat:tomcat-jasper"),
        ("tomcat9-coyote.jar", "org.apache.tomcat-coyote", "org.apache.tomcat:tomcat-coyote"),
        ("a.jar", "org.apache.tomcat-embed-core", "org.apache.tomcat.embed:tomcat-embed-core"),
    ],
)
def test_jars_of_tomcats_own_distribution(name: str, bundle: str, expected: str) -> None:
    fields = {"Implementation_Title": "Apache Tomcat", "Implementation_Version": "9.0.50"}
    stated = manifest(**fields, **({"Bundle_SymbolicName": bundle} if bundle else {}))
    (item,) = read(name, {"org/apache/catalina/A.class": CLASS, MANIFEST: stated}).values()
    assert (expected, "9.0.50") == (item.name, item.version)


def test_the_commercial_runtime_has_a_name_of_its_own() -> None:
    text = b'JAVA_VERSION="17.0.8"\nBUILD_TYPE="commercial"\nIMPLEMENTOR="Oracle Corporation"\n'
    assert ["oracle-jdk"] == [item.name for item in java.read_release(text, "opt/jdk/release")]
    assert () == java.read_release(b"ID=debian\n", "etc/release")


def test_two_statements_of_a_manifest_make_a_group() -> None:
    stated = manifest(
        Implementation_Vendor_Id="com.fasterxml.jackson.core",
        Bundle_SymbolicName="com.fasterxml.jackson.core.jackson-core",
        Implementation_Version="2.9.8",
    )
    assert "com.fasterxml.jackson.core:jackson-core@2.9.8" in read(
        "jackson-core-2.9.8.jar", {MANIFEST: stated}
    )
    alone = manifest(Implementation_Vendor_Id="org.apache", Implementation_Version="3.2.1")
    assert "commons-collections@3.2.1" in read("commons-collections-3.2.1.jar", {MANIFEST: alone})


def test_a_scala_library_keeps_the_version_of_scala_in_its_name() -> None:
    stated = manifest(
        Implementation_Title="json4s-ast",
        Implementation_Version="3.7.0-M11",
        Implementation_Vendor_Id="org.json4s",
    )
    assert "org.json4s:json4s-ast_2.12@3.7.0-M11" in read(
        "json4s-ast_2.12-3.7.0-M11.jar", {MANIFEST: stated}
    )


@pytest.mark.parametrize(
    ("name", "fields", "version"),
    [
        ("hadoop-client-runtime-3.3.1.jar",
         {"Implementation_Title": "Apache Hadoop Third-party", "Implementation_Version": "1.1.1"},
         "3.3.1"),
        ("scala-library-2.12.15.jar", {"Bundle_Version": "2.12.15.v20210914-VF-9"}, "2.12.15"),
        ("derby-10.14.2.0.jar", {"Bundle_Version": "10.14.2000000.1828579"}, "10.14.2.0"),
        ("x-1.0.jar", {"Implementation_Version": "1.0.0", "Implementation_Title": "X"}, "1.0"),
        ("x.jar", {"Implementation_Version": "2.1 (build 7)", "Implementation_Title": "x"}, "2.1"),
    ],
)  # fmt: skip
def test_which_version_a_manifest_means(name: str, fields: dict[str, str], version: str) -> None:
    (item,) = read(name, {MANIFEST: manifest(**fields)}).values()
    assert version == item.version


def test_a_plugin_of_jenkins_names_its_group() -> None:
    stated = manifest(
        Group_Id="org.jenkins-ci.plugins", Short_Name="git", Plugin_Version="4.7.1 (private)"
    )
    assert "org.jenkins-ci.plugins:git@4.7.1" in read("git.hpi", {MANIFEST: stated})


def test_sources_and_documentation_are_no_code() -> None:
    assert {} == read("guava-31.1-sources.jar", pom("com.google.guava", "guava", "31.1-jre"))


@pytest.mark.parametrize("text", ["${project.version}", "", "1.0 beta", "a/b"])
def test_a_pom_that_maven_did_not_fill_in_is_none(text: str) -> None:
    assert {} == read("shop.jar", pom("org.a", "shop", text))


def test_licences() -> None:
    members = pom("org.a", "shop", "2.0")
    xml = b"<project><licenses><license><name>The MIT License</name></license></licenses></project>"
    members["META-INF/maven/org.a/shop/pom.xml"] = xml
    assert ("MIT",) == read("shop-2.0.jar", members)["org.a:shop@2.0"].licenses
    members[MANIFEST] = manifest(Bundle_License='"Apache-2.0";link="https://example.org"')
    assert ("Apache-2.0",) == read("shop-2.0.jar", members)["org.a:shop@2.0"].licenses


@pytest.mark.parametrize(
    "run", [b" " * 250_000, b"<license>" * 25_000, b"<license> <name>" * 15_000]
)
def test_a_pom_costs_no_more_than_its_length(run: bytes) -> None:
    members = pom("org.a", "shop", "2.0")
    members["META-INF/maven/org.a/shop/pom.xml"] = b"<license><name>" + run + b"x"
    begin = time.process_time()
    assert () == read("shop-2.0.jar", members)["org.a:shop@2.0"].licenses
    assert 5 > time.process_time() - begin


def test_many_long_names_cost_no_more_than_their_length() -> None:
    members = {f"lib/a{'-1a' * 330}{n}.jar": guava() for n in range(300)}
    begin = time.process_time()
    java.read_archive(zipped(members), "opt/a.war")
    assert 5 > time.process_time() - begin


def test_a_broken_jar_beside_good_ones_costs_only_itself() -> None:
    body = zipped({"lib/bad.jar": spring_core()[:-30], "lib/good.jar": guava()})
    with pytest.raises(Unreadable, match=r"lib/bad\.jar: not a ZIP archive") as caught:
        java.read_archive(body, "opt/a.war")
    assert ["com.google.guava:guava"] == [item.name for item in caught.value.found]


def test_a_jar_behind_a_starting_script() -> None:
    script = b"#!/bin/bash\nexec java -jar $0\n" * 100
    (found,) = java.read_archive(script + guava(), "opt/app.jar")
    assert "com.google.guava:guava" == found.name


def test_a_lock_file_of_gradle_without_tests() -> None:
    text = b"a.b:c:1=runtimeClasspath\njunit:junit:4.13=testCompileClasspath\n"
    assert ["a.b:c"] == [item.name for item in java.read_gradle_lock(text, "x/gradle.lockfile")]


def test_group_and_artifact_together_are_bounded() -> None:
    text = f"{'a' * 150}:{'b' * 150}:1=runtimeClasspath\n".encode()
    assert () == java.read_gradle_lock(text, "x/gradle.lockfile")
    assert {} == read("x.jar", pom("a" * 150, "b" * 150, "1"))
