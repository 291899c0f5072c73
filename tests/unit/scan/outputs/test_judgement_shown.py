"""What ranks a finding is in every output that has a place for it, and says the same."""

from __future__ import annotations

import html
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable

import msgspec
import pytest

from seawall.scan import outputs, report_words
from seawall.scan.advisory_model import State
from seawall.scan.outputs import difference, table
from seawall.scan.report_model import EndOfLife, Report
from seawall.testing import reports

SUBJECT = outputs.Subject(name="registry.example/team/app:1")
EXPLOITED = "exploited since 2021-12-10, by ransomware"
ANSWERED = "3 answered for: 1 fixed, 1 not affected, 1 waived"


def written(name: str, report: Report | None = None) -> str:
    text = outputs.FORMATS[name].write(report or reports.full(), SUBJECT).decode()
    return html.unescape(text).replace("\\", "") if name in ("markdown", "html") else text


def values(document: object) -> Iterable[object]:
    if isinstance(document, dict):
        for one in document.values():
            yield from values(one)
    elif isinstance(document, list):
        for one in document:
            yield from values(one)
    else:
        yield document


@pytest.mark.parametrize("name", ["table", "markdown", "html", "junit", "gitlab", "spdx3"])
def test_exploited_ones_say_since_when_and_by_whom(name: str) -> None:
    assert EXPLOITED in written(name)
    calm = [msgspec.structs.replace(f, exploited_since="") for f in reports.full().findings]
    quiet = msgspec.structs.replace(reports.full(), findings=tuple(calm))
    assert "exploited since" not in written(name, quiet)


@pytest.mark.parametrize("name", ["sarif", "cyclonedx"])
def test_signals_are_properties(name: str) -> None:
    found = {str(one) for one in values(json.loads(written(name)))}
    assert {"2021-12-10", "0.99987", "ignored", "started", "loadable"} <= found
    assert "/usr/sbin/nginx → /usr/lib/libssl.so.3" in found
    assert "yes" in found, "ransomware"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("table", "94.0% p99"),
        ("markdown", "94.0 %, 99.9"),
        ("html", "EPSS 94.0 %, percentile 99.9"),
        ("junit", "EPSS 94.0 %, percentile 99.9"),
        ("gitlab", "EPSS 94.0 %, percentile 99.9"),
        ("table", "1 run at start, 1 can be loaded, 5 unknown"),
        ("table", " loadable "),
        ("markdown", "(can be loaded)"),
        ("html", "can be loaded: /usr/bin/java → /opt/app.jar"),
        ("junit", "can be loaded: /usr/bin/java → /opt/app.jar"),
        ("gitlab", "runs at start: /usr/sbin/nginx → /usr/lib/libssl.so.3"),
        ("spdx3", "runs at start: /usr/sbin/nginx → /usr/lib/libssl.so.3"),
        ("table", "won't fix"),
        ("markdown", "will not be fixed"),
        ("html", "will not be fixed"),
        ("junit", "ignored: will not be fixed"),
        ("gitlab", "will not be fixed"),
        ("spdx3", "ignored: will not be fixed"),
        ("table", "CRITICAL (1), rated by CVSS:3.1 1"),
        ("markdown", "critical (CVSS:3.1, 10.0)"),
        ("html", "by CVSS:3.1, 10.0"),
        ("junit", "rated critical by CVSS:3.1, 10.0"),
        ("sarif", "CVSS:3.1, 10.0"),
        ("spdx3", "rated critical by CVSS:3.1, 10.0"),
    ],
)
def test_what_ranks_a_finding_is_shown(name: str, text: str) -> None:
    assert text in written(name)


@pytest.mark.parametrize(
    "name", ["table", "markdown", "html", "junit", "gitlab", "sarif", "cyclonedx", "spdx3"]
)
def test_the_end_of_support_is_told(name: str) -> None:
    text = written(name).lower()
    assert "support of debian 12 ended 2025-12-01" in text
    assert "support of busybox 1.36 ends 2026-02-01" in text
    assert "support of" not in written(name, reports.clean()).lower()


@pytest.mark.parametrize("name", ["table", "markdown", "html", "gitlab", "cyclonedx"])
def test_what_is_answered_for_is_counted_apart(name: str) -> None:
    assert ANSWERED in " ".join(written(name).split())
    assert "answered for" not in written(name, reports.clean())


