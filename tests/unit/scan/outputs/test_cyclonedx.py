"""The bill of materials is valid, complete and reproducible."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from seawall.core.errors import InvalidInputError
from seawall.scan import outputs
from seawall.scan.outputs import cyclonedx
from seawall.testing import reports

SUBJECT = outputs.Subject(name="registry.example/team/App:1")


def made(**changes: Any) -> dict[str, Any]:
    report = msgspec.structs.replace(reports.full(), **changes)
    document: dict[str, Any] = json.loads(cyclonedx.write(report, SUBJECT))
    return document


def test_names_the_image_by_its_digest() -> None:
    subject = made()["metadata"]["component"]
    assert f"pkg:oci/app@{reports.IMAGE}" == subject["purl"]
    assert [{"alg": "SHA-256", "content": reports.IMAGE[7:]}] == subject["hashes"]
    assert reports.SCANNED_AT == made()["metadata"]["timestamp"]


def by_name() -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in made()["components"]}


def test_every_component_is_there_with_its_layer() -> None:
    assert 8 == len(made()["components"]), "the system, two of jinja2, a file without a package"
    properties = {p["name"]: p["value"] for p in by_name()["libssl3"]["properties"]}
    assert reports.LAYERS[0] == properties["seawall:layer"]
    assert "openssl" == properties["seawall:source-name"]
    assert reports.LIBSSL == by_name()["libssl3"]["purl"]


def test_a_program_known_by_its_bytes_says_why_it_is_believed() -> None:
    identity = by_name()["busybox"]["evidence"]["identity"]
    assert 1.0 == identity["confidence"]
    assert ["hash-comparison", "binary-analysis"] == [m["technique"] for m in identity["methods"]]


def test_members_of_archives_say_where_they_are() -> None:
    (place,) = by_name()["org.apache.logging.log4j:log4j-core"]["evidence"]["occurrences"]
    assert "/opt/app.jar!BOOT-INF/lib/log4j-core-2.12.1.jar" == place["location"]


def test_references_are_unique_and_every_one_leads_to_a_component() -> None:
    document = made()
    references = [c["bom-ref"] for c in document["components"]]
    references += [v["bom-ref"] for v in document["vulnerabilities"]]
    assert len(set(references)) == len(references)
    affected = [a["ref"] for v in document["vulnerabilities"] for a in v["affects"]]
    assert 7 + 3 == len(affected)
    assert set(affected) <= set(references)


def test_one_hole_in_two_places_is_one_vulnerability() -> None:
    found = {v["id"]: v for v in made()["vulnerabilities"]}
    assert 2 == len(found["CVE-2024-1"]["affects"])
    assert "Update jinja2 to 3.1.4." == found["CVE-2024-1"]["recommendation"]
    assert "recommendation" not in found["CVE-2024-3"]


def test_what_was_answered_for_stays_with_its_analysis() -> None:
    found = {v["id"]: v["analysis"] for v in made()["vulnerabilities"] if "analysis" in v}
    assert ("not_affected", "code_not_reachable") == (
        found["CVE-2024-5"]["state"],
        found["CVE-2024-5"]["justification"],
    )
    assert "exploitable" == found["CVE-2024-6"]["state"], "a waiver is no proof"
    assert "resolved" == found["CVE-2024-7"]["state"]


def test_what_is_partial_says_so() -> None:
    assert "incomplete" == made()["compositions"][0]["aggregate"]
    notices = {p["name"]: p["value"] for p in made()["metadata"]["properties"]}
    assert "stopped" == notices["seawall:notice:limit"]


def test_same_image_same_bytes_whatever_the_order_of_findings() -> None:
    assert made() == made(findings=reports.full().findings[::-1])
    later = made(scanned_at="2026-01-02T12:00:00.000000Z")
    assert made()["serialNumber"] == later["serialNumber"]
    assert made()["serialNumber"] != made(findings=())["serialNumber"]


def test_refuses_an_image_without_a_digest() -> None:
    with pytest.raises(InvalidInputError):
        made(digest="latest")
