"""Reports made by hand: one with everything that an output has to show, and a hostile one."""

from __future__ import annotations

from typing import Any, Final

from seawall.oci.digest import Digest
from seawall.scan.advisory_model import State
from seawall.scan.model import (
    Component,
    Distribution,
    Evidence,
    Inventory,
    LayerInfo,
    Notice,
    NoticeKind,
    PackageType,
    Reach,
    Role,
    Unexplained,
    Weakness,
    WeaknessKind,
)
from seawall.scan.report_model import EndOfLife, FeedUsed, Finding, Report, Suppressed
from seawall.scan.severity import Severity

IMAGE: Final = str(Digest.of(b"manifest"))
LAYERS: Final = (str(Digest.of(b"layer 0")), str(Digest.of(b"layer 1")))
SCANNED_AT: Final = "2026-01-01T12:00:00.000000Z"

LIBSSL: Final = "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12"
OPENSSL: Final = "pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12"
JINJA: Final = "pkg:pypi/jinja2@3.1.2"
STATUS: Final = "/var/lib/dpkg/status"

HOSTILE: Final = (
    '</script><script>alert(1)</script><img src=x onerror="alert(2)">'
    "'\"`|[a](javascript:alert(3))\x1b[31m\u202e\x00]]>&amp;{{7*7}}\r\n# @root ![x](http://x) ﷽"
)
"""What a package name may try on each format."""


def component(name: str, version: str, purl: str, **more: Any) -> Component:
    """Make a component; a Debian package of the lowest layer unless `more` says otherwise."""
    told: dict[str, Any] = {
        "type": PackageType.DEB,
        "path": STATUS,
        "layer": LAYERS[0],
        "layer_index": 0,
        "created_by": "ADD file:abc in /",
    }
    return Component(name=name, version=version, purl=purl, **(told | more))


def in_python(path: str, **more: Any) -> Component:
    """Make the Jinja2 that stands at `path`."""
    told: dict[str, Any] = {
        "type": PackageType.PYPI,
        "path": path,
        "layer": LAYERS[1],
        "layer_index": 1,
        "created_by": "RUN pip install jinja2",
        "licenses": ("BSD-3-Clause",),
    }
    return component("jinja2", "3.1.2", JINJA, **(told | more))


def finding(identifier: str, of: Component, **more: Any) -> Finding:
    """Make a finding about a component."""
    told: dict[str, Any] = {
        "aliases": (),
        "package": of.source_name or of.name,
        "fixed_version": "",
        "severity": Severity.HIGH,
        "severity_source": "Debian",
        "score": None,
        "summary": "a hole",
        "feeds": ("Debian",),
    }
    return Finding(
        id=identifier,
        type=of.type,
        name=of.name,
        version=of.version,
        purl=of.purl,
        path=of.path,
        layer=of.layer,
        layer_index=of.layer_index,
        **(told | more),
    )


_SSL: Final = component(
    "libssl3",
    "3.0.11-1",
    LIBSSL,
    source_name="openssl",
    source_version="3.0.11-1",
    architecture="amd64",
    licenses=("Apache-2.0", "a text of its own"),
)
_PROGRAM: Final = component(
    "openssl", "3.0.11-1", OPENSSL, source_name="openssl", source_version="3.0.11-1"
)
_BUSYBOX: Final = component(
    "busybox",
    "1.36.1",
    "pkg:generic/busybox@1.36.1",
    type=PackageType.GENERIC,
    path="/opt/tools/bb",
    layer=LAYERS[1],
    layer_index=1,
    evidence=(
        Evidence(kind="build-id", detail="0a1b", confidence=1.0),
        Evidence(kind="sketch", confidence=0.6),
    ),
)
_BUNDLED: Final = component(
    "org.apache.logging.log4j:log4j-core",
    "2.12.1",
    "pkg:maven/org.apache.logging.log4j/log4j-core@2.12.1",
    type=PackageType.MAVEN,
    path="/opt/app.jar",
    inside="BOOT-INF/lib/log4j-core-2.12.1.jar",
    role=Role.BUNDLED,
    layer=LAYERS[1],
    layer_index=1,
    licenses=("Apache-2.0 OR MIT",),
)


_FIRST: Final = in_python("/a/x.dist-info/METADATA")
_SECOND: Final = in_python("/b/x.dist-info/METADATA")
_GHSA: Final = "GHSA-xxxx-yyyy-zzzz"

