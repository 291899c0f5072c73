"""Matching: one finding per hole, by the right name, and nothing twice."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from seawall.core.actor import SYSTEM
from seawall.scan import advisories as feeds
from seawall.scan import advisory_ranges, matching
from seawall.scan.advisory_model import Informational, State
from seawall.scan.holes import Hit, Signals
from seawall.scan.lookup import StoredAdvisories
from seawall.scan.model import Component, Distribution, Inventory, PackageType, Role
from seawall.scan.report_model import Finding
from seawall.scan.severity import UNRATED, Rating, Severity
from seawall.scan.versions import ORDERS
from seawall.store import Database
from seawall.testing.clocks import FakeClock
from seawall.testing.databases import fresh_database

BOOKWORM = Distribution(id="debian", version_id="12", codename="bookworm")
HIGH = Rating(severity=Severity.HIGH, score=7.5, source="CVSS:3.1")


class FakeAdvisories:
    """Hits by (ecosystem, package), whatever the version."""

    def __init__(
        self,
        hits: Mapping[tuple[str, str], Sequence[Hit]],
        ratings: Mapping[str, Sequence[Rating]] | None = None,
        also: Collection[str] = (),
        signals: Mapping[str, Signals] | None = None,
    ) -> None:
        self._hits = hits
        self._ratings = ratings or {}
        self._also = also
        self._signals = signals or {}

    def ecosystems(self) -> Collection[str]:
        return {ecosystem for ecosystem, _ in self._hits} | set(self._also)

    def hits(self, ecosystem: str, package: str, key: bytes) -> Sequence[Hit]:
        return self._hits.get((ecosystem, package), ())

    def ratings(self, ids: Collection[str]) -> Mapping[str, Sequence[Rating]]:
        return {name: self._ratings[name] for name in ids if name in self._ratings}

    def signals(self, ids: Collection[str]) -> Mapping[str, Signals]:
        return {name: self._signals[name] for name in ids if name in self._signals}


def hit(
    name: str,
    *aliases: str,
    upstream: tuple[str, ...] = (),
    fixed: str = "",
    rating: Rating = UNRATED,
    vendor: Rating = UNRATED,
    feed: str = "PyPI",
    state: State = State.PLAIN,
    informational: Informational = Informational.NONE,
    module: str = "",
) -> Hit:
    return Hit(
        id=name,
        aliases=aliases,
        upstream=upstream,
        summary=f"about {name}",
        fixed=fixed,
        rating=rating,
        vendor_rating=vendor,
        feed=feed,
        state=state,
        informational=informational,
        module=module,
    )


def python(name: str, version: str = "1.0", *, owned_by: str = "", path: str = "/app") -> Component:
    return Component(
        type=PackageType.PYPI,
        name=name,
        version=version,
        purl=f"pkg:pypi/{name}@{version}",
        path=path,
        layer="sha256:" + "1" * 64,
        layer_index=1,
        owned_by=owned_by,
    )


def deb(
    name: str, version: str = "1.0-1", *, source: str = "", source_version: str = ""
) -> Component:
    return Component(
        type=PackageType.DEB,
        name=name,
        version=version,
        purl=f"pkg:deb/debian/{name}@{version}",
        source_name=source or name,
        source_version=source_version or version,
        path="/var/lib/dpkg/status",
        layer="sha256:" + "0" * 64,
        layer_index=0,
    )


def inventory(*components: Component, distribution: Distribution | None = BOOKWORM) -> Inventory:
    return Inventory(
        components=components,
        distribution=distribution,
        notices=(),
        layers=(),
        is_partial=False,
    )


def only(findings: Sequence[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_a_debian_package_is_judged_by_its_source() -> None:
    lookup = FakeAdvisories({("Debian:12", "openssl"): [hit("DSA-1", upstream=("CVE-1-1",))]})
    component = deb("libssl3", "3.0.11-1+b1", source="openssl", source_version="3.0.11-1")
    finding = only(matching.match(inventory(component), lookup))
    assert ("CVE-1-1", ("DSA-1",)) == (finding.id, finding.aliases)
    assert ("libssl3", "openssl") == (finding.name, finding.package)
    assert component.layer == finding.layer


def test_only_the_images_own_release_counts() -> None:
    lookup = FakeAdvisories({("Debian:11", "openssl"): [hit("DSA-1")]}, also=["Debian:12"])
    assert () == matching.match(inventory(deb("openssl")), lookup)


@pytest.mark.parametrize("name", ["Zope.Interface", "zope-interface", "zope_interface"])
def test_a_python_distribution_is_found_under_every_spelling(name: str) -> None:
    lookup = FakeAdvisories({("PyPI", "zope-interface"): [hit("PYSEC-1")]})
    assert "PYSEC-1" == only(matching.match(inventory(python(name)), lookup)).id


def test_names_that_share_an_alias_are_one_finding() -> None:
    lookup = FakeAdvisories(
        {
            ("PyPI", "x"): [
                hit("GHSA-a", "CVE-2024-1000", fixed="1.5"),
                hit("PYSEC-1", "GHSA-a", fixed="1.10", feed="other"),
                hit("PYSEC-2", "CVE-2024-999"),
            ]
        }
    )
    first, second = matching.match(inventory(python("x")), lookup)
    assert ("CVE-2024-1000", ("GHSA-a", "PYSEC-1")) == (first.id, first.aliases)
    assert ("1.10", ("PyPI", "other")) == (first.fixed_version, first.feeds)
    assert ("CVE-2024-999", "") == (second.id, second.fixed_version)
    assert (True, False) == (first.is_fixable, second.is_fixable)


def test_an_advisory_that_covers_several_holes_does_not_tie_them() -> None:
    lookup = FakeAdvisories(
        {
            ("Debian:12", "x"): [
                hit("DEBIAN-CVE-1-1", upstream=("CVE-1-1",)),
                hit("DSA-1", upstream=("CVE-1-1", "CVE-1-2"), fixed="2"),
            ]
        }
    )
    first, second = matching.match(inventory(deb("x")), lookup)
    assert ("CVE-1-1", ("DSA-1", "DEBIAN-CVE-1-1")) == (first.id, first.aliases)
    assert ("CVE-1-2", ("DSA-1",)) == (second.id, second.aliases)
    assert ("2", "2") == (first.fixed_version, second.fixed_version)


def test_what_a_package_owns_is_not_reported_twice() -> None:
    lookup = FakeAdvisories({("PyPI", "x"): [hit("PYSEC-1")]}, also=["Debian:12"])
    assert () == matching.match(inventory(python("x", owned_by="python3-x")), lookup)
    assert () == matching.blind_spots(inventory(python("x", owned_by="python3-x")), lookup)


def test_what_a_package_owns_is_judged_when_no_feed_judges_the_package() -> None:
    lookup = FakeAdvisories({("PyPI", "x"): [hit("PYSEC-1")]})
    owned = python("x", owned_by="python3-x")
    assert "PYSEC-1" == only(matching.match(inventory(owned), lookup)).id


def test_the_same_hole_in_two_places_is_two_findings() -> None:
    lookup = FakeAdvisories({("PyPI", "x"): [hit("PYSEC-1")]})
    image = inventory(python("x", path="/a"), python("x", path="/b"))
    assert ["/a", "/b"] == [finding.path for finding in matching.match(image, lookup)]


def test_the_distribution_knows_its_severity_best() -> None:
    low = Rating(severity=Severity.LOW, source="Debian:12 urgency")
    lookup = FakeAdvisories({("Debian:12", "x"): [hit("CVE-1", rating=HIGH, vendor=low)]})
    finding = only(matching.match(inventory(deb("x")), lookup))
    assert (Severity.LOW, "Debian:12 urgency") == (finding.severity, finding.severity_source)


def test_severity_is_lent_where_an_advisory_has_none() -> None:
    lookup = FakeAdvisories(
        {("Debian:12", "x"): [hit("DEBCL-1", "CVE-1")]}, ratings={"CVE-1": [UNRATED, HIGH]}
    )
    assert Severity.HIGH is only(matching.match(inventory(deb("x")), lookup)).severity


def test_findings_come_worst_first_whatever_the_order_of_components() -> None:
    lookup = FakeAdvisories(
        {("PyPI", "a"): [hit("CVE-2")], ("PyPI", "b"): [hit("CVE-1", rating=HIGH)]}
    )
    found = matching.match(inventory(python("a"), python("b")), lookup)
    assert ["b", "a"] == [finding.name for finding in found]
    assert found == matching.match(inventory(python("b"), python("a")), lookup)


@pytest.mark.parametrize(
    ("distribution", "reason"),
    [
        (None, "does not say"),
        (Distribution(id="ubuntu", version_id="22.04"), "no feed of Ubuntu:22.04"),
        (Distribution(id="slackware", version_id="15"), "slackware 15 is not supported"),
        (Distribution(id="debian", version_id="13"), "no feed of Debian:13"),
        (Distribution(id="debian", codename="sid"), "debian sid is not supported"),
    ],
)
def test_what_nobody_judges_is_said(distribution: Distribution | None, reason: str) -> None:
    lookup = FakeAdvisories({("Debian:12", "x"): [hit("CVE-1")]}, also=["PyPI"])
    image = inventory(deb("x"), deb("y"), python("z"), distribution=distribution)
    assert () == matching.match(image, lookup)
    (blind,) = matching.blind_spots(image, lookup)
    assert 2 == blind.components
    assert reason in blind.reason


def test_an_empty_database_judges_nothing_and_says_so() -> None:
    image = inventory(deb("x"), python("z"))
    assert 2 == sum(spot.components for spot in matching.blind_spots(image, FakeAdvisories({})))


def test_exploited_comes_before_likely_within_a_severity() -> None:
    lookup = FakeAdvisories(
        {("PyPI", n): [hit(f"CVE-2024-{n}", rating=HIGH)] for n in ("1", "2", "3")},
        signals={
            "CVE-2024-2": Signals(epss=0.9, epss_rank=0.99),
            "CVE-2024-3": Signals(exploited_since="2024-05-01", ssvc="active,yes,total"),
        },
    )
    found = matching.match(inventory(python("1"), python("2"), python("3")), lookup)
    assert ["CVE-2024-3", "CVE-2024-2", "CVE-2024-1"] == [finding.id for finding in found]
    assert ("2024-05-01", True, "active,yes,total") == (
        found[0].exploited_since,
        found[0].is_known_exploited,
        found[0].ssvc,
    )
    assert (0.9, 0.99) == (found[1].epss, found[1].epss_rank)


def test_what_is_installed_is_not_reported_again_as_declared() -> None:
    lookup = FakeAdvisories({("PyPI", "x"): [hit("CVE-1")], ("PyPI", "y"): [hit("CVE-2")]})
    declared = [
        msgspec.structs.replace(python(name, path="/app/poetry.lock"), role=Role.DECLARED)
        for name in ("x", "y")
    ]
    found = matching.match(inventory(python("x"), *declared), lookup)
    assert [("x", Role.INSTALLED), ("y", Role.DECLARED)] == [(f.name, f.role) for f in found]


def test_what_a_package_owns_is_judged_twice_only_when_that_is_asked_for() -> None:
    lookup = FakeAdvisories({("PyPI", "x"): [hit("PYSEC-1")]}, also=["Debian:12"])
    image = inventory(python("x", owned_by="python3-x"))
    assert () == matching.match(image, lookup)
    assert 1 == len(matching.match(image, lookup, is_comprehensive=True))


def test_advisories_that_are_no_vulnerabilities_stand_apart() -> None:
    lookup = FakeAdvisories(
        {("PyPI", "x"): [hit("R-1", informational=Informational.UNMAINTAINED), hit("CVE-1")]}
    )
    judged = matching.judge(inventory(python("x")), lookup)
    assert ["CVE-1"] == [finding.id for finding in judged.findings]
    assert [("R-1", "unmaintained")] == [(f.id, f.informational) for f in judged.informational]


@pytest.mark.parametrize("state", list(State))
def test_the_state_is_told_and_a_fix_is_trusted_over_it(state: State) -> None:
    def found(fixed: str) -> Sequence[Finding]:
        lookup = FakeAdvisories({("Debian:12", "x"): [hit("CVE-1", state=state, fixed=fixed)]})
        return matching.match(inventory(deb("x")), lookup)

    if state is State.UNDETERMINED:
        assert () == found("")
        return
    assert state is only(found("")).state
    assert State.PLAIN is only(found("2")).state


def test_what_each_source_says_stays_visible() -> None:
    lookup = FakeAdvisories(
        {("PyPI", "x"): [hit("CVE-1", fixed="2"), hit("GHSA-1", "CVE-1", fixed="3", feed="b")]}
    )
    claims = only(matching.match(inventory(python("x")), lookup)).claims
    assert [("PyPI", "CVE-1", "2"), ("b", "GHSA-1", "3")] == [
        (claim.feed, claim.id, claim.fixed) for claim in claims
    ]


@pytest.mark.parametrize(
    ("module", "version", "advisory_module", "fixed", "is_found"),
    [
        ("nodejs:18", "1:18.1-1.module_el8", "nodejs:18", "1:18.2-1.module_el8", True),
        ("nodejs:16", "1:16.1-1.module_el8", "nodejs:18", "1:18.2-1.module_el8", False),
        ("", "1:16.1-1.module_el8", "nodejs:18", "1:18.2-1.module_el8", True),
        ("", "1:16.1-1.el8", "nodejs:18", "1:18.2-1.module_el8", False),
        ("perl:5.24", "4:5.24-1.module_el8", "", "4:5.26-2.el8", False),
        ("", "4:5.26-1.el8", "", "4:5.26-2.el8", True),
    ],
)
def test_a_stream_is_compared_with_itself(
    module: str, version: str, advisory_module: str, fixed: str, is_found: bool
) -> None:
    component = Component(
        type=PackageType.RPM,
        name="x",
        version=version,
        purl="pkg:rpm/x",
        module=module,
        path="/var/lib/rpm",
        layer="sha256:0",
        layer_index=0,
    )
    lookup = FakeAdvisories(
        {("AlmaLinux:8", "x"): [hit("ALSA-1", fixed=fixed, module=advisory_module)]}
    )
    alma = Distribution(id="almalinux", version_id="8.9")
    assert is_found is bool(matching.match(inventory(component, distribution=alma), lookup))


def test_three_thousand_holes_in_one_package_stay_quick() -> None:
    hits = [hit(f"DEBCL-{n}", f"CVE-2024-{n}") for n in range(3_000)]
    lookup = FakeAdvisories({("Debian:12", "linux"): hits})
    assert 3_000 == len(matching.match(inventory(deb("linux")), lookup))


# A differential test: the index in the database against a plain reading of the records.

VERSIONS = st.sampled_from(["0", "0.5", "1.0", "1.0.1", "1.5rc1", "1.5", "2.0", "2.0+x", "10"])
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["introduced", "fixed", "last_affected"]),
        VERSIONS.filter(lambda version: "+" not in version),
    ),
    max_size=5,
    unique_by=lambda event: event[1],
).map(lambda events: [{"introduced": "0.1"}, *({kind: v} for kind, v in events)])
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "package": st.sampled_from(["a", "b"]),
            "events": EVENTS,
            "versions": st.lists(VERSIONS, max_size=3),
            "withdrawn": st.booleans(),
        }
    ),
    min_size=1,
    max_size=6,
)


def is_affected_plainly(record: dict, package: str, version: str) -> bool:
    """Read the record as the schema says, with `packaging` and no index."""
    if record["withdrawn"] or record["package"] != package:
        return False
    installed = Version(version)
    public = Version(installed.public)
    if any(Version(v) in {installed, public} for v in record["versions"]):
        return True

    def reaches(kind: str, bound: Version) -> bool:
        if kind == "last_affected":  # `<= 2.0` holds for 2.0+x
            return (installed if bound.local else public) > bound
        return installed >= bound

    is_affected = False
    events = [next(iter(event.items())) for event in record["events"]]
    for kind, text in sorted(events, key=lambda event: Version(event[1])):
        if reaches(kind, Version(text)):
            is_affected = kind == "introduced"
    return is_affected


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, Path]]:
    directory = tmp_path_factory.mktemp("index")
    database = fresh_database(directory)
    yield database, directory / "PyPI.jsonl"
    database.close()


def as_osv(number: int, record: dict) -> dict:
    return {
        "id": f"R-{number}",
        "withdrawn": "2026-01-01" if record["withdrawn"] else None,
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": record["package"]},
                "ranges": [{"type": "ECOSYSTEM", "events": record["events"]}],
                "versions": record["versions"],
            }
        ],
    }


@settings(max_examples=60, deadline=None)
@given(records=RECORDS)
def test_the_index_agrees_with_a_plain_reading(
    records: list[dict], index: tuple[Database, Path]
) -> None:
    database, path = index
    path.write_text("\n".join(json.dumps(as_osv(n, r)) for n, r in enumerate(records)))
    feeds.Advisories(database, FakeClock()).import_file(
        path, actor=SYSTEM, unsafe_allow_shrink=True
    )
    with database.read() as connection:
        lookup = StoredAdvisories(connection)
        for package in ("a", "b"):
            for version in ("0", "0.5", "1.0", "1.0.1", "1.5rc1", "1.5", "2.0+x", "3", "10"):
                found = matching.match(inventory(python(package, version)), lookup)
                expected = {
                    f"R-{number}"
                    for number, record in enumerate(records)
                    if is_affected_plainly(record, package, version)
                }
                assert expected == {finding.id for finding in found}, (package, version)


@given(st.sampled_from(sorted(ORDERS)), VERSIONS, VERSIONS, VERSIONS)
def test_a_fix_moved_later_never_loses_a_finding(
    ecosystem: str, installed: str, one: str, other: str
) -> None:
    order = ORDERS[ecosystem]
    earlier, later = sorted((one, other), key=order.key)

    def holds(fixed: str) -> bool:
        key = order.key(installed)
        spans = advisory_ranges.intervals(order, [("introduced", "0"), ("fixed", fixed)])
        return any(span.lo <= key < span.hi for span in spans)

    assert not holds(earlier) or holds(later) or later == "0"
