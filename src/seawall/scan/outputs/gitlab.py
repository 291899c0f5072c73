"""GitLab's container scanning report, schema version 15.

What could not be judged is a message of the scan, and makes its status a failure: GitLab then keeps
the findings of earlier pipelines open. Ids are derived from the hole and the place, so that the
same finding is the same in the next pipeline.
"""

from __future__ import annotations

from typing import Final

import seawall
from seawall.core import strictjson
from seawall.core.strictjson import Json
from seawall.scan import advice, report_words
from seawall.scan.outputs import Subject, _words
from seawall.scan.report_model import Finding, Report
from seawall.scan.severity import Severity

SCHEMA_VERSION: Final = "15.0.7"
_SEVERITIES: Final = {
    Severity.UNKNOWN: "Unknown",
    Severity.NEGLIGIBLE: "Info",
    Severity.LOW: "Low",
    Severity.MEDIUM: "Medium",
    Severity.HIGH: "High",
    Severity.CRITICAL: "Critical",
}
_KINDS: Final = {"CVE": "cve", "GHSA": "ghsa", "RHSA": "rhsa", "USN": "usn", "ELSA": "elsa"}


def write(report: Report, subject: Subject) -> bytes:
    """Return the document."""
    image = _words.plain(subject.name, max_chars=500)
    system = report.inventory.distribution
    named = f"{system.id} {system.version_id or system.codename}".strip() if system else "unknown"
    tool: dict[str, Json] = {
        "id": "seawall",
        "name": "Seawall",
        "version": report.scanner_version or seawall.__version__,
        "vendor": {"name": "Seawall"},
    }
    time = _words.seconds(report)[:-1]
    return strictjson.encode(
        {
            "version": SCHEMA_VERSION,
            "scan": {
                "analyzer": tool,
                "scanner": tool,
                "type": "container_scanning",
                "start_time": time,
                "end_time": time,
                "status": "failure" if report.is_partial or not report.feeds else "success",
                "messages": _messages(report),
            },
            "vulnerabilities": [
                _vulnerability(group, image, _words.plain(named))
                for group in _one_each(report.findings)
            ],
            "remediations": [],
        }
    )


def _one_each(findings: tuple[Finding, ...]) -> list[Finding]:
    """Return one finding for each hole in each installed package: GitLab knows no paths."""
    found = {(one.id, one.type, one.name, one.version): one for one in reversed(findings)}
    return [found[key] for key in sorted(found)]


def _messages(report: Report) -> list[Json]:
    texts = [notice.message for notice in report.inventory.notices] + list(report.notices)
    if not report.feeds:
        texts.append("no feed of advisories is imported")
    texts += _words.doubts_of(report)
    messages: list[Json] = [{"level": "warn", "value": _words.plain(text)} for text in texts]
    if answered := report_words.answers(report.suppressed):
        messages.append({"level": "info", "value": f"not in this report: {_words.plain(answered)}"})
    return messages


def _vulnerability(finding: Finding, image: str, system: str) -> Json:
    name = f"{finding.id} in {finding.name}"
    document: dict[str, Json] = {
        "id": str(_words.uuid_of(finding.id, finding.type, finding.name, finding.version, image)),
        "name": _words.plain(name, max_chars=255),
        "description": _words.plain(finding.summary) or name,
        "severity": _SEVERITIES[finding.severity],
        "solution": _words.advice_in_one_line(finding),
        "location": {
            "dependency": {
                "package": {"name": _words.plain(finding.name, max_chars=255)},
                "version": _words.plain(finding.version, max_chars=255),
            },
            "operating_system": system,
            "image": image,
        },
        "identifiers": [
            _identifier(one)
            for one in (finding.id, *sorted(set(finding.aliases) - {finding.id}))[:20]
        ],
    }
    if address := _words.address_of(finding.id):
        document["links"] = [{"url": address}]
    if details := _details(finding):
        document["details"] = details
    return document


def _details(finding: Finding) -> dict[str, Json]:
    """Return what ranks it, as fields that GitLab shows with their names."""
    told = {
        "exploited": ("Known exploited", report_words.exploitation(finding)),
        "reach": ("At start", report_words.reached(finding)),
        "epss": ("Likelihood", report_words.likelihood(finding)),
        "state": ("Distribution", "" if finding.fixed_version else advice.without_fix(finding)),
        "rated": ("Rated by", report_words.rated_by(finding)),
    }
    return {
        key: {"name": name, "type": "text", "value": _words.plain(text, max_chars=1024)}
        for key, (name, text) in told.items()
        if text
    }


def _identifier(text: str) -> Json:
    identifier: dict[str, Json] = {
        "type": _KINDS.get(text.partition("-")[0], "seawall"),
        "name": _words.plain(text, max_chars=255),
        "value": _words.plain(text, max_chars=255),
    }
    if address := _words.address_of(text):
        identifier["url"] = address
    return identifier
