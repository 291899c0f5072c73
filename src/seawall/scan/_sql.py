"""The tables of the scanner.

A feed is imported as a new generation beside the one in use. Rows of a generation that no feed
points to are invisible: they are either being staged or waiting to be swept. An advisory's key is
`generation * 2**24 + number`, so the rows of a generation are one range of keys.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from seawall.store import tables

KEY_BITS: Final = 24

_Key = sa.BigInteger().with_variant(sa.Integer, "sqlite")

generations = sa.Table(
    "scan_generation",
    tables,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("feed", sa.Text, nullable=False, index=True),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("is_switched", sa.Boolean, nullable=False),
    sa.Column("is_rejudged", sa.Boolean, nullable=False),  # no stored verdict is older
    sa.Column("fresh", sa.Text, nullable=False),  # JSON: ecosystems no feed spoke about before
    # Ids are never used twice, also when the newest row was swept.
    sqlite_autoincrement=True,
)

feeds = sa.Table(
    "scan_feed",
    tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("generation", sa.BigInteger, nullable=False),  # 0 until an import succeeded
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("records", sa.Integer, nullable=False),
    sa.Column("withdrawn", sa.Integer, nullable=False),
    sa.Column("ecosystems", sa.Text, nullable=False),  # JSON: ecosystem → records
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("imported_at", sa.Text, nullable=False),
    sa.Column("checked_at", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("failed_at", sa.Text, nullable=False),
)

advisories = sa.Table(
    "scan_advisory",
    tables,
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("is_withdrawn", sa.Boolean, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),  # hash of what judging needs
    sa.Column("aliases", sa.Text, nullable=False),  # JSON
    sa.Column("upstream", sa.Text, nullable=False),  # JSON
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("score", sa.Float),
    sa.Column("severity_source", sa.Text, nullable=False),
    sa.Column("informational", sa.Text, nullable=False),
    sa.Index(None, "id"),
)

aliases = sa.Table(
    "scan_alias",
    tables,
    sa.Column("alias", sa.Text, primary_key=True),
    sa.Column(
        "advisory",
        sa.BigInteger,
        sa.ForeignKey("scan_advisory.key", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)
"""From any name of an advisory that holds to it: ratings are lent to records that have none."""

ranges = sa.Table(
    "scan_range",
    tables,
    sa.Column("key", _Key, primary_key=True),
    sa.Column(
        "advisory",
        sa.BigInteger,
        sa.ForeignKey("scan_advisory.key", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("ecosystem", sa.Text, nullable=False),
    sa.Column("package", sa.Text, nullable=False),
    sa.Column("lo_key", sa.LargeBinary, nullable=False),
    sa.Column("hi_key", sa.LargeBinary, nullable=False),
    sa.Column("fixed", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("severity_source", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("module", sa.Text, nullable=False),
    sa.Column("symbols", sa.Text, nullable=False),  # JSON
    sa.Index(None, "ecosystem", "package", "hi_key", "lo_key"),
)

signals = sa.Table(
    "scan_signal",
    tables,
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.Text, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("score", sa.Float),
    sa.Column("rank", sa.Float),
    sa.Column("text", sa.Text, nullable=False),
)
"""What is known about a CVE beside its severity. Keys belong to generations, as of advisories."""

lifecycles = sa.Table(
    "scan_lifecycle",
    tables,
    sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("product", sa.Text, nullable=False, index=True),
    sa.Column("cycle", sa.Text, nullable=False),
    sa.Column("ends", sa.Text, nullable=False),
    sa.Column("is_ended", sa.Boolean, nullable=False),
    sa.Column("latest", sa.Text, nullable=False),
    sa.Column("names", sa.Text, nullable=False),  # JSON
)

changes = sa.Table(
    "scan_change",
    tables,
    sa.Column(
        "generation",
        sa.BigInteger,
        sa.ForeignKey("scan_generation.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("ecosystem", sa.Text, primary_key=True),
    sa.Column("package", sa.Text, primary_key=True),
)
"""The packages about which a generation says something else than the one before."""

reports = sa.Table(
    "scan_report",
    tables,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("scanned_at", sa.Text, nullable=False),
    sa.Column("summary", sa.LargeBinary, nullable=False),  # JSON
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # zstd of JSON; the rest is put together
)
"""The newest report of each image, without inventory and findings: those stand in other tables."""

inventories = sa.Table(
    "scan_inventory",
    tables,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # zstd of JSON
)

images = sa.Table(
    "scan_image",
    tables,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("scanned_at", sa.Text, nullable=False),  # for the first time
)
"""Short names of images, for the one table that has a row for each package of each image."""

packages = sa.Table(
    "scan_package",
    tables,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("identity", sa.LargeBinary, nullable=False, unique=True),  # hash of the question
    sa.Column("question", sa.LargeBinary, nullable=False),  # JSON
    sa.Column("verdict", sa.LargeBinary, nullable=False),  # zstd of JSON
    sa.Column("since", sa.LargeBinary, nullable=False),  # JSON: hole → when it was first said
)
"""One version of one package, as advisories are asked about it, with what they say. Images share
these rows: what changes about a package changes for all of them at once."""

package_names = sa.Table(
    "scan_package_name",
    tables,
    sa.Column("ecosystem", sa.Text, primary_key=True),
    sa.Column("package", sa.Text, primary_key=True),
    sa.Column(
        "id",
        sa.BigInteger,
        sa.ForeignKey("scan_package.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)
"""From the names that advisories use, without the suffix of the ecosystem, to packages."""

contents = sa.Table(
    "scan_content",
    tables,
    sa.Column(
        "package",
        sa.BigInteger,
        sa.ForeignKey("scan_package.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column(
        "image",
        sa.BigInteger,
        sa.ForeignKey("scan_image.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    sa.Column("components", sa.Integer, nullable=False),  # that the verdict is about; 0: owned
    # The best `Reach.rank` of the components.
    sa.Column("reach", sa.SmallInteger, nullable=False, server_default="1"),
    sqlite_with_rowid=False,
)
"""Which images hold a package."""

verdict_changes = sa.Table(
    "scan_verdict_change",
    tables,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("package", sa.BigInteger, nullable=False),
    sa.Column("before", sa.LargeBinary, nullable=False),
    sa.Column("after", sa.LargeBinary, nullable=False),
    # Ids are never used twice: an image may still wait for an older change.
    sqlite_autoincrement=True,
)

unsettled = sa.Table(
    "scan_unsettled",
    tables,
    sa.Column(
        "image",
        sa.BigInteger,
        sa.ForeignKey("scan_image.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column(
        "change",
        sa.BigInteger,
        sa.ForeignKey("scan_verdict_change.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    sa.Column("components", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""Images in whose numbers a change of a verdict is not counted yet."""

