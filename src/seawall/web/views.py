"""What the pages show: frozen view models, finished for a reader.

Whoever fills them has already left out what the viewer may not see. All times are aware and in UTC,
all sizes are bytes, all lists are in the order in which they are shown and bounded by the constants
of `limits`. Texts are plain and may be hostile: the templates escape every one of them.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field

from seawall.core.actor import Actor
from seawall.core.reason import Reason
from seawall.scan.model import Reach
from seawall.web import scan_views, severities

Severity = severities.Severity
Counts = severities.Counts


class Outcome(enum.StrEnum):
    """What policy says about an image, a rule or a step."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    PENDING = "pending"  # not judged yet: the scan waits or runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Something that was asked for and denied, `times` times; `at` is the latest."""

    at: dt.datetime
    verb: str  # "run", "push", "pull"
    image: str  # as the client named it
    repository: str | None  # set with `target` when the image has a page here
    target: str | None  # tag or digest
    actor: Actor
    reasons: tuple[Reason, ...]
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container on one engine, and what policy says today about the image it runs."""

    name: str
    id: str
    engine: str
    image: str
    repository: str | None
    digest: str | None
    outcome: Outcome
    why: str  # one line; empty when allowed
    status: str  # "running", "exited (1)", …
    since: dt.datetime
    is_known: bool  # False: it was started behind the gate, there is no receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One tag (or untagged digest) in the list of images.

    `signers` are the trusted keys with a valid signature; `findings` is None until scanned.
    """

    repository: str
    tag: str | None
    digest: str
    size: int
    pushed_at: dt.datetime
    pushed_by: Actor
    signers: tuple[str, ...]
    findings: Counts | None
    outcome: Outcome
    unsupported: int = 0  # the distribution and products in it that get no fixes any more


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageList:
    """One page of images. `total` counts all that the viewer may see, `matching` those found."""

    rows: tuple[Image, ...]
    total: int
    matching: int
    page: int  # counted from 1
    pages: int  # at least 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A source of advisories. `updated_at` None: never imported."""

    name: str
    advisories: int
    updated_at: dt.datetime | None
    is_stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A container engine behind the gate. `note` says what is wrong or weak, or is empty."""

    name: str
    version: str
    is_reachable: bool
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the audit log; `summary` is one sentence without the actor."""

    seq: int
    at: dt.datetime
    kind: str
    actor: Actor
    repository: str | None
    digest: str | None
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The first page. `refused` is the last 24 hours, newest first."""

    registry: str  # host:port as docker names it
    gate: str | None  # where the gate listens; None when none runs
    gate_setup: tuple[str, ...]  # commands that point a docker client at it
    refused: tuple[Refused, ...]
    containers: tuple[Container, ...]
    images: ImageList
    feeds: tuple[Feed, ...]
    engines: tuple[Engine, ...]
    engine_remedy: tuple[str, ...]  # commands that install one; shown when `engines` is empty
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the policy. `remedy` is what would change its mind; empty when it is content."""

    name: str
    outcome: Outcome
    evidence: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The whole decision. No rule at all is a refusal."""

    outcome: Outcome
    policy: str  # the policy's name and its patterns of repositories
    judged_at: dt.datetime | None  # None while pending
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag that points to this image now."""

    name: str
    moved_at: dt.datetime
    moved_by: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer, in the order of the manifest; `number` counts from 1."""

    number: int
    digest: str
    size: int
    instruction: str  # empty when the image's history does not say
    packages: int
    findings: int
    is_base: bool = False  # came with the image that this one is built upon


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A component found in the image. `layer` is the number of the layer that brought it."""

    name: str
    version: str
    ecosystem: str  # "Debian 12", "PyPI", …
    layer: int | None
    worst: Severity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageList:
    """One page of packages that match the filter."""

    rows: tuple[Package, ...]
    total: int
    matching: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A known hole in a package. `fix` is one line to do, or why there is none."""

    id: str
    aliases: tuple[str, ...]
    severity: Severity
    package: str
    installed: str
    fixed: str | None
    fix: str
    summary: str
    layer: int | None
    url: str  # shown as a link only when it is https
    rank: scan_views.Rank = scan_views.UNRANKED


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingGroup:
    """Findings of one severity; `rows` may be fewer than `total`."""

    severity: Severity
    total: int
    rows: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingList:
    """Groups worst first. With a chosen severity: that group alone, paged."""

    counts: Counts
    groups: tuple[FindingGroup, ...]
    page: int = 1
    pages: int = 1
    layer: int | None = None  # only what it brought is here


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The newest report. `notes` are what it could not see or read."""

    scanned_at: dt.datetime
    advisories_from: dt.datetime | None
    findings: FindingList
    packages: PackageList
    notes: tuple[str, ...] = ()
    support: tuple[scan_views.Support, ...] = ()
    reached: tuple[scan_views.Reached, ...] = ()  # empty when that is not known
    answered: str = ""  # how many findings are answered for, and how; empty for none


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofStep:
    """A numbered step of a signature's verification. PENDING: not reached."""

    number: int
    text: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature over this digest and its proof. `outcome` ALLOWED: valid, by a trusted key."""

    key: str  # the name under which the key is trusted, or "unknown key"
    fingerprint: str
    form: str  # "cosign", …
    signed_at: dt.datetime | None  # None: the form does not prove a time
    outcome: Outcome
    steps: tuple[ProofStep, ...]
    public_key: str = ""  # PEM, when the key is trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """Something that a trusted key says about this digest. Only what verified is shown."""

    kind: str  # "vuln", "cyclonedx", a URI …
    key: str
    fingerprint: str
    form: str
    signed_at: dt.datetime | None  # by the signer's own clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A member of an index."""

    name: str  # "linux/amd64"
    digest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePage:
    """Everything about one digest. `scan` is None while the report is being made."""

    registry: str
    repository: str
    digest: str
    media_type: str
    platform: str  # empty for an index
    size: int
    pushed_at: dt.datetime
    pushed_by: Actor
    verdict: Verdict
    tags: tuple[Tag, ...]
    containers: tuple[Container, ...]
    layers: tuple[Layer, ...]
    platforms: tuple[Platform, ...]  # of an index; empty for an image
    scan: Scan | None
    scan_note: str  # why there is no report yet, or why the last try failed
    signatures: tuple[Signature, ...]
    events: tuple[Event, ...]
    attestations: tuple[Attestation, ...] = ()
    judgement: scan_views.Judgement | None = None
    history: tuple[scan_views.Point, ...] = ()  # the oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Entries newest first. `older` is the number to continue below; None: this is the end."""

    rows: tuple[Event, ...]
    kinds: tuple[str, ...]  # that can be chosen
    head: str  # "seq:hash" of the newest entry, to be noted elsewhere
    older: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """A checked filter: `q` is a part of a name, `page` counts from 1."""

    q: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageQuery:
    """What is asked of an image's page: packages by name, findings of one severity or reach."""

    packages: ListQuery = field(default_factory=ListQuery)
    severity: Severity | None = None
    reach: Reach | None = None
    layer: int | None = None  # counted from 1: only what it brought
    findings_page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which entries; empty text means any. `before` is exclusive."""

    kind: str = ""
    actor: str = ""
    repository: str = ""
    before: int | None = None
