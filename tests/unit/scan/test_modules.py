"""Module streams: each compared with itself, and no bug fix taken for a hole."""

from __future__ import annotations

import json

import pytest

from seawall.scan import osv, versions
from seawall.scan.advisory_model import Advisory

ORDER = versions.ORDERS["AlmaLinux"]


def advisory(title: str, *fixes: str, name: str = "ALSA-2024:1") -> Advisory:
    affected = [
        {
            "package": {"ecosystem": "AlmaLinux:8", "name": "nodejs"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
        }
        for fixed in fixes
    ]
    record = {"id": name, "summary": title, "related": ["CVE-2024-0001"], "affected": affected}
    return osv.parse(json.dumps(record).encode())


def is_affected(found: Advisory, version: str) -> bool:
    key = ORDER.key(version)
    return any(s.lo <= key < s.hi for one in found.affected for s in one.intervals)


def test_the_title_names_the_stream() -> None:
    found = advisory("Important: nodejs:18 security update", "1:18.2-1.module_el8.9.0+1+aa")
    assert {"nodejs:18"} == {affected.module for affected in found.affected}


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ("1:16.1-1.module_el8.5.0+1+aa", True),
        ("1:16.2-1.module_el8.5.0+1+aa", False),
        ("1:16.3-1.module_el8.5.0+1+aa", False),  # below 18's fix, and of another line
        ("1:18.1-1.module_el8.5.0+1+aa", True),
        ("1:18.2-1.module_el8.5.0+1+aa", False),
    ],
)
def test_lines_are_taken_apart_where_no_stream_is_named(installed: str, expected: bool) -> None:
    found = advisory(
        "Important: nodejs security update",
        "1:18.2-1.module_el8.5.0+1+aa",
        "1:16.2-1.module_el8.5.0+1+aa",
    )
    assert expected is is_affected(found, installed)


def test_of_builds_of_one_version_the_lowest_counts() -> None:
    found = advisory(
        "container-tools security update",
        "1:0.1-2.module_el8.5.0+119+9a",
        "1:0.1-2.module_el8.3.0+2044+12",
    )
    assert not is_affected(found, "1:0.1-2.module_el8.3.0+2044+12")
    assert is_affected(found, "1:0.1-1.module_el8.5.0+119+9a")


@pytest.mark.parametrize("name", ["ALBA-2024:1", "ALEA-2024:1"])
def test_bug_fixes_and_enhancements_are_no_holes(name: str) -> None:
    assert () == advisory("nodejs bug fix update", "1:18.2-1.el8", name=name).affected


def test_older_records_name_their_holes_as_related() -> None:
    assert ("CVE-2024-0001",) == advisory("Important: x", "1-1.el8").upstream