standings = sa.Table(
    "scan_standing",
    tables,
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("scanned", sa.Text, nullable=False, index=True),  # whose report it is
    sa.Column("body", sa.LargeBinary, nullable=False),  # zstd of JSON
)
"""How images stood when they were last judged: see `scan.standings`."""

open_holes = sa.Table(
    "scan_open_hole",
    tables,
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("hole", sa.Text, primary_key=True),
    sa.Column("package", sa.Text, primary_key=True),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("since", sa.Text, nullable=False),
)
"""Critical and high holes that are open in a repository, and since when: see `scan.trends`."""

days = sa.Table(
    "scan_day",
    tables,
    sa.Column("day", sa.Text, primary_key=True),
    sa.Column("repository", sa.Text, primary_key=True),
    *(
        sa.Column(name, sa.BigInteger, nullable=False)
        for name in (
            "images",
            "scanned",
            "critical",
            "high",
            "medium",
            "low",
            "negligible",
            "unknown",
            "fixable",
            "exploited",
            "answered",
            "unsupported",
            "open_critical",
            "closed",
        )
    ),
    sa.Column("open_critical_days", sa.Float, nullable=False),
    sa.Column("closed_days", sa.Float, nullable=False),
)
"""The numbers of each repository on each day."""

layer_facts = sa.Table(
    "scan_layer_facts",
    tables,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("format", sa.Integer, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("stored_at", sa.Text, nullable=False),
)
"""What was read from a layer, so that no layer is opened twice."""

taught = sa.Table(
    "scan_taught",
    tables,
    sa.Column("build_id", sa.Text, primary_key=True),
    sa.Column("distribution", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text, primary_key=True),  # the key that had signed the image
    sa.Column("source_name", sa.Text, nullable=False),
    sa.Column("source_version", sa.Text, nullable=False),
    sa.Column("architecture", sa.Text, nullable=False),
)
"""Which packages' programs images held whose signatures were proven: see `scan.taught`."""

teachers = sa.Table(
    "scan_teacher",
    tables,
    sa.Column("image", sa.Text, primary_key=True),  # repository@digest
    sa.Column("key_id", sa.Text, primary_key=True),
)
"""Images that were learned from, so that none is learned from again."""

vex = sa.Table(
    "scan_vex",
    tables,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("format", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("issued_at", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("approved_at", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # zstd of the document as it came
)
"""Statements of exploitability that somebody let in."""
