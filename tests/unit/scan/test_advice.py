"""The smallest set of changes that clears every finding with a fix."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seawall.scan import advice
from seawall.scan.advice import Place
from seawall.scan.model import Distribution, PackageType
from seawall.scan.severity import Severity
from seawall.testing import reports

SSL = reports.component("libssl3", "3.0.11-1", reports.LIBSSL, source_name="openssl")
PROGRAM = reports.component("openssl", "3.0.11-1", reports.OPENSSL, source_name="openssl")


def npm(path: str, version: str = "1.0.0"):
    return reports.component(
        "@a/b", version, f"pkg:npm/%40a/b@{version}", type=PackageType.NPM, path=path, layer_index=2
    )


def test_one_source_package_is_one_change_to_the_latest_fix():
    found = [
        reports.finding("CVE-1", SSL, fixed_version="3.0.9-1"),
        reports.finding("CVE-2", PROGRAM, fixed_version="3.0.14-1~deb12u1"),
        reports.finding("CVE-3", PROGRAM, fixed_version="3.0.14-1~deb12u2"),
    ]
    (change,) = advice.of_findings(found).changes
    assert "3.0.14-1~deb12u2" == change.to
    assert ("libssl3 3.0.11-1", "openssl 3.0.11-1") == change.installed
    assert {"CVE-1", "CVE-2", "CVE-3"} == set(change.clears)
    assert "apt-get install --only-upgrade -y libssl3 openssl" in change.command


def test_versions_are_compared_in_the_order_of_their_ecosystem():
    fixes = ("1.9.0", "1.10.0", "1.2.0")
    found = [reports.finding("CVE-1", npm("/a"), fixed_version=one) for one in fixes]
    assert ["1.10.0"] == [one.to for one in advice.of_findings(found).changes]


def test_packages_of_a_language_are_changed_where_they_are():
    found = [reports.finding("CVE-1", npm(at), fixed_version="2.0.0") for at in ("/a", "/b")]
    assert ["/a", "/b"] == [one.path for one in advice.of_findings(found).changes]


def test_what_came_with_the_lowest_layer_came_with_the_base_image():
    found = [
        reports.finding("CVE-1", SSL, fixed_version="4"),
        reports.finding("CVE-2", npm("/a"), fixed_version="2"),
    ]
    plan = advice.of_findings(found, (SSL, npm("/a")))
    assert {Place.BASE_IMAGE, Place.INSTRUCTION} == {one.place for one in plan.changes}
    assert all(one.created_by == "ADD file:abc in /" for one in plan.changes)


def test_the_worst_is_changed_first_and_the_rest_is_told():
    plan = advice.of_report(reports.full())
    assert ["CVE-2021-44228", "CVE-2024-1", "CVE-2024-1", "CVE-2024-2"] == [
        one.clears[0] for one in plan.changes
    ]
    assert {"CVE-2024-3", "SW-2024-4"} == {one.id for one in plan.rest}
    assert plan.rest_in_words.endswith("the worst low (1 no fix is known, 1 will not be fixed)")
    assert 3 == plan.cleared


def test_nothing_found_is_nothing_to_do():
    plan = advice.of_report(reports.clean())
    assert ((), "nothing that is known is left") == (plan.changes, plan.rest_in_words)


def test_hostile_names_are_quoted_for_the_shell():
    for kind in PackageType:
        bad = reports.component("x; rm -rf /", "1", "pkg:x/y", type=kind, path="/p")
        found = [reports.finding("CVE-1", bad, fixed_version="2 $(id)")]
        (change,) = advice.of_findings(found).changes
        assert "; rm" not in change.command.replace("'x; rm -rf /", "")
        assert "$(id)" not in change.command or "$(id)'" in change.command


def test_suse_is_updated_with_its_own_tool():
    one = reports.component("a", "1", "pkg:rpm/x/a@1", type=PackageType.RPM)
    found = [reports.finding("CVE-1", one, fixed_version="2")]
    for system, tool in (("sles", "zypper"), ("opensuse-leap", "zypper"), ("fedora", "dnf")):
        plan = advice.of_findings(found, (), Distribution(id=system))
        assert plan.changes[0].command.startswith(tool)


FIXES = st.lists(
    st.tuples(
        st.sampled_from([SSL, PROGRAM, npm("/a"), npm("/b")]),
        st.sampled_from(["", "1", "2", "3.0-1"]),
        st.sampled_from(Severity),
    )
)


@given(FIXES)
def test_every_finding_is_cleared_or_told(drawn):
    found = [
        reports.finding(f"CVE-{n}", one, fixed_version=fixed, severity=severity)
        for n, (one, fixed, severity) in enumerate(drawn)
    ]
    plan = advice.of_findings(found)
    cleared = [identifier for change in plan.changes for identifier in change.clears]
    assert sorted(one.id for one in found) == sorted([*cleared, *(one.id for one in plan.rest)])
    assert plan == advice.of_findings(found[::-1]) or len(plan.rest) > 1
