"""The bill of materials is valid, complete and reproducible."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from seawall.core.errors import InvalidInputError
from seawall.oci.digest import Digest
from seawall.scan import sbom
from seawall.scan.model import Component, Distribution, Inventory, Notice, NoticeKind, PackageType
from seawall.scan.report_model import Finding
from seawall.scan.severity import Severity

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
DIGEST = Digest.of(b"manifest")
LAYER = str(Digest.of(b"layer"))
PURL = "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12"
PYTHON = "pkg:pypi/jinja2@3.1.2"


def python(path: str) -> Component:
    return Component(
        type=PackageType.PYPI,
        name="jinja2",
        version="3.1.2",
        purl=PYTHON,
        path=path,
        layer=LAYER,
        layer_index=1,
        licenses=("BSD-3-Clause",),
        owned_by="python3-jinja2",
    )


INVENTORY = Inventory(
    components=(
        Component(
            type=PackageType.DEB,
            name="libssl3",
            version="3.0.11-1",
            purl=PURL,
            source_name="openssl",
            source_version="3.0.11-1",
            architecture="amd64",
            path="/var/lib/dpkg/status",
            layer=LAYER,
            layer_index=0,
            created_by="RUN apt-get install",
        ),
        python("/a/x.dist-info/METADATA"),
        python("/b/x.dist-info/METADATA"),
    ),
    distribution=Distribution(id="debian", version_id="12", pretty_name="Debian 12"),
    notices=(Notice(kind=NoticeKind.LIMIT, message="stopped", layer=LAYER),),
    layers=(),
    is_partial=True,
    platform="linux/amd64",
)


def finding(
    purl: str, path: str, package: str, severity: Severity = Severity.HIGH, fixed: str = "3.2"
) -> Finding:
    return Finding(
        id="CVE-2024-1",
        aliases=("CVE-2024-1", "GHSA-xxxx-yyyy-zzzz"),
        type=PackageType.PYPI if purl == PYTHON else PackageType.DEB,
        name="n",
        version="3.1.2",
        purl=purl,
        path=path,
        layer=LAYER,
        layer_index=1,
        package=package,
        fixed_version=fixed,
        severity=severity,
        severity_source="GHSA",
        score=7.5,
        summary="text",
        feeds=("PyPI",),
    )


FINDINGS = (
    finding(PYTHON, "/b/x.dist-info/METADATA", "jinja2"),
    finding(PYTHON, "/a/x.dist-info/METADATA", "jinja2"),
    finding(PURL, "/var/lib/dpkg/status", "openssl", Severity.NEGLIGIBLE, ""),
)


def made(**changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "name": "registry.example/team/App:1",
        "digest": DIGEST,
        "now": NOW,
        "findings": FINDINGS,
    }
    document: dict[str, Any] = json.loads(sbom.cyclonedx(INVENTORY, **(arguments | changes)))
    return document


def test_names_the_image_by_its_digest() -> None:
    subject = made()["metadata"]["component"]
    assert f"pkg:oci/app@sha256:{DIGEST.hex}" == subject["purl"]
    assert [{"alg": "SHA-256", "content": DIGEST.hex}] == subject["hashes"]
    assert "2026-01-01T12:00:00.000000Z" == made()["metadata"]["timestamp"]


def test_every_component_is_there_with_its_layer() -> None:
    components = made()["components"]
    assert ["operating-system", "library", "library", "library"] == [c["type"] for c in components]
    properties = {p["name"]: p["value"] for p in components[1]["properties"]}
    assert LAYER == properties["seawall:layer"]
    assert "openssl" == properties["seawall:source-name"]
    assert PURL == components[1]["purl"]


def test_references_are_unique_and_every_one_leads_to_a_component() -> None:
    document = made()
    references = [c["bom-ref"] for c in document["components"]]
    references += [v["bom-ref"] for v in document["vulnerabilities"]]
    assert len(set(references)) == len(references)
    affected = [a["ref"] for v in document["vulnerabilities"] for a in v["affects"]]
    assert 3 == len(affected)
    assert set(affected) <= set(references)


def test_one_hole_in_two_places_is_one_vulnerability() -> None:
    by_package = {len(v["affects"]): v for v in made()["vulnerabilities"]}
    assert "Update jinja2 to 3.2." == by_package[2]["recommendation"]
    assert "info" == by_package[1]["ratings"][0]["severity"]
    assert "recommendation" not in by_package[1]


def test_what_is_partial_says_so() -> None:
    assert "incomplete" == made()["compositions"][0]["aggregate"]
    notices = {p["name"]: p["value"] for p in made()["metadata"]["properties"]}
    assert "stopped" == notices["seawall:notice:limit"]


def test_same_image_same_bytes_whatever_the_order_of_findings() -> None:
    document = sbom.cyclonedx(INVENTORY, name="a", digest=DIGEST, now=NOW, findings=FINDINGS)
    again = sbom.cyclonedx(INVENTORY, name="a", digest=DIGEST, now=NOW, findings=FINDINGS[::-1])
    assert document == again
    later = made(now=NOW + dt.timedelta(days=1))
    assert made()["serialNumber"] == later["serialNumber"]
    assert made()["serialNumber"] != made(findings=())["serialNumber"]


def test_refuses_an_image_without_a_digest() -> None:
    with pytest.raises(InvalidInputError):
        made(digest="latest")


@pytest.mark.interop
def test_is_valid_by_the_official_schema() -> None:
    try:
        from cyclonedx.schema import SchemaVersion  # type: ignore[import-not-found]
        from cyclonedx.validation.json import JsonStrictValidator  # type: ignore[import-not-found]

        validator = JsonStrictValidator(SchemaVersion.V1_6)
        content = sbom.cyclonedx(INVENTORY, name="a:1", digest=DIGEST, now=NOW, findings=FINDINGS)
        error = validator.validate_str(content.decode())
    except ImportError as reason:
        pytest.skip(f"needs cyclonedx-python-lib[json-validation]: {reason}")
    assert error is None, error
