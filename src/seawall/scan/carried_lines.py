"""Items of a feed as lines of text, and lines as items: what is stored, no more.

One JSON array a line, strictly typed and bounded. Refused: a line that is not exactly of one of the
three kinds, a text with U+0000, a range of an ecosystem that has no order of versions here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, TypeAlias, assert_never

import msgspec
import sqlalchemy as sa

from seawall.scan import _sql, staging, versions
from seawall.scan.advisory_model import (
    Advisory,
    Affected,
    Informational,
    Interval,
    Item,
    Lifecycle,
    Signal,
    SignalKind,
    State,
)
from seawall.scan.errors import BadRecordError
from seawall.scan.severity import Rating, Severity
from seawall.store import Database

Text = Annotated[str, msgspec.Meta(max_length=4_096)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:+/@-]{0,127}\Z")]
_Key = Annotated[bytes, msgspec.Meta(max_length=65_536)]
_Hash = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class _Range(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    ecosystem: Name
    package: Text
    lo: _Key
    hi: _Key
    fixed: Text
    severity: Severity
    severity_source: Text
    state: State
    module: Text
    symbols: list[Text]


class _Hole(
    msgspec.Struct, frozen=True, array_like=True, tag="advisory", forbid_unknown_fields=True
):
    id: _Id
    is_withdrawn: bool
    content: _Hash
    aliases: list[_Id]
    upstream: list[_Id]
    summary: Text
    severity: Severity
    score: float | None
    severity_source: Text
    informational: Informational
    ranges: list[_Range]


class _Mark(msgspec.Struct, frozen=True, array_like=True, tag="signal", forbid_unknown_fields=True):
    id: _Id
    kind: SignalKind
    score: float | None
    rank: float | None
    text: Text


class _Cycle(
    msgspec.Struct, frozen=True, array_like=True, tag="lifecycle", forbid_unknown_fields=True
):
    product: Text
    cycle: Text
    ends: Text
    is_ended: bool
    latest: Text
    names: list[Text]


Line: TypeAlias = _Hole | _Mark | _Cycle
_LINES: Final = msgspec.json.Decoder(Line)
_TEXTS: Final = msgspec.json.Decoder(list[str])


def stored(database: Database, generation: int) -> Iterator[list[Line]]:
    """Yield all lines of a generation, in batches, each read for itself."""
    for rows, ranges in _pages(database, _sql.advisories, generation):
        by_advisory: dict[int, list[_Range]] = {row.key: [] for row in rows}
        for row in ranges:
            by_advisory[row.advisory].append(_range(row))
        yield [_hole(row, by_advisory[row.key]) for row in rows]
    for rows, _ in _pages(database, _sql.signals, generation):
        yield [_Mark(row.id, SignalKind(row.kind), row.score, row.rank, row.text) for row in rows]
    for rows, _ in _pages(database, _sql.lifecycles, generation):
        cycles = map(staging.lifecycle, rows)
        yield [
            _Cycle(one.product, one.cycle, one.ends, one.is_ended, one.latest, list(one.names))
            for one in cycles
        ]


def decode(line: bytes) -> tuple[Item, bytes]:
    """Return the item of a line and the hash of its content. Raises BadRecordError."""
    try:
        read = _LINES.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        said = ascii(str(error))[1:201]  # it may hold what stands in the line
        raise BadRecordError(f"a line does not parse: {said}") from error
    if b"\\u0000" in line and b"\\u0000" in line.replace(b"\\\\", b""):
        raise BadRecordError("a text holds the character U+0000")
    match read:
        case _Hole():
            return _advisory(read), read.content
        case _Mark():
            mark = Signal(
                id=read.id, kind=read.kind, score=read.score, rank=read.rank, text=read.text
            )
            return mark, staging.content(mark)
        case _Cycle():
            cycle = Lifecycle(
                product=read.product,
                cycle=read.cycle,
                ends=read.ends,
                is_ended=read.is_ended,
                latest=read.latest,
                names=tuple(read.names),
            )
            return cycle, staging.content(cycle)
        case _:
            assert_never(read)


_Rows: TypeAlias = "list[sa.Row[Any]]"


def _pages(database: Database, table: sa.Table, generation: int) -> Iterator[tuple[_Rows, _Rows]]:
    """Yield the rows of a generation by their keys; with those of advisories their ranges."""
    key, r = table.c.key, _sql.ranges.c
    after = (generation << _sql.KEY_BITS) - 1
    while True:
        with database.read() as connection:
            rows = list(
                connection.execute(
                    sa.select(table)
                    .where(staging.of_generation(key, generation), key > after)
                    .order_by(key)
                    .limit(staging.BATCH_ADVISORIES)
                )
            )
            if not rows:
                return
            first, after = rows[0].key, rows[-1].key
            ranges: Iterable[sa.Row[Any]] = ()
            if table is _sql.advisories:
                ranges = connection.execute(
                    sa.select(_sql.ranges)
                    .where(r.advisory >= first, r.advisory <= after)
                    .order_by(r.key)
                )
            page = rows, list(ranges)
        yield page


def _hole(row: sa.Row[Any], ranges: list[_Range]) -> _Hole:
    return _Hole(
        id=row.id,
        is_withdrawn=row.is_withdrawn,
        content=row.content,
        aliases=_TEXTS.decode(row.aliases),
        upstream=_TEXTS.decode(row.upstream),
        summary=row.summary,
        severity=Severity(row.severity),
        score=row.score,
        severity_source=row.severity_source,
        informational=Informational(row.informational),
        ranges=ranges,
    )


def _range(row: sa.Row[Any]) -> _Range:
    return _Range(
        ecosystem=row.ecosystem,
        package=row.package,
        lo=row.lo_key,
        hi=row.hi_key,
        fixed=row.fixed,
        severity=Severity(row.severity),
        severity_source=row.severity_source,
        state=State(row.state),
        module=row.module,
        symbols=_TEXTS.decode(row.symbols),
    )


def _advisory(read: _Hole) -> Advisory:
    for one in read.ranges:
        if versions.order_of(one.ecosystem) is None:
            raise BadRecordError(f"{read.id} speaks about {one.ecosystem[:64]!r}")
    return Advisory(
        id=read.id,
        is_withdrawn=read.is_withdrawn,
        aliases=tuple(read.aliases),
        upstream=tuple(read.upstream),
        summary=read.summary,
        rating=Rating(severity=read.severity, score=read.score, source=read.severity_source),
        informational=read.informational,
        affected=tuple(
            Affected(
                ecosystem=one.ecosystem,
                package=one.package,
                intervals=(Interval(lo=one.lo, hi=one.hi, fixed=one.fixed),),
                rating=Rating(severity=one.severity, source=one.severity_source),
                state=one.state,
                module=one.module,
                symbols=tuple(one.symbols),
            )
            for one in read.ranges
        ),
    )
