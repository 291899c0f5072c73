"""The bill of materials as SPDX 3.0.1 JSON-LD, profiles core, software, simpleLicensing, security.

A graph of elements that name each other by IRIs. All IRIs begin with one that is derived from the
content of the report, so the same report gives the same graph. Holes are elements with a VEX
relationship: `affects`, or for what somebody answers for `doesNotAffect` or `fixedIn`. What ranks
them are assessments of their own (EPSS, CISA's catalogue of exploited ones). The end of support of
the distribution and of products is their `supportLevel`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import seawall
from seawall.core import strictjson
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.scan import report_words
from seawall.scan.model import Component, Distribution, PackageType
from seawall.scan.outputs import Subject, _words
from seawall.scan.report_model import EndOfLife, Finding, Report, Suppressed

KEV: Final = "https://www.cisa.gov/known-exploited-vulnerabilities-catalog"
CONTEXT: Final = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
_CREATION: Final = "_:creation"
_JUSTIFICATIONS: Final = {
    "component_not_present": "componentNotPresent",
    "vulnerable_code_not_present": "vulnerableCodeNotPresent",
    "vulnerable_code_not_in_execute_path": "vulnerableCodeNotInExecutePath",
    "vulnerable_code_cannot_be_controlled_by_adversary": (
        "vulnerableCodeCannotBeControlledByAdversary"
    ),
    "inline_mitigations_already_exist": "inlineMitigationsAlreadyExist",
}


def write(report: Report, subject: Subject) -> bytes:
    """Return the document."""
    graph = _Graph(report, subject.name)
    return strictjson.encode({"@context": CONTEXT, "@graph": graph.elements()})


class _Graph:
    """The elements of one document, while it is made."""

    def __init__(self, report: Report, name: str) -> None:
        self._report = report
        self._name = _words.plain(name)
        self._groups = _words.grouped(report.inventory)
        content = _words.uuid_of(report.digest, report.scanned_at, *self._groups)
        self._base = f"urn:uuid:{content}#"
        self._packages = {reference: self._iri("package", reference) for reference in self._groups}

    def elements(self) -> list[Json]:
        image, tool = self._iri("image"), self._iri("tool")
        ends = {one.component: one for one in self._report.end_of_life}
        packages = [
            _package(self._packages[key], group) | _support(ends.get(group[0].purl or "-"))
            for key, group in self._groups.items()
        ]
        packages += self._system(ends.get(""))
        licences, declared = self._licences()
        holes, relations = self._holes()
        made: list[dict[str, Json]] = [
            {
                "spdxId": tool,
                "type": "Tool",
                "name": f"seawall {self._report.scanner_version or seawall.__version__}",
            },
            self._image(image),
            *packages,
            *licences,
            *declared,
            *holes,
            *relations,
        ]
        if packages:
            made.append(self._contains(image, [str(one["spdxId"]) for one in packages]))
        elements = [{**one, "creationInfo": _CREATION} for one in made]
        names: list[Json] = [str(one["spdxId"]) for one in elements]
        return [*self._head(image, tool, names), *elements]

    def _head(self, image: str, tool: str, names: list[Json]) -> list[Json]:
        """Return what says by whom and when it was made, and of what it consists."""
        sbom = self._iri("sbom")
        return [
            {
                "type": "CreationInfo",
                "@id": _CREATION,
                "specVersion": "3.0.1",
                "created": _words.seconds(self._report),
                "createdBy": [self._iri("agent")],
                "createdUsing": [tool],
            },
            {
                "spdxId": self._iri("agent"),
                "type": "SoftwareAgent",
                "name": "seawall",
                "creationInfo": _CREATION,
            },
            {
                "spdxId": self._iri("document"),
                "type": "SpdxDocument",
                "name": self._name,
                "creationInfo": _CREATION,
                "profileConformance": ["core", "software", "simpleLicensing", "security"],
                "rootElement": [sbom],
                "element": [sbom, self._iri("agent"), *names],
            },
            {
                "spdxId": sbom,
                "type": "software_Sbom",
                "creationInfo": _CREATION,
                "profileConformance": ["core", "software"],
                "rootElement": [image],
                "element": names,
                "software_sbomType": ["analyzed"],
            },
        ]

    def _iri(self, kind: str, *parts: str) -> str:
        return f"{self._base}{kind}-{_words.key_of(*parts)}" if parts else f"{self._base}{kind}"

    def _image(self, image: str) -> dict[str, Json]:
        digest = Digest.parse(self._report.digest)
        document: dict[str, Json] = {
            "spdxId": image,
            "type": "software_Package",
            "name": self._name,
            "software_packageVersion": self._report.digest,
            "software_primaryPurpose": "container",
            "verifiedUsing": [
                {"type": "Hash", "algorithm": digest.algorithm, "hashValue": digest.hex}
            ],
        }
        texts = [notice.message for notice in self._report.inventory.notices]
        texts += [*self._report.notices, *_words.doubts_of(self._report)]
        if texts:
            document["comment"] = _words.plain("; ".join(texts))
        return document

    def _system(self, end: EndOfLife | None) -> list[dict[str, Json]]:
        found = self._report.inventory.distribution
        return [] if found is None else [_distribution(self._iri("system"), found) | _support(end)]

    def _contains(self, image: str, packages: Sequence[str]) -> dict[str, Json]:
        is_partial = self._report.is_partial
        return {
            "spdxId": self._iri("contains"),
            "type": "Relationship",
            "relationshipType": "contains",
            "from": image,
            "to": [*sorted(packages)],
            "completeness": "incomplete" if is_partial else "complete",
        }

    def _licences(self) -> tuple[list[dict[str, Json]], list[dict[str, Json]]]:
        by_text: dict[str, list[str]] = {}
        custom: dict[str, str] = {}
        for reference, group in self._groups.items():
            texts = group[0].licenses
            if not texts:
                continue
            joined = _words.expression(texts)
            if joined is None:
                joined = f"LicenseRef-{_words.key_of('license', *texts)}"
                custom[joined] = _words.plain(", ".join(texts))
            by_text.setdefault(joined, []).append(self._packages[reference])
        elements: list[dict[str, Json]] = []
        relations: list[dict[str, Json]] = []
        for text in sorted(by_text):
            iri = self._iri("license", text)
            element: dict[str, Json] = {
                "spdxId": iri,
                "type": "simplelicensing_LicenseExpression",
                "simplelicensing_licenseExpression": text,
            }
            if text in custom:
                element["comment"] = custom[text]
            elements.append(element)
            relations += [
                {
                    "spdxId": self._iri("declared", package),
                    "type": "Relationship",
                    "relationshipType": "hasDeclaredLicense",
                    "from": package,
                    "to": [iri],
                }
                for package in sorted(by_text[text])
            ]
        return elements, relations

    def _holes(self) -> tuple[list[dict[str, Json]], list[dict[str, Json]]]:
        answered = [one.finding for one in self._report.suppressed]
        by_id: dict[str, Finding] = {}
        for finding in (*self._report.findings, *answered):
            by_id.setdefault(finding.id, finding)
        elements = [self._vulnerability(by_id[key]) for key in sorted(by_id)]
        relations = [self._affects(group) for group in _words.by_hole(self._report.findings)]
        relations += [self._answer(one) for one in self._report.suppressed]
        for finding in (by_id[key] for key in sorted(by_id)):
            relations += self._assessments(finding, [*self._report.findings, *answered])
        known = set(self._packages.values())
        return elements, [one for one in relations if set(_texts(one["to"])) <= known]

    def _vulnerability(self, finding: Finding) -> dict[str, Json]:
        names = [finding.id, *sorted(set(finding.aliases) - {finding.id})]
        document: dict[str, Json] = {
            "spdxId": self._iri("vulnerability", finding.id),
            "type": "security_Vulnerability",
            "name": _words.plain(finding.id),
            "externalIdentifier": [
                {
                    "type": "ExternalIdentifier",
                    "externalIdentifierType": "cve" if one.startswith("CVE-") else "securityOther",
                    "identifier": _words.plain(one),
                }
                for one in names
            ],
        }
        if finding.summary:
            document["description"] = _words.plain(finding.summary)
        return document

    def _targets(self, group: Sequence[Finding]) -> list[Json]:
        references = {_words.reference_of_finding(one) for one in group}
        return [*sorted(self._packages.get(one, self._iri("package", one)) for one in references)]

    def _assessments(self, finding: Finding, every: Sequence[Finding]) -> list[dict[str, Json]]:
        """Return what ranks a hole, as the security profile says it."""
        base: dict[str, Json] = {
            "relationshipType": "hasAssessmentFor",
            "from": self._iri("vulnerability", finding.id),
            "to": self._targets([one for one in every if one.id == finding.id]),
        }
        found: list[dict[str, Json]] = []
        if finding.epss is not None and finding.epss_rank is not None:
            found.append(
                base
                | {
                    "spdxId": self._iri("epss", finding.id),
                    "type": "security_EpssVulnAssessmentRelationship",
                    "security_probability": finding.epss,
                    "security_percentile": finding.epss_rank,
                }
            )
        if finding.is_known_exploited:
            found.append(
                base
                | {
                    "spdxId": self._iri("kev", finding.id),
                    "type": "security_ExploitCatalogVulnAssessmentRelationship",
                    "security_catalogType": "kev",
                    "security_exploited": True,
                    "security_locator": KEV,
                    "comment": _words.plain(report_words.exploitation(finding)),
                }
            )
            if moment := _midnight(finding.exploited_since):
                found[-1]["security_publishedTime"] = moment
        return found

    def _affects(self, group: Sequence[Finding]) -> dict[str, Json]:
        first = group[0]
        return {
            "spdxId": self._iri("affects", first.id, first.type, first.package),
            "type": "security_VexAffectedVulnAssessmentRelationship",
            "relationshipType": "affects",
            "from": self._iri("vulnerability", first.id),
            "to": self._targets(group),
            "security_actionStatement": _words.advice_in_one_line(first),
            "comment": "; ".join(_words.told_of(first)) or "rated by nobody",
        }

    def _answer(self, one: Suppressed) -> dict[str, Json]:
        finding = one.finding
        parts = (one.status, finding.id, finding.purl, finding.path, one.author, one.reason)
        base: dict[str, Json] = {
            "spdxId": self._iri("answer", *parts),
            "from": self._iri("vulnerability", finding.id),
            "to": self._targets([finding]),
        }
        word, _, rest = one.reason.partition(":")
        text = _words.plain(f"{rest.strip() or one.reason} ({one.author})")
        if one.status == "fixed":
            return {
                **base,
                "type": "security_VexFixedVulnAssessmentRelationship",
                "relationshipType": "fixedIn",
                "comment": text,
            }
        if one.status == "not_affected":
            found = {**base, "type": "security_VexNotAffectedVulnAssessmentRelationship"}
            if word in _JUSTIFICATIONS:
                found["security_justificationType"] = _JUSTIFICATIONS[word]
            return {
                **found,
                "relationshipType": "doesNotAffect",
                "security_impactStatement": text,
            }
        return {
            **base,
            "type": "security_VexAffectedVulnAssessmentRelationship",
            "relationshipType": "affects",
            "security_actionStatement": _words.plain(f"waived until {one.until}: {text}"),
        }


def _texts(value: Json) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _distribution(iri: str, found: Distribution) -> dict[str, Json]:
    document: dict[str, Json] = {
        "spdxId": iri,
        "type": "software_Package",
        "name": _words.plain(found.id),
        "software_primaryPurpose": "operatingSystem",
    }
    if version := found.version_id or found.codename:
        document["software_packageVersion"] = _words.plain(version)
    return document


def _support(end: EndOfLife | None) -> dict[str, Json]:
    """Return the properties that say that something gets no fixes, or until when it gets them."""
    if end is None:
        return {}
    told: dict[str, Json] = {
        "supportLevel": ["endOfSupport" if end.is_over else "limitedSupport"],
        "comment": _words.plain(report_words.support(end)),
    }
    if moment := _midnight(end.ends):
        told["validUntilTime"] = moment
    return told


def _midnight(day: str) -> str:
    """Return the beginning of a day as the format writes it; empty when it is none."""
    try:
        return f"{dt.date.fromisoformat(day).isoformat()}T00:00:00Z"
    except ValueError:
        return ""


def _package(iri: str, group: Sequence[Component]) -> dict[str, Json]:
    first = group[0]
    purpose = "application" if first.type is PackageType.GENERIC else "library"
    document: dict[str, Json] = {
        "spdxId": iri,
        "type": "software_Package",
        "name": _words.plain(first.name),
        "software_primaryPurpose": purpose,
        "software_sourceInfo": _words.plain(
            f"found in {', '.join(sorted({one.path for one in group}))}"
            f" of layer {first.layer_index} ({first.layer})"
        ),
    }
    if first.version:
        document["software_packageVersion"] = _words.plain(first.version)
    if first.purl:
        document["software_packageUrl"] = first.purl
    return document