_FINDINGS: Final = (
    finding("CVE-2021-44228", _BUNDLED, severity=Severity.CRITICAL, score=10.0,
            fixed_version="2.15.0", aliases=("GHSA-jfh8-c2jp-5v3q",), is_known_exploited=True,
            exploited_since="2021-12-10", is_used_by_ransomware=True, epss=0.94, epss_rank=0.99987,
            severity_source="CVSS:3.1", reach=Reach.LOADABLE,
            load_path=("/usr/bin/java", "/opt/app.jar")),
    finding("CVE-2024-1", _FIRST, aliases=(_GHSA,), fixed_version="3.1.4", score=7.5),
    finding("CVE-2024-1", _SECOND, aliases=(_GHSA,), fixed_version="3.1.4", score=7.5),
    finding("CVE-2024-2", _SSL, severity=Severity.MEDIUM, fixed_version="3.0.14-1",
            reach=Reach.STARTED, load_path=("/usr/sbin/nginx", "/usr/lib/libssl.so.3")),
    finding("CVE-2024-2", _PROGRAM, severity=Severity.MEDIUM, fixed_version="3.0.14-1"),
    finding("CVE-2024-3", _SSL, severity=Severity.LOW, score=9.8, state=State.IGNORED),
    finding("SW-2024-4", _BUSYBOX, severity=Severity.UNKNOWN, summary=""),
)  # fmt: skip
_WEAKNESSES: Final = (
    Weakness(
        kind=WeaknessKind.SECRET, rule="private-key", title="Private key",
        severity=Severity.HIGH, evidence="-----BEGIN … (1675 characters)",
        remedy="Make a new key.", path="/etc/ssl/private/site key.pem", line=1,
        layer=LAYERS[1], layer_index=1,
    ),
    Weakness(
        kind=WeaknessKind.CONFIGURATION, rule="user-is-root", title="Runs as root",
        severity=Severity.MEDIUM, evidence="no USER", remedy="Add USER.",
    ),
)  # fmt: skip
_SUPPRESSED: Final = (
    Suppressed(
        finding=finding("CVE-2024-5", _SSL), status="not_affected", author="security team",
        reason="vulnerable_code_not_in_execute_path: never called",
        document=str(Digest.of(b"vex")),
    ),
    Suppressed(
        finding=finding("CVE-2024-6", _FIRST), status="waived", author="alice",
        reason="ticket 17", until="2026-02-01T00:00:00.000000Z",
    ),
    Suppressed(
        finding=finding("CVE-2024-7", _FIRST), status="fixed", author="vendor",
        reason="patched", document=str(Digest.of(b"vex")),
    ),
)  # fmt: skip


def full() -> Report:
    """Make a report with one of everything."""
    return Report(
        digest=IMAGE,
        inventory=Inventory(
            components=(_SSL, _PROGRAM, _BUSYBOX, _BUNDLED, _FIRST, _SECOND),
            distribution=Distribution(id="debian", version_id="12", pretty_name="Debian 12"),
            notices=(Notice(kind=NoticeKind.LIMIT, message="stopped", layer=LAYERS[1]),),
            layers=tuple(LayerInfo(digest=one, size=1) for one in LAYERS),
            is_partial=True,
            platform="linux/amd64",
            weaknesses=_WEAKNESSES,
            unexplained=(
                Unexplained(path="/opt/x", format="elf", kind="program", size=9, sha256="0" * 64,
                            layer=LAYERS[1], layer_index=1),
            ),
        ),
        findings=_FINDINGS,
        scanned_at=SCANNED_AT,
        feeds=(
            FeedUsed(name="Debian", digest=str(Digest.of(b"feed")), imported_at=SCANNED_AT,
                     generation=3),
        ),
        scanner_version="1.2.3",
        is_partial=True,
        unjudged=1,
        notices=("1 not judged: advisories about packages of type generic are not matched yet",),
        end_of_life=(
            EndOfLife(product="debian", cycle="12", ends="2025-12-01", is_over=True),
            EndOfLife(product="busybox", cycle="1.36", ends="2026-02-01", is_over=False,
                      component="pkg:generic/busybox@1.36.1"),
        ),
        suppressed=_SUPPRESSED,
        unapplied=("CVE-2024-1: the statement is about pkg:oci/other",),
    )  # fmt: skip


def clean() -> Report:
    """Make a report in which everything was judged and nothing found."""
    return Report(
        digest=IMAGE,
        inventory=Inventory(
            components=(_PROGRAM,),
            distribution=Distribution(id="debian", version_id="12"),
            notices=(),
            layers=(LayerInfo(digest=LAYERS[0], size=1),),
            is_partial=False,
        ),
        findings=(),
        scanned_at=SCANNED_AT,
        feeds=full().feeds,
        scanner_version="1.2.3",
        is_partial=False,
    )


def hostile(text: str = HOSTILE) -> Report:
    """Make a report in which every text that an image or a feed may give is `text`."""
    bad = component(
        text, text, f"pkg:generic/{text}", type=PackageType.GENERIC, path=f"/{text}",
        created_by=text, licenses=(text,), source_name=text, source_version=text, inside=text,
        evidence=(Evidence(kind=text, detail=text, confidence=0.5),),
    )  # fmt: skip
    found = finding(
        text, bad, aliases=(text,), package=text, fixed_version=text, summary=text,
        severity_source=text, feeds=(text,), exploited_since=text, is_known_exploited=True,
        epss=0.5, epss_rank=0.5, reach=Reach.STARTED, load_path=(text,) * 6,
    )  # fmt: skip
    return Report(
        digest=IMAGE,
        inventory=Inventory(
            components=(bad,),
            distribution=Distribution(id=text, version_id=text, codename=text, pretty_name=text),
            notices=(Notice(kind=NoticeKind.LIMIT, message=text),),
            layers=(),
            is_partial=True,
            platform=text,
            unexplained=(Unexplained(path=text, format=text, kind=text, created_by=text),),
            weaknesses=(
                Weakness(kind=WeaknessKind.SECRET, rule=text, title=text, severity=Severity.HIGH,
                         evidence=text, remedy=text, path=text, line=1),
            ),
        ),
        findings=(found,),
        scanned_at=SCANNED_AT,
        feeds=(FeedUsed(name=text, digest=text, imported_at=SCANNED_AT, generation=1),),
        scanner_version="1.2.3",
        is_partial=True,
        notices=(text,),
        end_of_life=(EndOfLife(product=text, cycle=text, ends=text, is_over=True, component=text),),
        suppressed=(
            Suppressed(finding=found, status="not_affected", reason=text, author=text, until=text),
        ),
        unapplied=(text,),
    )  # fmt: skip
