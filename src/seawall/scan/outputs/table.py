"""A report as a person reads it in a terminal: worst first, then what was not looked at.

Everything that comes from an image or a feed is stripped of control characters, so that a package
name cannot move the cursor, change colours or hide a line. No colour is used at all.
"""

from __future__ import annotations

import collections
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from seawall.scan import advice, report_model, report_words
from seawall.scan.model import BaseEvidence, Reach, Unexplained, Weakness
from seawall.scan.outputs import Subject, _words
from seawall.scan.report_model import Finding, Report, Suppressed

COLUMNS: Final = ("ID", "PACKAGE", "INSTALLED", "FIXED IN", "EPSS", "AT START", "LAYER")
LEAST: Final = (16, 13, 12, 12, 10, 8, 5)
"""What a column keeps when the line is too long, in characters."""
LINE_MAX_CHARS: Final = 100
COLUMN_MAX_CHARS: Final = 40
UNEXPLAINED_SHOWN: Final = 50
SOURCES_SHOWN: Final = 3

_REACHES: Final[Mapping[Reach, str]] = {
    Reach.STARTED: "runs",
    Reach.LOADABLE: "loadable",
    Reach.PRESENT: "no",
    Reach.UNKNOWN: "",
}

_Row = tuple[str, str, str, str, str, str, str]


def write(report: Report, subject: Subject) -> bytes:
    """Return the report as lines of text, with a heading."""
    told = [f"{plain(subject.name, max_chars=200)}  {counts(report)}", *lines(report)]
    return "".join(f"{line}\n" for line in told).encode()


def lines(report: Report) -> Iterator[str]:
    """Yield the report line by line, without line ends."""
    rows = [_row(finding) for finding in report.findings]
    widths = _fitting([max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)])
    for severity, group in groupby(report.findings, key=lambda finding: finding.severity):
        members = list(group)
        heading = f"{severity.upper()} ({len(members)}){_sources(members)}"
        yield plain(heading, max_chars=LINE_MAX_CHARS)
        yield _line(COLUMNS, widths)
        for finding in members:
            yield _line(_row(finding), widths)
            if told := report_words.exploitation(finding):
                yield f"    {plain(told, max_chars=LINE_MAX_CHARS - 4)}"
        yield ""
    yield from _weaknesses(report.inventory.weaknesses)
    yield from _unexplained(report.inventory.unexplained)
    yield from _answered(report.suppressed)
    yield from _wrapped(counts(report))
    if reached := report_words.reaches(report.findings):
        yield ", ".join(text for _, text in reached)
    yield from _shares(report)
    yield from _doubts(report)


def _shares(report: Report) -> Iterator[str]:
    """Say what came with the base image and what was put upon it, where both have layers."""
    base, layers = report.inventory.base, len(report.inventory.layers)
    if base is None or base.layers >= layers or not report.findings:
        return
    inherited = sum(one.layer_index < base.layers for one in report.findings)
    named = f" {plain(base.name, max_chars=200)}" if base.name else ""
    sure = "" if base.evidence is BaseEvidence.HISTORY else ", a guess: the history does not tell"
    yield (
        f"{inherited} came with the base image{named} ({_count(base.layers, 'layer')}{sure}),"
        f" {len(report.findings) - inherited} with the"
        f" {_count(layers - base.layers, 'layer')} upon it"
    )


def counts(report: Report) -> str:
    """Return the totals in one line."""
    summary = report_model.summarise(report)
    components = _count(summary.components, "component")
    told = [f"no findings in {components}"]
    if summary.findings:
        by_severity = ", ".join(f"{n} {name}" for name, n in summary.findings_by_severity.items())
        findings = _count(summary.findings, "finding")
        told = [f"{findings} in {components}: {by_severity}", f"{summary.fixable} fixable"]
    if summary.exploited:
        told.append(f"{summary.exploited} known exploited")
    if answered := report_words.answers(report.suppressed):
        told.append(answered)
    return "; ".join(told)


def plain(text: str, *, max_chars: int = COLUMN_MAX_CHARS) -> str:
    """Return hostile text as one harmless, bounded piece of a line."""
    return _words.plain(text, max_chars=max_chars)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _row(finding: Finding) -> _Row:
    package = finding.name
    if finding.package != finding.name:
        package = f"{finding.name} ({finding.package})"
    return (
        plain(finding.id),
        plain(package),
        plain(finding.version),
        plain(finding.fixed_version) or advice.without_fix_in_short(finding),
        _likelihood(finding),
        _REACHES[finding.reach],
        str(finding.layer_index),
    )


