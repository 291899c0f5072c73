"""CycloneDX as VEX: vulnerabilities with an `analysis`, in a bill of materials or beside one.

What `affects` names is a component of the document, or a BOM-Link into another one, whose fragment
is a package URL in practice. Entries without an analysis say nothing.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from seawall.core.strictjson import Json
from seawall.scan.vex.model import (
    Document,
    Product,
    Statement,
    Status,
    line,
    mapping,
    moment,
    objects,
)

_STATES: Final = {
    "resolved": Status.FIXED,
    "resolved_with_pedigree": Status.FIXED,
    "not_affected": Status.NOT_AFFECTED,
    "false_positive": Status.NOT_AFFECTED,
    "exploitable": Status.AFFECTED,
    "in_triage": Status.UNDER_INVESTIGATION,
}
_JUSTIFICATIONS: Final = {
    "code_not_present": "vulnerable_code_not_present",
    "code_not_reachable": "vulnerable_code_not_in_execute_path",
    "requires_configuration": "vulnerable_code_cannot_be_controlled_by_adversary",
    "requires_dependency": "component_not_present",
    "requires_environment": "vulnerable_code_cannot_be_controlled_by_adversary",
    "protected_by_compiler": "inline_mitigations_already_exist",
    "protected_at_runtime": "inline_mitigations_already_exist",
    "protected_at_perimeter": "inline_mitigations_already_exist",
    "protected_by_mitigating_control": "inline_mitigations_already_exist",
}


def read(document: dict[str, Json], digest: str) -> Document:
    """Read a document."""
    metadata = mapping(document.get("metadata"))
    issued = moment(metadata.get("timestamp"))
    subject = mapping(metadata.get("component"))
    known = {
        line(one.get("bom-ref")): _names(one)
        for one in objects(document.get("components"))
        if one.get("bom-ref")
    }
    found = (
        _statement(one, subject, known, issued) for one in objects(document.get("vulnerabilities"))
    )
    return Document(
        format="cyclonedx",
        digest=digest,
        author=_author(metadata),
        issued_at=issued,
        statements=tuple(one for one in found if one is not None),
    )


def _statement(
    value: dict[str, Json],
    subject: dict[str, Json],
    known: dict[str, tuple[str, ...]],
    issued: str,
) -> Statement | None:
    analysis = mapping(value.get("analysis"))
    status = _STATES.get(line(analysis.get("state")))
    if status is None:
        return None
    names = [value.get("id"), *(one.get("id") for one in objects(value.get("references")))]
    ids = [text for name in names if (text := line(name, max_chars=100))]
    affected = [line(one.get("ref")) for one in objects(value.get("affects"))]
    times = (analysis.get("lastUpdated"), analysis.get("firstIssued"), value.get("updated"))
    return Statement(
        ids=tuple(dict.fromkeys(ids)),
        status=status,
        products=tuple(_product(ref, subject, known) for ref in affected if ref),
        justification=_JUSTIFICATIONS.get(line(analysis.get("justification")), ""),
        text=line(analysis.get("detail")),
        at=next((at for time in times if (at := moment(time))), issued),
    )


def _product(
    reference: str, subject: dict[str, Json], known: dict[str, tuple[str, ...]]
) -> Product:
    """Return the image with the component in it, where the document is about an image."""
    if reference == line(subject.get("bom-ref")):
        return Product(names=_names(subject))
    inside = known.get(reference) or (unquote(reference.partition("#")[2]) or reference,)
    if subject.get("type") == "container" and (image := _names(subject)):
        return Product(names=image, subcomponents=inside)
    return Product(names=inside)


def _names(component: dict[str, Json]) -> tuple[str, ...]:
    found = [line(component.get("purl"))]
    if component.get("type") == "container":
        for one in objects(component.get("hashes")):
            algorithm = line(one.get("alg")).replace("-", "").lower()
            found.append(f"{algorithm}:{line(one.get('content')).lower()}")
    return tuple(name for name in found if name)


def _author(metadata: dict[str, Json]) -> str:
    for key in ("manufacturer", "supplier", "manufacture"):
        if name := line(mapping(metadata.get(key)).get("name"), max_chars=200):
            return name
    names = [line(one.get("name"), max_chars=200) for one in objects(metadata.get("authors"))]
    return next((name for name in names if name), "an author without a name")
