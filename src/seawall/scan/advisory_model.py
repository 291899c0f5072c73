"""What feeds say, in the words of the index: whatever the format, an importer gives these.

    Advisory    a hole, with the packages that have it; or only its names and its rating
    Signal      what is known about a CVE beside its severity: exploited, likely, how urgent
    Lifecycle   when a release of a product stops getting fixes

Texts come from feeds: bounded, without control characters, still to be escaped where shown.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

import msgspec

from seawall.scan.severity import UNRATED, Rating


class State(enum.StrEnum):
    """What a source adds to "affected". The words are Debian's where Debian has one."""

    PLAIN = ""
    NO_DSA = "no-dsa"  # no advisory of its own; may come with a point release
    POSTPONED = "postponed"  # deferred: waits for the next update
    IGNORED = "ignored"  # will not be fixed
    END_OF_LIFE = "end-of-life"  # no longer supported
    UNIMPORTANT = "unimportant"  # affected, and of no consequence
    UNDER_INVESTIGATION = "under-investigation"  # nobody knows yet
    UNDETERMINED = "undetermined"  # nobody will find out: not reported


class Informational(enum.StrEnum):
    """Why an advisory is no vulnerability, and yet worth knowing."""

    NONE = ""
    UNMAINTAINED = "unmaintained"
    UNSOUND = "unsound"
    NOTICE = "notice"


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Affected where `lo <= key < hi`. `fixed` is the version that ends it, or empty."""

    lo: bytes
    hi: bytes
    fixed: str = ""


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """What one package has to fear. `ecosystem` keeps its suffix: `Debian:12`."""

    ecosystem: str
    package: str
    intervals: tuple[Interval, ...]
    rating: Rating = UNRATED
    """What the distribution itself says about this package; UNRATED where it says nothing."""
    state: State = State.PLAIN
    module: str = ""
    """The module stream of an rpm that this is about: `nodejs:18`; empty for all."""
    symbols: tuple[str, ...] = ()
    """The functions that have the hole (`net/http#Server.Serve`); empty when not said."""


class Advisory(msgspec.Struct, frozen=True, kw_only=True):
    """One record. `aliases` name the same hole; `upstream` the holes that this one covers."""

    id: str
    is_withdrawn: bool = False
    aliases: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    summary: str = ""
    rating: Rating = UNRATED
    informational: Informational = Informational.NONE
    affected: tuple[Affected, ...] = ()


class SignalKind(enum.StrEnum):
    """Which question a signal answers."""

    KEV = "kev"  # is it exploited? (CISA's catalogue)
    EPSS = "epss"  # how likely within 30 days? (FIRST)
    SSVC = "ssvc"  # how urgent? (CISA's vulnrichment)


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One fact about one CVE."""

    id: str
    kind: SignalKind
    score: float | None = None
    """EPSS: the probability, 0–1."""
    rank: float | None = None
    """EPSS: the share of all CVEs that score at most as much, 0–1."""
    text: str = ""
    """KEV: `2025-08-25`, with ` ransomware` behind it where that is known. SSVC: `exploitation,
    automatable, impact`, such as `active,yes,total`."""


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True):
    """One release cycle of a product."""

    product: str
    cycle: str
    ends: str = ""
    """`2026-07-11`; empty when no date is known."""
    is_ended: bool = False
    """True when the source says "ended" without a date."""
    latest: str = ""
    names: tuple[str, ...] = ()
    """Package URLs without version by which components are this product: `pkg:generic/node`."""


Item: TypeAlias = Advisory | Signal | Lifecycle
