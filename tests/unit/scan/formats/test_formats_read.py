"""Formats of advisories: told by their content, read as their source means them."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.errors import SeawallError
from seawall.scan import feed_files, versions
from seawall.scan.advisory_model import Advisory, Item, Lifecycle, Signal, SignalKind, State
from seawall.scan.errors import BadFeedError, BadRecordError
from seawall.scan.severity import Severity


def read(folder: Path, body: bytes, name: str = "a-file") -> list[Item]:
    path = folder / name
    path.write_bytes(body)
    return [record() for _, record in feed_files.records(path)]


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def is_affected(items: list[Item], ecosystem: str, package: str, version: str) -> bool:
    order = versions.order_of(ecosystem)
    assert order is not None
    key = order.key(version)
    return any(
        span.lo <= key < span.hi
        for item in items
        if isinstance(item, Advisory)
        for affected in item.affected
        if (affected.ecosystem, affected.package) == (ecosystem, package)
        for span in affected.intervals
    )


def states(items: list[Item]) -> dict[str, State]:
    return {
        affected.ecosystem: affected.state
        for item in items
        if isinstance(item, Advisory)
        for affected in item.affected
    }


SECDB = {
    "distroversion": "v3.18",
    "reponame": "main",
    "packages": [
        {
            "pkg": {
                "name": "openssl",
                "secfixes": {"3.1.1-r0": ["CVE-2023-2650 XSA-1"], "0": ["CVE-2023-9999"]},
            }
        }
    ],
}


def test_secdb_names_several_ids_and_what_was_never_affected(tmp_path: Path) -> None:
    found = read(tmp_path, as_json(SECDB))
    assert is_affected(found, "Alpine:v3.18", "openssl", "3.1.0-r4")
    assert not is_affected(found, "Alpine:v3.18", "openssl", "3.1.1-r0")
    by_name = {item.aliases[0]: item for item in found if isinstance(item, Advisory)}
    assert {"CVE-2023-2650", "XSA-1", "CVE-2023-9999"} == set(by_name)
    assert () == by_name["CVE-2023-9999"].affected[0].intervals


def test_secdb_of_others_is_theirs(tmp_path: Path) -> None:
    wolfi = SECDB | {"distroversion": "", "reponame": "os", "urlprefix": "https://wolfi.example"}
    assert is_affected(read(tmp_path, as_json(wolfi)), "Wolfi", "openssl", "3.1.0-r4")


def tracker(**release: Any) -> bytes:
    entry = {"description": "a hole", "releases": {"bookworm": release}}
    return as_json({"openssl": {"CVE-2024-0001": entry}})


@pytest.mark.parametrize(
    ("release", "state", "hits"),
    [
        ({"status": "resolved", "fixed_version": "3.0-2"}, State.PLAIN, True),
        ({"status": "resolved", "fixed_version": "0"}, State.PLAIN, False),
        ({"status": "open"}, State.PLAIN, True),
        ({"status": "open", "nodsa": "minor", "nodsa_reason": ""}, State.NO_DSA, True),
        ({"status": "open", "nodsa": "x", "nodsa_reason": "ignored"}, State.IGNORED, True),
        ({"status": "open", "nodsa": "x", "nodsa_reason": "postponed"}, State.POSTPONED, True),
        ({"status": "open", "urgency": "end-of-life"}, State.END_OF_LIFE, True),
        ({"status": "open", "urgency": "unimportant"}, State.UNIMPORTANT, True),
        ({"status": "undetermined"}, State.UNDETERMINED, True),
        # a version is trusted over a stale "no DSA"
        ({"status": "resolved", "fixed_version": "3.0-2", "nodsa": "x"}, State.PLAIN, True),
    ],
)
def test_debians_tracker_tells_the_state(
    release: dict[str, str], state: State, hits: bool, tmp_path: Path
) -> None:
    found = read(tmp_path, tracker(**release))
    assert state is states(found)["Debian:12"]
    assert hits is is_affected(found, "Debian:12", "openssl", "3.0-1")


def test_unimportant_is_negligible(tmp_path: Path) -> None:
    (found,) = read(tmp_path, tracker(status="open", urgency="unimportant"))
    assert isinstance(found, Advisory)
    assert Severity.NEGLIGIBLE is found.affected[0].rating.severity


DSA = b"""[29 Mar 2023] DSA-5380-1 xorg-server - security update
\t{CVE-2023-1393 CVE-2023-1394}
\t[bullseye] - xorg-server 2:1.20.11-1+deb11u6
\t[buster] - xorg-server <end-of-life>
\tNOTE: nothing
[27 Mar 2023] DSA-5379-1 dino-im - security update
\t{CVE-2023-28686}
\t[bullseye] - dino-im 0.2.0-3+deb11u1
"""


def test_debians_lists_say_what_is_fixed_in_which_release(tmp_path: Path) -> None:
    first, second = read(tmp_path, DSA)
    assert isinstance(first, Advisory)
    assert ("DSA-5380-1", ("CVE-2023-1393", "CVE-2023-1394")) == (first.id, first.upstream)
    assert is_affected([first], "Debian:11", "xorg-server", "2:1.20.11-1+deb11u5")
    assert not is_affected([first], "Debian:11", "xorg-server", "2:1.20.11-1+deb11u6")
    assert {"Debian:11"} == set(states([first, second]))


def product(name: str, cpe: str = "", purl: str = "") -> dict[str, Any]:
    helper = {"cpe": cpe} if cpe else {"purl": purl} if purl else {}
    inner = {"product_id": name, "name": name, "product_identification_helper": helper}
    return {"category": "product_version", "name": name, "product": inner}


def relation(package: str, platform: str) -> dict[str, Any]:
    return {
        "category": "default_component_of",
        "full_product_name": {"product_id": f"{platform}:{package}", "name": "x"},
        "product_reference": package,
        "relates_to_product_reference": platform,
    }


def csaf(publisher: str, category: str, tree: dict[str, Any], **hole: Any) -> bytes:
    document = {
        "category": category,
        "csaf_version": "2.0",
        "tracking": {"id": "SUSE-SU-2024:1-1"},
        "title": "an update",
        "publisher": {"name": publisher},
    }
    return as_json(
        {
            "document": document,
            "product_tree": tree,
            "vulnerabilities": [{"cve": "CVE-2024-1"} | hole],
        }
    ).replace(b'CVE-2024-1"', b'CVE-2024-1000"')


RHEL = "Red Hat:enterprise_linux:9::baseos"
RED_HAT = {
    "branches": [
        {
            "category": "vendor",
            "name": "Red Hat",
            "branches": [
                product("BaseOS-9", cpe="cpe:/o:redhat:enterprise_linux:9::baseos"),
                product("rhel_8", cpe="cpe:/o:redhat:enterprise_linux:8"),
                product(
                    "openssl-1:3.0.7-27.el9.src",
                    purl="pkg:rpm/redhat/openssl@3.0.7-27.el9?arch=src&epoch=1",
                ),
                product("nodejs:18/nodejs"),
                product("openssl"),
            ],
        }
    ],
    "relationships": [
        relation("openssl-1:3.0.7-27.el9.src", "BaseOS-9"),
        relation("nodejs:18/nodejs", "rhel_8"),
        relation("openssl", "rhel_8"),
    ],
}


def test_red_hats_vex_says_fixed_affected_and_what_to_expect(tmp_path: Path) -> None:
    (found,) = read(
        tmp_path,
        csaf(
            "Red Hat Product Security",
            "csaf_vex",
            RED_HAT,
            product_status={
                "fixed": ["BaseOS-9:openssl-1:3.0.7-27.el9.src"],
                "known_affected": ["rhel_8:openssl"],
                "known_not_affected": ["rhel_8:nodejs:18/nodejs"],
            },
            remediations=[
                {"category": "no_fix_planned", "details": "Will not fix",
                 "product_ids": ["rhel_8:openssl"]},
            ],
            threats=[{"category": "impact", "details": "Moderate"}],
        ),
    )  # fmt: skip
    assert isinstance(found, Advisory)
    assert ("REDHAT-CVE-2024-1000", ("CVE-2024-1000",)) == (found.id, found.aliases)
    assert is_affected([found], RHEL, "openssl", "1:3.0.7-26.el9")
    assert not is_affected([found], RHEL, "openssl", "1:3.0.7-27.el9")
    assert {RHEL: State.PLAIN, "Red Hat:enterprise_linux:8": State.IGNORED} == states([found])
    assert {Severity.MEDIUM} == {affected.rating.severity for affected in found.affected}
    assert {"openssl"} == {affected.package for affected in found.affected}


def test_suses_updates_say_what_is_fixed(tmp_path: Path) -> None:
    platform = "SUSE Linux Enterprise Server 15 SP5"
    package = "libopenssl1_1-1.1.1l-150500.17.25.1.x86_64"
    tree = {
        "branches": [product(platform), product(package)],
        "relationships": [relation(package, platform)],
    }
    status = {"recommended": [f"{platform}:{package}"]}
    (found,) = read(tmp_path, csaf("SUSE", "csaf_security_advisory", tree, product_status=status))
    assert isinstance(found, Advisory)
    assert ("SUSE-SU-2024:1-1", ("CVE-2024-1000",)) == (found.id, found.upstream)
    ecosystem = "SUSE:Linux Enterprise Server 15 SP5"
    assert is_affected([found], ecosystem, "libopenssl1_1", "1.1.1l-150500.17.24.1")
    assert not is_affected([found], ecosystem, "libopenssl1_1", "1.1.1l-150500.17.25.1")


UPDATEINFO = """<?xml version="1.0" encoding="UTF-8"?><updates>
<update type="security"><id>{id}</id><title>t</title><severity>Important</severity>
<release>{release}</release>
<references><reference type="cve" id="CVE-2024-1000" title=""/></references>
<pkglist><collection><package name="curl" epoch="0" version="8.3" release="1" arch="x86_64"/>
<package name="curl" epoch="0" version="8.3" release="1" arch="aarch64"/></collection></pkglist>
</update><update type="bugfix"><id>other</id></update></updates>"""


@pytest.mark.parametrize(
    ("name", "release", "ecosystem"),
    [
        ("ALAS2023-2024-500", "", "Amazon Linux:2023"),
        ("ALAS2-2024-500", "", "Amazon Linux:2"),
        ("ALAS-2024-500", "", "Amazon Linux:2018.03"),
        ("FEDORA-2024-abc", "Fedora 40", "Fedora:40"),
        ("FEDORA-EPEL-2024-abc", "Fedora EPEL 9", "EPEL:9"),
    ],
)
def test_updateinfo_tells_its_distribution(
    name: str, release: str, ecosystem: str, tmp_path: Path
) -> None:
    (found,) = read(tmp_path, UPDATEINFO.format(id=name, release=release).encode())
    assert isinstance(found, Advisory)
    assert ("CVE-2024-1000",) == found.upstream
    assert is_affected([found], ecosystem, "curl", "8.2-1")
    assert not is_affected([found], ecosystem, "curl", "8.3-1")
    assert 1 == len(found.affected)


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><updates/>',
        b"<!doctype x><updates/>",
        b"<updates><update",
        b"<html/>",
        '<?xml version="1.0" encoding="utf-16"?><updates/>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="cp037"?><updates/>',
    ],
)
def test_refuses_xml_that_is_unsafe_or_none(body: bytes, tmp_path: Path) -> None:
    with pytest.raises((BadFeedError, BadRecordError)):
        read(tmp_path, body)


def test_ubuntus_vex_speaks_of_source_packages(tmp_path: Path) -> None:
    purl = "pkg:deb/ubuntu/openssl@3.0.2-0ubuntu1.15?arch=source&distro=jammy"
    other = "pkg:deb/ubuntu/openssl@3.0.13-0ubuntu3?arch=source&distro=noble"
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "author": "Canonical Ltd.",
        "statements": [
            {"vulnerability": {"name": "CVE-2024-1000"}, "status": status, "products": [{"@id": p}]}
            for status, p in (("fixed", purl), ("not_affected", other))
        ],
    }
    found = read(tmp_path, as_json(document))
    assert is_affected(found, "Ubuntu:22.04:LTS", "openssl", "3.0.2-0ubuntu1.14")
    assert {"Ubuntu:22.04:LTS"} == set(states(found))
    with pytest.raises(BadRecordError, match="let it in as VEX"):
        read(tmp_path, as_json(document | {"author": "Mallory"}))


KEV = {
    "catalogVersion": "1",
    "vulnerabilities": [
        {"cveID": "CVE-2024-1000", "dateAdded": "2024-05-01", "knownRansomwareCampaignUse": "Known"}
    ],
}
KEV_CSV = (
    b"cveID,vendorProject,dateAdded,knownRansomwareCampaignUse\n"
    b'CVE-2024-1000,"A, B",2024-05-01,Known\n'
)


@pytest.mark.parametrize(
    "body",
    [as_json(KEV), KEV_CSV, as_json({"CVE-2024-1000": ["2024-05-01", "Known", "a name"]})],
)
def test_the_list_of_exploited_ones_has_three_shapes(body: bytes, tmp_path: Path) -> None:
    expected = Signal(id="CVE-2024-1000", kind=SignalKind.KEV, text="2024-05-01 ransomware")
    assert [expected] == read(tmp_path, body)


def test_epss_gives_probability_and_rank(tmp_path: Path) -> None:
    body = b"#model_version:v1,score_date:x\ncve,epss,percentile\nCVE-2024-1000,0.5,0.99\n"
    expected = Signal(id="CVE-2024-1000", kind=SignalKind.EPSS, score=0.5, rank=0.99)
    assert [expected] == read(tmp_path, gzip.compress(body))


@pytest.mark.parametrize("line", [b"CVE-2024-1000,2,0", b"CVE-2024-1000,nan,0", b"x,0,0", b"a"])
def test_a_bad_line_of_epss_is_a_bad_record(line: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadRecordError):
        read(tmp_path, b"cve,epss,percentile\n" + line + b"\n")


def test_vulnrichment_gives_a_rating_and_decision_points(tmp_path: Path) -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    official = {
        "dataType": "CVE_RECORD",
        "cveMetadata": {"cveId": "CVE-2024-1000"},
        "containers": {
            "adp": [
                {
                    "metrics": [
                        {"cvssV3_1": {"vectorString": vector}},
                        {
                            "other": {
                                "type": "ssvc",
                                "content": {
                                    "options": [
                                        {"Exploitation": "active"},
                                        {"Automatable": "yes"},
                                        {"Technical Impact": "total"},
                                    ]
                                },
                            }
                        },
                    ]
                }
            ]
        },
    }
    short = {"CVE-2024-1000": {"cvss": vector, "ssvc": ["active", "yes", "total"]}}
    for document in (official, short):
        signal, rating = read(tmp_path, as_json(document))
        assert isinstance(signal, Signal)
        assert "active,yes,total" == signal.text
        assert isinstance(rating, Advisory)
        assert (Severity.CRITICAL, ()) == (rating.rating.severity, rating.affected)


CPE = "cpe:2.3:a:openssl:openssl:*:*:*:*:*:*:*:*"
HARDWARE = "cpe:2.3:h:acme:router:*:*:*:*:*:*:*:*"


@pytest.mark.parametrize("is_api", [True, False])
def test_ranges_by_cpe_are_read_for_known_products(is_api: bool, tmp_path: Path) -> None:
    def match(criteria: str, **bounds: str) -> dict[str, Any]:
        return {"criteria": criteria, "vulnerable": True} | bounds

    matches = [
        match(CPE, versionStartIncluding="1.1.1", versionEndExcluding="1.1.1g"),
        match(CPE, versionStartExcluding="3.0", versionEndIncluding="3.0.2"),
        match(CPE),  # all versions, for ever: the source does not know
        match(HARDWARE, versionEndExcluding="9"),
    ]
    cve = {"id": "CVE-2024-1000", "configurations": [{"nodes": [{"cpeMatch": matches}]}]}
    document = (
        {"format": "NVD_CVE", "resultsPerPage": 1, "vulnerabilities": [{"cve": cve}]}
        if is_api
        else {"_annotation": {"cve_id": "CVE-2024-1000"}, "cve": cve}
    )
    found = read(tmp_path, as_json(document))
    affected = [
        version
        for version in ("1.1.0", "1.1.1", "1.1.1f", "1.1.1g", "3.0", "3.0.1", "3.0.2", "3.0.3")
        if is_affected(found, "CPE", "openssl:openssl", version)
    ]
    assert ["1.1.1", "1.1.1f", "3.0.1", "3.0.2"] == affected
    assert {"CPE"} == set(states(found))


@pytest.mark.parametrize(
    ("vulnerable", "patched", "inside", "outside"),
    [
        ("8.x || 7.x", "^8.1.4 || ^7.10.1", ["8.0.0", "8.1.3", "7.0.0"], ["8.1.4", "9.0.0"]),
        ("<= 4.2.1", "", ["0.1.0", "4.2.1"], ["4.2.2"]),
        ("18.x || 20.x", "^18.20.1 || ^20.12.1", ["18.20.0", "20.12.0"], ["18.20.1", "19.0.0"]),
    ],
)  # fmt: skip
def test_holes_of_node_are_read_by_line(
    vulnerable: str, patched: str, inside: list[str], outside: list[str], tmp_path: Path
) -> None:
    entry = {"cve": ["CVE-2024-1000"], "vulnerable": vulnerable, "patched": patched}
    found = read(tmp_path, as_json({"1": entry}))
    assert inside == [v for v in inside + outside if is_affected(found, "Node.js", "node", v)]


def test_ends_of_life_have_two_shapes(tmp_path: Path) -> None:
    short = {
        "debian": {
            "identifiers": [{"purl": "pkg:generic/debian"}, {"cpe": "cpe:/o:x:y"}],
            "releases": [
                {"releaseCycle": "9", "eol": "2020-07-18"},
                {"releaseCycle": "1", "eol": True},
            ],
        }
    }  # fmt: skip
    official = {
        "schema_version": "1.2.0",
        "result": [
            {
                "name": "debian",
                "identifiers": [{"type": "purl", "id": "pkg:generic/debian"}],
                "releases": [
                    {"name": "9", "eolFrom": "2020-07-18", "isEol": True},
                    {"name": "1", "isEol": True},
                ],
            }
        ],
    }
    for document in (short, official):
        nine, one = read(tmp_path, as_json(document))
        assert isinstance(nine, Lifecycle)
        assert isinstance(one, Lifecycle)
        assert ("9", "2020-07-18", ("pkg:generic/debian",)) == (nine.cycle, nine.ends, nine.names)
        assert ("1", "", True) == (one.cycle, one.ends, one.is_ended)


def tarred(body: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("v/openssl.json")
        entry.size = len(body)
        archive.addfile(entry, io.BytesIO(body))
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, tarred])
@pytest.mark.parametrize("name", ["x.csv", "x.zip", "x.json", "x"])
def test_a_file_is_what_its_bytes_say(pack: Any, name: str, tmp_path: Path) -> None:
    assert 3 == len(read(tmp_path, pack(as_json(SECDB)), name))


def test_a_folder_is_all_of_its_files(tmp_path: Path) -> None:
    for number in range(3):
        record = {"id": f"R-{number}", "modified": "x"}
        (tmp_path / f"{number}.json").write_bytes(as_json(record))
    assert ["R-0", "R-1", "R-2"] == [
        item.id for _, record in feed_files.records(tmp_path) if (item := record())
    ]  # type: ignore[union-attr]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_file_that_breaks_off_is_no_feed(pack: Any, tmp_path: Path) -> None:
    body = pack(as_json(SECDB) * 3)
    with pytest.raises((BadFeedError, BadRecordError)):
        read(tmp_path, body[:-20])


KEYS = st.sampled_from(
    (
        *("packages", "distroversion", "pkg", "name", "secfixes", "document", "csaf_version"),
        *("tracking", "vulnerabilities", "catalogVersion", "result", "schema_version", "releases"),
        *("CVE-2024-1000", "openssl", "1", "vulnerable", "patched", "fixed", "id", "product_tree"),
        *("branches", "product", "cve", "_annotation", "configurations", "format", "@context"),
        *("statements", "edge@2026-01-01"),
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200)
@given(JSON, st.binary(max_size=30))
def test_no_document_crashes_a_reader(value: object, garbage: bytes) -> None:
    from seawall.scan import formats

    for body in (as_json(value), garbage, b"<updates>" + garbage):
        try:
            found = list(formats.of_bytes(body, ""))
        except SeawallError:
            continue
        for _, record in found:
            try:
                record()
            except BadRecordError:
                continue


def test_refuses_a_catalogue_that_is_no_csv(tmp_path: Path) -> None:
    with pytest.raises((BadFeedError, BadRecordError)):
        read(tmp_path, KEV_CSV + b"CVE-2024-1,a\rb,c\n")
