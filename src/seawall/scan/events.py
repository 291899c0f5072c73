"""What the scanner announces."""

from __future__ import annotations

import msgspec

from seawall import audit


class AdvisoriesRefreshed(audit.Event, frozen=True, kw_only=True):
    """A feed has a new edition. What it changed: `Advisories.changed_packages(generation)`.

    `signed_by` are the keys that vouched for an edition that was carried here, none for others.
    """

    feed: str
    generation: int
    feed_digest: str
    records: int
    bad_records: int
    added: int
    changed: int
    withdrawn: int
    removed: int
    signed_by: list[str] = msgspec.field(default_factory=list)


class FeedFailed(audit.Event, frozen=True, kw_only=True):
    """A feed could not be refreshed; its old edition stays in use."""

    feed: str
    reason: str


class ReportMade(audit.Event, frozen=True, kw_only=True):
    """An image was judged. `digest` is its manifest's."""

    findings_by_severity: dict[str, int]
    fixable: int
    fixable_by_severity: dict[str, int]
    components: int
    unjudged: int
    is_partial: bool
    feeds: list[str]
    """`name@digest` of each edition used."""


class FindingsChanged(audit.Event, frozen=True, kw_only=True):
    """New advisories say something else about an image. `digest` is its manifest's."""

    newly_vulnerable: list[str]
    """Holes that were not known before; the first of them by name, as in the other lists."""
    newly_fixed: list[str]
    """Known holes for which there is a fixed version now."""
    withdrawn: list[str]
    """Holes that turned out to be none, or not of this version."""
    changes: int
    """How many names there are in all."""
    findings_by_severity: dict[str, int]
    fixable: int
    exploited: int


class VexAccepted(audit.Event, frozen=True, kw_only=True):
    """Somebody let a VEX document in: its statements count from now on. `digest` is its own."""

    format: str
    author: str
    statements: int
    source: str


class VexRemoved(audit.Event, frozen=True, kw_only=True):
    """A VEX document counts no longer. `digest` is its own."""


class FingerprintsAdded(audit.Event, frozen=True, kw_only=True):
    """A pack of fingerprints is used from now on, in place of an older one of its name. `digest`
    is the pack's; `signed_by` are the keys that vouched for it, none for what was learned here."""

    name: str
    packages: int
    files: int
    signed_by: list[str]


class FingerprintsRemoved(audit.Event, frozen=True, kw_only=True):
    """A pack of fingerprints is used no longer."""

    name: str
