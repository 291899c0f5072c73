"""What the output formats share: plain text, addresses, stable names, licences.

Texts of a report come from images and feeds. Here they lose control characters and what the
characters of no format may hold; each format escapes the rest in its own way.
"""

from __future__ import annotations

import hashlib
import unicodedata
import uuid
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

from packaging import licenses

from seawall.core import clock
from seawall.scan import advice, report_words
from seawall.scan.advisory_model import State
from seawall.scan.model import Component, Inventory
from seawall.scan.report_model import Finding, Report
from seawall.scan.severity import Severity

TOOL: Final = "seawall"
URI: Final = "pkg:pypi/seawall"
TEXT_MAX_CHARS: Final = 8_000
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

_HARMLESS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Zs"})
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "seawall.reports")

_ADDRESSES: Final = {
    "CVE": "https://www.cve.org/CVERecord?id=",
    "GHSA": "https://github.com/advisories/",
    "DSA": "https://security-tracker.debian.org/tracker/",
    "DLA": "https://security-tracker.debian.org/tracker/",
    "PYSEC": "https://osv.dev/vulnerability/",
    "RUSTSEC": "https://rustsec.org/advisories/",
    "GO": "https://pkg.go.dev/vuln/",
}
"""Where a database shows the record of an id, by the id's beginning."""

_SCORES: Final = {
    Severity.UNKNOWN: 7.0,
    Severity.NEGLIGIBLE: 0.1,
    Severity.LOW: 2.0,
    Severity.MEDIUM: 5.5,
    Severity.HIGH: 8.0,
    Severity.CRITICAL: 9.5,
}
"""A number for a word, from the middle of its band. What nobody rated counts as high."""


def plain(text: str, *, max_chars: int = TEXT_MAX_CHARS) -> str:
    """Return hostile text as one bounded line of characters that can be seen.

    Also direction marks, which make a line read otherwise than it is, are replaced.
    """
    shown = text if len(text) <= max_chars else text[: max_chars - 1] + "…"
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(char if _is_harmless(char) else REPLACEMENT for char in shown)


def _is_harmless(char: str) -> bool:
    category = unicodedata.category(char)
    if category == "Zs":
        return char == " "
    return category in _HARMLESS or category[0] in "NPS"


def address_of(identifier: str) -> str:
    """Return where a person reads about an id; empty for ids of unknown databases."""
    prefix = _ADDRESSES.get(identifier.partition("-")[0], "")
    return f"{prefix}{quote(identifier, safe='')}" if prefix else ""


def score_of(finding: Finding) -> float:
    """Return a number from 0.1 to 10.0 that lies in the band of the finding's severity.

    The severity is the best source's, and may differ from the score of another: it wins.
    """
    middle = _SCORES[finding.severity]
    if finding.score is None or band_of(finding.score) is not finding.severity:
        return middle
    return max(finding.score, 0.1)


def score_of_word(severity: Severity) -> float:
    """Return the number that stands for a severity without a score."""
    return _SCORES[severity]


def band_of(score: float) -> Severity:
    """Return the qualitative rating of a CVSS score (version 3.1, section 5)."""
    bands = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM))
    return next((word for least, word in bands if score >= least), Severity.LOW)


def without_host(path: str) -> str:
    """Return a path of the image as a relative URI reference (RFC 3986, path-rootless)."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return "/".join(quote(part, safe="@+~!$&'()*,;=") for part in parts) or "image"


def key_of(*parts: str) -> str:
    """Return 32 hexadecimal digits that stand for these texts, the same for ever."""
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(joined).hexdigest()[:32]


def uuid_of(*parts: str) -> uuid.UUID:
    """Return a UUID (version 5) that stands for these texts, the same for ever."""
    return uuid.uuid5(_NAMESPACE, key_of(*parts))


def seconds(report: Report) -> str:
    """Return the time of the report in whole seconds: `2026-01-01T12:00:00Z`."""
    return clock.from_text(report.scanned_at).strftime("%Y-%m-%dT%H:%M:%SZ")


def reference_of(purl: str, path: str, *, is_system: bool) -> str:
    """Return what names a component within its image.

    Packages of languages may stand in several places in one version; each is a component.
    """
    return purl if is_system and purl else f"{purl}#{path}"


def grouped(inventory: Inventory) -> dict[str, list[Component]]:
    """Return the components by reference, sorted; members of one archive share one."""
    groups: dict[str, list[Component]] = {}
    for component in inventory.components:
        purl = component.purl or f"{component.type}:{component.name}@{component.version}"
        key = reference_of(purl, component.path, is_system=component.type.is_system)
        groups.setdefault(key, []).append(component)
    return dict(sorted(groups.items()))


def reference_of_finding(finding: Finding) -> str:
    """Return the reference of the component that a finding is about."""
    return reference_of(finding.purl, finding.path, is_system=finding.type.is_system)


def by_hole(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Return the findings in groups of one hole in one package, in a fixed order."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.id, finding.type, finding.package), []).append(finding)
    return [sorted(groups[key], key=_place) for key in sorted(groups)]


def advice_in_one_line(finding: Finding) -> str:
    """Return what to do about a finding."""
    if finding.fixed_version:
        return f"Update {plain(finding.package)} to {plain(finding.fixed_version)} or newer."
    if finding.state is not State.PLAIN:
        return f"No version of {plain(finding.package)} ends it: {advice.without_fix(finding)}."
    return f"No version of {plain(finding.package)} without it is known."


def signals_of(finding: Finding) -> dict[str, str]:
    """Return what ranks a finding beside its severity, by name; what nobody said is left out."""
    told = {
        "exploited-since": finding.exploited_since if finding.is_known_exploited else "",
        "ransomware": "yes" if finding.is_used_by_ransomware else "",
        "epss": "" if finding.epss is None else f"{finding.epss:.5f}",
        "epss-percentile": "" if finding.epss_rank is None else f"{finding.epss_rank:.5f}",
        "ssvc": finding.ssvc,
        "reach": finding.reach.value,
        "load-path": plain(" → ".join(finding.load_path), max_chars=1024),
        "state": finding.state.value,
    }
    return {name: value for name, value in told.items() if value}


def told_of(finding: Finding) -> list[str]:
    """Return sentences about what ranks a finding: exploited, reached at start, likely, state, who
    rated it."""
    told = [report_words.exploitation(finding), report_words.reached(finding)]
    told.append(report_words.likelihood(finding))
    if finding.state is not State.PLAIN:
        told.append(f"{finding.state.value}: {advice.without_fix(finding)}")
    if source := report_words.rated_by(finding):
        told.append(f"rated {finding.severity.value} by {source}")
    return [plain(text) for text in told if text]


def doubts_of(report: Report) -> list[str]:
    """Return what makes the findings say less than they seem to: support that ends."""
    return [plain(report_words.support(one)) for one in report.end_of_life]


def expression(texts: Sequence[str]) -> str | None:
    """Return the licences as one SPDX expression; None unless every one is an expression."""
    parts = []
    for text in texts:
        try:
            canonical = str(licenses.canonicalize_license_expression(text))
        except licenses.InvalidLicenseExpression:
            return None
        parts.append(f"({canonical})" if " " in canonical and len(texts) > 1 else canonical)
    return " AND ".join(sorted(set(parts))) or None


def _place(finding: Finding) -> tuple[str, str, str]:
    return finding.purl, finding.path, finding.version
