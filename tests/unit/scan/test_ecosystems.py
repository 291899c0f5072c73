"""Which advisories speak about a package: every type, every distribution, and clear silence."""

from __future__ import annotations

import pytest

from seawall.scan import ecosystems, versions
from seawall.scan.model import Component, Distribution, PackageType

RUST = "crates" + "." + "io"


def component(kind: PackageType, name: str = "x", version: str = "1.0", **more: str) -> Component:
    return Component(
        type=kind,
        name=name,
        version=version,
        purl=f"pkg:{kind}/{name}@{version}",
        path="/x",
        layer="sha256:0",
        layer_index=0,
        **more,  # type: ignore[arg-type]
    )


def scope(found: Component, distribution: Distribution | None = None) -> tuple[str, ...]:
    question = ecosystems.question(found, distribution)
    return question.scope if question else ()


@pytest.mark.parametrize(
    ("kind", "distribution", "version_id", "expected"),
    [
        (PackageType.DEB, "debian", "12", "Debian:12"),
        (PackageType.DEB, "ubuntu", "22.04", "Ubuntu:22.04:LTS"),
        (PackageType.APK, "alpine", "3.18.4", "Alpine:v3.18"),
        (PackageType.APK, "alpine", "3.23_alpha20250612", "Alpine:edge"),
        (PackageType.APK, "wolfi", "20230201", "Wolfi"),
        (PackageType.APK, "chainguard", "20230214", "Chainguard"),
        (PackageType.RPM, "almalinux", "9.4", "AlmaLinux:9"),
        (PackageType.RPM, "rocky", "8.9", "Rocky Linux:8"),
        (PackageType.RPM, "rhel", "9.4", "Red Hat:enterprise_linux:9"),
        (PackageType.RPM, "centos", "7", "Red Hat:enterprise_linux:7"),
        (PackageType.RPM, "amzn", "2023", "Amazon Linux:2023"),
        (PackageType.RPM, "fedora", "40", "Fedora:40"),
        (PackageType.RPM, "sles", "15.5", "SUSE:Linux Enterprise Server 15 SP5"),
        (PackageType.RPM, "opensuse-leap", "15.6", "openSUSE:Leap 15.6"),
        (PackageType.RPM, "opensuse-tumbleweed", "20250801", "openSUSE:Tumbleweed"),
        (PackageType.RPM, "azurelinux", "3.0", "Azure Linux:3"),
        (PackageType.RPM, "openeuler", "24.03", "openEuler:24.03*"),
    ],
)
def test_a_distribution_is_asked_by_its_release(
    kind: PackageType, distribution: str, version_id: str, expected: str
) -> None:
    found = scope(component(kind), Distribution(id=distribution, version_id=version_id))
    assert expected == found[0]
    assert all(versions.order_of(name.rstrip("*")) is not None for name in found)


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        (PackageType.CARGO, "x", versions.RUST),
        (PackageType.COMPOSER, "a/b", "Packagist"),
        (PackageType.CRAN, "x", "CRAN"),
        (PackageType.GEM, "x", "RubyGems"),
        (PackageType.GOLANG, "x", "Go"),
        (PackageType.HEX, "x", "Hex"),
        (PackageType.MAVEN, "g:a", "Maven"),
        (PackageType.NPM, "x", "npm"),
        (PackageType.NUGET, "x", "NuGet"),
        (PackageType.PEAR, "pear.php.net/x", "Packagist"),
        (PackageType.PUB, "x", "Pub"),
        (PackageType.PYPI, "x", "PyPI"),
        (PackageType.GENERIC, "x", "Bitnami"),
    ],
)
def test_a_language_is_asked_by_its_registry(kind: PackageType, name: str, expected: str) -> None:
    assert expected == scope(component(kind, name))[0]


def test_a_package_of_pear_is_asked_by_its_name_in_packagist() -> None:
    found = component(PackageType.PEAR, "pear.php.net/Archive_Tar", "1.4.3")
    asked = ecosystems.question(found, None)
    assert asked is not None
    assert (("pear/archive_tar", "1.4.3"),) == asked.names


def test_every_type_is_asked_or_has_a_reason() -> None:
    debian = Distribution(id="debian", version_id="12")
    for kind in PackageType:
        found = component(kind, "g:a" if kind is PackageType.MAVEN else "x")
        is_asked = bool(scope(found, debian))
        assert is_asked or ecosystems.silence(found, debian, ()), kind


@pytest.mark.parametrize(
    ("found", "distribution", "reason"),
    [
        (component(PackageType.MAVEN, "log4j-core"), None, "never guessed"),
        (component(PackageType.PEAR, "pecl.php.net/redis"), None, "extensions of PHP"),
        (component(PackageType.GOLANG, "x", "(devel)"), None, "version is not known"),
        (component(PackageType.ALPM), Distribution(id="arch"), "Arch Linux"),
        (component(PackageType.CPAN), None, "Perl"),
        (component(PackageType.NPM), None, "no feed of npm"),
        (component(PackageType.GENERIC), None, "no feed of product"),
        (component(PackageType.RPM), Distribution(id="x", version_id="1"), "not supported"),
        (
            component(PackageType.RPM, vendor="Some Corp"),
            Distribution(id="rhel", version_id="9"),
            "rpms of Some Corp are not judged",
        ),
    ],
)
def test_silence_has_a_reason(
    found: Component, distribution: Distribution | None, reason: str
) -> None:
    assert reason in ecosystems.silence(found, distribution, ())


