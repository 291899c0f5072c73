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
    sa.Index(None, "ecosystem", "package", "hi_key", "lo_key"),
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
    sa.Column("body", sa.LargeBinary, nullable=False),  # zstd of JSON, without the inventory
)
"""The newest report of each image."""

inventories = sa.Table(
    "scan_inventory",
    tables,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # zstd of JSON
)

contents = sa.Table(
    "scan_content",
    tables,
    sa.Column("ecosystem", sa.Text, primary_key=True),
    sa.Column("package", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True, index=True),
)
"""Which images hold a package, under the name that advisories use."""

layer_facts = sa.Table(
    "scan_layer_facts",
    tables,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("format", sa.Integer, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("stored_at", sa.Text, nullable=False),
)
"""What was read from a layer, so that no layer is opened twice."""
