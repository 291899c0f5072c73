"""What happens when it changes who may vouch: what they could vouch for is judged again.

The gate needs none of this, it judges anew each time. The log does: it must not say of an image
that it is allowed when nobody vouches for it any more. A portion of repositories is one job, which
queues the next one, so that neither a transaction nor a job grows with the installation.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from seawall import audit
from seawall.core.clock import Clock
from seawall.core.errors import NotFoundError
from seawall.flows import scanning
from seawall.jobs import queue
from seawall.jobs.queue import Job, NewJob
from seawall.jobs.worker import Task
from seawall.oci import patterns
from seawall.oci.names import RepositoryName
from seawall.registry.service import Registry
from seawall.scan.events import VexAccepted, VexRemoved
from seawall.store import Database
from seawall.trust.events import (
    AuthorityDistrusted,
    AuthorityTrusted,
    KeyDistrusted,
    KeyTrusted,
    RootPinned,
    RootUnpinned,
    TreeDeleted,
    TreePublished,
)

REJUDGE: Final = "rejudge"
REPOSITORIES_BATCH: Final = 50
TAGS_BATCH: Final = 200


class PatternsJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Judge all tags of the repositories behind `after`, in order, that a pattern matches."""

    patterns: tuple[str, ...]
    after: str = ""


class _Patterns(msgspec.Struct, frozen=True, kw_only=True):
    """What the events below have in common."""

    patterns: tuple[str, ...]
    former_patterns: tuple[str, ...] = ()


def on_trust(entry: audit.Entry) -> Sequence[NewJob]:
    """What is trusted, trusted otherwise or no more has its repositories judged again."""
    changed = msgspec.json.decode(entry.body, type=_Patterns)
    return [_patterns_job(sorted({*changed.patterns, *changed.former_patterns}))]


def on_repository(entry: audit.Entry) -> Sequence[NewJob]:
    """A pin that is made or taken away, or a new tree, has its repository judged again."""
    return [] if entry.repository is None else [_patterns_job([entry.repository])]


def on_answers(entry: audit.Entry) -> Sequence[NewJob]:
    """A VEX document that is let in or taken away has everything judged again."""
    return [_patterns_job(["**"])]


_OF_TRUST: Final = (KeyTrusted, KeyDistrusted, AuthorityTrusted, AuthorityDistrusted)
_OF_TREES: Final = (RootPinned, RootUnpinned, TreePublished, TreeDeleted)
RULES: Final = {
    **{change.kind(): on_trust for change in _OF_TRUST},
    **{change.kind(): on_repository for change in _OF_TREES},
    **{change.kind(): on_answers for change in (VexAccepted, VexRemoved)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudging:
    """The tasks of the workers."""

    database: Database
    registry: Registry
    clock: Clock

    def tasks(self) -> dict[str, Task]:
        """Return the tasks by the kind of job."""
        return {REJUDGE: self.rejudge_job}

    def rejudge_job(self, job: Job) -> None:
        """Queue the judging of one portion of repositories, then the next portion."""
        asked = msgspec.json.decode(job.payload, type=PatternsJob)

        def is_wanted(repository: RepositoryName) -> bool:
            return any(patterns.is_match(pattern, repository) for pattern in asked.patterns)

        names = self.registry.repositories(is_wanted, REPOSITORIES_BATCH, asked.after)
        for repository in names:
            with contextlib.suppress(NotFoundError):  # it may be gone by now
                self._enqueue_all(self._judge_jobs(repository))
        if len(names) == REPOSITORIES_BATCH:
            self._enqueue_all(iter([_patterns_job(asked.patterns, after=names[-1])]))

    def _judge_jobs(self, repository: RepositoryName) -> Iterator[NewJob]:
        last = ""
        while tagged := self.registry.tag_list_with_digests(repository, TAGS_BATCH, last):
            for one in tagged:
                if scanning.signed_by_tag(one.tag) is None:
                    yield scanning.image_job(scanning.JUDGE, repository, one.digest, one.tag)
            last = tagged[-1].tag

    def _enqueue_all(self, jobs: Iterator[NewJob]) -> None:
        while portion := list(itertools.islice(jobs, TAGS_BATCH)):
            with self.database.write() as connection:
                for job in portion:
                    queue.enqueue(connection, job, now=self.clock.now())


def _patterns_job(wanted: Sequence[str], after: str = "") -> NewJob:
    payload = msgspec.json.encode(PatternsJob(patterns=tuple(wanted), after=str(after)))
    return NewJob(kind=REJUDGE, key=payload.decode(), payload=payload)
