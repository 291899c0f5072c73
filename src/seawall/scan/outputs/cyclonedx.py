"""The bill of materials as CycloneDX 1.6 JSON (ECMA-424), with what is wrong with it.

The same report gives the same bytes: everything is sorted, and the serial number is derived from
the content, without its time stamp. Findings become `vulnerabilities`, joined to the components by
their reference; what VEX answers for stands there too, with its analysis.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import seawall
from seawall.core import strictjson
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.scan import report_words
from seawall.scan.model import Component, Distribution, Evidence, PackageType, Unexplained
from seawall.scan.outputs import Subject, _words
from seawall.scan.report_model import Finding, Report, Suppressed
from seawall.scan.severity import Severity

MEDIA_TYPE: Final = "application/vnd.cyclonedx+json; version=1.6"
_SEVERITIES: Final = {Severity.NEGLIGIBLE: "info"}
"""The one word that the format spells differently."""

_TECHNIQUES: Final = {
    "database": "manifest-analysis",
    "manifest": "manifest-analysis",
    "sha256": "hash-comparison",
    "build-id": "hash-comparison",
}
"""What the format calls our kinds of proof; all others look into a program."""

_EPSS: Final[dict[str, Json]] = {"name": "EPSS", "url": "https://www.first.org/epss/"}
_STATES: Final = {"fixed": "resolved", "not_affected": "not_affected", "waived": "exploitable"}
_JUSTIFICATIONS: Final = {
    "component_not_present": "code_not_present",
    "vulnerable_code_not_present": "code_not_present",
    "vulnerable_code_not_in_execute_path": "code_not_reachable",
    "vulnerable_code_cannot_be_controlled_by_adversary": "requires_environment",
    "inline_mitigations_already_exist": "protected_by_mitigating_control",
}
"""OpenVEX's words to CycloneDX's."""


def write(report: Report, subject: Subject) -> bytes:
    """Return the bill of materials of the image that the report is about."""
    return strictjson.encode(document_of(report, subject.name))


def document_of(report: Report, name: str) -> dict[str, Json]:
    """Return the same as JSON values."""
    inventory = report.inventory
    document: dict[str, Json] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {
                "components": [
                    {
                        "type": "application",
                        "name": _words.TOOL,
                        "version": report.scanner_version or seawall.__version__,
                    }
                ]
            },
            "component": _subject(name, report.digest),
            "properties": _properties(report),
        },
        "components": [
            *_system(inventory.distribution),
            *(_component(key, group) for key, group in _words.grouped(inventory).items()),
            *map(_unexplained, inventory.unexplained),
        ],
        "dependencies": [
            {
                "ref": _subject_ref(report.digest),
                "dependsOn": [*sorted(_words.grouped(inventory))],
            }
        ],
        "vulnerabilities": _vulnerabilities(report),
    }
    if inventory.is_partial:
        document["compositions"] = [
            {"aggregate": "incomplete", "assemblies": [_subject_ref(report.digest)]}
        ]
    serial = uuid.uuid5(_NAMESPACE, Digest.of(strictjson.encode(document)))
    document["serialNumber"] = f"urn:uuid:{serial}"
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    metadata["timestamp"] = report.scanned_at
    return document


_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "seawall.cyclonedx")


def _subject(name: str, digest: str) -> Json:
    subject = Digest.parse(digest)
    short = name.rpartition("@")[0] or name
    last = quote(short.rpartition("/")[2].partition(":")[0].lower(), safe="")
    return {
        "type": "container",
        "bom-ref": _subject_ref(digest),
        "name": _words.plain(name),
        "version": digest,
        "purl": f"pkg:oci/{last}@{quote(digest, safe=':')}",
        "hashes": [{"alg": f"SHA-{subject.algorithm.removeprefix('sha')}", "content": subject.hex}],
    }


def _subject_ref(digest: str) -> str:
    return f"image:{digest}"


def _properties(report: Report) -> list[Json]:
    inventory = report.inventory
    told = [(f"seawall:notice:{one.kind}", one.message) for one in inventory.notices]
    told += [("seawall:not-judged", text) for text in report.notices]
    told += [
        (f"seawall:feed:{feed.name}", f"{feed.digest} {feed.imported_at}") for feed in report.feeds
    ]
    told += [("seawall:end-of-life", text) for text in _words.doubts_of(report)]
    if report.suppressed:
        told.append(("seawall:answered", report_words.answers(report.suppressed)))
    if inventory.platform:
        told.append(("seawall:platform", inventory.platform))
    return [_property(name, value) for name, value in told]


def _system(found: Distribution | None) -> list[Json]:
    if found is None:
        return []
    return [
        {
            "type": "operating-system",
            "bom-ref": f"os:{found.id}",
            "name": found.id,
            "version": found.version_id or found.codename,
            "description": found.pretty_name,
        }
    ]


def _component(reference: str, group: Sequence[Component]) -> Json:
    first = group[0]
    document: dict[str, Json] = {
        "type": "application" if first.type is PackageType.GENERIC else "library",
        "bom-ref": reference,
        "name": first.name,
        "version": first.version,
        "evidence": _evidence(group),
        "properties": [
            _property(f"seawall:{key}", value)
            for key, value in (
                ("architecture", first.architecture),
                ("created-by", first.created_by),
                ("distribution", str(first.distribution or "")),
                ("layer", first.layer),
                ("layer-index", str(first.layer_index)),
                ("owned-by", first.owned_by),
                ("role", first.role.value),
                ("source-name", first.source_name),
                ("source-version", first.source_version),
            )
            if value
        ],
    }
    if first.purl:
        document["purl"] = first.purl
    if first.licenses:
        document["licenses"] = _licenses(first.licenses)
    return document


def _unexplained(file: Unexplained) -> Json:
    document: dict[str, Json] = {
        "type": "file",
        "bom-ref": f"file:{file.path}",
        "name": file.path,
        "properties": [
            _property(f"seawall:{key}", value)
            for key, value in (
                ("unexplained", f"{file.format} {file.kind}".strip()),
                ("build-id", file.build_id),
                ("created-by", file.created_by),
                ("layer", file.layer),
                ("layer-index", str(file.layer_index)),
            )
            if value
        ],
    }
    if file.sha256:
        document["hashes"] = [{"alg": "SHA-256", "content": file.sha256}]
    return document


def _licenses(texts: Sequence[str]) -> Json:
    joined = _words.expression(texts)
    if joined is not None:
        return [{"expression": joined}]
    return [{"license": {"name": text}} for text in dict.fromkeys(texts)]


def _evidence(group: Sequence[Component]) -> Json:
    places = {f"{one.path}!{one.inside}" if one.inside else one.path for one in group}
    document: dict[str, Json] = {"occurrences": [{"location": place} for place in sorted(places)]}
    proofs = {proof for one in group for proof in one.evidence}
    if proofs:
        # One object, which 1.6 still allows: readers made for 1.5 do not take a list.
        document["identity"] = {
            "field": "purl",
            "confidence": max(proof.confidence for proof in proofs),
            "methods": [_method(one) for one in sorted(proofs, key=_proof_order)],
        }
    return document


def _proof_order(proof: Evidence) -> tuple[float, str, str]:
    return -proof.confidence, proof.kind, proof.detail


def _method(proof: Evidence) -> Json:
    method: dict[str, Json] = {
        "technique": _TECHNIQUES.get(proof.kind, "binary-analysis"),
        "confidence": proof.confidence,
        "value": f"{proof.kind}: {proof.detail}" if proof.detail else proof.kind,
    }
    return method


def _vulnerabilities(report: Report) -> list[Json]:
    """Return one entry for each hole and package; its components stand in `affects`."""
    documents = [_vulnerability(group) for group in _words.by_hole(report.findings)]
    answered: dict[tuple[str, str, str, str], list[Suppressed]] = {}
    for one in report.suppressed:
        key = (one.finding.id, one.finding.type.value, one.finding.package, one.status)
        answered.setdefault(key, []).append(one)
    for key in sorted(answered):
        group = answered[key]
        document = _vulnerability([one.finding for one in group])
        document["bom-ref"] = f"{document['bom-ref']}:{key[3]}"
        document["analysis"] = _analysis(group[0])
        documents.append(document)
    return [*documents]


def _analysis(one: Suppressed) -> Json:
    analysis: dict[str, Json] = {"state": _STATES.get(one.status, "in_triage")}
    word, _, rest = one.reason.partition(":")
    if one.status == "not_affected" and word in _JUSTIFICATIONS:
        analysis["justification"] = _JUSTIFICATIONS[word]
    if one.status == "waived":
        analysis["response"] = ["will_not_fix"]
    by = f"{one.author} until {one.until}" if one.until else one.author
    analysis["detail"] = f"{rest.strip() or one.reason} ({by})"
    return analysis


def _vulnerability(group: Sequence[Finding]) -> dict[str, Json]:
    first = min(group, key=lambda finding: (finding.purl, finding.path))
    rating: dict[str, Json] = {"severity": _SEVERITIES.get(first.severity, first.severity.value)}
    if first.severity_source:
        rating["source"] = {"name": first.severity_source}
    if first.score is not None:
        rating["score"] = first.score
    affected: dict[str, str] = {_words.reference_of_finding(one): one.version for one in group}
    fixed = sorted({finding.fixed_version for finding in group if finding.fixed_version})
    document: dict[str, Json] = {
        "bom-ref": f"vulnerability:{first.id}:{first.type}:{first.package}",
        "id": first.id,
        "ratings": [rating, *_likelihood(first)],
        "references": [
            {"id": alias, "source": {"name": alias.partition("-")[0]}}
            for alias in sorted(set(first.aliases) - {first.id})
        ],
        "affects": [
            {"ref": reference, "versions": [{"version": version, "status": "affected"}]}
            for reference, version in sorted(affected.items())
        ],
    }
    if address := _words.address_of(first.id):
        document["source"] = {"name": first.id.partition("-")[0], "url": address}
    if signals := _words.signals_of(first):
        document["properties"] = [_property(f"seawall:{k}", v) for k, v in signals.items()]
    if first.summary:
        document["description"] = first.summary
    if fixed:
        document["recommendation"] = f"Update {first.package} to {' or '.join(fixed)}."
    return document


def _likelihood(finding: Finding) -> list[Json]:
    """Return EPSS as a rating, the way that other programs write it: the probability (0–1)."""
    if finding.epss is None:
        return []
    rating: dict[str, Json] = {"source": _EPSS, "score": finding.epss, "method": "other"}
    if finding.epss_rank is not None:
        rating["justification"] = f"percentile {finding.epss_rank:.5f}"
    return [rating]


def _property(name: str, value: str) -> Json:
    return {"name": name, "value": value}
