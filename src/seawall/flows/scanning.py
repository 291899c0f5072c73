"""What happens after a push and after new advisories: scan, match, judge, write down.

Every step is a job made from an event, and safe to run twice. A layer that was read for another
image is not read again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

import msgspec

from seawall import audit
from seawall.core import actor as actors
from seawall.core.clock import Clock
from seawall.core.errors import NotFoundError
from seawall.flows import judging
from seawall.flows.judging import Judge
from seawall.flows.trending import Trending
from seawall.jobs import queue
from seawall.jobs.queue import Job, NewJob
from seawall.jobs.worker import Task
from seawall.oci import manifests
from seawall.oci.digest import Digest, is_digest
from seawall.oci.manifests import Descriptor, Manifest
from seawall.oci.names import RepositoryName, Tag
from seawall.registry.events import ManifestPushed
from seawall.registry.service import Registry
from seawall.scan import inventory, inventory_facts, taught
from seawall.scan.advisories import Advisories
from seawall.scan.events import (
    AdvisoriesRefreshed,
    FindingsChanged,
    FingerprintsAdded,
    FingerprintsRemoved,
    ReportMade,
)
from seawall.scan.image_source import LayerSource
from seawall.scan.inventory import LayerReader
from seawall.scan.inventory_facts import LayerFacts
from seawall.scan.inventory_programs import SIGNATURES, Recognition
from seawall.scan.rematching import Rematching
from seawall.scan.reports import Reports
from seawall.scan.taught import TaughtPrograms
from seawall.store import Database
from seawall.trust.events import ImageSigned
from seawall.trust.model import VerifiedSignature

CONFIG_MAX_BYTES: Final = 8 * 1024 * 1024
PARALLEL: Final = 2
"""Layers of one image that are read at the same time."""

REMATCH_BATCH: Final = 200

REPORT_LIFETIME: Final = dt.timedelta(days=1)
"""A report that is older is renewed, though there be no news."""

SCAN: Final = "scan"
JUDGE: Final = "judge"
REMATCH: Final = "rematch"
REMATCH_ONE: Final = "rematch-one"
RECOGNISE: Final = "recognise"
RESCAN: Final = "rescan"

PATIENT: Final = frozenset({REMATCH_ONE, RESCAN})
"""Kinds that come for the whole fleet at once: they give way to what somebody waits for."""


class ImageJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Work on one image of one repository."""

    repository: str
    digest: str
    tag: str | None = None


class FeedJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Work after a feed's new edition."""

    generation: int


def image_job(kind: str, repository: str, digest: str, tag: str | None = None) -> NewJob:
    """Return the job of `kind` for one image."""
    asked = ImageJob(
        repository=str(repository), digest=str(digest), tag=None if tag is None else str(tag)
    )
    payload = msgspec.json.encode(asked)
    key = f"{repository}@{digest}" + (f":{tag}" if tag else "")
    return NewJob(kind=kind, key=key, payload=payload)


def signed_by_tag(tag: str) -> str | None:
    """Return the digest that a tag `sha256-<hex>.sig` or `.att` holds signed things about."""
    name, dot, kind = tag.rpartition(".")
    text = name.replace("-", ":", 1)
    return text if dot and kind in ("sig", "att") and is_digest(text) else None


# -- from events to jobs


def on_push(entry: audit.Entry) -> Sequence[NewJob]:
    """A new image is scanned, and judged under its tags; a new signature has its image judged."""
    pushed = msgspec.json.decode(entry.body, type=ManifestPushed)
    repository, digest = str(pushed.repository), str(pushed.digest)
    signed = [subject for tag in pushed.tags if (subject := signed_by_tag(tag)) is not None]
    tags = [tag for tag in pushed.tags if signed_by_tag(tag) is None]
    jobs = [image_job(JUDGE, repository, subject) for subject in signed]
    if pushed.subject is not None:
        jobs.append(image_job(JUDGE, repository, pushed.subject))
    # What stands behind cosign's tag looks like an image, but holds signatures.
    if pushed.is_image and (tags or not signed):
        jobs.append(image_job(SCAN, repository, digest))
    return jobs + [image_job(JUDGE, repository, digest, tag) for tag in tags]


def on_report(entry: audit.Entry) -> Sequence[NewJob]:
    """A new report, or news about an old one, has its image judged."""
    if entry.repository is None or entry.digest is None:
        return ()
    return [image_job(JUDGE, entry.repository, entry.digest)]


def on_advisories(entry: audit.Entry) -> Sequence[NewJob]:
    """A feed's new edition has the images judged again that it speaks about."""
    refreshed = msgspec.json.decode(entry.body, type=AdvisoriesRefreshed)
    payload = msgspec.json.encode(FeedJob(generation=refreshed.generation))
    return [NewJob(kind=REMATCH, key=str(refreshed.generation), payload=payload)]


