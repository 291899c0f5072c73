"""OSV records: what they mean, and that nothing in them crashes the reader."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from seawall.scan import advisory_ranges, osv, severity, versions
from seawall.scan.errors import BadRecordError
from seawall.scan.severity import Severity

PYPI = versions.ORDERS["PyPI"]


def record(**fields: Any) -> bytes:
    return json.dumps({"id": "PYSEC-2026-1", "modified": "2026-01-01T00:00:00Z"} | fields).encode()


def affected(*events: dict[str, str], name: str = "flask", **fields: Any) -> dict[str, Any]:
    return {
        "package": {"ecosystem": "PyPI", "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": list(events)}],
    } | fields


def hits(body: bytes, version: str) -> bool:
    key = PYPI.key(version)
    return any(
        interval.lo <= key < interval.hi
        for entry in osv.parse(body).affected
        for interval in entry.intervals
    )


@pytest.mark.parametrize(
    ("events", "inside", "outside"),
    [
        ([{"introduced": "0"}], ["0", "0.dev0", "99"], []),
        ([{"introduced": "0"}, {"fixed": "2"}], ["0.1", "1.9", "2rc1"], ["2", "2.1"]),
        ([{"introduced": "1"}, {"last_affected": "2"}], ["1", "2", "2+local"], ["0.9", "2.0.1"]),
        (
            [{"introduced": "3"}, {"fixed": "2"}, {"introduced": "1"}, {"fixed": "4"}],
            ["1", "1.5", "3"],
            ["0", "2", "2.5", "4"],
        ),
        (
            [{"introduced": "0"}, {"last_affected": "2"}, {"introduced": "2+x"}],
            ["2", "2+x", "3"],
            ["2+a"],
        ),
        ([{"introduced": "0"}, {"limit": "2"}], ["1"], ["2", "3"]),
        ([{"introduced": "0"}, {"limit": "2"}, {"limit": "3"}], ["2"], ["3"]),
        ([{"introduced": "0"}, {"limit": "*"}], ["9"], []),
        ([{"introduced": "2"}, {"fixed": "2"}], [], ["1", "2", "3"]),
        ([{"introduced": "2"}, {"last_affected": "2"}], ["2"], ["1", "3"]),
        (
            [{"introduced": "0"}, {"fixed": "2"}, {"introduced": "2"}, {"fixed": "3"}],
            ["1", "2"],
            ["3"],
        ),
        ([{"introduced": "0"}, {"fixed": "0"}], [], ["0.dev0", "0.1", "1"]),
    ],
)
def test_events_say_what_the_schema_says(
    events: list[dict[str, str]], inside: list[str], outside: list[str]
) -> None:
    body = record(affected=[affected(*events)])
    assert inside == [v for v in inside + outside if hits(body, v)]


def test_enumerated_versions_count_beside_ranges() -> None:
    entry = affected({"introduced": "0"}, {"fixed": "1"}, versions=["0.5", "3.0"])
    body = record(affected=[entry])
    assert [True, True, False] == [hits(body, v) for v in ("0.5", "3", "2")]
    assert 2 == len(osv.parse(body).affected[0].intervals)  # 0.5 is inside of the range


@pytest.mark.parametrize(
    ("bound", "inside"),
    [
        ("<= 2.0", ["1", "2.0"]),
        ("< 2.0", ["1"]),
        ("what?", ["1", "2.0", "3"]),
        (7, ["1", "2.0", "3"]),
    ],
)
def test_a_hole_without_fix_ends_where_github_last_knew_it(bound: Any, inside: list[str]) -> None:
    known = {"last_known_affected_version_range": bound}
    body = record(affected=[affected({"introduced": "0"}, database_specific=known)])
    assert inside == [v for v in ("1", "2.0", "3") if hits(body, v)]
    fixed = affected({"introduced": "0"}, {"fixed": "4"}, database_specific=known)
    assert hits(record(affected=[fixed]), "3")


def test_an_entry_with_commits_only_matches_nothing() -> None:
    commits = [{"type": "GIT", "repo": "https://x", "events": [{"introduced": "0"}]}]
    assert not hits(record(affected=[affected() | {"ranges": commits}]), "1")
    assert () == osv.parse(record(affected=[{"ranges": commits}])).affected
    assert () == osv.parse(record()).affected


def test_names_are_normalised_and_suffixes_kept() -> None:
    assert (
        "zope-interface"
        == osv.parse(record(affected=[affected({"introduced": "0"}, name="Zope.Interface")]))
        .affected[0]
        .package
    )
    debian = affected({"introduced": "0"}) | {
        "package": {"ecosystem": "Debian:12", "name": "openssl"}
    }
    assert "Debian:12" == osv.parse(record(affected=[debian])).affected[0].ecosystem


def test_other_ecosystems_are_kept_without_ranges() -> None:
    entry = affected({"introduced": "0"}) | {"package": {"ecosystem": "ConanCenter", "name": "x"}}
    assert () == osv.parse(record(affected=[entry])).affected[0].intervals


def test_a_withdrawal_is_seen() -> None:
    assert osv.parse(record(withdrawn="2026-01-01T00:00:00Z")).is_withdrawn
    assert not osv.parse(record(withdrawn=None)).is_withdrawn


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Severity.UNKNOWN),
        ({"database_specific": {"severity": "MODERATE"}}, Severity.MEDIUM),
        ({"database_specific": {"severity": ["x"]}}, Severity.UNKNOWN),
        ({"database_specific": "text"}, Severity.UNKNOWN),
        (
            {"severity": [{"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:C/I:C/A:C"}]},
            Severity.HIGH,
        ),
        (
            {
                "severity": [
                    {"type": "CVSS_V4", "score": "CVSS:4.0/AV:P"},
                    {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
                ]
            },
            Severity.CRITICAL,
        ),
    ],
)
def test_severity_comes_from_word_or_vector(fields: dict[str, Any], expected: Severity) -> None:
    assert expected is osv.parse(record(**fields)).rating.severity


@pytest.mark.parametrize(
    ("urgency", "expected"),
    [
        ("unimportant", Severity.NEGLIGIBLE),
        ("low**", Severity.LOW),
        ("high", Severity.HIGH),
        ("not yet assigned", Severity.UNKNOWN),
    ],
)
def test_the_distributions_urgency_is_kept_per_package(urgency: str, expected: Severity) -> None:
    entry = affected({"introduced": "0"}, ecosystem_specific={"urgency": urgency})
    assert expected is osv.parse(record(affected=[entry])).affected[0].rating.severity


# Scores as published by NVD for CVE-2014-0160 (v2), -2021-44228, -2014-6271, -2017-5754.
@pytest.mark.parametrize(
    ("vector", "score"),
    [
        ("AV:N/AC:L/Au:N/C:P/I:N/A:N", 5.0),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:C/C:H/I:N/A:N", 5.6),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
    ],
)
def test_scores_follow_the_formula(vector: str, score: float) -> None:
    assert score == severity.of_vector(vector).score


def test_a_version_4_vector_is_an_estimate_and_says_so() -> None:
    rating = severity.of_vector("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N")
    assert (Severity.CRITICAL, None) == (rating.severity, rating.score)
    assert "estimated" in rating.source


@given(st.text(max_size=60) | st.from_regex(r"CVSS:(3\.1|4\.0)(/[A-Z]{1,2}:[A-Z]){0,12}"))
def test_no_vector_crashes(text: str) -> None:
    assert severity.of_vector(text).severity in Severity


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"id": 1}',
        b'{"id": "A-1", "id": "A-2"}',
        b'{"id": "A-1", "affected": {}}',
        record(id="a\x1b[31m"),
        record(id="x" * 500),
        record(aliases=["two words"]),
        record(affected=[affected({"fixed": "1"})]),
        record(affected=[affected({"introduced": "0", "fixed": "1"})]),
        record(affected=[affected({})]),
        record(affected=[affected({"introduced": "0"}) | {"ranges": [{"type": "?"}]}]),
        record(affected=[affected({"introduced": "x" * 300})]),
        b"[" * 100_000,
    ],
)
def test_refuses_record_that_is_not_osv(body: bytes) -> None:
    with pytest.raises(BadRecordError):
        osv.parse(body)


def test_a_summary_is_one_bounded_line_without_control_characters() -> None:
    summary = osv.parse(record(summary="a\x1b[2J\n\u202eb " + "x" * 10_000)).summary
    assert len(summary) <= osv.SUMMARY_MAX_CHARS
    assert summary.startswith("a [2J b x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "affected", "ranges", "events", "package", "name", "versions", "severity"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_crash_the_reader(body: bytes) -> None:
    with contextlib.suppress(BadRecordError):
        osv.parse(body)


@settings(max_examples=300)
@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("aliases", "upstream", "withdrawn", "summary", "severity", "affected"), JSON
        ),
    )
)
def test_no_field_crashes_the_reader(fields: dict[str, Any]) -> None:
    with contextlib.suppress(BadRecordError):
        osv.parse(record(**fields))


VERSIONS = st.integers(0, 9).map(str)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["introduced", "fixed", "last_affected"]), VERSIONS),
    min_size=1,
    max_size=6,
    unique_by=lambda event: event[1],
)


def naive(events: list[tuple[str, str]], version: int) -> bool:
    """The schema's own pseudo-code, on whole numbers."""
    is_affected = False
    for kind, text in sorted(events, key=lambda event: int(event[1])):
        if kind == "introduced" and version >= int(text):
            is_affected = True
        elif (kind == "fixed" and version >= int(text)) or (
            kind == "last_affected" and version > int(text)
        ):
            is_affected = False
    return is_affected


