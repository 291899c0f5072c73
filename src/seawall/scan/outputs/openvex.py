"""OpenVEX 0.2.0: what was answered for, and what waits for an answer.

What VEX suppressed is stated again as it was. A waiver says that the image *is* affected, and who
answers for it until when. Every other finding is `under_investigation`: a scanner knows that a
package has a hole, and not whether the image can be hurt through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from seawall.core import strictjson
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.scan.outputs import Subject, _words
from seawall.scan.report_model import Finding, Report, Suppressed

CONTEXT: Final = "https://openvex.dev/ns/v0.2.0"
JUSTIFICATIONS: Final = frozenset(
    {
        "component_not_present",
        "inline_mitigations_already_exist",
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "vulnerable_code_not_in_execute_path",
        "vulnerable_code_not_present",
    }
)


def write(report: Report, subject: Subject) -> bytes:
    """Return the document."""
    statements: list[Json] = [_answer(one, report, subject) for one in report.suppressed]
    statements += [_open(group, report, subject) for group in _words.by_hole(report.findings)]
    content = Digest.of(strictjson.encode(statements))
    return strictjson.encode(
        {
            "@context": CONTEXT,
            "@id": f"urn:uuid:{_words.uuid_of(report.digest, content)}",
            "author": "seawall",
            "timestamp": _words.seconds(report),
            "version": 1,
            "tooling": f"{_words.URI}@{report.scanner_version}",
            "statements": statements,
        }
    )


def _answer(one: Suppressed, report: Report, subject: Subject) -> Json:
    statement = _statement([one.finding], report, subject)
    word, _, rest = one.reason.partition(":")
    text = _words.plain(rest.strip() or one.reason)
    if one.status == "fixed":
        return {**statement, "status": "fixed", "status_notes": text}
    if one.status == "not_affected":
        found = {**statement, "status": "not_affected", "status_notes": f"by {one.author}"}
        if word in JUSTIFICATIONS:
            found["justification"] = word
        return {**found, "impact_statement": text}
    return {
        **statement,
        "status": "affected",
        "action_statement": _words.plain(f"waived by {one.author} until {one.until}: {text}"),
    }


def _open(group: Sequence[Finding], report: Report, subject: Subject) -> Json:
    return {
        **_statement(group, report, subject),
        "status": "under_investigation",
        "status_notes": _words.advice_in_one_line(group[0]),
    }


def _statement(group: Sequence[Finding], report: Report, subject: Subject) -> dict[str, Json]:
    first = group[0]
    digest = Digest.parse(report.digest)
    short = subject.name.rpartition("@")[0] or subject.name
    last = quote(short.rpartition("/")[2].partition(":")[0].lower(), safe="")
    purl = f"pkg:oci/{last}@{quote(report.digest, safe='')}"
    product: dict[str, Json] = {
        "@id": purl,
        "hashes": {f"sha-{digest.algorithm.removeprefix('sha')}": digest.hex},
        "identifiers": {"purl": purl},
        "subcomponents": [{"@id": one} for one in sorted({one.purl for one in group if one.purl})],
    }
    vulnerability: dict[str, Json] = {"name": first.id}
    if aliases := sorted(set(first.aliases) - {first.id}):
        vulnerability["aliases"] = [*aliases]
    return {
        "vulnerability": vulnerability,
        "timestamp": _words.seconds(report),
        "products": [product],
    }