def test_epel_is_not_the_distribution() -> None:
    rhel = Distribution(id="rhel", version_id="9.4")
    assert ("EPEL:9",) == scope(component(PackageType.RPM, vendor="Fedora Project"), rhel)
    assert scope(component(PackageType.RPM, vendor="Red Hat, Inc."), rhel)[0].startswith("Red Hat")


def test_what_subscribers_got_is_asked_of_their_feed_alone() -> None:
    jammy = Distribution(id="ubuntu", version_id="22.04")
    found = scope(component(PackageType.DEB, version="1-1ubuntu0.1+esm1"), jammy)
    assert ("Ubuntu:Pro:22.04:LTS",) == found


def test_a_pattern_stands_for_every_repository_of_a_release() -> None:
    rhel = Distribution(id="rhel", version_id="9.4")
    known = {
        "Red Hat:enterprise_linux:9::baseos",
        "Red Hat:enterprise_linux:9::appstream",
        "Red Hat:enterprise_linux:90::baseos",
        "Red Hat:rhel_eus:9.2::baseos",
    }
    assert ("Red Hat:enterprise_linux:9::appstream", "Red Hat:enterprise_linux:9::baseos") == (
        ecosystems.asked(scope(component(PackageType.RPM), rhel), known)
    )


def test_an_rpm_is_asked_by_the_names_that_its_feed_uses() -> None:
    found = component(
        PackageType.RPM, "openssl-libs", "3.0-1", source_name="openssl", source_version="3.0-2"
    )
    named = {
        release: ecosystems.question(found, Distribution(id=release, version_id="9"))
        for release in ("almalinux", "rhel")
    }
    assert named["almalinux"] is not None
    assert (("openssl-libs", "3.0-1"),) == named["almalinux"].names
    assert named["rhel"] is not None
    assert (("openssl-libs", "3.0-1"), ("openssl", "3.0-2")) == named["rhel"].names


def test_a_program_is_asked_by_every_name_of_its_product() -> None:
    question = ecosystems.question(component(PackageType.GENERIC, "nodejs", "18.0.0"), None)
    assert question is not None
    assert {"node", "nodejs:node.js"} <= {name for name, _ in question.names}


def test_an_unknown_program_is_never_asked_by_cpe() -> None:
    question = ecosystems.question(component(PackageType.GENERIC, "acme"), None)
    assert question is not None
    assert (("acme", "1.0"),) == question.names


def test_the_registry_of_rust_is_known_under_osvs_name() -> None:
    assert versions.RUST == versions.ecosystem(RUST)
    assert "npm" == versions.ecosystem("npm")
    assert versions.order_of(versions.ecosystem(RUST)) is not None


@pytest.mark.parametrize(
    ("ecosystem", "installed", "meant"),
    [
        ("Go", "go1.21.3", "1.21.3"),
        ("Go", "v1.2.3+incompatible", "v1.2.3"),
        ("RubyGems", "1.13.0-x86_64-linux", "1.13.0"),
        ("RubyGems", "1.13.0-java", "1.13.0"),
    ],
)
def test_spellings_of_a_version_are_the_version(ecosystem: str, installed: str, meant: str) -> None:
    order = versions.ORDERS[ecosystem]
    assert order.key(meant) == order.key(order.clean(installed))


def test_projects_number_their_releases_as_they_do() -> None:
    order = versions.ORDERS["CPE"]
    ascending = (
        *("1.0", "1.1.1-rc1", "1.1.1", "1.1.1a", "1.1.1z", "1.1.1za", "1.1.2", "3.13.0a1"),
        *("3.13.0b2", "3.13.0rc1", "3.13.0", "3.13.1", "9.3", "9.3p1", "9.4"),
    )
    assert ascending == tuple(sorted(set(ascending), key=order.key))
    assert order.key("v3.0") == order.key("3")


@pytest.mark.parametrize(
    ("installed", "is_fixed"),
    [("1.2-3", True), ("1.2-3~deb12u1", True), ("1.2-3~bpo12+1", True), ("1.2-2", False)],
)
def test_a_rebuild_contains_the_fix_that_it_rebuilds(installed: str, is_fixed: bool) -> None:
    order = versions.ORDERS["Debian"]
    assert is_fixed is (order.fix_key("1.2-3") <= order.key(installed))


def test_a_candidate_is_no_rebuild() -> None:
    order = versions.ORDERS["Debian"]
    assert order.key("1.2~rc1") < order.fix_key("1.2")