def test_a_report_with_answers_only_has_no_finding_and_hides_none() -> None:
    report = msgspec.structs.replace(reports.full(), findings=())
    counts = f"no findings in 6 components; {ANSWERED}"
    assert counts == table.counts(report)
    assert "CVE-2024-5" in written("table", report)
    assert "No open findings" in written("html", report)


@pytest.mark.parametrize("make", [reports.full, reports.hostile, reports.clean])
def test_no_line_about_findings_is_wider_than_the_terminal(make) -> None:
    lines = list(table.lines(make()))
    shown = lines[: next((n for n, line in enumerate(lines) if "secret:" in line), len(lines))]
    assert {True} == {len(line) <= table.LINE_MAX_CHARS for line in shown}
    long = [
        msgspec.structs.replace(f, name="n" * 90, version="v" * 90, fixed_version="f" * 90)
        for f in reports.full().findings
    ]
    wide = msgspec.structs.replace(reports.full(), findings=tuple(long))
    first = next(line for line in table.lines(wide) if "CVE-2021-44228" in line)
    assert len(first) <= table.LINE_MAX_CHARS
    assert {"n", "v", "f"} <= set(first), "each column keeps something"
    assert "94.0% p99" in first


def test_spdx_3_has_the_assessments_of_its_security_profile() -> None:
    graph = json.loads(written("spdx3"))["@graph"]
    by_type = {one["type"]: one for one in graph}
    epss = by_type["security_EpssVulnAssessmentRelationship"]
    assert (0.94, 0.99987) == (epss["security_probability"], epss["security_percentile"])
    listed = by_type["security_ExploitCatalogVulnAssessmentRelationship"]
    assert ("kev", True, "2021-12-10T00:00:00Z") == (
        listed["security_catalogType"],
        listed["security_exploited"],
        listed["security_publishedTime"],
    )
    levels = {one["name"]: one["supportLevel"] for one in graph if "supportLevel" in one}
    assert {"debian": ["endOfSupport"], "busybox": ["limitedSupport"]} == levels


def test_cyclonedx_has_the_likelihood_as_a_rating() -> None:
    found = {v["id"]: v["ratings"] for v in json.loads(written("cyclonedx"))["vulnerabilities"]}
    assert ["CVSS:3.1", "EPSS"] == [one["source"]["name"] for one in found["CVE-2021-44228"]]
    assert (0.94, "other") == (
        found["CVE-2021-44228"][1]["score"],
        found["CVE-2021-44228"][1]["method"],
    )
    assert 1 == len(found["CVE-2024-1"])


def test_a_product_without_support_is_a_failed_test() -> None:
    def failures(report: Report) -> list[str]:
        root = ET.fromstring(written("junit", report))
        return [str(one.get("type")) for one in root.iter("failure")]

    assert "end-of-life" in failures(reports.full())
    soon = [one for one in reports.full().end_of_life if not one.is_over]
    assert "end-of-life" not in failures(
        msgspec.structs.replace(reports.full(), end_of_life=tuple(soon))
    )


def test_news_about_a_finding_is_a_difference() -> None:
    from seawall.scan import differences

    after = reports.full()
    before = msgspec.structs.replace(
        after,
        findings=tuple(
            msgspec.structs.replace(one, exploited_since="", state=State.PLAIN)
            for one in after.findings
        ),
    )
    found = differences.between(before, after)
    changed = {one.after.id: one.fields for one in found.changed}
    assert {"CVE-2021-44228": ("exploited_since",), "CVE-2024-3": ("state",)} == changed
    new = "\n".join(difference.lines(differences.between(reports.clean(), after)))
    assert EXPLOITED in new
    assert "no fix: will not be fixed" in new


@pytest.mark.parametrize(
    ("share", "text"), [(0.94, "94.0"), (0.0004, "0.04"), (0.0, "0.00"), (1.0, "100.0")]
)
def test_probabilities_are_percents(share: float, text: str) -> None:
    assert text == report_words.percent(share)


@pytest.mark.parametrize(
    ("value", "text"), [(99.99, "99.9"), (100.0, "100.0"), (0.05, "0.0"), (97.4, "97.4")]
)
def test_no_percentile_is_rounded_up(value: float, text: str) -> None:
    assert text == report_words.floored(value)


def test_support_without_a_day_is_over() -> None:
    ended = EndOfLife(product="x", cycle="1", ends="", is_over=True)
    assert "support of x 1 is over" == report_words.support(ended)
