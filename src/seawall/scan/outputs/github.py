"""A snapshot for GitHub's dependency submission API: what is in the image, by package URL.

The API keeps snapshots by commit, so the commit and its ref must be told. Packages of the system
and of languages stand in one manifest each, as dependencies that run.
"""

from __future__ import annotations

import re
from typing import Final

import seawall
from seawall.core import strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.scan.model import Component, Role
from seawall.scan.outputs import Subject, _words
from seawall.scan.report_model import Report

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF: Final = re.compile(r"refs/[!-~]{1,250}")


def write(report: Report, subject: Subject) -> bytes:
    """Return the snapshot. Raises InvalidInputError without a commit and a ref."""
    if not _COMMIT.fullmatch(subject.commit) or not _REF.fullmatch(subject.ref):
        raise InvalidInputError(
            "a snapshot for GitHub belongs to a commit",
            remedy="give --commit with all its digits and --ref, as refs/heads/main",
        )
    name = _words.plain(subject.name, max_chars=200)
    version = report.scanner_version or seawall.__version__
    return strictjson.encode(
        {
            "version": 0,
            "sha": subject.commit,
            "ref": subject.ref,
            "job": {"id": _words.key_of(report.digest), "correlator": f"seawall {name}"},
            "detector": {"name": "seawall", "version": version, "url": _words.URI},
            "scanned": _words.seconds(report),
            "metadata": {"image": name, "digest": report.digest},
            "manifests": _manifests(report, name),
        }
    )


def _manifests(report: Report, name: str) -> dict[str, Json]:
    manifests: dict[str, dict[str, Json]] = {}
    for reference, group in _words.grouped(report.inventory).items():
        first = group[0]
        if first.purl:
            kind = f"{name} ({first.type})"
            manifests.setdefault(kind, {})[reference] = _dependency(first)
    return {
        kind: {"name": kind, "resolved": resolved} for kind, resolved in sorted(manifests.items())
    }


def _dependency(component: Component) -> Json:
    return {
        "package_url": component.purl,
        "relationship": "indirect" if component.role is Role.BUNDLED else "direct",
        "scope": "runtime",
        "metadata": {
            "path": _words.plain(component.path, max_chars=500),
            "layer": component.layer,
        },
    }