@settings(max_examples=500)
@given(EVENTS)
def test_intervals_agree_with_the_schemas_own_algorithm(events: list[tuple[str, str]]) -> None:
    if not any(kind == "introduced" for kind, _ in events):
        with pytest.raises(BadRecordError):
            advisory_ranges.intervals(PYPI, events)
        return
    found = advisory_ranges.intervals(PYPI, events)
    for version in range(12):
        key = PYPI.key(str(version))
        inside = any(interval.lo <= key < interval.hi for interval in found)
        assert naive(events, version) is inside, version


@given(EVENTS, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(events: list[tuple[str, str]], random: Any) -> None:
    whole = [("introduced", "0"), *events]
    shuffled = list(whole)
    random.shuffle(shuffled)
    assert advisory_ranges.intervals(PYPI, whole) == advisory_ranges.intervals(PYPI, shuffled)


@given(EVENTS)
def test_intervals_are_disjoint_and_in_order(events: list[tuple[str, str]]) -> None:
    found = advisory_ranges.intervals(PYPI, [("introduced", "0"), *events])
    edges = [edge for interval in found for edge in (interval.lo, interval.hi)]
    assert sorted(set(edges)) == edges


def test_every_real_debian_fix_ends_its_finding(shared: Path) -> None:
    order = versions.ORDERS["Debian"]
    body = zstd.decompress((shared / "data/feeds/Debian-changelog.osv.jsonl.zst").read_bytes())
    for line in body.splitlines():
        (interval,) = osv.parse(line).affected[0].intervals
        assert not interval.lo <= order.key(interval.fixed) < interval.hi
        assert interval.lo <= order.key(interval.fixed + "~") < interval.hi
