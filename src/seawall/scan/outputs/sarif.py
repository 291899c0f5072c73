"""SARIF 2.1.0 (OASIS), in the profile that code scanning services read.

One rule for each hole, one result for each component that has it; secrets and mistakes in the
configuration are rules of their own. Services tell results apart by `partialFingerprints`: ours
hold the id, the package and the place, and no version and no layer, so that a result that was
looked at is not opened again by a rebuild. They rank by `security-severity`, a number as a text.
What somebody answers for is there with its `suppressions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import seawall
from seawall.core import strictjson
from seawall.core.strictjson import Json
from seawall.scan import report_words
from seawall.scan.model import Weakness, WeaknessKind
from seawall.scan.outputs import Subject, _words
from seawall.scan.report_model import Finding, Report, Suppressed
from seawall.scan.severity import Severity

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT: Final = "ROOTFS"
"""What paths are relative to: the root directory of the image."""

FINGERPRINT: Final = "seawallFinding/v1"
_LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.UNKNOWN: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.NEGLIGIBLE: "note",
}


def write(report: Report, subject: Subject) -> bytes:
    """Return the log of one run."""
    answered = [one.finding for one in report.suppressed]
    holes = _by_id([*report.findings, *answered])
    weak = _by_rule(report.inventory.weaknesses)
    rules = [*(_rule(group) for group in holes), *(_weakness_rule(group) for group in weak)]
    places = {rule["id"]: number for number, rule in enumerate(rules)}
    results = [_result(one, places) for one in report.findings]
    results += [_suppressed_result(one, places) for one in report.suppressed]
    results += [_weakness_result(one, places) for group in weak for one in group]
    run: dict[str, Json] = {
        "tool": {
            "driver": {
                "name": "Seawall",
                "version": report.scanner_version or seawall.__version__,
                "rules": [*rules],
            }
        },
        "automationDetails": {"id": f"seawall/{_words.plain(subject.name)}/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the image."}}},
        "invocations": [_invocation(report)],
        "properties": {
            "imageName": _words.plain(subject.name),
            "imageDigest": report.digest,
            "unjudgedComponents": report.unjudged,
            "answeredFindings": len(report.suppressed),
            "endOfLife": [*_words.doubts_of(report)],
        },
        "results": [*results],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return strictjson.encode(document)


def _by_id(findings: Iterable[Finding]) -> list[list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.id, []).append(finding)
    return [sorted(groups[key], key=lambda one: -_words.score_of(one)) for key in sorted(groups)]


def _by_rule(found: Sequence[Weakness]) -> list[list[Weakness]]:
    groups: dict[str, list[Weakness]] = {}
    for one in found:
        groups.setdefault(one.rule, []).append(one)
    return [
        sorted(groups[key], key=lambda one: (one.path, one.line, one.evidence))
        for key in sorted(groups)
    ]


def _rule(group: Sequence[Finding]) -> dict[str, Json]:
    worst = group[0]
    title = _words.plain(worst.summary, max_chars=200) or f"{worst.id} in {worst.package}"
    packages = sorted({finding.package for finding in group})
    fixes = sorted({_words.advice_in_one_line(one) for one in group})
    text = f"{_words.plain(worst.summary) or worst.id} {' '.join(fixes)}"
    rule: dict[str, Json] = {
        "id": _words.plain(worst.id),
        "name": "KnownVulnerability",
        "shortDescription": {"text": f"{worst.id}: {_words.plain(', '.join(packages))}"},
        "fullDescription": {"text": title},
        "help": {"text": text},
        "defaultConfiguration": {"level": _LEVELS[worst.severity]},
        "properties": {
            "security-severity": f"{_words.score_of(worst):.1f}",
            "precision": "very-high",
            "tags": [
                "security",
                "vulnerability",
                worst.severity.value,
                *(["known-exploited"] if any(one.is_known_exploited for one in group) else []),
            ],
        },
    }
    if address := _words.address_of(worst.id):
        rule["helpUri"] = address
    return rule


def _weakness_rule(group: Sequence[Weakness]) -> dict[str, Json]:
    worst = max(group, key=lambda one: one.severity.rank)
    return {
        "id": f"{worst.kind.value}/{worst.rule}",
        "name": {
            WeaknessKind.SECRET: "ExposedSecret",
            WeaknessKind.CONFIGURATION: "WeakConfiguration",
            WeaknessKind.MALWARE: "Malware",
        }[worst.kind],
        "shortDescription": {"text": _words.plain(worst.title)},
        "fullDescription": {"text": _words.plain(worst.title)},
        "help": {"text": _words.plain(worst.remedy) or "Look at it."},
        "defaultConfiguration": {"level": _LEVELS[worst.severity]},
        "properties": {
            "security-severity": f"{_words.score_of_word(worst.severity):.1f}",
            "precision": "high",
            "tags": ["security", worst.kind.value, worst.severity.value],
        },
    }


def _result(finding: Finding, places: dict[Json, int]) -> dict[str, Json]:
    named = f"{_words.plain(finding.name)} {_words.plain(finding.version)}"
    aliases = ", ".join(map(_words.plain, finding.aliases))
    also = f" (also {aliases})" if aliases else ""
    told = report_words.exploitation(finding)
    known = f" {_words.plain(told[0].upper() + told[1:])}." if told else ""
    return {
        "ruleId": _words.plain(finding.id),
        "ruleIndex": places[_words.plain(finding.id)],
        "level": _LEVELS[finding.severity],
        "message": {
            "text": f"{named} has {finding.id}{also}. {_words.advice_in_one_line(finding)}{known}"
        },
        "locations": [_location(finding.path, 1, f"{named}, layer {finding.layer_index}")],
        "partialFingerprints": {
            FINGERPRINT: _words.key_of(finding.id, finding.type, finding.name, finding.path)
        },
        "properties": {
            "purl": finding.purl,
            "fixedVersion": finding.fixed_version,
            "layer": finding.layer,
            "severity": finding.severity.value,
            "severitySource": _words.plain(report_words.rated_by(finding)),
            **_words.signals_of(finding),
        },
    }


def _suppressed_result(one: Suppressed, places: dict[Json, int]) -> dict[str, Json]:
    result = _result(one.finding, places)
    until = f" until {one.until}" if one.until else ""
    text = f"{one.status} by {_words.plain(one.author)}{until}: {_words.plain(one.reason)}"
    result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": text}]
    return result


def _weakness_result(one: Weakness, places: dict[Json, int]) -> dict[str, Json]:
    rule = f"{one.kind.value}/{one.rule}"
    return {
        "ruleId": rule,
        "ruleIndex": places[rule],
        "level": _LEVELS[one.severity],
        "message": {"text": f"{_words.plain(one.title)}: {_words.plain(one.evidence)}"},
        "locations": [_location(one.path, one.line or 1, _words.plain(one.title))],
        "partialFingerprints": {FINGERPRINT: _words.key_of(rule, one.path, one.evidence)},
    }


def _location(path: str, line: int, text: str) -> Json:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _words.without_host(path), "uriBaseId": ROOT},
            "region": {"startLine": line},
        },
        "message": {"text": text},
    }


def _invocation(report: Report) -> Json:
    texts = [notice.message for notice in report.inventory.notices]
    texts += [*report.notices, *report.unapplied, *_words.doubts_of(report)]
    if not report.feeds:
        texts.append("no feed of advisories is imported: nothing was judged")
    return {
        "executionSuccessful": not report.is_partial,
        "endTimeUtc": _words.seconds(report),
        "toolExecutionNotifications": [
            {"level": "warning", "message": {"text": _words.plain(text)}} for text in texts
        ],
    }
