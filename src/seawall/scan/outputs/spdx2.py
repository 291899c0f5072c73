"""The bill of materials as SPDX 2.3 JSON (ISO/IEC 5962 and its successor).

Ids may hold letters, digits, dots and dashes only: they are derived from what they stand for. The
namespace of the document is a UUID of its content, so the same report has the same namespace.
Licences that are no SPDX expressions become `LicenseRef-` with their text; what we do not conclude
is NOASSERTION, since we read declarations and judge no licences. Holes are external references of
category SECURITY.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import seawall
from seawall.core import strictjson
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.scan.model import Component, PackageType
from seawall.scan.outputs import Subject, _words
from seawall.scan.report_model import Report

NOTHING: Final = "NOASSERTION"
DOCUMENT: Final = "SPDXRef-DOCUMENT"
IMAGE: Final = "SPDXRef-Image"
SYSTEM: Final = "SPDXRef-OperatingSystem"


def write(report: Report, subject: Subject) -> bytes:
    """Return the document."""
    groups = _words.grouped(report.inventory)
    ids = {reference: f"SPDXRef-Package-{_words.key_of(reference)}" for reference in groups}
    holes = _holes(report)
    packages = [_image(report, subject.name), *_system(report)]
    packages += [
        _package(ids[reference], group, holes.get(reference, []))
        for reference, group in groups.items()
    ]
    contained = [SYSTEM] if report.inventory.distribution else []
    document: dict[str, Json] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": _words.plain(subject.name),
        "packages": packages,
        "relationships": [
            _relationship(DOCUMENT, "DESCRIBES", IMAGE),
            *(_relationship(IMAGE, "CONTAINS", one) for one in contained),
            *(_relationship(IMAGE, "CONTAINS", ids[reference]) for reference in groups),
        ],
    }
    if told := _extracted(component for group in groups.values() for component in group):
        document["hasExtractedLicensingInfos"] = told
    if comment := _doubts(report):
        document["comment"] = comment
    digest = Digest.of(strictjson.encode(document))
    document["documentNamespace"] = f"https://spdx.org/spdxdocs/seawall-{_words.uuid_of(digest)}"
    document["creationInfo"] = {
        "created": _words.seconds(report),
        "creators": [f"Tool: seawall-{report.scanner_version or seawall.__version__}"],
    }
    return strictjson.encode(document)


def _image(report: Report, name: str) -> Json:
    digest = Digest.parse(report.digest)
    return {
        "SPDXID": IMAGE,
        "name": _words.plain(name),
        "versionInfo": report.digest,
        "downloadLocation": NOTHING,
        "filesAnalyzed": False,
        "licenseConcluded": NOTHING,
        "licenseDeclared": NOTHING,
        "copyrightText": NOTHING,
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{"algorithm": digest.algorithm.upper(), "checksumValue": digest.hex}],
    }


def _system(report: Report) -> list[Json]:
    found = report.inventory.distribution
    if found is None:
        return []
    return [
        {
            "SPDXID": SYSTEM,
            "name": _words.plain(found.id),
            "versionInfo": _words.plain(found.version_id or found.codename) or NOTHING,
            "downloadLocation": NOTHING,
            "filesAnalyzed": False,
            "licenseConcluded": NOTHING,
            "licenseDeclared": NOTHING,
            "copyrightText": NOTHING,
            "primaryPackagePurpose": "OPERATING-SYSTEM",
        }
    ]


def _package(identity: str, group: Sequence[Component], holes: Sequence[str]) -> Json:
    first = group[0]
    references: list[Json] = []
    if first.purl:
        references.append(_external("PACKAGE-MANAGER", "purl", first.purl))
    references += [
        _external("SECURITY", "advisory", address)
        for hole in holes
        if (address := _words.address_of(hole))
    ]
    package: dict[str, Json] = {
        "SPDXID": identity,
        "name": _words.plain(first.name),
        "downloadLocation": NOTHING,
        "filesAnalyzed": False,
        "licenseConcluded": NOTHING,
        "licenseDeclared": _declared(first.licenses),
        "copyrightText": NOTHING,
        "primaryPackagePurpose": (
            "APPLICATION" if first.type is PackageType.GENERIC else "LIBRARY"
        ),
        "sourceInfo": _source(group),
        "externalRefs": references,
    }
    if first.version:
        package["versionInfo"] = _words.plain(first.version)
    return package


def _source(group: Sequence[Component]) -> str:
    first = group[0]
    places = ", ".join(sorted({one.path for one in group}))
    built = f"; built from {first.source_name} {first.source_version}" if first.source_name else ""
    text = f"found in {places} of layer {first.layer_index} ({first.layer}){built}"
    return _words.plain(text)


def _holes(report: Report) -> dict[str, list[str]]:
    holes: dict[str, set[str]] = {}
    for finding in report.findings:
        holes.setdefault(_words.reference_of_finding(finding), set()).add(finding.id)
    return {reference: sorted(ids) for reference, ids in holes.items()}


def _declared(texts: Sequence[str]) -> str:
    if not texts:
        return NOTHING
    if (joined := _words.expression(texts)) is not None:
        return joined
    return " AND ".join(sorted({_one_license(text) for text in texts}))


def _one_license(text: str) -> str:
    found = _words.expression([text])
    if found is None:
        return _reference_of_license(text)
    return f"({found})" if " " in found else found


def _reference_of_license(text: str) -> str:
    return f"LicenseRef-{_words.key_of('license', text)}"


def _extracted(components: Iterable[Component]) -> list[Json]:
    texts = {text for one in components for text in one.licenses}
    unknown = sorted(text for text in texts if _words.expression([text]) is None)
    return [
        {
            "licenseId": _reference_of_license(text),
            "name": _words.plain(text, max_chars=200) or NOTHING,
            "extractedText": _words.plain(text) or NOTHING,
        }
        for text in unknown
    ]


def _doubts(report: Report) -> str:
    texts = [f"notice: {one.message}" for one in report.inventory.notices]
    texts += [f"not judged: {text}" for text in report.notices]
    if report.is_partial:
        texts.insert(0, "incomplete: a part of the image could not be read")
    return _words.plain("; ".join(texts))


def _external(category: str, kind: str, locator: str) -> Json:
    return {
        "referenceCategory": category,
        "referenceType": kind,
        "referenceLocator": locator,
    }


def _relationship(subject: str, kind: str, target: str) -> Json:
    return {"spdxElementId": subject, "relationshipType": kind, "relatedSpdxElement": target}
