"""How an image of a repository stood when it was last judged: its open findings, in numbers.

A report says what a scan found. How much of that is open depends on the repository, since answers
and waivers do: so it is noted for each place of an image, whenever it is judged there. What is
followed over time are the critical and high ones, by name.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Final

import msgspec
import sqlalchemy as sa

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from seawall.oci.digest import Digest
from seawall.scan import _sql, report_model, staging
from seawall.scan.report_model import Report
from seawall.scan.severity import Severity

FOLLOWED: Final = frozenset({Severity.CRITICAL, Severity.HIGH})
DIGESTS_PER_QUERY: Final = 300


class OpenHole(msgspec.Struct, frozen=True, array_like=True):
    """One open hole in one package, as advisories name it."""

    id: str
    package: str
    severity: Severity


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One image of one repository."""

    by_severity: dict[str, int]
    fixable: int
    exploited: int
    answered: int
    unsupported: int
    """Products, or the distribution, that get no fixes any more."""
    holes: tuple[OpenHole, ...]
    """Those of `FOLLOWED`, sorted."""


_DECODER: Final = msgspec.json.Decoder(Standing)


def of_report(report: Report) -> Standing:
    """Return how an image stands whose report says this, without what is answered for."""
    summary = report_model.summarise(report)
    followed = {
        OpenHole(one.id, one.package, one.severity)
        for one in report.findings
        if one.severity in FOLLOWED
    }
    return Standing(
        by_severity=summary.findings_by_severity,
        fixable=summary.fixable,
        exploited=summary.exploited,
        answered=summary.answered,
        unsupported=summary.end_of_life,
        holes=tuple(sorted(followed, key=lambda one: (one.id, one.package, one.severity))),
    )


def note(connection: sa.Connection, repository: str, digest: Digest, report: Report) -> None:
    """Write down how an image stands now, in the caller's write transaction.

    `digest` may be an index, whose report is that of a member.
    """
    table, c = _sql.standings, _sql.standings.c
    connection.execute(sa.delete(table).where(c.repository == repository, c.digest == str(digest)))
    connection.execute(
        sa.insert(table).values(
            repository=repository, digest=str(digest), scanned=report.digest, body=_body(report)
        )
    )


def is_noted(connection: sa.Connection, repository: str, digest: Digest, report: Report) -> bool:
    """Tell whether `note` would change nothing."""
    c = _sql.standings.c
    found = connection.execute(
        sa.select(c.scanned, c.body).where(c.repository == repository, c.digest == str(digest))
    ).first()
    return found is not None and (found.scanned, bytes(found.body)) == (
        report.digest,
        _body(report),
    )


def of_images(
    connection: sa.Connection, repository: str, digests: Collection[Digest]
) -> dict[Digest, Standing]:
    """Return how images of a repository stand; those that were never judged are left out."""
    c = _sql.standings.c
    found: dict[Digest, Standing] = {}
    for batch in staging.batches(sorted(map(str, digests)), DIGESTS_PER_QUERY):
        rows = connection.execute(
            sa.select(c.digest, c.body).where(c.repository == repository, c.digest.in_(batch))
        )
        found |= {Digest(row.digest): _DECODER.decode(zstd.decompress(row.body)) for row in rows}
    return found


def names_of(connection: sa.Connection, scanned: Digest) -> frozenset[Digest]:
    """Return the digests of images and indexes that stand by the report of this one."""
    c = _sql.standings.c
    rows = connection.execute(sa.select(c.digest).where(c.scanned == str(scanned)))
    return frozenset(map(Digest, rows.scalars()))


def forget(connection: sa.Connection, scanned: Digest) -> None:
    """Drop what stands by a report that is forgotten, in the caller's transaction."""
    c = _sql.standings.c
    connection.execute(sa.delete(_sql.standings).where(c.scanned == str(scanned)))


def _body(report: Report) -> bytes:
    return zstd.compress(msgspec.json.encode(of_report(report)), level=1)
