"""What every output format promises: reproducible, whole, and safe against hostile names."""

from __future__ import annotations

import html.parser
import json
import re
import unicodedata
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError
from seawall.scan import outputs
from seawall.scan.outputs import _words
from seawall.testing import reports

SUBJECT = outputs.Subject(
    name="registry.example/team/App:1", commit="a" * 40, ref="refs/heads/main"
)
NAMES = sorted(outputs.FORMATS)
JSON_NAMES = sorted(set(NAMES) - {"table", "html", "markdown", "junit"})


def written(name: str, report=None, subject=SUBJECT) -> str:
    return outputs.FORMATS[name].write(report or reports.full(), subject).decode()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_report_gives_the_same_bytes(name):
    assert written(name) == written(name)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"github"}))
def test_every_finding_is_there(name):
    document = written(name)
    for finding in reports.full().findings:
        shown = finding.id.replace("-", "\\-") if finding.id not in document else finding.id
        assert shown in document or (name in ("spdx",) and not _words.address_of(finding.id))


@pytest.mark.parametrize("name", JSON_NAMES)
def test_json_stays_json_with_hostile_names(name):
    json.loads(written(name, reports.hostile()))


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.links += [value for key, value in attrs if key in ("href", "src")]
        assert not any(key.startswith("on") for key, _ in attrs)


def test_the_page_has_no_tags_but_its_own():
    good, bad = Tags(), Tags()
    good.feed(written("html"))
    bad.feed(written("html", reports.hostile()))
    assert bad.seen <= good.seen
    assert not {"script", "img", "iframe", "form", "object"} & good.seen
    assert bad.links == []
    assert all(link.startswith("https://") for link in good.links)
    assert "{{" not in written("html", reports.clean())


def test_the_page_loads_nothing():
    page = written("html")
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|<link|<img|<script", page)


def test_xml_stays_xml_with_hostile_names():
    for report in (reports.full(), reports.hostile()):
        ET.fromstring(written("junit", report))


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60))
def test_xml_stays_xml_with_any_name(text):
    ET.fromstring(written("junit", reports.hostile(text)))


@pytest.mark.parametrize("name", ["table", "markdown", "html", "junit"])
def test_no_text_moves_the_cursor_or_turns_a_line(name):
    for line in written(name, reports.hostile()).splitlines():
        odd = {c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
        assert set() == odd


def test_markdown_makes_no_link_and_no_mention_of_hostile_names():
    page = written("markdown", reports.hostile())
    assert not re.search(r"(?<!\\)\]\(", page)
    assert "<script" not in page
    assert "@root" not in page
    assert not re.search(r"(?<!\\)`[^s]", page.replace(f"`{reports.IMAGE}`", ""))
    rows = [line for line in page.splitlines() if line.startswith("|")]
    counts = {len(re.findall(r"(?<!\\)\|", line)) for line in rows}
    assert counts <= {4, 5, 6, 7}


def test_junit_counts_what_it_holds():
    root = ET.fromstring(written("junit"))
    assert "10" == root.get("failures")  # seven findings, two weaknesses, support that ended
    assert "3" == root.get("skipped")
    assert "2" == root.get("errors")
    assert len(root.findall(".//failure")) == 10
    clean = ET.fromstring(written("junit", reports.clean()))
    assert ("0", "0") == (clean.get("failures"), clean.get("errors"))


def test_a_snapshot_for_github_needs_a_commit():
    for subject in (
        outputs.Subject(name="a"),
        outputs.Subject(name="a", commit="a" * 40),
        outputs.Subject(name="a", commit="main", ref="refs/heads/main"),
        outputs.Subject(name="a", commit="a" * 40, ref="main"),
    ):
        with pytest.raises(InvalidInputError, match="belongs to a commit"):
            written("github", subject=subject)
    document = json.loads(written("github"))
    resolved = [one for m in document["manifests"].values() for one in m["resolved"].values()]
    assert {c.purl for c in reports.full().inventory.components} == {
        one["package_url"] for one in resolved
    }


def test_gitlab_keeps_old_findings_when_not_all_was_judged():
    assert "failure" == json.loads(written("gitlab"))["scan"]["status"]
    assert "success" == json.loads(written("gitlab", reports.clean()))["scan"]["status"]


def test_gitlab_knows_each_hole_of_a_package_once():
    found = json.loads(written("gitlab"))["vulnerabilities"]
    assert 6 == len(found) == len({one["id"] for one in found})
    assert {"Critical", "High", "Medium", "Low", "Unknown"} == {one["severity"] for one in found}


def test_openvex_says_again_what_was_answered_and_nothing_more():
    by_id = {
        one["vulnerability"]["name"]: one for one in json.loads(written("openvex"))["statements"]
    }
    assert "not_affected" == by_id["CVE-2024-5"]["status"]
    assert "vulnerable_code_not_in_execute_path" == by_id["CVE-2024-5"]["justification"]
    assert "fixed" == by_id["CVE-2024-7"]["status"]
    assert "affected" == by_id["CVE-2024-6"]["status"], "a waiver is no proof"
    assert "under_investigation" == by_id["CVE-2024-1"]["status"]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("/etc/passwd", "etc/passwd"),
        ("/a b/ü#?x%", "a%20b/%C3%BC%23%3Fx%25"),
        ("/../../etc/x", "etc/x"),
        ("//host/x", "host/x"),
        ("", "image"),
        ("/javascript:alert(1)", "javascript%3Aalert(1)"),
    ],
)
def test_paths_become_relative_uris(path, uri):
    assert uri == _words.without_host(path)


@given(st.text())
def test_plain_text_is_printable(text):
    shown = _words.plain(text)
    assert shown.isprintable() or not shown.isascii()
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") for c in shown)
    assert _words.plain(shown) == shown
