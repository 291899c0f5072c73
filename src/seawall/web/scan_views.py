"""What the pages about scans show: view models as in `views`, with the same promises."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from seawall.scan.model import Reach
from seawall.web.severities import Counts, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """What ranks a finding beside its severity, in words; empty where nobody said."""

    exploited: str = ""  # "exploited since 2025-11-20, by ransomware"
    reached: str = ""  # "runs at start: /usr/sbin/nginx → /usr/lib/libssl.so.3"
    likelihood: str = ""  # "EPSS 41.2 %, percentile 97.0"
    state: str = ""  # of a finding without a fix: what the distribution says
    rated_by: str = ""  # who called it so severe


UNRANKED: Final = Rank()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How many findings are reached in one way: "3 run at start"."""

    reach: Reach
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The distribution, or a product in the image, whose support ended or soon ends."""

    text: str
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One package to be brought to one version. `layer` counts from 1."""

    package: str
    installed: tuple[str, ...]
    to: str
    clears: tuple[str, ...]
    more: int  # ids that go away, too, and are not named
    worst: Severity
    is_in_base: bool  # it came with the lowest layer
    layer: int | None
    command: str  # empty where it is not one line


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do, the most useful first; `rows` may be fewer than `total`."""

    rows: tuple[Change, ...]
    total: int
    after: str  # what is left then, as half a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Weakness:
    """A secret in the image, or a mistake in how it is built."""

    severity: Severity
    title: str
    place: str
    evidence: str
    remedy: str
    layer: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A finding that somebody answers for."""

    id: str
    package: str
    version: str
    status: str
    reason: str
    author: str
    until: str  # a day, or empty
    severity: Severity = Severity.UNKNOWN
    rank: Rank = UNRANKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What was found at one moment."""

    at: dt.datetime
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexplained:
    """A program that no package owns and nothing recognises."""

    path: str
    what: str  # "elf program"
    size: int
    layer: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is made of a report, beside its findings and packages."""

    plan: Plan
    weaknesses: tuple[Weakness, ...] = ()
    unexplained: tuple[Unexplained, ...] = ()
    unexplained_total: int = 0
    answers: tuple[Answer, ...] = ()
    answers_total: int = 0
    unapplied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonQuery:
    """Two images, `REPOSITORY:TAG` or `REPOSITORY@DIGEST`, as they were typed."""

    old: str = ""
    new: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of two images. `problem` says why there is no report; then it is not compared."""

    name: str
    repository: str
    target: str
    digest: str = ""
    counts: Counts | None = None
    problem: str = ""
    support: tuple[Support, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A finding on one side, or on both with something else about it."""

    id: str
    severity: Severity
    package: str
    detail: str
    fixed: str
    rank: Rank = UNRANKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Findings of one kind; `rows` may be fewer than `total`."""

    rows: tuple[Difference, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageDifference:
    """A package in other versions; empty means absent."""

    ecosystem: str
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two images beside each other; without `new` nothing was asked yet."""

    old: Side | None = None
    new: Side | None = None
    added: Differences = Differences(rows=(), total=0)
    gone: Differences = Differences(rows=(), total=0)
    changed: Differences = Differences(rows=(), total=0)
    unchanged: int = 0
    packages: tuple[PackageDifference, ...] = ()
    packages_total: int = 0
    is_comparable: bool = True

    @property
    def is_made(self) -> bool:
        """Tell whether both sides have a report."""
        sides = (self.old, self.new)
        return all(side is not None and not side.problem for side in sides)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A source of advisories in full. Times are None where it never happened."""

    name: str
    advisories: int
    withdrawn: int
    ecosystems: tuple[str, ...]
    more_ecosystems: int
    digest: str
    imported_at: dt.datetime | None
    checked_at: dt.datetime | None
    error: str
    failed_at: dt.datetime | None
    is_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedsPage:
    """All feeds by name."""

    feeds: tuple[Feed, ...]
    stale_after_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What was open on one day. Means are in days, and None where there is nothing to average."""

    day: dt.date
    counts: Counts
    images: int
    scanned: int
    unsupported: int
    critical_age: float | None  # of open critical holes
    closed: int  # critical and high ones
    time_to_fix: float | None  # of those


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryToday:
    """The newest numbers of one repository."""

    name: str
    today: Day


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """Open findings over time, of one repository or of all that the viewer may see.

    `days` are the oldest first, and those that nobody measured are left out. `repositories` are
    those with most critical findings first, and may be fewer than `total`.
    """

    repository: str = ""  # empty: all
    days: tuple[Day, ...] = ()
    closed: int = 0
    time_to_fix: float | None = None
    repositories: tuple[RepositoryToday, ...] = ()
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HoleQuery:
    """A hole by one of its names, and a page of the images with it, counted from 1."""

    id: str
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One image that holds a hole. `running` are the names of containers that run it."""

    repository: str
    digest: str
    package: str
    version: str
    fixed: str
    severity: Severity
    since: dt.datetime  # when it was first known of this image
    running: tuple[str, ...]
    reached: str = ""  # whether the package runs when a container starts; empty: not known
    state: str = ""  # without a fix: what the distribution says
    rated_by: str = ""
    answer: str = ""  # who answers for it, and how; empty while it is open
    is_here: bool = True  # False: it only runs still, and was deleted from the registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Vulnerability:
    """One hole in the fleet. `holders` are one page of what runs first, then
    what is reached at start, then the oldest.

    Not `is_known`: no advisory that is imported speaks of it, so nobody looked for it.
    """

    id: str
    is_known: bool
    also: tuple[str, ...] = ()
    summary: str = ""
    severity: Severity | None = None
    exploited: str = ""  # "exploited since 2025-11-20, by ransomware"
    likelihood: str = ""  # "EPSS 41.2 %, percentile 97.0"
    holders: tuple[Holder, ...] = ()
    page: int = 1
    pages: int = 1
    images: int = 0  # that the viewer may see
    running: int = 0  # containers
    url: str = ""  # shown as a link only when it is https
