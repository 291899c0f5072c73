"""VEX: what somebody knows about holes that a scanner cannot know (OpenVEX, CycloneDX, CSAF).

Pure. A statement says of a vulnerability and a product whether the product is affected. Rules:

 1. A statement applies to a finding when it names its id or an alias, and its product is this
    image or the component (`products`). Nothing is guessed: what does not match is told with the
    reason in `Report.unapplied`.
 2. The narrowest statement wins: about the digest before the tag before the name before a package
    anywhere, and with a package's version before the package.
 3. Among equally narrow ones the newest wins, and of two of one time the one that suppresses less.
    A broader one that is newer and says something else is told, never followed.
 4. `not_affected` and `fixed` take a finding out of the count; it stays in the report, with who
    said so, and why. `affected` and `under_investigation` change nothing.

Who may be believed is not decided here: callers hand in documents of their own choice, or ones that
an administrator let in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from seawall.scan.report_model import Finding, Report, Suppressed
from seawall.scan.vex import products
from seawall.scan.vex.model import Document, Statement, Status
from seawall.scan.vex.products import Image, Scope

__all__ = ["Document", "Statement", "Status", "apply"]

MAX_REASONS: Final = 100
"""Statements that did not apply, told by name; the others are counted."""

_SUPPRESSING: Final = frozenset({Status.NOT_AFFECTED, Status.FIXED})


@dataclass(frozen=True, slots=True)
class _Match:
    """One statement that applies to one finding."""

    scope: Scope
    statement: Statement
    document: Document

    def strength(self) -> tuple[Scope, str, bool, str]:
        is_careful = self.statement.status not in _SUPPRESSING
        return self.scope, self.statement.at, is_careful, self.document.digest


def apply(
    report: Report,
    documents: Iterable[Document],
    *,
    names: Sequence[str] = (),
    also: Sequence[str] = (),
) -> Report:
    """Return the report with what the documents answer for taken out of its findings.

    `names` are the references under which the image is known, `HOST/REPOSITORY:TAG`; `also` are
    digests that stand for it beside the report's own: of the index that it belongs to.
    """
    image = Image(digest=report.digest, names=tuple(names), also=tuple(also))
    said = _by_vulnerability(documents)
    findings: list[Finding] = []
    suppressed = list(report.suppressed)
    told: dict[str, None] = dict.fromkeys(report.unapplied)
    for finding in report.findings:
        matches, reasons = _matches(finding, image, said)
        told.update(dict.fromkeys(reasons))
        if not matches:
            findings.append(finding)
            continue
        best = max(matches, key=_Match.strength)
        told.update(dict.fromkeys(_overruled(finding, best, matches)))
        if best.statement.status in _SUPPRESSING:
            suppressed.append(_suppressed(finding, best))
        else:
            findings.append(finding)
    return msgspec.structs.replace(
        report,
        findings=tuple(findings),
        suppressed=tuple(sorted(suppressed, key=_order)),
        unapplied=_bounded(list(told)),
    )


_Said = dict[str, list[tuple[Statement, Document]]]


def _by_vulnerability(documents: Iterable[Document]) -> _Said:
    said: _Said = {}
    for document in documents:
        for statement in document.statements:
            for name in statement.ids:
                said.setdefault(name, []).append((statement, document))
    return said


def _matches(finding: Finding, image: Image, said: _Said) -> tuple[list[_Match], list[str]]:
    matches, reasons = [], []
    seen: set[int] = set()
    for name in (finding.id, *finding.aliases):
        for statement, document in said.get(name, ()):
            if id(statement) in seen:
                continue
            seen.add(id(statement))
            answers = [products.scope_of(one, image, finding) for one in statement.products]
            scopes = [one for one in answers if isinstance(one, tuple)]
            if scopes:
                matches.append(_Match(max(scopes), statement, document))
            else:
                why = next((one for one in answers if isinstance(one, str)), "it names no product")
                said_by = f"{statement.status.value} by {document.author}"
                reasons.append(f"{finding.id}: {said_by}: {why}")
    return matches, reasons


def _overruled(finding: Finding, best: _Match, matches: Sequence[_Match]) -> list[str]:
    """Say which broader statements were newer and meant something else."""
    does_suppress = best.statement.status in _SUPPRESSING
    return [
        f"{finding.id}: {one.statement.status.value} by {one.document.author} is newer and broader"
        f" than {best.statement.status.value} by {best.document.author}, which stands"
        for one in matches
        if one.scope < best.scope
        and one.statement.at > best.statement.at
        and (one.statement.status in _SUPPRESSING) != does_suppress
    ]


def _suppressed(finding: Finding, match: _Match) -> Suppressed:
    statement = match.statement
    reason = ": ".join(one for one in (statement.justification, statement.text) if one)
    return Suppressed(
        finding=finding,
        status=statement.status.value,
        reason=reason or "no reason is given",
        author=match.document.author,
        document=match.document.digest,
    )


def _order(one: Suppressed) -> tuple[int, str, str, str, str]:
    finding = one.finding
    return (-finding.severity.rank, finding.name, finding.version, finding.id, finding.path)


def _bounded(texts: Sequence[str]) -> tuple[str, ...]:
    if len(texts) <= MAX_REASONS:
        return tuple(texts)
    return (*texts[:MAX_REASONS], f"and {len(texts) - MAX_REASONS} more statements did not apply")
