"""The difference of two reports, for a terminal or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from seawall.scan import advice, report_words
from seawall.scan.advisory_model import State
from seawall.scan.differences import Difference
from seawall.scan.outputs import _words
from seawall.scan.report_model import Finding

PACKAGES_SHOWN: Final = 200


def as_json(difference: Difference) -> bytes:
    """Return the whole difference, indented."""
    return msgspec.json.format(msgspec.json.encode(difference, enc_hook=str)) + b"\n"


def lines(difference: Difference) -> Iterator[str]:
    """Yield it line by line, without line ends: what is new first."""
    yield from _group("NEW", difference.new)
    yield from _group("GONE", difference.gone)
    if difference.changed:
        yield f"CHANGED ({len(difference.changed)})"
    for one in difference.changed:
        told = ", ".join(
            f"{field.replace('_', ' ')} {_shown(one.before, field)} → {_shown(one.after, field)}"
            for field in one.fields
        )
        yield f"  {_plain(one.after.id)}  {_plain(one.after.name)}  {told}"
    if difference.changed:
        yield ""
    yield from _packages(difference)
    yield (
        f"{len(difference.new)} new, {len(difference.gone)} gone,"
        f" {len(difference.changed)} changed, {difference.unchanged} as before"
    )
    if not difference.is_comparable:
        yield "NOT QUITE COMPARABLE: other editions of the feeds, or a part could not be read"


def _group(title: str, findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        return
    yield f"{title} ({len(findings)})"
    for one in findings:
        fix = f"fixed in {_plain(one.fixed_version)}" if one.fixed_version else _without_fix(one)
        signals = (
            report_words.exploitation(one),
            report_words.REACHES[one.reach],
            report_words.likelihood(one),
        )
        told = "".join(f"; {_plain(text)}" for text in signals if text)
        package = f"{_plain(one.name)} {_plain(one.version)}"
        yield f"  {one.severity.value:<10}  {_plain(one.id)}  {package}  {fix}{told}"
    yield ""


def _without_fix(finding: Finding) -> str:
    return "no fix" if finding.state is State.PLAIN else f"no fix: {advice.without_fix(finding)}"


def _packages(difference: Difference) -> Iterator[str]:
    changes = difference.packages
    if not changes:
        return
    yield f"PACKAGES ({len(changes)})"
    for one in changes[:PACKAGES_SHOWN]:
        before = _plain(", ".join(one.before)) or "—"
        after = _plain(", ".join(one.after)) or "—"
        yield f"  {one.type}  {_plain(one.name)}  {before} → {after}"
    if len(changes) > PACKAGES_SHOWN:
        yield f"  and {len(changes) - PACKAGES_SHOWN} more, see --format json"
    yield ""


def _shown(finding: Finding, field: str) -> str:
    return _plain(str(getattr(finding, field))) or "—"


def _plain(text: str) -> str:
    return _words.plain(text, max_chars=60)