def _likelihood(finding: Finding) -> str:
    """Return EPSS in short: `94.0% p99`, the probability and the percentile."""
    if finding.epss is None:
        return ""
    rank = "" if finding.epss_rank is None else f" p{int(100 * finding.epss_rank + 1e-6)}"
    return f"{report_words.percent(finding.epss)}%{rank}"


def _sources(findings: Sequence[Finding]) -> str:
    """Say who rated them so, the most frequent first."""
    sources = collections.Counter(one.severity_source for one in findings)
    if not any(sources):
        return ""
    first = sorted(sources, key=lambda one: (-sources[one], one))
    told = [f"{one or 'nobody'} {sources[one]}" for one in first[:SOURCES_SHOWN]]
    more = ", …" if len(first) > SOURCES_SHOWN else ""
    return f", rated by {', '.join(told)}{more}"


def _fitting(widths: list[int]) -> list[int]:
    """Take from the columns that have most to spare until a line fits."""
    room = LINE_MAX_CHARS - 2 * len(COLUMNS)
    while sum(widths) > room:
        spare = [width - least for width, least in zip(widths, LEAST, strict=True)]
        widths[spare.index(max(spare))] -= 1
    return widths


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    cut = (plain(cell, max_chars=width) for cell, width in zip(cells, widths, strict=True))
    padded = (cell.ljust(width) for cell, width in zip(cut, widths, strict=True))
    return ("  " + "  ".join(padded)).rstrip()


def _wrapped(text: str) -> list[str]:
    """Return a long line in pieces of at most `LINE_MAX_CHARS`, where it has spaces."""
    return textwrap.wrap(
        text,
        LINE_MAX_CHARS,
        subsequent_indent="    ",
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def _weaknesses(found: Sequence[Weakness]) -> Iterator[str]:
    """Yield secrets and mistakes of the image itself, worst first."""
    for one in sorted(found, key=lambda one: (-one.severity.rank, one.rule, one.path, one.line)):
        place = f"{plain(one.path, max_chars=200)}:{one.line}" if one.line else plain(one.path)
        yield f"{one.severity.upper()} {one.kind}: {plain(one.title, max_chars=100)}"
        yield f"  {place or 'config'}  {plain(one.evidence, max_chars=200)}"
        yield f"  {plain(one.remedy, max_chars=200)}"
    if found:
        yield ""


def _unexplained(files: Sequence[Unexplained]) -> Iterator[str]:
    """Yield the programs of which nobody knows what they are: no finding can be about them."""
    if not files:
        return
    yield f"UNEXPLAINED ({len(files)} programs that no package owns and nothing recognises)"
    for one in files[:UNEXPLAINED_SHOWN]:
        told = f"{plain(one.format)} {plain(one.kind)}".strip()
        place = f"{one.size} bytes, layer {one.layer_index}"
        yield f"  {plain(one.path, max_chars=200)}  {told}, {place}"
    if len(files) > UNEXPLAINED_SHOWN:
        yield f"  and {len(files) - UNEXPLAINED_SHOWN} more, see --format json"
    yield ""


def _answered(suppressed: Sequence[Suppressed]) -> Iterator[str]:
    if not suppressed:
        return
    yield f"ANSWERED FOR ({len(suppressed)})"
    for one in suppressed:
        until = f" until {plain(one.until)[:10]}" if one.until else ""
        who = f"{one.status}, {plain(one.author)}{until}"
        what = f"{plain(one.finding.id)}  {plain(one.finding.name)} {plain(one.finding.version)}"
        yield from _wrapped(f"  {what}  {who}: {plain(one.reason, max_chars=200)}")
    yield ""


def _doubts(report: Report) -> Iterator[str]:
    for one in report.end_of_life:
        support = report_words.support(one).removeprefix("support")
        yield f"SUPPORT{plain(support, max_chars=LINE_MAX_CHARS - 7)}"
    for told in report.informational:
        what = f"{plain(told.name)} {plain(told.version)}"
        yield f"note: {what} is {told.informational.value} ({plain(told.id)})"
    if report.is_partial:
        yield "INCOMPLETE: a part of the image could not be read"
    for notice in report.inventory.notices:
        yield f"note: {plain(notice.message, max_chars=200)}"
    for text in report.unapplied:
        yield f"not applied: {plain(text, max_chars=300)}"
    for text in report.notices:
        yield f"NOT JUDGED: {plain(text, max_chars=200)}"
    if not report.feeds:
        yield "NOT JUDGED: no feed of advisories is imported"