def on_fingerprints(entry: audit.Entry) -> Sequence[NewJob]:
    """Other fingerprints have all images looked at again, from what is known of their layers."""
    return [NewJob(kind=RECOGNISE, key="", payload=b"")]


RULES: Final = {
    ManifestPushed.kind(): on_push,
    ReportMade.kind(): on_report,
    FindingsChanged.kind(): on_report,
    AdvisoriesRefreshed.kind(): on_advisories,
    FingerprintsAdded.kind(): on_fingerprints,
    FingerprintsRemoved.kind(): on_fingerprints,
}


# -- the jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanning:
    """The tasks of the workers."""

    database: Database
    registry: Registry
    reports: Reports
    advisories: Advisories
    judge: Judge
    clock: Clock
    read_layer: LayerReader | None = None
    """How layers are read: in this process, unless something better is given."""
    recognition: Callable[[], Recognition] = lambda: SIGNATURES
    """How programs without a package are recognised now."""

    @property
    def trending(self) -> Trending:
        return Trending(database=self.database, registry=self.registry, clock=self.clock)

    @property
    def taught(self) -> TaughtPrograms:
        return TaughtPrograms(self.database)

    def tasks(self) -> dict[str, Task]:
        """Return the tasks by the kind of job."""
        return {
            SCAN: self.scan_job,
            JUDGE: self.judge_job,
            REMATCH: self.rematch_job,
            REMATCH_ONE: self.rematch_one_job,
            RECOGNISE: self.recognise_job,
            RESCAN: self.scan_job,
        }

    def scan_job(self, job: Job) -> None:
        """Scan the image of the job; an image that is gone is no failure."""
        asked = msgspec.json.decode(job.payload, type=ImageJob)
        with contextlib.suppress(NotFoundError):
            self.scan(RepositoryName.parse(asked.repository), Digest.parse(asked.digest))

    def scan(self, repository: RepositoryName, digest: Digest) -> None:
        """Take the inventory of an image, match it, and store the report."""
        stored = self.registry.manifest(repository, digest)
        parsed = manifests.parse(stored.content, stored.media_type)
        if not isinstance(parsed, Manifest):
            return
        config = self.registry.read_blob(repository, parsed.config.digest, CONFIG_MAX_BYTES)
        sources = [self._source(repository, layer) for layer in parsed.layers]
        known = {source.digest: facts for source in sources if (facts := self._known(source))}
        found = inventory.take(
            sources,
            config,
            known=known,
            keep=self._keep,
            read=self.read_layer,
            parallel=PARALLEL,
            recognition=self.recognition(),
        )
        self.reports.make(digest, found, actor=actors.SYSTEM, repository=repository)

    def judge_job(self, job: Job) -> None:
        """Write down who signed the image of the job, and the verdict, where they are news."""
        asked = msgspec.json.decode(job.payload, type=ImageJob)
        repository, digest = RepositoryName.parse(asked.repository), Digest.parse(asked.digest)
        with contextlib.suppress(NotFoundError):
            for tag in self._tags(repository, digest, asked.tag):
                self._judge(repository, digest, tag)
        if asked.tag is None:  # a new report: it counts for the indexes of the image, too
            for index in self.registry.indexes_of(repository, digest):
                for tag in self._tags(repository, index, None):
                    self._judge(repository, index, tag)

    def rematch_job(self, job: Job) -> None:
        """Judge again the packages about which the new edition says something else.

        Where the edition speaks about an ecosystem for the first time, or it is no longer known
        what changed, the images themselves are judged again.
        """
        asked = msgspec.json.decode(job.payload, type=FeedJob)
        packages = self.advisories.changed_packages(asked.generation)
        if packages is None:
            self._queue_rematches(sorted(self.reports.images_with(None)))
            return
        fresh = self.advisories.fresh_ecosystems(asked.generation)
        if fresh:
            self._queue_rematches(sorted(self.reports.images_of(fresh)))
        rematching = Rematching(self.database, self.clock)
        rematching.rejudge(packages, generation=asked.generation)
        rematching.settle(self._places)

    def renew_reports(self) -> None:
        """Queue every image whose report is older than `REPORT_LIFETIME`.

        Nothing new about an image is an answer too, and good for a time only: without this, an
        image about which no advisory speaks would become too old for `scan-fresh`. After an update
        of the scanner every image is so read anew within a day.
        """
        self._queue_rematches(self.reports.stale(self.clock.now() - REPORT_LIFETIME))

    def rematch_one_job(self, job: Job) -> None:
        """Match one image again; scan it when an older scanner took its inventory."""
        asked = msgspec.json.decode(job.payload, type=ImageJob)
        digest, repository = Digest.parse(asked.digest), RepositoryName.parse(asked.repository)
        try:
            self.reports.rematch(digest, actor=actors.SYSTEM, repository=repository)
        except NotFoundError:
            self.scan_job(job)

    def recognise_job(self, job: Job) -> None:
        """Scan all images again, most of them without opening a layer: their facts are kept."""
        self._queue(RESCAN, sorted(self.reports.images_with(None)))

    def _queue_rematches(self, images: Sequence[Digest]) -> None:
        self._queue(REMATCH_ONE, images)

    def _queue(self, kind: str, images: Sequence[Digest]) -> None:
        for digests in _batches(images, REMATCH_BATCH):
            places = self.registry.places_of(digests)
            with self.database.write() as connection:
                for repository, digest in places:
                    again = image_job(kind, repository, digest)
                    queue.enqueue(connection, again, now=self.clock.now())

    def _places(self, digests: Sequence[Digest]) -> list[tuple[str, Digest]]:
        places = self.registry.places_of(digests)
        return [(str(repository), digest) for repository, digest in places]

    def _source(self, repository: RepositoryName, layer: Descriptor) -> LayerSource:
        def open_layer() -> BinaryIO:
            return self.registry.open_blob(repository, layer.digest)

        return LayerSource(
            digest=str(layer.digest),
            media_type=layer.media_type,
            size=layer.size,
            open=open_layer,
        )

    def _known(self, source: LayerSource) -> LayerFacts | None:
        digest = Digest.parse(source.digest)
        stored = self.reports.layer_facts(digest, format=inventory_facts.FACTS_VERSION)
        return None if stored is None else inventory_facts.from_bytes(stored)

    def _keep(self, facts: LayerFacts) -> None:
        if facts.is_complete:
            self.reports.store_layer_facts(
                Digest.parse(facts.digest),
                inventory_facts.to_bytes(facts),
                format=inventory_facts.FACTS_VERSION,
            )

    def _tags(
        self, repository: RepositoryName, digest: Digest, asked: str | None
    ) -> Sequence[Tag | None]:
        """Return the tags under which to judge; None stands for the digest alone."""
        if asked is not None:
            return [Tag.parse(asked)]
        tagged = self.registry.tag_list_with_digests(repository)
        return [one.tag for one in tagged if one.digest == digest] or [None]

    def _judge(self, repository: RepositoryName, digest: Digest, tag: Tag | None) -> None:
        judgement = self.judge.judge(repository, digest, tag=tag)
        for signature in judgement.proof.signatures:
            self._record_signature(
                ImageSigned(
                    repository=repository,
                    digest=digest,
                    key_id=signature.key_id,
                    key=signature.key_name,
                    tag=signature.tag,
                )
            )
        self.judge.record(judgement, actor=actors.SYSTEM)
        self.trending.note(repository, judgement)
        if judgement.proof.is_valid:
            self._learn(repository, digest, judgement.proof.signatures)

    def _learn(
        self,
        repository: RepositoryName,
        digest: Digest,
        signatures: Sequence[VerifiedSignature],
    ) -> None:
        """Learn from an image what its packages' programs are, by the word of each key once."""
        image = f"{repository}@{digest}"
        keys = [one.key_id for one in signatures if not one.authority]
        fresh = [key_id for key_id in keys if not self.taught.has_taught(image, key_id)]
        with contextlib.suppress(NotFoundError):
            facts = self._facts_of_image(repository, digest) if fresh else ()
            for key_id in fresh if facts else ():
                self.taught.teach(image, key_id, taught.programs_of(facts))

    def _facts_of_image(self, repository: RepositoryName, digest: Digest) -> Sequence[LayerFacts]:
        """Return what is known of all layers of an image, or of this machine's in an index; nothing
        where that is not all. Raises NotFoundError."""
        stored = self.registry.manifest(repository, digest)
        scanned = judging.platform_manifest(digest, stored.content, stored.media_type)
        stored = self.registry.manifest(repository, scanned)
        parsed = manifests.parse(stored.content, stored.media_type)
        if not isinstance(parsed, Manifest):
            return ()
        facts = [self._known(self._source(repository, layer)) for layer in parsed.layers]
        whole = [each for each in facts if each is not None]
        return whole if len(whole) == len(facts) else ()

    def _record_signature(self, event: ImageSigned) -> None:
        only = audit.Filter(kinds=(event.kind(),), repository=event.repository, digest=event.digest)
        body = audit.body_of(event)
        with self.database.read() as connection:
            if any(entry.body == body for entry in audit.read(connection, only=only)):
                return
        with self.database.write() as connection:
            audit.record(connection, event, actor=actors.SYSTEM, at=self.clock.now())


def _batches(items: Sequence[Digest], size: int) -> Iterator[Sequence[Digest]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
