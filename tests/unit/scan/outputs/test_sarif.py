"""SARIF as code scanning reads it."""

from __future__ import annotations

import json

import msgspec

from seawall.scan import outputs
from seawall.scan.outputs import sarif
from seawall.scan.severity import Severity
from seawall.testing import reports


def run(report=None):
    document = json.loads(sarif.write(report or reports.full(), outputs.Subject(name="a:1")))
    return document["runs"][0]


def fingerprints(report):
    return {one["partialFingerprints"][sarif.FINGERPRINT] for one in run(report)["results"]}


def test_one_rule_for_each_hole_and_every_result_finds_its_rule():
    found = run()
    rules = found["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(one["ruleId"] == rules[one["ruleIndex"]]["id"] for one in found["results"])
    assert 7 + 3 + 2 == len(found["results"])


def test_the_rank_lies_in_the_band_of_the_severity():
    by_id = {rule["id"]: rule for rule in run()["tool"]["driver"]["rules"]}
    rank = {key: float(rule["properties"]["security-severity"]) for key, rule in by_id.items()}
    assert 10.0 == rank["CVE-2021-44228"]
    assert 7.5 == rank["CVE-2024-1"]
    assert 4.0 <= rank["CVE-2024-2"] < 7.0
    assert 0 < rank["CVE-2024-3"] < 4.0, "the distribution's low wins over a score of 9.8"
    assert 7.0 <= rank["SW-2024-4"], "what nobody rated counts as high"


def test_results_are_the_same_after_a_rebuild():
    before = reports.full()
    news = {"version": "9", "layer": "sha256:0", "layer_index": 7, "severity": Severity.LOW}
    moved = [msgspec.structs.replace(one, **news) for one in before.findings]
    after = msgspec.structs.replace(before, findings=tuple(moved[::-1]))
    assert fingerprints(before) == fingerprints(after)
    assert 12 == len(fingerprints(before))


def test_what_was_answered_for_is_suppressed_with_its_reason():
    answers = {
        one["ruleId"]: one["suppressions"][0] for one in run()["results"] if "suppressions" in one
    }
    assert {"CVE-2024-5", "CVE-2024-6", "CVE-2024-7"} == set(answers)
    assert "alice until 2026-02-01" in answers["CVE-2024-6"]["justification"]


def test_a_partial_scan_is_no_success():
    assert not run()["invocations"][0]["executionSuccessful"]
    assert run(reports.clean())["invocations"][0]["executionSuccessful"]
    assert [] == run(reports.clean())["invocations"][0]["toolExecutionNotifications"]


def test_paths_are_relative_to_the_root_of_the_image():
    for one in run()["results"]:
        place = one["locations"][0]["physicalLocation"]["artifactLocation"]
        assert "ROOTFS" == place["uriBaseId"]
        assert not place["uri"].startswith("/")
        assert " " not in place["uri"]
