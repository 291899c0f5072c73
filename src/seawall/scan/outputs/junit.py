"""JUnit XML, as CI servers read it: each finding is a test that failed.

What could not be judged is a test that ended in an error: an empty list is no proof. What somebody
answers for was skipped; a product without support is a failed test of its own. Text is escaped, and
characters that XML 1.0 cannot hold are replaced.
"""

from __future__ import annotations

import html
from collections.abc import Iterator

from seawall.scan.model import Weakness
from seawall.scan.outputs import Subject, _words
from seawall.scan.report_model import Finding, Report, Suppressed


def write(report: Report, subject: Subject) -> bytes:
    """Return the document."""
    suites = [
        ("vulnerabilities", list(_findings(report))),
        ("weaknesses", [_weakness(one) for one in report.inventory.weaknesses]),
        ("completeness", list(_doubts(report))),
    ]
    body = "".join(
        f"<testsuite name={_quoted(name)} {_counts(cases)}"
        f' time="0" timestamp={_quoted(_words.seconds(report)[:-1])}>\n'
        f"{''.join(cases)}</testsuite>\n"
        for name, cases in suites
    )
    everything = [case for _, cases in suites for case in cases]
    head = f"<testsuites name={_quoted(subject.name)} {_counts(everything)}>\n"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}{body}</testsuites>\n'.encode()


def _counts(cases: list[str]) -> str:
    failures = sum("<failure " in case for case in cases)
    errors = sum("<error " in case for case in cases)
    skipped = sum("<skipped " in case for case in cases)
    return f'tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="{skipped}"'


def _findings(report: Report) -> Iterator[str]:
    for finding in report.findings:
        text = f"{finding.severity.value}: {_words.advice_in_one_line(finding)}"
        place = f"{finding.path}, layer {finding.layer_index}, {finding.purl}"
        details = "\n".join((finding.summary, place, *_words.told_of(finding)))
        yield _case(
            _class_of(finding), finding.id, _inner("failure", text, details, finding.severity)
        )
    for one in report.suppressed:
        yield _case(_class_of(one.finding), one.finding.id, _skipped(one))
    if not report.findings:
        yield _case("image", "no findings", "")


def _class_of(finding: Finding) -> str:
    return f"{finding.type}.{finding.name}@{finding.version}"


def _skipped(one: Suppressed) -> str:
    until = f" until {one.until}" if one.until else ""
    return f"<skipped message={_quoted(f'{one.status} by {one.author}{until}: {one.reason}')}/>"


def _weakness(one: Weakness) -> str:
    place = f"{one.path}:{one.line}" if one.line else one.path or "config"
    inner = _inner("failure", one.title, f"{place}: {one.evidence}\n{one.remedy}", one.severity)
    return _case(f"{one.kind.value}.{one.rule}", place, inner)


def _doubts(report: Report) -> Iterator[str]:
    why = [notice.message for notice in report.inventory.notices] if report.is_partial else []
    inner = _inner("error", "a part of the image could not be read", "\n".join(why), "partial")
    yield _case("scan", "the whole image was read", inner if report.is_partial else "")
    texts = list(report.notices)
    if not report.feeds:
        texts.append("no feed of advisories is imported")
    inner = _inner("error", "not judged", "\n".join(texts), "unjudged")
    yield _case("scan", "every component was judged", inner if texts else "")
    over = any(one.is_over for one in report.end_of_life)
    told = "\n".join(_words.doubts_of(report))
    inner = _inner("failure", "a product gets no fixes any more", told, "end-of-life")
    yield _case("scan", "every product is supported", inner if over else "")


def _case(class_name: str, name: str, inner: str) -> str:
    return f"<testcase classname={_quoted(class_name)} name={_quoted(name)}>{inner}</testcase>\n"


def _inner(tag: str, message: str, details: str, kind: str) -> str:
    lines = "\n".join(html.escape(_words.plain(line)) for line in details.split("\n"))
    return f"<{tag} message={_quoted(message)} type={_quoted(str(kind))}>{lines}</{tag}>"


def _quoted(text: str) -> str:
    return f'"{html.escape(_words.plain(text))}"'
