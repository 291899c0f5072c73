"""A report for the summary page of a CI job: GitHub's and GitLab's Markdown.

Every character of hostile text that Markdown could take for its own is escaped, so that a package
name makes no link, picture, heading or mention. Tables are cut at `MAX_ROWS`,
since such pages are bounded.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from typing import Final

from seawall.scan import advice, report_model, report_words
from seawall.scan.outputs import Subject, _words
from seawall.scan.outputs.table import counts
from seawall.scan.report_model import Finding, Report

MAX_ROWS: Final = 500
CELL_MAX_CHARS: Final = 200
_ESCAPES: Final = str.maketrans(
    {char: f"\\{char}" for char in string.punctuation if char not in "-.,:;/&<>@"}
    | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", ":": "&#58;"}
)


def write(report: Report, subject: Subject) -> bytes:
    """Return the page."""
    return ("\n".join(_lines(report, subject)) + "\n").encode()


def _lines(report: Report, subject: Subject) -> Iterator[str]:
    yield f"## Scan of {_text(subject.name)}"
    yield ""
    yield f"`{report.digest}` · {_text(counts(report))}"
    yield ""
    yield from _doubts(report)
    summary = report_model.summarise(report)
    if summary.findings:
        yield from _severities(summary)
        yield from _advice(report)
        rows = [_row(one) for one in report.findings]
        head = ("Severity", "Id", "Package", "Fixed in", "EPSS, percentile", "Layer")
        yield from _table(head, rows)
    weak = report.inventory.weaknesses
    if weak:
        yield "### In the image itself"
        yield ""
        weak_rows = [
            (one.severity.value, _text(one.title), _text(one.path) or "config", _text(one.evidence))
            for one in sorted(weak, key=lambda one: (-one.severity.rank, one.rule, one.path))
        ]
        yield from _table(("Severity", "What", "Where", "Seen"), weak_rows)
    unexplained = report.inventory.unexplained
    if unexplained:
        yield "### Programs that nothing explains"
        yield ""
        files = [(_text(one.path), _text(one.format), f"{one.layer_index}") for one in unexplained]
        yield from _table(("File", "Format", "Layer"), files)
    if report.suppressed:
        yield f"### Answered for, and not counted above ({len(report.suppressed)})"
        yield ""
        answers = [
            (
                _text(one.finding.id),
                _text(one.finding.name),
                _text(one.status),
                _text(one.reason),
                _text(f"{one.author} {one.until[:10]}".strip()),
            )
            for one in report.suppressed
        ]
        yield from _table(("Id", "Package", "Status", "Reason", "By, until"), answers)


def _row(one: Finding) -> tuple[str, ...]:
    rated = f" ({_text(source)})" if (source := report_words.rated_by(one)) else ""
    exploited = f" **{_text(told)}**" if (told := report_words.exploitation(one)) else ""
    started = f" ({report_words.REACHES[one.reach]})" if one.reach else ""
    likely = report_words.likelihood(one).removeprefix("EPSS ").replace("percentile ", "")
    return (
        f"{one.severity.value}{rated}",
        f"{_linked(one.id)}{exploited}",
        f"{_text(one.name)} {_text(one.version)}{started}",
        _text(one.fixed_version or advice.without_fix(one)),
        _text(likely),
        f"{one.layer_index}",
    )


def _severities(summary: report_model.Summary) -> Iterator[str]:
    rows = [
        (name, str(count), str(summary.fixable_by_severity.get(name, 0)))
        for name, count in summary.findings_by_severity.items()
    ]
    yield from _table(("Severity", "Findings", "Fixable"), rows)


def _advice(report: Report) -> Iterator[str]:
    plan = advice.of_report(report)
    if not plan.changes:
        return
    yield "### What to do"
    yield ""
    for change in plan.changes[:MAX_ROWS]:
        yield f"- {_text(change.sentence)}"
    yield ""
    yield f"After that {_text(plan.rest_in_words)}."
    yield ""


def _doubts(report: Report) -> Iterator[str]:
    texts = ["**Incomplete:** a part of the image could not be read"] if report.is_partial else []
    texts += [f"**Not judged:** {_text(text)}" for text in report.notices]
    texts += [f"**{_text(text[0].upper() + text[1:])}**" for text in _words.doubts_of(report)]
    if not report.feeds:
        texts.append("**Not judged:** no feed of advisories is imported")
    for text in texts:
        yield f"> {text}"
        yield ">"
    if texts:
        yield ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows[:MAX_ROWS]:
        yield f"| {' | '.join(row)} |"
    yield ""
    if len(rows) > MAX_ROWS:
        yield f"… and {len(rows) - MAX_ROWS} more, see the whole report"
        yield ""


def _linked(identifier: str) -> str:
    address = _words.address_of(identifier)
    return f"[{_text(identifier)}]({address})" if address else _text(identifier)


def _text(text: str) -> str:
    return _words.plain(text, max_chars=CELL_MAX_CHARS).translate(_ESCAPES)
