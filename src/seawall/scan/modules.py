"""Module streams of rpms: what one stream fixed says nothing about another.

An advisory for modular packages may list one range for each build of a module, all from zero, and
an older stream's fixed build lies below the newer stream's. Where the title names one stream
(`nodejs:18 security update`) the ranges are bound to it. Elsewhere the ranges of one package are
taken apart: of builds of the same upstream version the lowest counts, and each upstream version is
compared with its own line (the same major version, else the same minor one).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from seawall.scan import advisory_ranges, versions
from seawall.scan.advisory_model import Affected, Interval

_STREAM: Final = re.compile(
    r"(?<![\w.+-])([A-Za-z0-9][\w.+-]{0,63}:[\w.+-]{1,64})(?![\w.+:-])", re.ASCII
)
_MARK: Final = "module"
_LINE: Final = re.compile(r"([0-9]+:)?([0-9]+)(\.[0-9]+)?")


def within_streams(found: Sequence[Affected], *, title: str) -> tuple[Affected, ...]:
    """Bind the ranges of modular packages to their stream; leave all others as they are."""
    if not any(_is_modular(affected) for affected in found):
        return tuple(found)
    streams = set(_STREAM.findall(title[:400]))
    stream = streams.pop() if len(streams) == 1 else ""
    kept: dict[tuple[str, str], list[Affected]] = {}
    for affected in found:
        kept.setdefault((affected.ecosystem, affected.package), []).append(affected)
    return tuple(
        msgspec.structs.replace(one, module=stream if _is_modular(one) else "")
        for group in kept.values()
        for one in (_apart(group) if all(map(_is_modular, group)) else group)
    )


def _is_modular(affected: Affected) -> bool:
    return any(_MARK in interval.fixed for interval in affected.intervals)


def _apart(group: Sequence[Affected]) -> Iterable[Affected]:
    order = versions.order_of(group[0].ecosystem)
    fixes = {one.fixed for affected in group for one in affected.intervals}
    if order is None or "" in fixes or len(fixes) == 1:
        return group[:1] if len(fixes) == 1 else group
    lowest: dict[str, str] = {}
    for fixed in sorted(fixes, key=order.key, reverse=True):
        lowest[fixed.rpartition("-")[0]] = fixed
    ends = sorted(lowest.values(), key=order.key)
    return [msgspec.structs.replace(group[0], intervals=tuple(_lines(order, ends)))]


def _lines(order: versions.Order, ends: Sequence[str]) -> Iterator[Interval]:
    yield from advisory_ranges.until(order, ends[0])
    for before, end in itertools.pairwise(ends):
        start = _start(before, end)
        if order.key(start) < order.key(end):
            yield Interval(lo=order.key(start), hi=order.key(end), fixed=end)


def _start(before: str, end: str) -> str:
    """Return where the line of `end` begins, above the line of `before`."""
    theirs, ours = _LINE.match(before), _LINE.match(end)
    if theirs is None or ours is None:
        return before
    epoch, major, minor = ours.groups(default="")
    if (theirs[1], theirs[2]) != (ours[1], ours[2]):
        return f"{epoch}{major}"
    return f"{epoch}{major}{minor}" if theirs[3] != ours[3] else before
