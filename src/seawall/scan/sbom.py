"""The bill of materials as CycloneDX 1.6 JSON (ECMA-424).

The document is written directly and is the same for the same image and findings, except for its
time stamp: everything is sorted, and the serial number is derived from the content. The libraries
of the format and its official schema check it in tests.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

import seawall
from seawall.core import clock, strictjson
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.scan.model import Component, Distribution, Inventory, PackageType
from seawall.scan.report_model import Finding
from seawall.scan.severity import Severity

MEDIA_TYPE: Final = "application/vnd.cyclonedx+json; version=1.6"
_SEVERITIES: Final = {Severity.NEGLIGIBLE: "info"}
"""The one word that the format spells differently."""
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "seawall.cyclonedx")


def cyclonedx(
    inventory: Inventory,
    *,
    name: str,
    digest: str,
    now: dt.datetime,
    findings: Sequence[Finding] = (),
) -> bytes:
    """Return the bill of materials of the image `name` whose manifest has `digest`.

    Findings become `vulnerabilities`, joined to the components by path and purl.
    """
    document: dict[str, Json] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {
                "components": [
                    {"type": "application", "name": "seawall", "version": seawall.__version__}
                ]
            },
            "component": _subject(name, digest),
            "properties": _notices(inventory),
        },
        "components": [*_system(inventory.distribution), *map(_component, inventory.components)],
        "vulnerabilities": _vulnerabilities(findings),
    }
    if inventory.is_partial:
        document["compositions"] = [
            {"aggregate": "incomplete", "assemblies": [_subject_ref(digest)]}
        ]
    serial = uuid.uuid5(_NAMESPACE, Digest.of(strictjson.encode(document)))
    document["serialNumber"] = f"urn:uuid:{serial}"
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    metadata["timestamp"] = clock.to_text(now)
    return strictjson.encode(document)


def _subject(name: str, digest: str) -> Json:
    subject = Digest.parse(digest)
    short = name.rpartition("@")[0] or name
    last = quote(short.rpartition("/")[2].partition(":")[0].lower(), safe="")
    return {
        "type": "container",
        "bom-ref": _subject_ref(digest),
        "name": name,
        "version": digest,
        "purl": f"pkg:oci/{last}@{quote(digest, safe=':')}",
        "hashes": [{"alg": f"SHA-{subject.algorithm.removeprefix('sha')}", "content": subject.hex}],
    }


def _subject_ref(digest: str) -> str:
    return f"image:{digest}"


def _notices(inventory: Inventory) -> list[Json]:
    properties = [
        _property(f"seawall:notice:{notice.kind}", notice.message) for notice in inventory.notices
    ]
    if inventory.platform:
        properties.append(_property("seawall:platform", inventory.platform))
    return properties


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


def _component(component: Component) -> Json:
    document: dict[str, Json] = {
        "type": "library",
        "bom-ref": _reference(component.type, component.purl, component.path),
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
        "evidence": {"occurrences": [{"location": component.path}]},
        "properties": [
            _property(f"seawall:{key}", value)
            for key, value in (
                ("created-by", component.created_by),
                ("layer", component.layer),
                ("layer-index", str(component.layer_index)),
                ("owned-by", component.owned_by),
                ("source-name", component.source_name),
                ("source-version", component.source_version),
            )
            if value
        ],
    }
    if component.licenses:
        document["licenses"] = [{"license": {"name": text}} for text in component.licenses]
    return document


def _reference(type_: str, purl: str, path: str) -> str:
    """Python distributions of one version may stand in several places; each is a component."""
    return f"{purl}#{path}" if type_ == PackageType.PYPI else purl


def _vulnerabilities(findings: Iterable[Finding]) -> list[Json]:
    """Return one entry for each hole and package; its components stand in `affects`."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        key = (finding.id, finding.type, finding.package)
        groups.setdefault(key, []).append(finding)
    return [_vulnerability(groups[key]) for key in sorted(groups)]


def _vulnerability(group: Sequence[Finding]) -> Json:
    first = min(group, key=lambda finding: (finding.purl, finding.path))
    rating: dict[str, Json] = {"severity": _SEVERITIES.get(first.severity, first.severity)}
    if first.severity_source:
        rating["source"] = {"name": first.severity_source}
    if first.score is not None:
        rating["score"] = first.score
    affected: dict[str, str] = {
        _reference(finding.type, finding.purl, finding.path): finding.version for finding in group
    }
    fixed = sorted({finding.fixed_version for finding in group if finding.fixed_version})
    document: dict[str, Json] = {
        "bom-ref": f"vulnerability:{first.id}:{first.type}:{first.package}",
        "id": first.id,
        "ratings": [rating],
        "references": [
            {"id": alias, "source": {"name": alias.partition("-")[0]}}
            for alias in sorted(set(first.aliases) - {first.id})
        ],
        "affects": [
            {"ref": reference, "versions": [{"version": version, "status": "affected"}]}
            for reference, version in sorted(affected.items())
        ],
    }
    if first.summary:
        document["description"] = first.summary
    if fixed:
        document["recommendation"] = f"Update {first.package} to {' or '.join(fixed)}."
    return document


def _property(name: str, value: str) -> Json:
    return {"name": name, "value": value}
