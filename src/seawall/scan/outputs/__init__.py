"""What a report looks like for whom: each module turns a report into the bytes of one format.

Pure and reproducible: the same report gives the same bytes. Everything is sorted, names are derived
from content, the only time is the report's own. Documents are written directly, since the formats'
own libraries take seconds for a large image; they and the official schemas check the documents in
tests. Every text that came from an image or a feed is escaped here, in the way of the format.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from seawall.scan.report_model import Report


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is called, and for formats that ask for it, which commit it belongs to."""

    name: str
    commit: str = ""
    """40 hexadecimal digits."""
    ref: str = ""
    """`refs/heads/main`."""


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """One output format; its module has `write(report, subject) -> bytes`."""

    module: str
    summary: str

    @property
    def write(self) -> Callable[[Report, Subject], bytes]:
        """Return the function that writes it; its module is imported now."""
        loaded = importlib.import_module(f"seawall.scan.outputs.{self.module}")
        write: Callable[[Report, Subject], bytes] = loaded.write
        return write


FORMATS: Final[Mapping[str, Format]] = {
    "table": Format(module="table", summary="for a terminal"),
    "json": Format(module="report_json", summary="the whole report"),
    "sarif": Format(module="sarif", summary="SARIF 2.1.0, as code scanning wants it"),
    "cyclonedx": Format(module="cyclonedx", summary="CycloneDX 1.6 JSON, with vulnerabilities"),
    "spdx": Format(module="spdx2", summary="SPDX 2.3 JSON"),
    "spdx3": Format(module="spdx3", summary="SPDX 3.0.1 JSON-LD"),
    "html": Format(module="html_page", summary="one page without scripts"),
    "markdown": Format(module="markdown", summary="for the summary of a CI job"),
    "junit": Format(module="junit", summary="JUnit XML: each finding is a failed test"),
    "github": Format(module="github", summary="snapshot for GitHub's dependency graph"),
    "gitlab": Format(module="gitlab", summary="GitLab's container scanning report"),
    "openvex": Format(module="openvex", summary="OpenVEX 0.2.0: what was answered for"),
}
