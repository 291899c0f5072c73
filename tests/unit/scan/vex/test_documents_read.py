"""VEX documents of three formats say the same thing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError, LimitError, SeawallError
from seawall.scan import outputs, vex
from seawall.scan.vex import documents
from seawall.scan.vex.model import Status
from seawall.testing import reports

PURL = "pkg:deb/debian/libssl3@3.0.11-1"
AT = "2026-03-01T10:00:00+02:00"

OPENVEX: dict[str, Any] = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": "https://example/vex",
    "author": "us",
    "timestamp": AT,
    "version": 1,
    "statements": [
        {
            "vulnerability": {"name": "CVE-2024-2", "aliases": ["GHSA-1"]},
            "products": [
                {
                    "@id": "pkg:oci/app",
                    "hashes": {"sha-256": reports.IMAGE[7:]},
                    "subcomponents": [{"@id": PURL}],
                }
            ],
            "status": "not_affected",
            "justification": "vulnerable_code_not_present",
            "impact_statement": "left out",
        }
    ],
}
CYCLONEDX: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "metadata": {
        "timestamp": AT,
        "supplier": {"name": "us"},
        "component": {
            "type": "container", "bom-ref": "image", "name": "app",
            "hashes": [{"alg": "SHA-256", "content": reports.IMAGE[7:]}],
        },
    },
    "components": [{"type": "library", "bom-ref": "ssl", "name": "libssl3", "purl": PURL}],
    "vulnerabilities": [
        {
            "id": "CVE-2024-2",
            "references": [{"id": "GHSA-1", "source": {"name": "GHSA"}}],
            "analysis": {
                "state": "not_affected", "justification": "code_not_present",
                "detail": "left out",
            },
            "affects": [{"ref": "ssl"}],
        }
    ],
}  # fmt: skip
CSAF: dict[str, Any] = {
    "document": {
        "category": "csaf_vex",
        "csaf_version": "2.0",
        "publisher": {"name": "us"},
        "tracking": {"current_release_date": AT},
    },
    "product_tree": {
        "branches": [
            {
                "branches": [
                    {
                        "product": {
                            "product_id": "app",
                            "product_identification_helper": {
                                "hashes": [
                                    {
                                        "file_hashes": [
                                            {"algorithm": "sha256", "value": reports.IMAGE[7:]}
                                        ]
                                    }
                                ]
                            },
                        }
                    }
                ]
            },
            {
                "product": {
                    "product_id": "ssl", "product_identification_helper": {"purl": PURL},
                }
            },
        ],
        "relationships": [
            {
                "category": "default_component_of",
                "full_product_name": {"product_id": "app:ssl", "name": "ssl in app"},
                "product_reference": "ssl",
                "relates_to_product_reference": "app",
            }
        ],
        "product_groups": [{"group_id": "all", "product_ids": ["app:ssl"]}],
    },
    "vulnerabilities": [
        {
            "cve": "CVE-2024-2",
            "ids": [{"system_name": "GHSA", "text": "GHSA-1"}],
            "product_status": {"known_not_affected": ["app:ssl"]},
            "flags": [{"label": "vulnerable_code_not_present", "group_ids": ["all"]}],
            "threats": [{"category": "impact", "details": "left out", "product_ids": ["app:ssl"]}],
        }
    ],
}  # fmt: skip
FORMATS = {"openvex": OPENVEX, "cyclonedx": CYCLONEDX, "csaf": CSAF}


def read(document: object) -> vex.Document:
    return documents.parse(json.dumps(document).encode())


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_the_same(name):
    document = read(FORMATS[name])
    (one,) = document.statements
    assert (name, "us") == (document.format, document.author)
    assert "2026-03-01T08:00:00.000000Z" == document.issued_at == one.at
    assert ("CVE-2024-2", "GHSA-1") == one.ids
    assert Status.NOT_AFFECTED is one.status
    assert ("vulnerable_code_not_present", "left out") == (one.justification, one.text)
    (product,) = one.products
    assert reports.IMAGE in product.names
    assert (PURL,) == product.subcomponents


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_takes_the_finding_out(name):
    applied = vex.apply(reports.full(), [read(FORMATS[name])])
    assert reports.LIBSSL in {
        one.finding.purl for one in applied.suppressed if one.finding.id == "CVE-2024-2"
    }
    assert reports.OPENSSL in {one.purl for one in applied.findings if one.id == "CVE-2024-2"}


def test_the_first_version_of_openvex_has_texts():
    (one,) = read(
        {
            "@context": "https://openvex.dev/ns",
            "author": "us",
            "timestamp": AT,
            "statements": [
                {"vulnerability": "CVE-1", "products": ["pkg:oci/app"], "status": "fixed"}
            ],
        }
    ).statements
    assert (("CVE-1",), ("pkg:oci/app",)) == (one.ids, one.products[0].names)


def test_what_seawall_writes_it_reads():
    subject = outputs.Subject(name="registry.example/team/app:1")
    written = documents.parse(outputs.FORMATS["openvex"].write(reports.full(), subject))
    by_id = {one.ids[0]: one for one in written.statements}
    assert Status.NOT_AFFECTED is by_id["CVE-2024-5"].status
    assert Status.UNDER_INVESTIGATION is by_id["CVE-2021-44228"].status
    again = documents.parse(outputs.FORMATS["cyclonedx"].write(reports.full(), subject))
    states = {one.ids[0]: one.status for one in again.statements}
    assert {
        "CVE-2024-5": Status.NOT_AFFECTED,
        "CVE-2024-6": Status.AFFECTED,
        "CVE-2024-7": Status.FIXED,
    } == states


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"not json",
        b'{"@context": 1}',
        b'{"bomFormat": "SPDX"}',
        b'{"a":1,"a":2}',
    ],
)
def test_refuses_what_is_no_vex(content):
    with pytest.raises(InvalidInputError):
        documents.parse(content)


def test_refuses_a_status_that_is_none():
    document = OPENVEX | {"statements": [OPENVEX["statements"][0] | {"status": "harmless"}]}
    with pytest.raises(InvalidInputError, match="'harmless' is none"):
        read(document)


def test_refuses_a_deep_tree():
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"branches": [deep]}
    with pytest.raises(LimitError):
        read(CSAF | {"product_tree": deep})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)  # fmt: skip


@given(st.sampled_from(sorted(FORMATS)), st.data())
def test_no_json_breaks_a_reader(name, data):
    """Replace one value somewhere in a good document by anything."""
    document = json.loads(json.dumps(FORMATS[name]))
    place = document
    while True:
        keys = range(len(place)) if isinstance(place, list) else sorted(place)
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not inner or not isinstance(inner, dict | list) or data.draw(st.booleans()):
            break
        place = inner
    place[key] = data.draw(JSON)
    try:
        found = read(document)
    except SeawallError:
        return
    vex.apply(reports.full(), [found], names=("registry.example/team/app:1",))
