"""Who may push, or name a package, tries to make a report say something else (docs/threats.md)."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import msgspec
import pytest

from seawall.scan import outputs, secrets, vex
from seawall.scan.vex import documents
from seawall.testing import reports

SUBJECT = outputs.Subject(name="registry.example/team/app:1", commit="a" * 40, ref="refs/heads/x")
PAYLOADS = [
    reports.HOSTILE,
    "</style><script>x</script>",
    "]]><x/>",
    "|a|b|\n|-|-|\n|c|d|",
    "[x](javascript:x)",
    "![x](http://evil.example/x)",
    "\u202e3.0-nepo\u202c",
    "\x1b[2J\x1b]0;x\x07",
    '","state":"resolved","x":"',
    "CVE-2021-44228\x00",
    "\u200bzero\u200dwidth",
]


@pytest.mark.parametrize("text", PAYLOADS, ids=range(len(PAYLOADS)))
def test_refuses_to_let_a_package_name_write_the_report(text: str) -> None:
    report = reports.hostile(text)
    page = outputs.FORMATS["html"].write(report, SUBJECT).decode()
    assert not re.search(r"<(script|img|x|style></style)\b", page)
    assert 1 == page.count("<style>")
    ET.fromstring(outputs.FORMATS["junit"].write(report, SUBJECT))
    markdown = outputs.FORMATS["markdown"].write(report, SUBJECT).decode()
    assert not re.search(r"(?<!\\)\]\((?!https://)", markdown)
    for name in ("sarif", "cyclonedx", "spdx", "spdx3", "gitlab", "github", "openvex"):
        json.loads(outputs.FORMATS[name].write(report, SUBJECT))
    table = outputs.FORMATS["table"].write(report, SUBJECT).decode()
    assert all(line.isprintable() for line in table.splitlines())


def test_refuses_to_hide_a_finding_behind_one_of_the_same_name() -> None:
    """Two packages of one name at two places are two components and two findings."""
    first, second = reports.in_python("/a"), reports.in_python("/b")
    found = (reports.finding("CVE-1", first), reports.finding("CVE-1", second))
    report = msgspec.structs.replace(reports.full(), findings=found)
    for name in ("sarif", "junit", "html"):
        text = outputs.FORMATS[name].write(report, SUBJECT).decode()
        assert 2 <= text.count("CVE-1")
    document = json.loads(outputs.FORMATS["cyclonedx"].write(report, SUBJECT))
    assert 2 == len(document["vulnerabilities"][0]["affects"])


@pytest.mark.parametrize(
    "product",
    [
        "pkg:oci/app@sha256:" + "0" * 64,
        "pkg:oci/*",
        "pkg:oci/",
        "*",
        "",
        "pkg:deb/debian/*",
        "pkg:deb/debian/libssl",
        "pkg:deb/debian/libssl3/../x",
        "registry.example/team",
        "registry.example/team/app/x:1",
        "evil.example/registry.example/team/app:1",
    ],
)
def test_refuses_a_statement_that_is_not_plainly_about_the_image(product: str) -> None:
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "author": "x",
        "statements": [
            {"vulnerability": {"name": one.id}, "products": [{"@id": product}], "status": "fixed"}
            for one in reports.full().findings
        ],
    }
    read = documents.parse(json.dumps(document).encode())
    applied = vex.apply(reports.full(), [read], names=(SUBJECT.name,))
    assert reports.full().findings == applied.findings


def test_refuses_a_statement_from_the_future_over_a_narrower_one() -> None:
    def said(product: str, status: str, at: str) -> vex.Document:
        statement = {
            "vulnerability": {"name": "CVE-2024-2"},
            "products": [{"@id": product}],
            "status": status,
            "timestamp": at,
        }
        document = {
            "@context": "https://openvex.dev/ns/v0.2.0", "author": at, "statements": [statement],
        }  # fmt: skip
        return documents.parse(json.dumps(document).encode())

    narrow = said(f"pkg:oci/app@{reports.IMAGE}", "affected", "2020-01-01T00:00:00Z")
    broad = said("pkg:oci/app", "not_affected", "2999-01-01T00:00:00Z")
    applied = vex.apply(reports.full(), [broad, narrow], names=(SUBJECT.name,))
    assert 2 == sum(one.id == "CVE-2024-2" for one in applied.findings)


def test_refuses_to_print_a_secret_that_it_found() -> None:
    token = "glpat-" + "aB3dE6gH9jK2mN5pQ8sT"
    (found,) = secrets.find(f"token: {token}".encode(), "/app/x")
    inventory = msgspec.structs.replace(reports.full().inventory, weaknesses=(found,))
    report = msgspec.structs.replace(reports.full(), inventory=inventory)
    for name, form in outputs.FORMATS.items():
        assert token[6:12] not in form.write(report, SUBJECT).decode(), name
