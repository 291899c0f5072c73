"""What is said about a version of a package, kept once for all images that hold it.

An image of three hundred packages shares nearly all of them with others: a fleet of ten thousand
images holds some ten thousand different versions, not three million. The verdict on each stands in
one row. A report is an inventory and the verdicts on what is in it, put together when it is read.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec
import sqlalchemy as sa

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from seawall.scan import _sql, staging, versions
from seawall.scan.ecosystems import Question
from seawall.scan.holes import Hole

IDS_PER_QUERY: Final = 500
ROWS_PER_INSERT: Final = 2_000

_HOLES: Final = msgspec.json.Decoder(tuple[Hole, ...])
_SINCE: Final = msgspec.json.Decoder(dict[str, str])
_NOTHING: Final = b""


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    scope: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    module: str


_QUESTIONS: Final = msgspec.json.Decoder(_Stored)


def encode(holes: Collection[Hole]) -> bytes:
    """Return a verdict as bytes: the same holes, the same bytes. No holes are no bytes."""
    if not holes:
        return _NOTHING
    body = msgspec.json.encode(sorted(holes, key=lambda hole: hole.ids))
    return zstd.compress(body, level=1)


def decode(body: bytes) -> tuple[Hole, ...]:
    """Return the verdict that `encode` made these bytes of."""
    return _HOLES.decode(zstd.decompress(body)) if body else ()


def decode_since(body: bytes) -> dict[str, str]:
    """Return hole → when it was first said."""
    return _SINCE.decode(body) if body else {}


def encode_since(holes: Iterable[Hole], before: Mapping[str, str], now: str) -> bytes:
    """Return since when each hole is known: those that were there keep their moment."""
    found = {hole.ids[0]: before.get(hole.ids[0], now) for hole in holes}
    return msgspec.json.encode(found, order="sorted") if found else _NOTHING


def question_of(body: bytes) -> Question:
    """Return the question that stands in a row."""
    stored = _QUESTIONS.decode(body)
    order = versions.order_of(stored.scope[0])
    if order is None:
        raise LookupError(f"an ecosystem without an order was stored: {stored.scope[0]}")
    return Question(stored.scope, stored.names, stored.module, order)


def of_image(connection: sa.Connection, digest: str) -> dict[Question, tuple[Hole, ...]]:
    """Return the verdicts on everything that an image holds."""
    p, c, i = _sql.packages.c, _sql.contents.c, _sql.images.c
    rows = connection.execute(
        sa.select(p.question, p.verdict)
        .join_from(_sql.images, _sql.contents, c.image == i.id)
        .join(_sql.packages, p.id == c.package)
        .where(i.digest == digest)
    )
    return {question_of(row.question): decode(row.verdict) for row in rows}


def of_questions(
    connection: sa.Connection, questions: Iterable[Question]
) -> dict[Question, tuple[int, bytes]]:
    """Return (id, verdict) of those questions that stand in a row."""
    p = _sql.packages.c
    by_identity = {_identity(_body(question)): question for question in questions}
    found: dict[Question, tuple[int, bytes]] = {}
    for batch in staging.batches(sorted(by_identity), IDS_PER_QUERY):
        rows = connection.execute(
            sa.select(p.id, p.identity, p.verdict).where(p.identity.in_(batch))
        )
        found |= {by_identity[bytes(row.identity)]: (row.id, row.verdict) for row in rows}
    return found


def add(
    connection: sa.Connection, verdicts: Mapping[Question, Collection[Hole]], *, now: str
) -> dict[Question, int]:
    """Write rows for questions that have none, in the caller's transaction; return all ids."""
    known = of_questions(connection, verdicts)
    fresh = [question for question in verdicts if question not in known]
    for batch in staging.batches(fresh, ROWS_PER_INSERT):
        connection.execute(
            sa.insert(_sql.packages),
            [_row(question, verdicts[question], now) for question in batch],
        )
    added = of_questions(connection, fresh)
    names = [
        {"ecosystem": base, "package": name, "id": added[question][0]}
        for question in fresh
        for base, name in names_of(question)
    ]
    for rows in staging.batches(names, ROWS_PER_INSERT):
        connection.execute(sa.insert(_sql.package_names), rows)
    return {question: number for question, (number, _) in (known | added).items()}


def change(
    connection: sa.Connection,
    verdicts: Mapping[Question, Collection[Hole]],
    *,
    now: str,
    but: str = "",
) -> int:
    """Write what is said now, and note for every image but one that it does not know yet.

    Questions that nobody asked before are left out. Returns how many verdicts changed.
    """
    p, c, i = _sql.packages.c, _sql.contents.c, _sql.images.c
    changed = 0
    for question, (number, before) in of_questions(connection, verdicts).items():
        after = encode(verdicts[question])
        if after == before:
            continue
        changed += 1
        since = connection.execute(sa.select(p.since).where(p.id == number)).scalar_one()
        known = encode_since(verdicts[question], decode_since(since), now)
        connection.execute(
            sa.update(_sql.packages).where(p.id == number).values(verdict=after, since=known)
        )
        inserted = connection.execute(
            sa.insert(_sql.verdict_changes).values(package=number, before=before, after=after)
        ).inserted_primary_key
        assert inserted is not None
        holders = (
            sa.select(c.image, sa.literal(inserted[0]), c.components)
            .join_from(_sql.contents, _sql.images, i.id == c.image)
            .where(c.package == number, c.components > 0, i.digest != but)
        )
        connection.execute(
            sa.insert(_sql.unsettled).from_select(["image", "change", "components"], holders)
        )
    return changed


def drop_unheld(connection: sa.Connection, packages: Sequence[int]) -> None:
    """Forget those of the packages that no image holds any more."""
    p = _sql.packages.c
    is_held = sa.exists().where(_sql.contents.c.package == p.id)
    for batch in staging.batches(packages, IDS_PER_QUERY):
        connection.execute(sa.delete(_sql.packages).where(p.id.in_(batch), ~is_held))


def are_current(connection: sa.Connection) -> bool:
    """Tell whether every stored verdict is what the feeds in use say."""
    g, f = _sql.generations.c, _sql.feeds.c
    waiting = sa.select(g.id).where(g.id.in_(sa.select(f.generation)), ~g.is_rejudged)
    return connection.execute(waiting.limit(1)).first() is None


def names_of(question: Question) -> list[tuple[str, str]]:
    """Return (ecosystem without suffix, package) of every name that advisories may use."""
    bases = dict.fromkeys(pattern.partition(":")[0] for pattern in question.scope)
    names = dict.fromkeys(name for name, _ in question.names)
    return [(base, name) for base in bases for name in names]


def _row(question: Question, holes: Collection[Hole], now: str) -> dict[str, object]:
    body = _body(question)
    return {
        "identity": _identity(body),
        "question": body,
        "verdict": encode(holes),
        "since": encode_since(holes, {}, now),
    }


def _body(question: Question) -> bytes:
    return msgspec.json.encode(_Stored(question.scope, question.names, question.module))


def _identity(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
